// SPDX-License-Identifier: Apache-2.0

package game

import (
	"errors"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/poa"
)

func draw(t *rapid.T, high int) *Table {
	n := rapid.IntRange(1, high).Draw(t, "n")
	v := rapid.SliceOfN(rapid.Int64(), 1<<n, 1<<n).Draw(t, "v")
	g, err := New(n, v)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// orders is Shapley by its definition: the mean marginal contribution over all
// n! orders in which the players can arrive.
func orders(g *Table) []*big.Rat {
	n := g.Players()
	out := make([]*big.Rat, n)
	for i := range out {
		out[i] = new(big.Rat)
	}
	count := int64(0)
	var rec func(mask uint32)
	rec = func(mask uint32) {
		if mask == g.All() {
			count++
			return
		}
		for i := range n {
			if mask>>i&1 == 0 {
				before := count
				rec(mask | 1<<i)
				d := new(big.Rat).SetInt(new(big.Int).Sub(g.Value(mask|1<<i), g.Value(mask)))
				out[i].Add(out[i], d.Mul(d, big.NewRat(count-before, 1)))
			}
		}
	}
	rec(0)
	for i := range out {
		out[i].Quo(out[i], big.NewRat(count, 1))
		out[i].Quo(out[i], new(big.Rat).SetInt(g.Scale()))
	}
	return out
}

// semivalue sums weight(k)·(v(S∪i) − v(S)) over all S without i, k = |S|.
func semivalue(g *Table, weight func(k int) *big.Rat) []*big.Rat {
	out := make([]*big.Rat, g.Players())
	for i := range out {
		out[i] = new(big.Rat)
		for mask := range g.All() + 1 {
			if mask>>i&1 == 1 {
				continue
			}
			k := 0
			for m := mask; m != 0; m &= m - 1 {
				k++
			}
			d := new(big.Rat).SetFrac(new(big.Int).Sub(g.Value(mask|1<<i), g.Value(mask)), g.Scale())
			out[i].Add(out[i], d.Mul(d, weight(k)))
		}
	}
	return out
}

func same(t *rapid.T, what string, got, want []*big.Rat) {
	t.Helper()
	for i := range want {
		if got[i].Cmp(want[i]) != 0 {
			t.Fatalf("%s of player %d: got %v, want %v", what, i, got[i], want[i])
		}
	}
}

func TestShapleyEqualsAllOrders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := draw(t, 6)
		same(t, "Shapley", g.Strata().Shapley(), orders(g))
	})
}

func TestShapleyEqualsAllOrdersOfEight(t *testing.T) {
	v := make([]int64, 256)
	for i := range v {
		v[i] = int64(i*i*2654435761) >> 7
	}
	g, err := New(8, v)
	if err != nil {
		t.Fatal(err)
	}
	got, want := g.Strata().Shapley(), orders(g)
	for i := range want {
		if got[i].Cmp(want[i]) != 0 {
			t.Errorf("player %d: got %v, want %v", i, got[i], want[i])
		}
	}
}

func TestSemivaluesEqualTheirSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := draw(t, 5)
		n := g.Players()
		s := g.Strata()
		same(t, "Banzhaf", s.Banzhaf(), semivalue(g, func(int) *big.Rat { return big.NewRat(1, 1<<(n-1)) }))
		a, b := rapid.IntRange(1, 6).Draw(t, "a"), rapid.IntRange(1, 6).Draw(t, "b")
		got, err := s.Beta(a, b)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "Beta", got, semivalue(g, func(k int) *big.Rat { return betaWeight(n, k, a, b) }))
		same(t, "leave-one-out", g.LeaveOneOut(), semivalue(g, func(k int) *big.Rat { return big.NewRat(int64((k+1)/n), 1) }))
		one, _ := s.Beta(1, 1)
		same(t, "Beta(1,1)", one, s.Shapley())
	})
}

// betaWeight is ∫ x^{k+b−1}(1−x)^{n−2−k+a} dx / ∫ x^{b−1}(1−x)^{a−1} dx, by
// the binomial theorem: an independent way to B(k+b, n−1−k+a)/B(b, a).
func betaWeight(n, k, a, b int) *big.Rat {
	return new(big.Rat).Quo(integral(k+b-1, n-2-k+a), integral(b-1, a-1))
}

// integral returns ∫₀¹ x^p (1−x)^q dx.
func integral(p, q int) *big.Rat {
	sum := new(big.Rat)
	for j := range q + 1 {
		c := new(big.Rat).SetInt(new(big.Int).Binomial(int64(q), int64(j)))
		c.Quo(c, big.NewRat(int64(p+j+1), 1))
		if j%2 == 1 {
			c.Neg(c)
		}
		sum.Add(sum, c)
	}
	return sum
}

// TestAxioms checks what defines the Shapley value, on games of any size.
func TestAxioms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 6).Draw(t, "n")
		v := rapid.SliceOfN(rapid.Int64Range(-1<<40, 1<<40), 1<<n, 1<<n).Draw(t, "v")
		u := rapid.SliceOfN(rapid.Int64Range(-1<<40, 1<<40), 1<<n, 1<<n).Draw(t, "u")
		shapley := func(v []int64) []*big.Rat {
			g, err := New(n, v)
			if err != nil {
				t.Fatal(err)
			}
			return g.Strata().Shapley()
		}
		value := shapley(v)
		sum := new(big.Rat)
		for _, x := range value {
			sum.Add(sum, x)
		}
		if sum.Cmp(big.NewRat(v[1<<n-1]-v[0], 1)) != 0 {
			t.Fatalf("efficiency: sums to %v, want %d", sum, v[1<<n-1]-v[0])
		}
		both := make([]int64, len(v))
		for i := range v {
			both[i] = v[i] + u[i]
		}
		other, added := shapley(u), shapley(both)
		for i := range added {
			if added[i].Cmp(new(big.Rat).Add(value[i], other[i])) != 0 {
				t.Fatalf("linearity: player %d", i)
			}
		}
		null, equal := make([]int64, len(v)), make([]int64, len(v))
		for m := range v { // player 0 adds 5 to whatever coalition it joins
			null[m] = v[m&^1] + 5*int64(m&1)
			low, high := m&^3, m&3 // players 0 and 1 count only by number
			equal[m] = v[low|[4]int{0, 1, 1, 3}[high]]
		}
		if x := shapley(null)[0]; x.Cmp(big.NewRat(5, 1)) != 0 {
			t.Fatalf("dummy: got %v, want 5", x)
		}
		if x := shapley(equal); x[0].Cmp(x[1]) != 0 {
			t.Fatalf("symmetry: %v and %v", x[0], x[1])
		}
	})
}

func TestWordsOfEveryWidthAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 4).Draw(t, "n")
		words := rapid.IntRange(1, 5).Draw(t, "words")
		g := &Table{n: n, words: words, v: make([]uint64, words<<n)}
		want := make([]*big.Int, 1<<n)
		for i := range want {
			b := rapid.SliceOfN(rapid.Byte(), 8*words, 8*words).Draw(t, "bytes")
			x := new(big.Int).SetBytes(b)
			want[i] = x.Sub(x, new(big.Int).Lsh(big.NewInt(1), uint(64*words-1)))
			put(g.v[i*words:(i+1)*words], want[i])
		}
		for i, w := range want {
			if g.Value(uint32(i)).Cmp(w) != 0 {
				t.Fatalf("value %d: put %v, got %v", i, w, g.Value(uint32(i)))
			}
		}
		same(t, "Shapley", g.Strata().Shapley(), orders(g))
	})
}

func TestBounds(t *testing.T) {
	for _, c := range []struct {
		name string
		n    int
		size int
		want error
	}{
		{"no players", 0, 1, poa.ErrRange},
		{"more than 24 players", 25, 1, poa.ErrRange},
		{"a value too few", 3, 7, poa.ErrShape},
		{"a value too many", 3, 9, poa.ErrShape},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := New(c.n, make([]int64, c.size)); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	g, _ := New(2, []int64{0, 1, 2, 3})
	for _, ab := range [][2]int{{0, 1}, {1, 0}, {65, 1}, {1, 65}, {-1, 2}} {
		if _, err := g.Strata().Beta(ab[0], ab[1]); !errors.Is(err, poa.ErrRange) {
			t.Errorf("Beta%v: got %v, want ErrRange", ab, err)
		}
	}
}

func BenchmarkStrata16(b *testing.B) {
	v := make([]int64, 1<<16)
	for i := range v {
		v[i] = int64(i) * 7919
	}
	g, err := New(16, v)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		g.Strata()
	}
}
