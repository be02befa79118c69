// SPDX-License-Identifier: Apache-2.0

package merkle

import "fmt"

// SumRange proves a run of adjacent leaves of a sum tree by its two ends and
// their outer neighbours. The neighbours let the caller see, from the bodies,
// that the run is complete; the leaves between the ends are not shown.
//
// One valid form per run: Last is null iff the run has one leaf, Before is null
// iff it starts at leaf 0, After is null iff it ends at the last leaf.
// Spec: PAY-05.
type SumRange struct {
	_      struct{} `cbor:",toarray"`
	Before *SumProof
	First  SumProof
	Last   *SumProof
	After  *SumProof
}

// ProveSumRange proves the run of leaves first..last, both included.
//
// Errors: ErrIndex, ErrSum, ErrSize. Cost: up to 12n hashes.
func ProveSumRange(leaves []SumLeaf, first, last uint64) (SumRange, error) {
	n := uint64(len(leaves))
	if first > last || last >= n {
		return SumRange{}, fmt.Errorf("prove leaves %d to %d of %d: %w", first, last, n, ErrIndex)
	}
	p, err := ProveSum(leaves, first)
	if err != nil {
		return SumRange{}, err
	}
	r := SumRange{First: p}
	add := func(dst **SumProof, need bool, i uint64) {
		if need && err == nil {
			var q SumProof
			q, err = ProveSum(leaves, i)
			*dst = &q
		}
	}
	add(&r.Before, first > 0, first-1)
	add(&r.Last, last > first, last)
	add(&r.After, last+1 < n, last+1)
	return r, err
}

// End returns the proof of the last leaf of the run.
func (r SumRange) End() SumProof {
	if r.Last != nil {
		return *r.Last
	}
	return r.First
}

// Verify checks the range against root. It returns the sum of all leaves before
// the run and the sum of the run itself.
//
// What makes a run complete (for a claim: First and End name the payee, Before
// and After do not) is for the caller to check. Errors: as [SumProof.Verify].
func (r SumRange) Verify(root SumRoot) (before, amount uint64, err error) {
	end := r.End()
	if r.Last != nil && r.Last.Index <= r.First.Index {
		return 0, 0, fmt.Errorf("run from leaf %d to %d: %w", r.First.Index, r.Last.Index, ErrShape)
	}
	before, err = r.First.Verify(root)
	if err != nil {
		return 0, 0, fmt.Errorf("first leaf: %w", err)
	}
	upTo := before
	if r.Last != nil {
		if upTo, err = r.Last.Verify(root); err != nil {
			return 0, 0, fmt.Errorf("last leaf: %w", err)
		}
	}
	// Index+1 cannot wrap: both ends were checked to lie below root.Count.
	if err := r.checkNeighbour(r.Before, r.First.Index > 0, r.First.Index-1, root); err != nil {
		return 0, 0, fmt.Errorf("leaf before the run: %w", err)
	}
	if err := r.checkNeighbour(r.After, end.Index+1 < root.Count, end.Index+1, root); err != nil {
		return 0, 0, fmt.Errorf("leaf after the run: %w", err)
	}
	// Where the two paths part, the sum of the left side is computed from below
	// by one and hashed by both, so before + First.Sum ≤ upTo unless they are one.
	return before, upTo - before + end.Sum, nil
}

func (r SumRange) checkNeighbour(p *SumProof, need bool, index uint64, root SumRoot) error {
	if need != (p != nil) || need && p.Index != index {
		return ErrShape
	}
	if p == nil {
		return nil
	}
	_, err := p.Verify(root)
	return err
}
