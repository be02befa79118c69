// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/ledger/tx"
)

// Batch is a list of transactions that one validator closed (CONS-26).
type Batch = msg.Batch

// Block is a header with its body: the batches whose digests give PayloadRoot.
type Block struct {
	_       struct{} `cbor:",toarray"`
	Header  header.Header
	Batches []Batch
}

// ErrBlock reports a body that does not fit its header or holds an invalid
// transaction.
var ErrBlock = errors.New("invalid block")

// Encode returns the canonical bytes.
func (b *Block) Encode() []byte { return enc.Encode(b) }

// DecodeBlock reads one block. It checks the encoding only; see Verify. Errors:
// those of enc.Decode.
func DecodeBlock(b []byte) (Block, error) {
	var out Block
	if err := enc.Decode(b, &out); err != nil {
		return Block{}, fmt.Errorf("%w: %w", ErrBlock, err)
	}
	return out, nil
}

// CheckBody verifies that the batches are those of the header: counts and
// payload root. Errors: ErrBlock.
func (b *Block) CheckBody() error {
	h := &b.Header
	digests := make([][32]byte, len(b.Batches))
	var txs uint64
	for i := range b.Batches {
		digests[i] = b.Batches[i].Digest(h.ChainID)
		txs += uint64(len(b.Batches[i].Txs))
	}
	switch {
	case h.Batches != uint64(len(b.Batches)) || h.Txs != txs:
		return fmt.Errorf("%w: %d batches with %d transactions, header says %d with %d", ErrBlock, len(b.Batches), txs, h.Batches, h.Txs)
	case header.PayloadRoot(digests) != h.PayloadRoot:
		return fmt.Errorf("%w: payload root", ErrBlock)
	}
	return nil
}

// Cache hands out transactions that were verified before, by their signed bytes,
// for instance those of a mempool.
type Cache interface {
	Lookup(raw []byte) (tx.Verified, bool)
}

// VerifiedBlock is a block whose body fits the header and whose transactions are
// all verified. Only Verify makes one.
type VerifiedBlock struct {
	block Block
	txs   []tx.Verified
}

// Header returns the header.
func (v VerifiedBlock) Header() *header.Header { return &v.block.Header }

// Block returns the block.
func (v VerifiedBlock) Block() *Block { return &v.block }

// Txs returns the transactions in block order.
func (v VerifiedBlock) Txs() []tx.Verified { return v.txs }

// Verify checks the body and every transaction of b (CONS-21). cache may be nil.
// Cost: one signature check, batched, per transaction that cache does not know.
// Errors: ErrBlock, with the *tx.Error of the first bad transaction.
func Verify(chainID [32]byte, b Block, cache Cache) (VerifiedBlock, error) {
	if b.Header.ChainID != chainID {
		return VerifiedBlock{}, fmt.Errorf("%w: of another chain", ErrBlock)
	}
	if err := b.CheckBody(); err != nil {
		return VerifiedBlock{}, err
	}
	var raws [][]byte
	for i := range b.Batches {
		raws = append(raws, b.Batches[i].Txs...)
	}
	txs, err := VerifyTxs(chainID, raws, cache)
	if err != nil {
		return VerifiedBlock{}, err
	}
	return VerifiedBlock{block: b, txs: txs}, nil
}

// VerifyTxs decodes and verifies transactions, in order, and keeps raws. cache may
// be nil.
// Errors: ErrBlock, with the *tx.Error of the first bad one.
func VerifyTxs(chainID [32]byte, raws [][]byte, cache Cache) ([]tx.Verified, error) {
	out := make([]tx.Verified, len(raws))
	var fresh [][]byte
	var place []int
	for i, raw := range raws {
		if cache != nil {
			if v, ok := cache.Lookup(raw); ok {
				out[i] = v
				continue
			}
		}
		fresh, place = append(fresh, raw), append(place, i)
	}
	done, errs := tx.VerifyRaw(chainID, fresh)
	for j, i := range place {
		if errs[j] != nil {
			return nil, fmt.Errorf("%w: transaction %d: %w", ErrBlock, i, errs[j])
		}
		out[i] = done[j]
	}
	return out, nil
}
