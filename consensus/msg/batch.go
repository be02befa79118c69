// SPDX-License-Identifier: Apache-2.0

package msg

import (
	"fmt"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
)

// MaxBatch bounds the encoded length of a Batch in bytes (CONS-26).
const MaxBatch = 64 << 10

// Batch is a list of transactions that one validator closed (CONS-26). Seq
// counts the author's batches in the epoch. Sig signs the digest.
type Batch struct {
	_      struct{}  `cbor:",toarray"`
	Kind   cert.Kind // KindBatch
	Epoch  uint64
	Author uint64 // index in the set
	Seq    uint64
	Txs    [][]byte
	Sig    keys.Signature
}

// Digest names the batch: SHA-256(enc(["openledger/batch/1", chain_id, epoch,
// author, seq, n, tx_root])), tx_root by RFC 6962 over the transactions.
func (b *Batch) Digest(chainID [32]byte) [32]byte {
	return keys.Sum(keys.DomainBatch, chainID, b.Epoch, b.Author, b.Seq, uint64(len(b.Txs)), merkle.Root(b.Txs))
}

// Encode returns the canonical bytes.
func (b *Batch) Encode() []byte { return enc.Encode(b) }

func (b *Batch) shape() error {
	size := 0
	for _, tx := range b.Txs {
		size += len(tx)
	}
	switch {
	case len(b.Txs) == 0:
		return fmt.Errorf("%w: batch without transactions", ErrMalformed)
	case size > MaxBatch:
		return fmt.Errorf("%w: batch of %d bytes, at most %d", ErrMalformed, size, MaxBatch)
	case b.Author >= valset.MaxValidators:
		return fmt.Errorf("%w: author %d", ErrNotMember, b.Author)
	}
	return nil
}

// NewBatch signs a batch of transactions. author is the set index of key. The
// caller keeps the encoded transactions below MaxBatch bytes together.
func NewBatch(chainID [32]byte, epoch uint64, author int, seq uint64, txs [][]byte, key keys.PrivateKey) *Batch {
	b := &Batch{Kind: KindBatch, Epoch: epoch, Author: uint64(author), Seq: seq, Txs: txs}
	d := b.Digest(chainID)
	b.Sig = key.Sign(d[:])
	return b
}
