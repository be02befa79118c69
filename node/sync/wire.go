// SPDX-License-Identifier: Apache-2.0

package sync

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/evidence"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/node/chain"
)

// Protocol is the request protocol of this package (P2P-08).
const Protocol = "blocks/1"

// Bounds of one exchange.
const (
	MaxBlocks = 64
	MaxBytes  = 8 << 20
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
// is what Header.Justification commits to, or empty if the peer does not have it
// or it is above maxLeaves: it is kept as evidence for the case of a fork, and not
// verified (CONS-47).
type Block struct {
	_        struct{} `cbor:",toarray"`
	Header   header.Header
	Final    *cert.Certificate
	Carriers []header.Header
	Leaves   [][]byte
	Batches  []ledger.Batch
}

// maxLeaves bounds the justification in a frame, in bytes.
const maxLeaves = 64 << 10

// justified checks the leaves as far as their hash and length go.
func (b *Block) justified() error {
	h, size := &b.Header, 0
	for i, l := range b.Leaves {
		if size += len(l); len(l) > evidence.MaxLeaf && (i > 0 || h.ParentView > 0) {
			return fmt.Errorf("leaf %d of %d bytes is no certificate", i, len(l))
		}
	}
	if len(b.Leaves) > 0 && (size > maxLeaves || uint64(len(b.Leaves)) != h.View-h.ParentView || merkle.Root(b.Leaves) != h.Justification) {
		return errors.New("leaves of another justification")
	}
	return nil
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
		if b.justified() != nil { // too long for a frame
			b.Leaves = nil
		}
		frame := enc.Encode(b)
		size += len(frame)
		if err := send(frame); err != nil || hd.Kind == header.KindSeal {
			return err
		}
	}
	return nil
}
