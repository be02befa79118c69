// SPDX-License-Identifier: Apache-2.0

package sync

import (
	"fmt"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/node/chain"
)

// segment is consecutive blocks above the head. Those up to the last one whose
// own finalization was checked are final; what follows waits for proof. All
// comes from one peer.
type segment struct {
	s      *Syncer
	parent header.Header // of the next block
	hash   header.Hash
	final  []*chain.Block
	open   []*chain.Block
	size   int // bytes of open
	full   int // bytes of the present answer
}

// start begins a segment at the head.
func (s *Syncer) start() (*segment, error) {
	head := s.cfg.Chain.Head()
	last, _, err := s.cfg.Chain.Header(head.Height)
	if err != nil {
		return nil, err
	}
	return &segment{s: s, parent: *last, hash: head.HeaderHash}, nil
}

// take returns the blocks that are proved final.
func (g *segment) take() []*chain.Block {
	out := g.final
	g.final = nil
	return out
}

// add checks the next block: its place in the chain, its certificate if it has
// one of its own, then its body. Errors: ErrLie.
func (g *segment) add(frame []byte) error {
	var b Block
	if err := enc.Decode(frame, &b); err != nil {
		return fmt.Errorf("%w: %w", ErrLie, err)
	}
	hash := b.Header.Hash()
	own := b.Final != nil && b.Final.View == b.Header.View
	err := b.Header.Check()
	if err == nil {
		err = g.parent.CheckChild(g.hash, &b.Header)
	}
	if err == nil {
		err = b.justified()
	}
	if err == nil && own {
		err = g.proved(b.Final, hash)
	}
	if err != nil {
		return fmt.Errorf("%w: height %d: %w", ErrLie, b.Header.Height, err)
	}
	v, err := ledger.Verify(g.s.cfg.Chain.Env().ChainID, ledger.Block{Header: b.Header, Batches: b.Batches}, g.s.cfg.Cache)
	if err != nil {
		return fmt.Errorf("%w: height %d: %w", ErrLie, b.Header.Height, err)
	}
	g.open = append(g.open, &chain.Block{Hash: hash, Verified: v, Finalization: b.Final, Leaves: b.Leaves})
	g.parent, g.hash = b.Header, hash
	g.full += len(frame)
	if g.size += len(frame); own {
		g.close(b.Final)
	} else if len(g.open) > maxOpen || g.size > maxOpenLen {
		return fmt.Errorf("%w: %d blocks without proof", ErrLie, len(g.open))
	}
	return nil
}

// close makes the open blocks final by the certificate of the last one. What a
// peer said about the others was not checked, so it replaces it.
func (g *segment) close(fin *cert.Certificate) {
	for _, b := range g.open {
		if f := b.Finalization; f == nil || f.View != b.Header().View {
			b.Finalization = fin
		}
	}
	g.final, g.open, g.size = append(g.final, g.open...), nil, 0
}

// proved checks that fin finalizes the block.
func (g *segment) proved(fin *cert.Certificate, block header.Hash) error {
	if fin.Hash() != block {
		return fmt.Errorf("certificate of another block")
	}
	c := g.s.cfg.Chain
	return cert.VerifyFinalization(c.Set(), c.Env().ChainID, fin)
}
