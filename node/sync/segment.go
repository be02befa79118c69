// SPDX-License-Identifier: Apache-2.0

package sync

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/node/chain"
)

// segment is consecutive blocks above the head. Those up to the last one whose
// own finalization was checked are final; what follows waits for proof. All
// comes from one peer. One certificate is checked per answer, not one per block:
// it makes its ancestors final too (CONS-47).
type segment struct {
	s      *Syncer
	parent header.Header // of the next block
	hash   header.Hash
	final  []*chain.Block
	open   []*chain.Block
	proof  *Block      // last of open with a finalization of its own, not yet checked
	below  int         // how many of open it makes final
	set    *valset.Set // of the epoch
	sealed bool        // the epoch's last block is among final
	size   int         // bytes of open
	full   int         // bytes of the present answer
}

// start begins a segment at the head.
func (s *Syncer) start() (*segment, error) {
	head := s.cfg.Chain.Head()
	last, _, err := s.cfg.Chain.Header(head.Height)
	if err != nil {
		return nil, err
	}
	return &segment{s: s, parent: *last, hash: head.HeaderHash, set: s.cfg.Chain.Set()}, nil
}

// take checks the proof of what has come and returns the blocks that are final by
// it. Errors: ErrLie; then none of them is.
func (g *segment) take() ([]*chain.Block, error) {
	if err := g.prove(); err != nil {
		return nil, err
	}
	out := g.final
	g.final = nil
	return out, nil
}

// add checks the next block: its place in the chain, then its body. Its
// certificate waits for take, unless it ends the epoch. Errors: ErrLie.
func (g *segment) add(frame []byte) error {
	var b Block
	if err := enc.Decode(frame, &b); err != nil {
		return fmt.Errorf("%w: %w", ErrLie, err)
	}
	hash := b.Header.Hash()
	seal := b.Header.Kind == header.KindSeal
	own := b.Final != nil && (seal || b.Final.View == b.Header.View)
	err := g.place(&b, own)
	if err == nil {
		err = b.Header.Check()
	}
	if err == nil {
		err = g.parent.CheckChild(g.hash, &b.Header)
	}
	if err == nil {
		err = b.justified(len(frame), g.set.Len())
	}
	if err == nil && own && !seal && b.Final.Hash() != hash {
		err = errors.New("certificate of another block")
	}
	if err != nil {
		return fmt.Errorf("%w: height %d: %w", ErrLie, b.Header.Height, err)
	}
	v, err := ledger.Verify(g.s.cfg.Chain.Env().ChainID, ledger.Block{Header: b.Header, Batches: b.Batches}, g.s.cfg.Cache)
	if err != nil {
		return fmt.Errorf("%w: height %d: %w", ErrLie, b.Header.Height, err)
	}
	g.open = append(g.open, &chain.Block{Hash: hash, Verified: v, Finalization: b.Final, Carriers: b.Carriers, Leaves: b.Leaves})
	g.parent, g.hash = b.Header, hash
	g.full += len(frame)
	if g.size += len(frame); own {
		g.proof, g.below = &b, len(g.open)
		g.size = 0
	} else if len(g.open)-g.below > maxOpen || g.size > maxOpenLen {
		return fmt.Errorf("%w: %d blocks without proof", ErrLie, len(g.open)-g.below)
	}
	if g.sealed = seal; seal {
		return g.prove() // the set that signs ends here
	}
	return nil
}

// prove makes the blocks up to the last one with a finalization of its own final
// by that. What a peer said about the others was not checked, so it replaces it.
func (g *segment) prove() error {
	if g.proof == nil {
		return nil
	}
	last := g.proof
	g.proof = nil
	if err := g.proved(last); err != nil {
		return fmt.Errorf("%w: height %d: %w", ErrLie, last.Header.Height, err)
	}
	for _, b := range g.open[:g.below] {
		b.Finalization = last.Final
	}
	g.final, g.open, g.below = append(g.final, g.open[:g.below]...), g.open[g.below:], 0
	return nil
}

// place checks that the block is of the segment's epoch and part of the chain; own
// says that it comes with its finalization.
func (g *segment) place(b *Block, own bool) error {
	h := &b.Header
	switch {
	case g.sealed:
		return errors.New("a block after the seal in one answer")
	case h.Kind == header.KindCarrier:
		return errors.New("a carrier is no part of the chain")
	case h.Kind == header.KindSeal && !own:
		return errors.New("a seal without proof")
	case len(b.Carriers) > cert.MaxProofHeaders || len(b.Carriers) > 0 && h.Kind != header.KindSeal:
		return fmt.Errorf("%d carriers above a block of kind %d", len(b.Carriers), h.Kind)
	case h.Epoch != g.set.Epoch() || h.SetHash != g.set.Hash():
		return fmt.Errorf("epoch %d or its set is not ours, %d", h.Epoch, g.set.Epoch())
	}
	return nil
}

// proved checks that the block's certificate makes it final.
func (g *segment) proved(b *Block) error {
	p := cert.FinalityProof{Finalization: *b.Final, Headers: b.Carriers}
	return p.Verify(g.set, g.s.cfg.Chain.Env().ChainID, &b.Header)
}
