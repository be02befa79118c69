// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"fmt"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/merkle"
)

// MaxLeaf bounds a justification leaf that is a certificate: none of 256
// validators is longer. Whoever keeps blocks for the case of a fork refuses
// longer ones, so that every unlawful leaf can be shown within MaxBytes.
const MaxLeaf = 17 << 10

// maxPath is the longest RFC 6962 path among header.MaxGap leaves.
const maxPath = 16

func (u *Unjustified) shape() error {
	if err := u.Votes.shape(); err != nil {
		return err
	}
	leaf := len(u.Leaf) != 0 || len(u.Path) != 0 || u.Index != 0
	switch {
	case u.Kind != UnjustifiedVote:
		return fmt.Errorf("%w: kind %d in an unjustified vote", ErrMalformed, uint64(u.Kind))
	case u.Votes.Kind != cert.Notarize && u.Votes.Kind != cert.Finalize:
		return fmt.Errorf("%w: %v needs no justification", ErrMalformed, u.Votes.Kind)
	case u.Fault < BadFace || u.Fault > BadLeader:
		return fmt.Errorf("%w: unknown fault %d", ErrMalformed, uint64(u.Fault))
	case leaf && u.Fault != BadLeaf, (u.Parent != nil) != (u.Fault == BadLink), len(u.Path) > maxPath:
		return fmt.Errorf("%w: parts that the fault does not need", ErrMalformed)
	}
	return nil
}

// unjust checks that the votes are signed and the block is unlawful.
func (c Court) unjust(u *Unjustified) error {
	if err := u.shape(); err != nil {
		return err
	}
	h := &u.Header
	if hash := h.Hash(); !bytes.Equal(hash[:], u.Votes.Block) {
		return fmt.Errorf("%w: the votes are for another block", ErrMalformed)
	}
	if err := u.Votes.verify(c.Set, c.ChainID, u.View); err != nil {
		return err
	}
	lawful := true
	switch u.Fault {
	case BadFace:
		lawful = face(c.Set, c.ChainID, u.View, h)
	case BadLeaf:
		if !face(c.Set, c.ChainID, u.View, h) || merkle.Verify(h.Justification, u.Leaf, u.Index, h.View-h.ParentView, u.Path) != nil {
			return fmt.Errorf("%w: the leaf is not in the justification", ErrMalformed)
		}
		lawful = place(c.Set, c.ChainID, h, u.Index, u.Leaf)
	case BadLink:
		if !face(c.Set, c.ChainID, u.View, h) {
			return fmt.Errorf("%w: the fault is on the header's face", ErrMalformed)
		}
		if u.Parent.Hash() != h.Parent {
			return fmt.Errorf("%w: not the parent", ErrMalformed)
		}
		lawful = child(c.Set, u.Parent, h)
	case BadLeader:
		if c.Seed == nil {
			return fmt.Errorf("%w: a leader", ErrJudge)
		}
		lawful = h.View == 0 || h.Leader == uint64(valset.NewSchedule(c.Set, *c.Seed).Leader(h.View))
	}
	if lawful {
		return fmt.Errorf("%w: the block of view %d is lawful there", ErrNoFault, h.View)
	}
	return nil
}

// face reports whether an honest validator could vote in view for a block with
// header h, as far as h alone shows (CONS-31).
func face(set *valset.Set, chainID [32]byte, view uint64, h *header.Header) bool {
	sums, draws := uint64(0), set.Draws() && h.Kind != header.KindCarrier
	if set.Aggregates() {
		sums = 1
	}
	must := h.Kind == header.KindSeal || h.Height%header.BeaconStep == 0
	switch {
	case h.Check() != nil || h.ChainID != chainID || h.Epoch != set.Epoch() || h.View != view || h.SetHash != set.Hash():
		return false
	case h.Certify > sums || h.Kind != header.KindNormal && h.Certify != sums: // CONS-32
		return false
	case len(h.VRF) > 0 && !draws || len(h.VRF) == 0 && draws && must: // CONS-35
		return false
	}
	return h.Leader < uint64(set.Len())
}

// place reports whether leaf is what stands at index of h's justification: the
// parent's certificate, then a Nullification of each view between (CONS-21).
// h passed face.
func place(set *valset.Set, chainID [32]byte, h *header.Header, index uint64, leaf []byte) bool {
	if len(leaf) == 0 {
		return fits(h, index, nil, true)
	}
	if index == 0 && h.ParentView == 0 {
		return fits(h, index, nil, false)
	}
	q, err := cert.Decode(leaf)
	return err == nil && fits(h, index, q, false) && q.Verify(set, chainID) == nil
}

// fits is place for a certificate that holds; q is nil and empty set where the
// leaf has no bytes.
func fits(h *header.Header, index uint64, q *cert.Certificate, empty bool) bool {
	switch {
	case index == 0 && h.ParentView == 0:
		return h.Epoch > 0 || empty // genesis has no certificate; a seal is proved by the set before
	case q == nil || q.View != h.ParentView+index:
		return false
	case index == 0:
		return q.Kind != cert.Nullification && q.Hash() == h.Parent
	}
	return q.Kind == cert.Nullification
}

// child reports whether h, which passed face, may stand on p, its parent by hash,
// as far as the two show it without the parameters of the epoch.
func child(set *valset.Set, p, h *header.Header) bool {
	if p.CheckChild(h.Parent, h) != nil {
		return false
	}
	return len(h.VRF) == 0 || p.CheckBeacon(h, set.VRF(int(h.Leader))) == nil
}

// fault looks for what is wrong with a block in whose view votes for it were
// signed. leaves is all of its justification, or empty if not at hand; parent is
// nil if not at hand. It returns the evidence without its votes, or nil.
func fault(set *valset.Set, chainID [32]byte, view uint64, h *header.Header, leaves [][]byte, parent *header.Header) *Unjustified {
	u := &Unjustified{Kind: UnjustifiedVote, Epoch: set.Epoch(), View: view, Header: *h}
	if !face(set, chainID, view, h) {
		u.Fault = BadFace
		return u
	}
	for i, leaf := range leaves {
		if !place(set, chainID, h, uint64(i), leaf) {
			return leafFault(set, h, leaves, i)
		}
	}
	if parent != nil && !child(set, parent, h) {
		u.Fault, u.Parent = BadLink, parent
		return u
	}
	return nil
}

// leafFault is the fault of leaf number i.
func leafFault(set *valset.Set, h *header.Header, leaves [][]byte, i int) *Unjustified {
	path, err := merkle.Prove(leaves, uint64(i))
	if err != nil {
		return nil
	}
	return &Unjustified{
		Kind: UnjustifiedVote, Epoch: set.Epoch(), View: h.View, Header: *h, Fault: BadLeaf, Index: uint64(i), Leaf: leaves[i], Path: path,
	}
}

// accuse adds votes to what fault returned, for those in who, in as many pieces
// as MaxBytes demands.
func (u *Unjustified) accuse(votes *Half, who []int) []Evidence {
	return split(who, func(part []int) Evidence {
		one := *u
		one.Votes = votes.cut(part)
		return Evidence{Unjust: &one}
	})
}
