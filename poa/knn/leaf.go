// SPDX-License-Identifier: Apache-2.0

package knn

import (
	"encoding/binary"
	"fmt"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/poa"
)

// Job cuts the validation rows of an attribution into leaves. It is read-only
// after NewJob; leaves may be computed in parallel and in any order (ARC-05).
type Job struct {
	x     *Index
	c     *Coefs
	valid []Point
	judge []bool // nil: all
	per   int
}

// NewJob prepares the attribution of atoms, judged by valid, in leaves of per
// validation rows (the last one may be shorter). valid is kept, not copied.
// Rows with judge[i] false were dropped (ATM-05) and add nothing, but keep
// their place, so that leaves follow from the file alone; nil means all judge.
// Spec: KNN-04, ARC-05. Errors: poa.ErrEmpty, poa.ErrRange, poa.ErrShape.
func NewJob(p Params, atoms, valid []Point, judge []bool, per uint64) (*Job, error) {
	x, err := NewIndex(atoms)
	if err != nil {
		return nil, fmt.Errorf("training rows: %w", err)
	}
	if err := checkPoints(valid); err != nil {
		return nil, fmt.Errorf("validation rows: %w", err)
	}
	if len(valid[0].Features) != x.dim {
		return nil, fmt.Errorf("%w: validation rows have %d features, training rows %d",
			poa.ErrShape, len(valid[0].Features), x.dim)
	}
	if judge != nil && len(judge) != len(valid) {
		return nil, fmt.Errorf("%w: %d marks for %d validation rows", poa.ErrShape, len(judge), len(valid))
	}
	if per == 0 || per > poa.MaxRows {
		return nil, fmt.Errorf("%w: %d rows per leaf", poa.ErrRange, per)
	}
	c, err := NewCoefs(x.Len(), p)
	if err != nil {
		return nil, err
	}
	return &Job{x: x, c: c, valid: valid, judge: judge, per: int(per)}, nil
}

// Leaves returns the number of leaves, ≥ 1.
func (j *Job) Leaves() uint64 { return uint64((len(j.valid) + j.per - 1) / j.per) }

// Atoms returns the number of players.
func (j *Job) Atoms() int { return j.x.Len() }

// Leaf is the contribution of consecutive validation rows: a signed sum per
// atom in units of 2^−40, not divided by the number of rows.
type Leaf struct {
	_     struct{} `cbor:",toarray"`
	Index uint64   // which leaf of the job
	First uint64   // first validation row
	Rows  uint64   // how many
	Sums  []byte   // int64, big-endian, in atom order
}

// Leaf computes leaf i. Pure: equal jobs give equal bytes on every machine.
// Cost: O(rows·atoms·features). Errors: poa.ErrLeaf if there is no such leaf.
func (j *Job) Leaf(i uint64) (Leaf, error) {
	if i >= j.Leaves() {
		return Leaf{}, fmt.Errorf("%w: leaf %d of %d", poa.ErrLeaf, i, j.Leaves())
	}
	first := int(i) * j.per
	last := min(first+j.per, len(j.valid))
	sums := make([]int64, j.x.Len())
	o := j.x.Orderer()
	for r, v := range j.valid[first:last] {
		if j.judge != nil && !j.judge[first+r] {
			continue
		}
		j.c.Add(o.Order(v.Features), j.x.labels, v.Label, sums)
	}
	return Leaf{Index: i, First: uint64(first), Rows: uint64(last - first), Sums: pack64(sums)}, nil
}

func pack64(sums []int64) []byte {
	b := make([]byte, 0, 8*len(sums))
	for _, s := range sums {
		b = binary.BigEndian.AppendUint64(b, uint64(s))
	}
	return b
}

// Digest names the leaf: SHA-256(dom("poa-leaf", index, first, rows, sums)).
// It is the segment digest that the task commits to.
func (l Leaf) Digest() [32]byte {
	return keys.Sum(poa.DomainLeaf, l.Index, l.First, l.Rows, l.Sums)
}

// Encode returns the canonical bytes.
func (l Leaf) Encode() []byte { return enc.Encode(l) }

// DecodeLeaf reads a leaf in its one encoding. Errors: those of enc.Decode;
// poa.ErrLeaf for sums that are no whole number of int64.
func DecodeLeaf(b []byte) (Leaf, error) {
	var l Leaf
	if err := enc.Decode(b, &l); err != nil {
		return Leaf{}, fmt.Errorf("decode leaf: %w", err)
	}
	if len(l.Sums)%8 != 0 {
		return Leaf{}, fmt.Errorf("%w: %d bytes of sums", poa.ErrLeaf, len(l.Sums))
	}
	return l, nil
}

// Sum adds a leaf to totals, one int64 per atom. next is the leaf expected
// next. Errors: poa.ErrLeaf if it is another leaf or covers other rows,
// poa.ErrArith if a total leaves int64, which no honest leaf does (KNN-04).
func (j *Job) Sum(l Leaf, next uint64, totals []int64) error {
	first := next * uint64(j.per)
	if l.Index != next || l.First != first || first >= uint64(len(j.valid)) ||
		l.Rows != min(uint64(j.per), uint64(len(j.valid))-first) {
		return fmt.Errorf("%w: leaf %d over rows %d+%d", poa.ErrLeaf, l.Index, l.First, l.Rows)
	}
	if len(l.Sums) != 8*len(totals) || len(totals) != j.x.Len() {
		return fmt.Errorf("%w: %d bytes for %d atoms", poa.ErrLeaf, len(l.Sums), j.x.Len())
	}
	for i := range totals {
		s := int64(binary.BigEndian.Uint64(l.Sums[8*i:]))
		t := totals[i] + s
		if (t > totals[i]) != (s > 0) && s != 0 {
			return fmt.Errorf("%w: atom %d", poa.ErrArith, i)
		}
		totals[i] = t
	}
	return nil
}
