// SPDX-License-Identifier: Apache-2.0

package payout

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/detrand"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/poa"
	"github.com/openledger/openledger/poa/atom"
	"github.com/openledger/openledger/poa/knn"
)

func address(b byte) keys.Address { return keys.Address{b} }

// clusters makes rows of three classes around three points; the last rows judge.
func clusters(seed uint64, train, valid, owners int) Input {
	r := detrand.NewSplitMix(seed)
	in := Input{Params: knn.Params{K: 5, Soft: true, Classes: 3}, Tau: 2, RowsPerLeaf: 4}
	for o := range owners {
		in.Owners = append(in.Owners, address(byte(o+1)))
	}
	for i := range train + valid {
		label := uint8(r.Below(3))
		f := make([]uint8, 6)
		for j := range f {
			f[j] = uint8(80*uint64(label) + r.Below(60))
		}
		row := atom.Row{Features: f, Label: label, Owner: uint32(r.Below(uint64(owners))), At: atom.Priority{Height: 1, Row: uint64(i)}}
		if i < train {
			in.Train = append(in.Train, row)
		} else {
			in.Valid = append(in.Valid, row)
		}
	}
	return in
}

func reduce(t testing.TB, in Input) (*Plan, Result) {
	t.Helper()
	p, err := NewPlan(in)
	if err != nil {
		t.Fatal(err)
	}
	i := uint64(0)
	r, err := p.Reduce(func() (knn.Leaf, bool) {
		l, err := p.Leaf(i)
		i++
		return l, err == nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, r
}

func TestReduceEqualsAnswersAddedUp(t *testing.T) {
	in := clusters(1, 60, 22, 4)
	p, r := reduce(t, in)
	pool, err := p.Pool()
	if err != nil {
		t.Fatal(err)
	}
	a := pool.Asker()
	want := make([]knn.Wide, 4)
	for _, v := range p.Set().Valid {
		x, err := a.Totals(in.Valid[v].Features, int64(in.Valid[v].Label))
		if err != nil {
			t.Fatal(err)
		}
		for o := range want {
			want[o] = want[o].Plus(x[o])
		}
	}
	for o, s := range r.Owners {
		if s.Total() != want[o] || s.Owner != in.Owners[o] {
			t.Errorf("owner %d: total %v, the rows add up to %v", o, s.Total(), want[o])
		}
	}
	if r.Leaves != 6 || r.ValidRows != 22 || r.Rows != 60 || !r.Attributed() {
		t.Errorf("got %+v", r)
	}
	root, err := r.WeightRoot()
	if err != nil || root.Sum != poa.W || root.Count != 4 {
		t.Errorf("weight root %+v %v, want a sum of 2^40 over 4 owners", root, err)
	}
}

// TestCopiesAndSplitsEarnNothing is the gaming bar of POA 10 for exact copies,
// near copies and a split over accounts: the attacker's part does not grow.
func TestCopiesAndSplitsEarnNothing(t *testing.T) {
	in := clusters(2, 60, 20, 3)
	_, honest := reduce(t, in)
	copied := in
	copied.Owners = append(slices.Clone(in.Owners), address(9))
	for i, row := range in.Train {
		f := bytes.Clone(row.Features)
		if i%2 == 0 {
			f[i%6]++ // near, within τ
		}
		copied.Train = append(copied.Train, atom.Row{Features: f, Label: row.Label, Owner: 3, At: atom.Priority{Height: 2, Row: uint64(i)}})
	}
	p, r := reduce(t, copied)
	if r.Owners[3].Weight != 0 || r.Owners[3].Total() != (knn.Wide{}) || r.Duplicates != honest.Duplicates+60 {
		t.Errorf("the copier has weight %d, %d duplicates", r.Owners[3].Weight, r.Duplicates)
	}
	for o := range 3 {
		if r.Owners[o] != honest.Owners[o] {
			t.Errorf("owner %d had %+v, has %+v", o, honest.Owners[o], r.Owners[o])
		}
	}
	if f := p.Set().Rows[60]; f.Reason != poa.ReasonDuplicate {
		t.Errorf("row 60 is %v", f.Reason)
	}
	split := in // owner 2 becomes owners 2 and 3
	split.Owners, split.Train = copied.Owners, slices.Clone(in.Train)
	for i := range split.Train {
		if split.Train[i].Owner == 2 && i%2 == 0 {
			split.Train[i].Owner = 3
		}
	}
	_, parts := reduce(t, split)
	if sum := parts.Owners[2].Total().Plus(parts.Owners[3].Total()); sum != honest.Owners[2].Total() {
		t.Errorf("two accounts total %v, one totalled %v", sum, honest.Owners[2].Total())
	}
}

// TestOrderOfTheFilesDoesNotMatter shuffles rows: totals follow contents.
func TestOrderOfTheFilesDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := clusters(rapid.Uint64().Draw(t, "seed"), 20, 6, 3)
		p, err := NewPlan(in)
		if errors.Is(err, poa.ErrEmpty) {
			return
		}
		shuffled := in
		shuffled.Train = slices.Clone(in.Train)
		perm := detrand.NewSplitMix(7).Perm(20)
		for i, j := range perm {
			shuffled.Train[i] = in.Train[j]
		}
		q, err := NewPlan(shuffled)
		if err != nil {
			t.Fatal(err)
		}
		for i := range p.Leaves() {
			a, _ := p.Leaf(i)
			b, _ := q.Leaf(i)
			if a.Digest() != b.Digest() {
				t.Fatalf("leaf %d differs", i)
			}
		}
	})
}

func TestReduceRefusesWrongLeaves(t *testing.T) {
	p, err := NewPlan(clusters(3, 30, 12, 3))
	if err != nil {
		t.Fatal(err)
	}
	leaves := make([]knn.Leaf, p.Leaves())
	for i := range leaves {
		leaves[i], _ = p.Leaf(uint64(i))
	}
	for _, c := range []struct {
		name string
		edit func([]knn.Leaf) []knn.Leaf
	}{
		{"a leaf is missing", func(l []knn.Leaf) []knn.Leaf { return l[:2] }},
		{"a leaf too many", func(l []knn.Leaf) []knn.Leaf { return append(l, l[0]) }},
		{"two leaves change places", func(l []knn.Leaf) []knn.Leaf { l[0], l[1] = l[1], l[0]; return l }},
		{"a leaf twice", func(l []knn.Leaf) []knn.Leaf { l[1] = l[0]; return l }},
	} {
		t.Run(c.name, func(t *testing.T) {
			list := c.edit(slices.Clone(leaves))
			_, err := p.Reduce(func() (l knn.Leaf, ok bool) {
				if len(list) == 0 {
					return l, false
				}
				l, list = list[0], list[1:]
				return l, true
			})
			if !errors.Is(err, poa.ErrLeaf) {
				t.Errorf("got %v, want ErrLeaf", err)
			}
		})
	}
}

func TestALieInOneSumChangesTheRoots(t *testing.T) {
	p, honest := reduce(t, clusters(3, 30, 12, 3))
	i := uint64(0)
	r, err := p.Reduce(func() (knn.Leaf, bool) {
		l, err := p.Leaf(i)
		if i == 1 {
			l.Sums = bytes.Clone(l.Sums)
			l.Sums[7] ^= 1
		}
		i++
		return l, err == nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.LeafRoot == honest.LeafRoot || r.Root() == honest.Root() {
		t.Error("a changed leaf has the honest root")
	}
}

func TestNewPlanRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*Input)
		want error
	}{
		{"no owners", func(in *Input) { in.Owners = nil }, poa.ErrRange},
		{"owners out of order", func(in *Input) { in.Owners[0], in.Owners[1] = in.Owners[1], in.Owners[0] }, poa.ErrRange},
		{"an owner twice", func(in *Input) { in.Owners[1] = in.Owners[0] }, poa.ErrRange},
		{"a row of nobody", func(in *Input) { in.Train[3].Owner = 3 }, poa.ErrRange},
		{"no rows", func(in *Input) { in.Train = nil }, poa.ErrEmpty},
		{"no judges", func(in *Input) { in.Valid = nil }, poa.ErrEmpty},
		{"K of zero", func(in *Input) { in.Params.K = 0 }, poa.ErrRange},
		{"leaves of no rows", func(in *Input) { in.RowsPerLeaf = 0 }, poa.ErrRange},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := clusters(4, 20, 5, 3)
			c.edit(&in)
			if _, err := NewPlan(in); !errors.Is(err, c.want) || !errors.Is(err, poa.ErrInput) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestPoolRefuses(t *testing.T) {
	atoms := []knn.Point{{Features: []uint8{1, 2}}}
	p := knn.Params{K: 1}
	if _, err := NewPool(p, atoms, nil, 1); !errors.Is(err, poa.ErrShape) {
		t.Errorf("no owners: got %v", err)
	}
	if _, err := NewPool(p, atoms, []uint32{1}, 1); !errors.Is(err, poa.ErrRange) {
		t.Errorf("an owner past the end: got %v", err)
	}
	if _, err := NewPool(p, nil, nil, 1); !errors.Is(err, poa.ErrEmpty) {
		t.Errorf("no atoms: got %v", err)
	}
	if _, err := NewPool(knn.Params{}, atoms, []uint32{0}, 1); !errors.Is(err, poa.ErrRange) {
		t.Errorf("K of zero: got %v", err)
	}
	pool, err := NewPool(p, atoms, []uint32{0}, 1)
	if err != nil || pool.Dim() != 2 {
		t.Fatal(err)
	}
	if _, _, err := pool.Asker().Weights([]uint8{1}, 0); !errors.Is(err, poa.ErrShape) {
		t.Errorf("a narrow query: got %v", err)
	}
}

func TestAnswersPayWhoseRowsStandNear(t *testing.T) {
	atoms := []knn.Point{
		{Features: []uint8{0, 0}, Label: 1, Key: [32]byte{1}},
		{Features: []uint8{0, 3}, Label: 1, Key: [32]byte{2}},
		{Features: []uint8{200, 200}, Label: 2, Key: [32]byte{3}},
	}
	pool, err := NewPool(knn.Params{K: 1, Soft: true, Classes: 2}, atoms, []uint32{0, 1, 2}, 3)
	if err != nil {
		t.Fatal(err)
	}
	a := pool.Asker()
	w, ok, err := a.Weights([]uint8{0, 1}, 1)
	if err != nil || !ok || w[0] != w[1] || w[2] != 0 || w[0]+w[1]+w[2] != poa.W {
		t.Errorf("two equal neighbours: %v %v %v", w, ok, err)
	}
	if w, ok, err = a.Weights([]uint8{199, 201}, 2); err != nil || !ok || w[2] != poa.W {
		t.Errorf("near the third row: %v %v %v", w, ok, err)
	}
	if w, ok, err = a.Weights([]uint8{0, 0}, 7); err != nil || ok || slices.Max(w) != 0 {
		t.Errorf("an answer that nobody taught: %v %v %v", w, ok, err)
	}
}

// TestGoldenResult pins the bytes: the same on every machine.
func TestGoldenResult(t *testing.T) {
	_, r := reduce(t, clusters(5, 40, 15, 4))
	root := r.Root()
	if got := hex.EncodeToString(root[:]); got != goldenRoot {
		t.Errorf("result root %s, want %s", got, goldenRoot)
	}
	back, err := DecodeResult(r.Encode())
	if err != nil || back.Root() != root {
		t.Errorf("the bytes do not decode to the result: %v", err)
	}
	record, hash := r.Params()
	if len(record) > 256 || hash == [32]byte{} {
		t.Errorf("a parameter record of %d bytes", len(record))
	}
	w, err := r.WeightRoot()
	if err != nil {
		t.Fatal(err)
	}
	proof, err := merkle.ProveSum(r.WeightLeaves(), 2)
	if err != nil {
		t.Fatal(err)
	}
	if before, err := proof.Verify(w); err != nil || before != r.Owners[0].Weight+r.Owners[1].Weight {
		t.Errorf("proof of owner 2: %d before it, %v", before, err)
	}
}

const goldenRoot = "b74286424ab739ac5e827be87b17ee679f5d6ed5ef4c31ba46101fa85872e42f"

func TestDecodeResultRefuses(t *testing.T) {
	_, good := reduce(t, clusters(5, 40, 15, 4))
	for _, c := range []struct {
		name string
		edit func(*Result)
	}{
		{"another rule", func(r *Result) { r.Rule = "poa/2" }},
		{"another method", func(r *Result) { r.Method = "convex/1" }},
		{"no owners", func(r *Result) { r.Owners = nil }},
		{"no leaves", func(r *Result) { r.Leaves = 0 }},
		{"no atoms", func(r *Result) { r.Atoms = 0 }},
		{"no judges", func(r *Result) { r.ValidRows = 0 }},
		{"owners out of order", func(r *Result) { r.Owners[0], r.Owners[1] = r.Owners[1], r.Owners[0] }},
		{"a weight that its total does not give", func(r *Result) { r.Owners[0].Weight++; r.Owners[1].Weight-- }},
		{"a raised total", func(r *Result) { r.Owners[1].Lo += 1 << 42 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := good
			r.Owners = slices.Clone(good.Owners)
			c.edit(&r)
			if _, err := DecodeResult(r.Encode()); !errors.Is(err, poa.ErrRange) {
				t.Errorf("got %v, want ErrRange", err)
			}
		})
	}
	b := good.Encode()
	for _, bad := range [][]byte{nil, b[:len(b)-1], append(bytes.Clone(b), 0), {0x80}} {
		if _, err := DecodeResult(bad); err == nil {
			t.Errorf("%d bytes decode", len(bad))
		}
	}
}

func FuzzDecodeResult(f *testing.F) {
	_, r := reduce(f, clusters(5, 40, 15, 4))
	f.Add(r.Encode())
	r.Owners = r.Owners[:1]
	r.Owners[0].Weight = poa.W
	f.Add(r.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeResult(b)
		if err != nil {
			return
		}
		if !bytes.Equal(r.Encode(), b) {
			t.Fatal("decodes, but encodes to other bytes")
		}
		root, err := r.WeightRoot()
		if err != nil || root.Sum != 0 && root.Sum != poa.W {
			t.Fatalf("weights sum to %d: %v", root.Sum, err)
		}
	})
}

func TestTotalsAreExactlyTheValues(t *testing.T) {
	in := clusters(6, 25, 9, 3)
	_, r := reduce(t, in)
	sum := new(big.Int)
	for _, o := range r.Owners {
		sum.Add(sum, o.Total().Big())
	}
	// Σ = Σ over judges of (votes/K − 1/C)·2^40, up to the rounding of KNN-04.
	p, _ := NewPlan(in)
	want := new(big.Rat)
	for _, v := range p.Set().Valid {
		x := knn.Point{Features: in.Valid[v].Features}
		want.Add(want, big.NewRat(int64(votes(p, in, x.Features, in.Valid[v].Label)), 5))
		want.Sub(want, big.NewRat(1, 3))
	}
	want.Mul(want, new(big.Rat).SetInt64(1<<40))
	d := new(big.Rat).Sub(new(big.Rat).SetInt(sum), want)
	if d.Abs(d).Cmp(big.NewRat(25*26*9/2, 1)) > 0 {
		t.Errorf("totals sum to %v, the utility to %s", sum, want.FloatString(2))
	}
}

// votes counts matches among the five nearest atoms.
func votes(p *Plan, in Input, q []uint8, label uint8) int {
	type near struct {
		d     int
		label uint8
	}
	var list []near
	for _, a := range p.Set().Atoms {
		row := in.Train[a.Founder]
		d := 0
		for j, x := range row.Features {
			d += (int(x) - int(q[j])) * (int(x) - int(q[j]))
		}
		list = append(list, near{d, row.Label})
	}
	slices.SortStableFunc(list, func(a, b near) int { return a.d - b.d })
	n := 0
	for _, x := range list[:5] {
		if x.label == label {
			n++
		}
	}
	return n
}
