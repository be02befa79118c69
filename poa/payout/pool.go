// SPDX-License-Identifier: Apache-2.0

package payout

import (
	"fmt"

	"github.com/openledger/openledger/poa"
	"github.com/openledger/openledger/poa/knn"
)

// Pool attributes single answers of a served model: the query is the
// validation row and the model's answer its label (knn/1, POA 5). Read-only
// after NewPool; each worker takes its own Asker.
type Pool struct {
	x      *knn.Index
	c      *knn.Coefs
	owner  []uint32
	owners int
}

// NewPool prepares atoms (founders only), owner[i] being the owner of atom i,
// a number below owners. Atoms are copied. Errors: those of knn.NewIndex and
// knn.NewCoefs; poa.ErrShape, poa.ErrRange for owner.
func NewPool(p knn.Params, atoms []knn.Point, owner []uint32, owners int) (*Pool, error) {
	if len(owner) != len(atoms) {
		return nil, fmt.Errorf("%w: %d owners for %d atoms", poa.ErrShape, len(owner), len(atoms))
	}
	for i, o := range owner {
		if int64(o) >= int64(owners) {
			return nil, fmt.Errorf("%w: owner %d of atom %d, there are %d", poa.ErrRange, o, i, owners)
		}
	}
	x, err := knn.NewIndex(atoms)
	if err != nil {
		return nil, err
	}
	c, err := knn.NewCoefs(x.Len(), p)
	if err != nil {
		return nil, err
	}
	return &Pool{x: x, c: c, owner: append([]uint32(nil), owner...), owners: owners}, nil
}

// Dim returns the number of features of a query.
func (p *Pool) Dim() int { return p.x.Dim() }

// Asker holds the scratch of one worker. Not for concurrent use.
type Asker struct {
	p    *Pool
	o    *knn.Orderer
	sums []int64
}

// Asker returns scratch of about 30 bytes per atom.
func (p *Pool) Asker() *Asker {
	return &Asker{p: p, o: p.x.Orderer(), sums: make([]int64, p.x.Len())}
}

// Totals returns the signed sum of every owner for one query row and its
// answer, in units of 2^−40. Cost: O(atoms·Dim). Spec: SHR-01.
// Errors: poa.ErrShape if the row has another width.
func (a *Asker) Totals(query []uint8, answer int64) ([]knn.Wide, error) {
	if len(query) != a.p.x.Dim() {
		return nil, fmt.Errorf("%w: %d features, the model has %d", poa.ErrShape, len(query), a.p.x.Dim())
	}
	clear(a.sums)
	a.p.c.Add(a.o.Order(query), a.p.x.Labels(), answer, a.sums)
	return ownerTotals(a.sums, a.p.owner, a.p.owners), nil
}

// Weights returns the weights of the owners for one answer: Σ = poa.W, or all
// 0 and attributed false. Spec: SHR-01, SHR-03. Errors: as Totals.
func (a *Asker) Weights(query []uint8, answer int64) (weights []uint64, attributed bool, err error) {
	totals, err := a.Totals(query, answer)
	if err != nil {
		return nil, false, err
	}
	weights, attributed = Weights(totals)
	return weights, attributed, nil
}

// ownerTotals adds signed atom values per owner in 128 bits (SHR-01).
func ownerTotals(sums []int64, owner []uint32, owners int) []knn.Wide {
	totals := make([]knn.Wide, owners)
	for i, s := range sums {
		totals[owner[i]] = totals[owner[i]].Plus(knn.Wide{Hi: s >> 63, Lo: uint64(s)})
	}
	return totals
}
