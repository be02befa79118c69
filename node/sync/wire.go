// SPDX-License-Identifier: Apache-2.0

package sync

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/evidence"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/node/chain"
)

// Protocol is the request protocol of this package (P2P-08).
const Protocol = "blocks/1"

// Bounds of one exchange.
const (
	MaxBlocks = 64
	MaxBytes  = 8 << 20
	MaxFrame  = 1 << 20
)

// ErrRequest reports a request that cannot be served.
var ErrRequest = errors.New("bad blocks request")

// Request asks for Count blocks from height From on.
type Request struct {
	_     struct{} `cbor:",toarray"`
	From  uint64
	Count uint64
}

// Block is one frame of the answer. Final is the finalization of this block or
// of a later one; of a seal it is its own or that of the last of Carriers. Leaves
// is what Header.Justification commits to, then what those of Carriers do, or empty
// where that does not fit into the frame: it is kept as evidence for the case of a
// fork, and not verified (CONS-47).
type Block struct {
	_        struct{} `cbor:",toarray"`
	Header   header.Header
	Final    *cert.Certificate
	Carriers []header.Header
	Leaves   [][]byte
	Batches  []ledger.Batch
}

// justified checks the leaves as far as their hash and length go; frame is the
// length of the frame and n the size of the set. No block comes without them, unless
// they might not fit: else nobody would be named after a fork (CONS-47, CONS-50).
func (b *Block) justified(frame, n int) error {
	if len(b.Leaves) == 0 {
		if most := b.mostLeaves(n); most <= MaxFrame-min(frame, MaxFrame) {
			return errors.New("a block without its justification")
		}
		return nil
	}
	for i, l := range b.Leaves {
		if len(l) > evidence.MaxLeaf && (i > 0 || b.Header.ParentView > 0) {
			return fmt.Errorf("leaf %d of %d bytes is no certificate", i, len(l))
		}
	}
	if _, ok := chain.Justifications(&b.Header, b.Carriers, b.Leaves); !ok {
		return errors.New("leaves of another justification")
	}
	return nil
}

// mostLeaves bounds the bytes that lawful leaves of the block take in a frame, under
// a set of n: a certificate for each view since the parent's, and on the root of an
// epoch a FinalityProof in place of the first; and one certificate more, because
// that of the frame from which an earlier node left them out may have been larger.
func (b *Block) mostLeaves(n int) int {
	one := 160 + 66*n
	views := func(h *header.Header) int { return int(min(h.View-min(h.ParentView, h.View), header.MaxGap)) }
	most := 8 + one + views(&b.Header)*one
	if b.Header.ParentView == 0 && b.Header.Epoch > 0 {
		most += cert.MaxProofHeaders * (header.MaxBytes + 8)
	}
	for i := range b.Carriers {
		most += views(&b.Carriers[i]) * one
	}
	return most
}

// Serve answers a request from the committed chain; above the head it sends
// nothing. An answer ends with a seal, because who asks has to commit it before
// it can check what follows (CONS-47). Errors: ErrRequest.
func Serve(c *chain.Chain, req []byte, send func([]byte) error) error {
	var q Request
	if err := enc.Decode(req, &q); err != nil || q.From == 0 || q.Count == 0 || q.Count > MaxBlocks {
		return errors.Join(ErrRequest, err)
	}
	head := c.Head().Height
	size := 0
	for h := q.From; h < q.From+q.Count && h <= head && size < MaxBytes; h++ {
		raw, err := c.Store().HeaderCert(h)
		if err != nil {
			return fmt.Errorf("height %d: %w", h, err)
		}
		hd, fin, carriers, err := chain.DecodeHeaderCert(raw)
		if err != nil {
			return fmt.Errorf("height %d: %w", h, err)
		}
		batches, err := c.Batches(h)
		if err != nil {
			return fmt.Errorf("height %d: %w", h, err)
		}
		leaves, err := c.Leaves(h)
		if err != nil {
			return fmt.Errorf("height %d: %w", h, err)
		}
		b := Block{Header: *hd, Final: fin, Carriers: carriers, Leaves: leaves, Batches: batches}
		frame := enc.Encode(b)
		if len(frame) > MaxFrame {
			b.Leaves = nil
			frame = enc.Encode(b)
		}
		size += len(frame)
		if err := send(frame); err != nil || hd.Kind == header.KindSeal {
			return err
		}
	}
	return nil
}
