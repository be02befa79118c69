// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/merkle"
)

// Errors of Fork.
var (
	// ErrNoFork: the branches do not exclude each other.
	ErrNoFork = errors.New("the chains do not conflict")
	// ErrBranch: a branch is not what a node holds of final blocks.
	ErrBranch = errors.New("not a finalized branch")
)

// Block is what a node keeps of a final block: the header, and the bytes that
// its justification commits to.
type Block struct {
	Header header.Header
	Leaves [][]byte
}

// Branch is one side of a fork within one epoch: blocks in rising order, of
// which each names the one before, and a Finalization of the last. The parent of
// the first is common to both sides; it is no part of the branch.
type Branch struct {
	Blocks       []Block
	Finalization *cert.Certificate
}

// Fork names the guilty of two final branches on one parent: evidence that
// passes Check and together convicts power of at least f+1 (CONS-50). Only the
// branch that was finalized in the later view needs its leaves, and only for
// blocks above the view of the other Finalization. Cost: one certificate per
// leaf looked at. Errors: ErrNoFork, ErrBranch.
func Fork(set *valset.Set, chainID [32]byte, a, b Branch) ([]Evidence, error) {
	for i, x := range []*Branch{&a, &b} {
		if err := x.check(set, chainID); err != nil {
			return nil, fmt.Errorf("branch %d: %w", i+1, err)
		}
	}
	if a.Blocks[0].Header.Parent != b.Blocks[0].Header.Parent {
		return nil, fmt.Errorf("%w: they start on different blocks", ErrBranch)
	}
	if a.Blocks[0].Header.Hash() == b.Blocks[0].Header.Hash() {
		return nil, fmt.Errorf("%w: they start with the same block", ErrNoFork)
	}
	if a.Finalization.View > b.Finalization.View {
		a, b = b, a
	}
	low, high := ofCert(a.Finalization), ofCert(b.Finalization)
	var list []Evidence
	if a.Finalization.View == b.Finalization.View {
		list = meet(set, a.Finalization.View, &low, &high)
	} else {
		var err error
		if list, err = b.convict(set, chainID, a.Finalization.View, &low); err != nil {
			return nil, err
		}
	}
	power := uint64(0)
	for i := range list {
		for _, who := range list[i].Signers() {
			power += set.Power(who)
		}
	}
	if power <= set.Faulty() { // a leaf that no honest node keeps, too long for one piece
		return nil, fmt.Errorf("%w: what it shows convicts power %d, not above %d", ErrBranch, power, set.Faulty())
	}
	return list, nil
}

// meet convicts the common signers of two certificates of a view.
func meet(set *valset.Set, view uint64, a, b *Half) []Evidence {
	return conflict(set.Epoch(), view, a, b, common(a, b))
}

// check verifies the links and the Finalization. What a header says is not
// believed: it may be at fault.
func (x *Branch) check(set *valset.Set, chainID [32]byte) error {
	if len(x.Blocks) == 0 {
		return fmt.Errorf("%w: no blocks", ErrBranch)
	}
	if err := cert.VerifyFinalization(set, chainID, x.Finalization); err != nil {
		return fmt.Errorf("%w: %w", ErrBranch, err)
	}
	for i := range x.Blocks {
		want := x.Finalization.Hash()
		if i+1 < len(x.Blocks) {
			want = x.Blocks[i+1].Header.Parent
		}
		if x.Blocks[i].Header.Hash() != want {
			return fmt.Errorf("%w: block %d is not the parent of the next, or not the finalized one", ErrBranch, i)
		}
	}
	return nil
}

// convict is CONS-50 for a Finalization fin of view v1 that the branch, which
// was finalized later, leaves out. It walks down from the finalized block: each
// block's votes stand in its child's leaf 0. The first that is unlawful convicts
// its voters; if none is, the lowest block above v1 shows, by what its leaves say
// of v1, who spoke twice there.
func (x *Branch) convict(set *valset.Set, chainID [32]byte, v1 uint64, fin *Half) ([]Evidence, error) {
	votes, view := ofCert(x.Finalization), x.Finalization.View
	for i := len(x.Blocks) - 1; i >= 0; i-- {
		h, leaves := &x.Blocks[i].Header, x.Blocks[i].Leaves
		if !face(set, chainID, view, h) {
			return fault(set, chainID, view, h, nil, nil).accuse(&votes, votes.list()), nil
		}
		if uint64(len(leaves)) != h.View-h.ParentView || merkle.Root(leaves) != h.Justification {
			return nil, fmt.Errorf("%w: the justification of height %d is not at hand", ErrBranch, h.Height)
		}
		if u := fault(set, chainID, view, h, leaves, nil); u != nil {
			return u.accuse(&votes, votes.list()), nil
		}
		if h.ParentView <= v1 {
			q, err := cert.Decode(leaves[v1-h.ParentView])
			if err != nil {
				return nil, fmt.Errorf("%w: view %d: %w", ErrBranch, v1, err)
			}
			other := ofCert(q)
			return meet(set, v1, fin, &other), nil
		}
		q, err := cert.Decode(leaves[0])
		if err != nil {
			return nil, fmt.Errorf("%w: height %d: %w", ErrBranch, h.Height, err)
		}
		votes, view = ofCert(q), q.View
	}
	return nil, fmt.Errorf("%w: its first block stands above view %d", ErrBranch, v1)
}
