// SPDX-License-Identifier: Apache-2.0

package payout

import (
	"bytes"
	"fmt"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/poa"
	"github.com/openledger/openledger/poa/atom"
	"github.com/openledger/openledger/poa/knn"
)

// Input is everything an attribution job depends on.
type Input struct {
	Params      knn.Params
	Tau         uint64         // near-duplicate bound, squared distance (ATM-07)
	RowsPerLeaf uint64         // validation rows per segment of the task, ≥ 1
	Owners      []keys.Address // strictly ascending; 1..65,536
	Train       []atom.Row     // Owner indexes Owners
	Valid       []atom.Row     // Owner is not read
}

// Plan is a job after clustering, cut into leaves. Read-only; leaves may be
// computed in parallel.
type Plan struct {
	in    Input
	set   atom.Set
	job   *knn.Job
	owner []uint32 // by atom
}

// NewPlan clusters the rows and prepares the leaves. The input is kept.
// Spec: ATM-01..07, KNN-04. Errors: poa.ErrInput and its children.
func NewPlan(in Input) (*Plan, error) {
	if len(in.Owners) == 0 || len(in.Owners) > 1<<16 {
		return nil, fmt.Errorf("%w: %d owners", poa.ErrRange, len(in.Owners))
	}
	for i := 1; i < len(in.Owners); i++ {
		if bytes.Compare(in.Owners[i-1][:], in.Owners[i][:]) >= 0 {
			return nil, fmt.Errorf("%w: owners are not ascending at %d", poa.ErrRange, i)
		}
	}
	for i, r := range in.Train {
		if int(r.Owner) >= len(in.Owners) {
			return nil, fmt.Errorf("%w: owner %d of row %d", poa.ErrRange, r.Owner, i)
		}
	}
	set, err := atom.Build(in.Train, in.Valid, in.Tau)
	if err != nil {
		return nil, err
	}
	p := &Plan{in: in, set: set, owner: make([]uint32, len(set.Atoms))}
	for i, a := range set.Atoms {
		p.owner[i] = in.Train[a.Founder].Owner
	}
	valid := make([]knn.Point, len(in.Valid))
	for i, v := range in.Valid {
		valid[i] = knn.Point{Features: v.Features, Label: int64(v.Label)}
	}
	judge := make([]bool, len(in.Valid))
	for _, v := range set.Valid {
		judge[v] = true
	}
	if p.job, err = knn.NewJob(in.Params, p.atoms(), valid, judge, in.RowsPerLeaf); err != nil {
		return nil, err
	}
	return p, nil
}

// Set returns the atoms and the fate of every row.
func (p *Plan) Set() atom.Set { return p.set }

// Leaves returns the number of leaves, ⌈validation rows/RowsPerLeaf⌉ whatever
// was dropped: the segments of the descriptor.
func (p *Plan) Leaves() uint64 { return p.job.Leaves() }

// Leaf computes leaf i. Errors: poa.ErrLeaf if there is none.
func (p *Plan) Leaf(i uint64) (knn.Leaf, error) { return p.job.Leaf(i) }

// Pool returns the per-answer attribution over the same atoms and owners.
func (p *Plan) Pool() (*Pool, error) {
	return NewPool(p.in.Params, p.atoms(), p.owner, len(p.in.Owners))
}

func (p *Plan) atoms() []knn.Point {
	atoms := make([]knn.Point, len(p.set.Atoms))
	for i, a := range p.set.Atoms {
		r := p.in.Train[a.Founder]
		atoms[i] = knn.Point{Features: r.Features, Label: int64(r.Label), Key: a.Key}
	}
	return atoms
}

// Reduce adds the leaves, which next yields in order, into the result of the
// job. It adds the whole of every leaf: sums are never sampled (FLW-02).
// Errors: poa.ErrLeaf if a leaf is missing, foreign or left over; poa.ErrArith.
func (p *Plan) Reduce(next func() (knn.Leaf, bool)) (Result, error) {
	totals := make([]int64, p.job.Atoms())
	digests := make([][]byte, 0, p.Leaves())
	for i := range p.Leaves() {
		l, ok := next()
		if !ok {
			return Result{}, fmt.Errorf("%w: %d of %d leaves", poa.ErrLeaf, i, p.Leaves())
		}
		if err := p.job.Sum(l, i, totals); err != nil {
			return Result{}, err
		}
		d := l.Digest()
		digests = append(digests, d[:])
	}
	if _, more := next(); more {
		return Result{}, fmt.Errorf("%w: more than %d leaves", poa.ErrLeaf, p.Leaves())
	}
	return p.result(totals, merkle.Root(digests)), nil
}

func (p *Plan) result(totals []int64, leafRoot [32]byte) Result {
	sums := ownerTotals(totals, p.owner, len(p.in.Owners))
	weights, _ := Weights(sums)
	r := Result{
		Rule: poa.Rule, Method: string(poa.MethodKNN),
		K: p.in.Params.K, Soft: p.in.Params.Soft, Classes: p.in.Params.Classes,
		Tau: p.in.Tau, RowsPerLeaf: p.in.RowsPerLeaf,
		Rows: uint64(len(p.in.Train)), Atoms: uint64(len(p.set.Atoms)),
		Duplicates: uint64(p.set.Count(poa.ReasonDuplicate)), Leaks: uint64(p.set.Count(poa.ReasonLeak)),
		ValidRows: uint64(len(p.set.Valid)), Dropped: uint64(len(p.set.Dropped)),
		Leaves: p.Leaves(), LeafRoot: leafRoot,
		Owners: make([]OwnerShare, len(p.in.Owners)),
	}
	for i, o := range p.in.Owners {
		r.Owners[i] = OwnerShare{Owner: o, Hi: sums[i].Hi, Lo: sums[i].Lo, Weight: weights[i]}
	}
	return r
}
