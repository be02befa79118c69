// SPDX-License-Identifier: Apache-2.0

package atom

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"math/bits"
	"slices"

	"github.com/openledger/openledger/poa"
)

// Priority orders rows by when they were committed (ATM-02). It is unique.
type Priority struct {
	Height uint64 // block of the commit
	Tx     uint64 // transaction in the block
	Row    uint64 // row of the file
}

// Compare returns −1, 0 or +1 as p comes before, with or after q.
func (p Priority) Compare(q Priority) int {
	return cmp.Or(cmp.Compare(p.Height, q.Height), cmp.Compare(p.Tx, q.Tx), cmp.Compare(p.Row, q.Row))
}

// Row is one record with uint8 features.
type Row struct {
	Features []uint8
	Label    uint8
	Owner    uint32 // carried along, never looked at
	At       Priority
}

// Key returns the content key, SHA-256(feature bytes ‖ label byte). Spec: ATM-06.
func (r Row) Key() [32]byte {
	return sha256.Sum256(append(slices.Clone(r.Features), r.Label))
}

// Atom is one player: its founder's row.
type Atom struct {
	Key      [32]byte
	Founder  int  // index of the founding row in the input of Build
	Joined   int  // rows that joined it
	Conflict bool // another label stands within τ of it (ATM-04)
}

// Fate says what became of an input row.
type Fate struct {
	Reason poa.Reason // None: it founded Atom. Duplicate: it joined Atom. Leak: Atom is −1.
	Atom   int32      // index into Set.Atoms
	Valid  int32      // Leak: the validation row it stands on, else −1
}

// Set is the outcome of Build.
type Set struct {
	Atoms   []Atom // by ascending content key
	Rows    []Fate // by input row
	Valid   []int  // validation rows that stay, ascending
	Dropped []int  // validation rows that left (ATM-05), ascending
}

// Count returns how many rows have a reason.
func (s Set) Count(r poa.Reason) int {
	n := 0
	for _, f := range s.Rows {
		if f.Reason == r {
			n++
		}
	}
	return n
}

// Tau returns the default near-duplicate bound ⌊d·R²/1024⌋ on the squared
// distance of d features whose declared range (maximum − minimum) is R.
// Bounds: d ≤ 2^16, R ≤ 2^16 − 1; beyond, the largest uint64. Spec: ATM-07.
func Tau(d, r uint64) uint64 {
	hi, sq := bits.Mul64(r, r)
	hi2, lo := bits.Mul64(sq, d)
	if hi != 0 || hi2 != 0 {
		return ^uint64(0)
	}
	return lo >> 10
}

// Build clusters train by priority and applies the leak rule against valid.
//
// Rows and validation rows are visited together in the order of priority. A
// row within tau of an earlier validation row leaves; a validation row within
// tau of an earlier founder leaves. Another row joins the nearest founder of
// its label within tau (ties: lower content key), else founds an atom. Owner
// of valid is not read. Cost: O(rows·(atoms + valid)·features) at worst.
//
// Spec: ATM-02..07. Errors: poa.ErrEmpty without rows or if no founder or no
// validation row is left, poa.ErrShape, poa.ErrRange for equal priorities or
// sizes past the bounds.
func Build(train, valid []Row, tau uint64) (Set, error) {
	if err := check(train, valid); err != nil {
		return Set{}, err
	}
	b := newBuilder(train, valid, tau)
	order := visits(train, valid)
	for i := 1; i < len(order); i++ {
		if p := b.at(order[i]); p == b.at(order[i-1]) {
			return Set{}, fmt.Errorf("%w: two rows share priority %d/%d/%d", poa.ErrRange, p.Height, p.Tx, p.Row)
		}
	}
	for _, v := range order {
		if v.valid {
			b.judge(v.row)
		} else {
			b.place(v.row)
		}
	}
	if len(b.set.Atoms) == 0 {
		return Set{}, fmt.Errorf("training: %w", poa.ErrEmpty)
	}
	if len(b.set.Valid) == 0 {
		return Set{}, fmt.Errorf("validation: %w", poa.ErrEmpty)
	}
	b.finish()
	return b.set, nil
}

func check(train, valid []Row) error {
	if len(train) == 0 || len(valid) == 0 {
		return poa.ErrEmpty
	}
	dim := len(train[0].Features)
	if dim == 0 || dim > poa.MaxFeatures || len(train) > poa.MaxRows || len(valid) > poa.MaxRows {
		return fmt.Errorf("%w: %d and %d rows of %d features", poa.ErrRange, len(train), len(valid), dim)
	}
	for i, r := range slices.Concat(train, valid) {
		if len(r.Features) != dim {
			return fmt.Errorf("%w: row %d has %d features, row 0 has %d", poa.ErrShape, i, len(r.Features), dim)
		}
	}
	return nil
}

type visit struct {
	row   int
	valid bool
}

func visits(train, valid []Row) []visit {
	order := make([]visit, 0, len(train)+len(valid))
	for i := range train {
		order = append(order, visit{i, false})
	}
	for i := range valid {
		order = append(order, visit{i, true})
	}
	b := builder{train: train, valid: valid}
	slices.SortStableFunc(order, func(x, y visit) int { return b.at(x).Compare(b.at(y)) })
	return order
}

type builder struct {
	train, valid []Row
	set          Set
	founders     near       // all labels
	labels       [256]*near // founders by label
	judges       near       // validation rows that stay
	dim          int
	tau          uint64
}

func newBuilder(train, valid []Row, tau uint64) builder {
	dim := len(train[0].Features)
	return builder{
		train: train, valid: valid, dim: dim, tau: tau, set: Set{Rows: make([]Fate, len(train))},
		founders: newNear(dim, tau), judges: newNear(dim, tau),
	}
}

func (b *builder) at(v visit) Priority {
	if v.valid {
		return b.valid[v.row].At
	}
	return b.train[v.row].At
}

// judge keeps or drops a validation row.
func (b *builder) judge(i int) {
	r := b.valid[i]
	if _, hit := b.founders.nearest(r.Features, nil); hit {
		b.set.Dropped = append(b.set.Dropped, i)
		return
	}
	b.set.Valid = append(b.set.Valid, i)
	b.judges.add(r.Features, int32(i))
}

// place founds, joins or leaves.
func (b *builder) place(i int) {
	r := b.train[i]
	if j, hit := b.judges.nearest(r.Features, nil); hit {
		b.set.Rows[i] = Fate{Reason: poa.ReasonLeak, Atom: -1, Valid: j}
		return
	}
	key := func(a int32) []byte { return b.set.Atoms[a].Key[:] }
	same := b.ofLabel(r.Label)
	if a, hit := same.nearest(r.Features, key); hit {
		b.set.Rows[i] = Fate{Reason: poa.ReasonDuplicate, Atom: a, Valid: -1}
		b.set.Atoms[a].Joined++
		return
	}
	a := int32(len(b.set.Atoms))
	b.set.Rows[i] = Fate{Atom: a, Valid: -1}
	b.set.Atoms = append(b.set.Atoms, Atom{Key: r.Key(), Founder: i})
	// No founder of this label is within τ, so each one that is has another.
	b.founders.scan(r.Features, func(o int32, _ uint64) {
		b.set.Atoms[a].Conflict, b.set.Atoms[o].Conflict = true, true
	})
	b.founders.add(r.Features, a)
	same.add(r.Features, a)
}

func (b *builder) ofLabel(l uint8) *near {
	if b.labels[l] == nil {
		n := newNear(b.dim, b.tau)
		b.labels[l] = &n
	}
	return b.labels[l]
}

// finish sorts the atoms by content key and the validation rows by index.
func (b *builder) finish() {
	s := &b.set
	order := make([]int32, len(s.Atoms))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(x, y int32) int {
		return bytes.Compare(s.Atoms[x].Key[:], s.Atoms[y].Key[:])
	})
	atoms := make([]Atom, len(order))
	to := make([]int32, len(order))
	for i, o := range order {
		atoms[i], to[o] = s.Atoms[o], int32(i)
	}
	s.Atoms = atoms
	for i := range s.Rows {
		if a := s.Rows[i].Atom; a >= 0 {
			s.Rows[i].Atom = to[a]
		}
	}
	slices.Sort(s.Valid)
	slices.Sort(s.Dropped)
}
