// SPDX-License-Identifier: Apache-2.0

package knn

import (
	"bytes"
	"cmp"
	"errors"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/detrand"
	"github.com/openledger/openledger/poa"
	"github.com/openledger/openledger/poa/game"
)

// utility is v(S) of the definition, for one validation row: the vote of the
// min(K, |S|) nearest of S. order lists all rows from the nearest.
func utility(p Params, order []uint32, labels []int64, y int64, mask uint32) *big.Rat {
	size, votes, seen := int64(0), int64(0), int64(0)
	for _, j := range order {
		if mask>>j&1 == 0 {
			continue
		}
		size++
		if uint64(seen) < p.K {
			seen++
			votes += match(labels, j, y)
		}
	}
	switch {
	case !p.Soft:
		return new(big.Rat).SetFrac(big.NewInt(votes), new(big.Int).SetUint64(p.K))
	case size == 0:
		return big.NewRat(1, int64(p.Classes))
	}
	return big.NewRat(votes, seen)
}

// brute is the Shapley value by all 2^N coalitions.
func brute(p Params, order []uint32, labels []int64, y int64) []*big.Rat {
	n := len(order)
	out := make([]*big.Rat, n)
	weight := make([]*big.Rat, n) // k!(n−1−k)!/n! = 1/(n·C(n−1, k))
	for k := range weight {
		c := new(big.Int).Binomial(int64(n-1), int64(k))
		weight[k] = new(big.Rat).SetFrac(big.NewInt(1), c.Mul(c, big.NewInt(int64(n))))
	}
	v := make([]*big.Rat, 1<<n)
	for mask := range v {
		v[mask] = utility(p, order, labels, y, uint32(mask))
	}
	for i := range out {
		out[i] = new(big.Rat)
		for mask := range v {
			if mask>>i&1 == 0 {
				k := 0
				for m := mask; m != 0; m &= m - 1 {
					k++
				}
				d := new(big.Rat).Sub(v[mask|1<<i], v[mask])
				out[i].Add(out[i], d.Mul(d, weight[k]))
			}
		}
	}
	return out
}

func drawParams(t *rapid.T, n int) Params {
	p := Params{
		K:    rapid.Uint64Range(1, uint64(n+3)).Draw(t, "k"), // K > N included
		Soft: rapid.Bool().Draw(t, "soft"), Classes: rapid.Uint64Range(1, 12).Draw(t, "classes"),
	}
	if rapid.IntRange(0, 9).Draw(t, "huge") == 0 {
		p.K = 1 << 63
	}
	return p
}

func within(got *big.Rat, want, bound *big.Rat) bool {
	d := new(big.Rat).Sub(got, want)
	return d.Abs(d).Cmp(bound) <= 0
}

// TestEqualsBruteForce is the bar of POA 12: printed values to 10^−12, here to
// 2^−90, and numerators to N/2 units of 2^−40 per validation row.
func TestEqualsBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 9).Draw(t, "n")
		p := drawParams(t, n)
		labels := rapid.SliceOfN(rapid.Int64Range(0, 2), n, n).Draw(t, "labels")
		order := make([]uint32, n)
		for i, j := range rapid.Permutation(upTo(n)).Draw(t, "order") {
			order[i] = uint32(j)
		}
		rows := rapid.IntRange(1, 3).Draw(t, "rows")
		c, err := NewCoefs(n, p)
		if err != nil {
			t.Fatal(err)
		}
		c.Widen()
		sums, wide := make([]int64, n), make([]Wide, n)
		want := make([]*big.Rat, n)
		for i := range want {
			want[i] = new(big.Rat)
		}
		for y := range int64(rows) {
			c.Add(order, labels, y, sums)
			c.AddWide(order, labels, y, wide)
			for i, x := range brute(p, order, labels, y) {
				want[i].Add(want[i], x)
			}
		}
		one := new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), Scale))
		for i := range want {
			mean := new(big.Rat).Quo(want[i], big.NewRat(int64(rows), 1))
			if !within(wide[i].Rat(rows), mean, new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), 90))) {
				t.Fatalf("row %d: printed %v, true %v", i, wide[i].Rat(rows), mean)
			}
			bound := big.NewRat(int64(n*rows+rows), 2) // ± (N+1)/2 units a row: N coefficients and v(∅)
			if !within(new(big.Rat).SetInt64(sums[i]), new(big.Rat).Mul(want[i], one), bound) {
				t.Fatalf("row %d: numerator %d, true %v", i, sums[i], new(big.Rat).Mul(want[i], one).FloatString(3))
			}
		}
	})
}

func upTo(n int) []int {
	x := make([]int, n)
	for i := range x {
		x[i] = i
	}
	return x
}

// TestAgreesWithTheGamePackage computes the same game from its table.
func TestAgreesWithTheGamePackage(t *testing.T) {
	labels, order := []int64{1, 0, 1, 1, 0, 2}, []uint32{3, 1, 0, 5, 4, 2}
	for _, p := range []Params{{K: 3, Classes: 3}, {K: 2, Soft: true, Classes: 2}, {K: 9, Soft: true, Classes: 4}} {
		v := make([]int64, 1<<6)
		for m := range v { // 60 makes every vote of at most 6 an integer
			x := utility(p, order, labels, 1, uint32(m))
			x.Mul(x, big.NewRat(720, 1))
			v[m] = x.Num().Int64()
			if !x.IsInt() {
				t.Fatal("not an integer")
			}
		}
		g, err := game.New(6, v)
		if err != nil {
			t.Fatal(err)
		}
		c, _ := NewCoefs(6, p)
		c.Widen()
		wide := make([]Wide, 6)
		c.AddWide(order, labels, 1, wide)
		for i, want := range g.Strata().Shapley() {
			got := wide[i].Rat(1)
			got.Mul(got, big.NewRat(720, 1))
			if !within(got, want, big.NewRat(1, 1<<60)) {
				t.Errorf("%+v, row %d: got %v, want %v", p, i, got, want)
			}
		}
	}
}

func TestTheSumIsTheUtilityOfAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "n")
		p := drawParams(t, n)
		labels := rapid.SliceOfN(rapid.Int64Range(0, 3), n, n).Draw(t, "labels")
		order := make([]uint32, n)
		for i := range order {
			order[i] = uint32(n - 1 - i)
		}
		c, err := NewCoefs(n, p)
		if err != nil {
			t.Fatal(err)
		}
		c.Widen()
		wide := make([]Wide, n)
		c.AddWide(order, labels, 1, wide)
		sum := Wide{}
		for _, w := range wide {
			sum = sum.Plus(w)
		}
		k := p.K
		if p.Soft {
			k = min(k, uint64(n))
		}
		votes := int64(0)
		for _, j := range order[:min(uint64(n), k)] {
			votes += match(labels, j, 1)
		}
		want := new(big.Rat).SetFrac(big.NewInt(votes), new(big.Int).SetUint64(k))
		if p.Soft {
			want.Sub(want, big.NewRat(1, int64(p.Classes)))
		}
		if !within(sum.Rat(1), want, new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), 80))) {
			t.Fatalf("sums to %s, v(N) − v(∅) = %v", sum.Rat(1).FloatString(30), want)
		}
	})
}

// harmonic returns Σ_{j=from}^{to} 1/j by halving, 0 if to < from.
func harmonic(from, to int) *big.Rat {
	if to < from {
		return new(big.Rat)
	}
	if from == to {
		return big.NewRat(1, int64(from))
	}
	mid := from + (to-from)/2
	return new(big.Rat).Add(harmonic(from, mid), harmonic(mid+1, to))
}

// TestCoefficientsAreRoundedHalfUp compares with exact fractions.
func TestCoefficientsAreRoundedHalfUp(t *testing.T) {
	shapes := []struct{ n, k int }{{1, 1}, {2, 1}, {2, 2}, {3, 2}, {5, 4}, {9, 8}, {17, 2}, {65, 4}, {100, 7}, {257, 100}, {1025, 2}, {3000, 2999}}
	for _, s := range shapes {
		for _, soft := range []bool{false, true} {
			p := Params{K: uint64(s.k), Soft: soft, Classes: 3}
			c, err := NewCoefs(s.n, p)
			if err != nil {
				t.Fatal(err)
			}
			c.Widen()
			k := s.k
			if soft {
				k = min(k, s.n)
			}
			h := harmonic(2, k)
			for i := 1; i < s.n; i++ {
				want := big.NewRat(1, int64(max(k, i)))
				if soft {
					want.Add(want, new(big.Rat).Quo(h, big.NewRat(int64(s.n-1), 1)))
				}
				if c.step[i] != roundRat(want, Scale).Int64() || c.stepW[i].Big().Cmp(roundRat(want, WideScale)) != 0 {
					t.Fatalf("n=%d k=%d soft=%v: coefficient %d", s.n, k, soft, i)
				}
				if s.n > 300 && i > 40 && i < s.n-3 {
					i += 97 // exact fractions of 3,000 denominators are slow
				}
			}
			if !soft {
				continue
			}
			n := big.NewRat(int64(s.n), 1)
			last := []*big.Rat{new(big.Rat).Quo(new(big.Rat).Add(h, big.NewRat(1, 1)), n), new(big.Rat), big.NewRat(1, int64(3*s.n))}
			if s.n > 1 {
				last[1] = new(big.Rat).Quo(h, new(big.Rat).Mul(n, big.NewRat(int64(s.n-1), 1)))
			}
			for j, want := range last {
				if c.last[j] != roundRat(want, Scale).Int64() || c.lastW[j].Big().Cmp(roundRat(want, WideScale)) != 0 {
					t.Fatalf("n=%d k=%d: last coefficient %d", s.n, k, j)
				}
			}
		}
	}
}

func roundRat(x *big.Rat, scale uint) *big.Int {
	num := new(big.Int).Lsh(x.Num(), scale+1)
	num.Add(num, x.Denom())
	return num.Quo(num, new(big.Int).Lsh(x.Denom(), 1))
}

// TestLargeSumsStayInside runs the extreme of KNN-04 as far as a test can: the
// largest coefficients, every row a match, then none.
func TestLargeSumsStayInside(t *testing.T) {
	const n = 1 << 12
	for _, p := range []Params{{K: 1}, {K: 1, Soft: true, Classes: 1}, {K: n, Soft: true, Classes: 2}} {
		c, err := NewCoefs(n, p)
		if err != nil {
			t.Fatal(err)
		}
		labels, order := make([]int64, n), make([]uint32, n)
		for i := range order {
			order[i] = uint32(i)
			labels[i] = int64(i % 2)
		}
		sums := make([]int64, n)
		c.Add(order, labels, 0, sums)
		for i, s := range sums {
			if s >= 1<<41 || s <= -1<<41 {
				t.Errorf("%+v: |s| of row %d is %d, the bound is 2^41", p, i, s)
			}
		}
	}
}

func TestOrderEqualsSort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "n")
		dim := rapid.IntRange(1, 9).Draw(t, "dim")
		high := rapid.SampledFrom([]uint64{1, 2, 17, 256}).Draw(t, "high") // few values: many ties
		r := detrand.NewSplitMix(rapid.Uint64().Draw(t, "seed"))
		points := randomPoints(r, n, dim, high, 3)
		if rapid.Bool().Draw(t, "equal keys") {
			for i := range points {
				points[i].Key = [32]byte{byte(r.Below(2))}
			}
		}
		x, err := NewIndex(points)
		if err != nil {
			t.Fatal(err)
		}
		o := x.Orderer()
		for range 3 {
			q := randomPoints(r, 1, dim, 256, 1)[0].Features
			want := naiveOrder(points, q)
			if got := o.Order(q); !slices.Equal(got, want) {
				t.Fatalf("got %v, want %v", got, want)
			}
		}
	})
}

func naiveOrder(points []Point, q []uint8) []uint32 {
	dist := func(i uint32) (d int64) {
		for j, v := range points[i].Features {
			e := int64(v) - int64(q[j])
			d += e * e
		}
		return d
	}
	order := make([]uint32, len(points))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(dist(a), dist(b)),
			bytes.Compare(points[a].Key[:], points[b].Key[:]), cmp.Compare(a, b))
	})
	return order
}

// TestWidestRows fills the packed product to its bound.
func TestWidestRows(t *testing.T) {
	points := make([]Point, 3)
	for i, v := range []uint8{0, 255, 128} {
		points[i] = Point{Features: bytes.Repeat([]byte{v}, poa.MaxFeatures), Label: int64(i)}
	}
	x, err := NewIndex(points)
	if err != nil {
		t.Fatal(err)
	}
	for q, want := range map[uint8][]uint32{255: {1, 2, 0}, 0: {0, 2, 1}, 130: {2, 1, 0}} {
		if got := x.Orderer().Order(bytes.Repeat([]byte{q}, poa.MaxFeatures)); !slices.Equal(got, want) {
			t.Errorf("query of %d: got %v, want %v", q, got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	ok := []Point{{Features: []uint8{1, 2}}}
	for _, c := range []struct {
		name  string
		train []Point
		valid []Point
		judge []bool
		per   uint64
		p     Params
		want  error
	}{
		{"no training rows", nil, ok, nil, 1, Params{K: 1}, poa.ErrEmpty},
		{"no validation rows", ok, nil, nil, 1, Params{K: 1}, poa.ErrEmpty},
		{"no features", []Point{{}}, ok, nil, 1, Params{K: 1}, poa.ErrRange},
		{"too many features", []Point{{Features: make([]uint8, poa.MaxFeatures+1)}}, ok, nil, 1, Params{K: 1}, poa.ErrRange},
		{"ragged training rows", []Point{ok[0], {Features: []uint8{1}}}, ok, nil, 1, Params{K: 1}, poa.ErrShape},
		{"ragged validation rows", ok, []Point{ok[0], {Features: []uint8{1}}}, nil, 1, Params{K: 1}, poa.ErrShape},
		{"widths differ", ok, []Point{{Features: []uint8{1, 2, 3}}}, nil, 1, Params{K: 1}, poa.ErrShape},
		{"marks for other rows", ok, ok, []bool{true, true}, 1, Params{K: 1}, poa.ErrShape},
		{"K of zero", ok, ok, nil, 1, Params{K: 0}, poa.ErrRange},
		{"soft without classes", ok, ok, nil, 1, Params{K: 1, Soft: true}, poa.ErrRange},
		{"leaves of no rows", ok, ok, nil, 0, Params{K: 1}, poa.ErrRange},
		{"leaves of too many rows", ok, ok, nil, 1 << 40, Params{K: 1}, poa.ErrRange},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := NewJob(c.p, c.train, c.valid, c.judge, c.per)
			if !errors.Is(err, c.want) || !errors.Is(err, poa.ErrInput) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	if _, err := NewCoefs(poa.MaxRows+1, Params{K: 1}); !errors.Is(err, poa.ErrRange) {
		t.Errorf("2^22+1 rows: got %v", err)
	}
}
