// SPDX-License-Identifier: Apache-2.0

package sampler

import (
	"errors"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/detrand"
	"github.com/openledger/openledger/poa"
	"github.com/openledger/openledger/poa/game"
)

var kinds = []Kind{CyclicRev, Antithetic, Complementary}

// concave makes a game like a learning curve: gains shrink as the coalition
// grows, and pairs of players help or hinder each other a little.
func concave(n int, seed uint64) *game.Table {
	r := detrand.NewSplitMix(seed)
	weight, pair := make([]int64, n), make([]int64, n*n)
	for i := range weight {
		weight[i] = 200 + int64(r.Below(1000))
	}
	for i := range pair {
		pair[i] = int64(r.Below(100)) - 50
	}
	v := make([]int64, 1<<n)
	for m := range v {
		var s, q int64
		for i := range n {
			for j := range i {
				q += pair[i*n+j] * int64(m>>i&1) * int64(m>>j&1)
			}
			s += weight[i] * int64(m>>i&1)
		}
		v[m] = s*1_000_000_000/(s+3000) + q*100_000/int64(n)
	}
	t, err := game.New(n, v)
	if err != nil {
		panic(err)
	}
	return t
}

func randomGame(t *rapid.T, low, high int) *game.Table {
	n := rapid.IntRange(low, high).Draw(t, "n")
	v := rapid.SliceOfN(rapid.Int64Range(-1000, 1000), 1<<n, 1<<n).Draw(t, "v")
	g, err := game.New(n, v)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestEveryBaseIsUnbiased averages a base over all permutations and offsets:
// the mean is the Shapley value, exactly, for every kind and number of cuts.
func TestEveryBaseIsUnbiased(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := randomGame(t, 1, 4)
		n := g.Players()
		kind := rapid.SampledFrom(kinds).Draw(t, "kind")
		cuts := 1
		if kind != Antithetic {
			cuts = rapid.IntRange(1, n).Draw(t, "cuts")
		}
		r := newRun(n, g.Value, Params{Kind: kind, Budget: 1 << 20, Seed: 1, EpsilonBps: 10})
		sum, count := zeros(n), int64(0)
		permutations(n, func(p []int) {
			for offset := range n {
				b := base{perm: p, starts: make([]int, cuts)}
				for k := range cuts {
					b.starts[k] = (offset + k*n/cuts) % n
				}
				x := r.g.marginals(b)
				if kind == Complementary {
					x = r.g.complements(b)
				}
				for i := range sum {
					sum[i].Add(sum[i], x[i])
				}
				count++
			}
		})
		den := big.NewInt(2 * int64(cuts) * count)
		if kind == Complementary {
			den.Mul(den, r.g.lcm)
			den.Mul(den, big.NewInt(int64(n)))
		}
		for i, want := range g.Strata().Shapley() {
			if got := new(big.Rat).SetFrac(sum[i], den); got.Cmp(want) != 0 {
				t.Fatalf("%s with %d cuts, player %d: mean %v, Shapley %v", kind, cuts, i, got, want)
			}
		}
	})
}

func permutations(n int, do func([]int)) {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	var rec func(k int)
	rec = func(k int) {
		if k == n {
			do(p)
			return
		}
		for i := k; i < n; i++ {
			p[k], p[i] = p[i], p[k]
			rec(k + 1)
			p[k], p[i] = p[i], p[k]
		}
	}
	rec(0)
}

func TestABaseMeetsTheStatedCoalitions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 12).Draw(t, "n")
		s := rapid.IntRange(1, n).Draw(t, "s")
		b := draw(detrand.NewSplitMix(rapid.Uint64().Draw(t, "seed")), n, s)
		seen := make([]uint64, max(1, 1<<n/64))
		mark(seen, b)
		if got := evaluations(seen) - 2; got != uint64(distinct(n, s)) {
			t.Fatalf("n=%d s=%d: %d coalitions, formula %d", n, s, got, distinct(n, s))
		}
	})
}

func TestRunKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := randomGame(t, 1, 7)
		n := g.Players()
		p := Params{
			Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Seed: rapid.Uint64().Draw(t, "seed"),
			Budget: rapid.Uint64Range(uint64(2*n), 300).Draw(t, "budget"), EpsilonBps: 1000,
		}
		asked := map[uint32]bool{}
		e, err := Run(n, func(m uint32) *big.Int { asked[m] = true; return g.Value(m) }, p)
		if err != nil {
			t.Fatal(err)
		}
		if e.Evaluations > p.Budget || uint64(len(asked)) != e.Evaluations {
			t.Fatalf("budget %d, reported %d, asked %d", p.Budget, e.Evaluations, len(asked))
		}
		if p.Kind != Complementary {
			sum := new(big.Rat)
			for _, v := range e.Values {
				sum.Add(sum, v)
			}
			gain := new(big.Int).Sub(g.Value(g.All()), g.Value(0))
			if sum.Cmp(new(big.Rat).SetInt(gain)) != 0 {
				t.Fatalf("values sum to %v, the game to %v", sum, gain)
			}
		}
		for i, h := range e.HalfWidths {
			if (h == nil) != (e.Bases < 2) || h != nil && h.Sign() < 0 {
				t.Fatalf("half width %d is %v with %d bases", i, h, e.Bases)
			}
		}
		again, _ := Run(n, g.Value, p)
		for i := range e.Values {
			if again.Values[i].Cmp(e.Values[i]) != 0 {
				t.Fatal("the same seed gives another estimate")
			}
		}
	})
}

func TestIntervalsCoverTheTruth(t *testing.T) {
	g := concave(9, 4)
	truth := g.Strata().Shapley()
	for _, c := range []struct {
		kind   Kind
		budget uint64
	}{{CyclicRev, 120}, {CyclicRev, 300}, {Antithetic, 180}, {Complementary, 300}} {
		inside, all := 0, 0
		for seed := range uint64(200) {
			e, err := Run(9, g.Value, Params{Kind: c.kind, Budget: c.budget, Seed: seed, EpsilonBps: MinEpsilon})
			if err != nil {
				t.Fatal(err)
			}
			for i := range truth {
				d := new(big.Rat).Sub(e.Values[i], truth[i])
				if d.Abs(d).Cmp(e.HalfWidths[i]) <= 0 {
					inside++
				}
				all++
			}
		}
		if inside*100 < all*93 {
			t.Errorf("%s, budget %d: %d of %d intervals hold the truth, want 93 %%", c.kind, c.budget, inside, all)
		}
	}
}

// TestAccuracyOfTwentyPlayers is the bar of POA 12: relative L2 error of at
// most 0.04 with 720 evaluations.
func TestAccuracyOfTwentyPlayers(t *testing.T) {
	g := concave(20, 1)
	truth := g.Strata().Shapley()
	norm := new(big.Rat)
	for _, v := range truth {
		norm.Add(norm, new(big.Rat).Mul(v, v))
	}
	mean := new(big.Rat)
	const seeds = 20
	for seed := range uint64(seeds) {
		e, err := Run(20, g.Value, Params{Kind: CyclicRev, Budget: 720, Seed: seed, EpsilonBps: MinEpsilon})
		if err != nil {
			t.Fatal(err)
		}
		if e.Evaluations > 720 || e.Bases != 4 {
			t.Fatalf("%d evaluations, %d bases", e.Evaluations, e.Bases)
		}
		for i := range truth {
			d := new(big.Rat).Sub(e.Values[i], truth[i])
			mean.Add(mean, d.Mul(d, d))
		}
	}
	mean.Quo(mean, norm.Mul(norm, big.NewRat(seeds, 1)))
	if mean.Cmp(big.NewRat(16, 10_000)) > 0 { // 0.04²
		t.Errorf("mean squared relative error %s, want at most 0.0016", mean.FloatString(6))
	}
}

func TestRunStopsWhenIntervalsAreNarrow(t *testing.T) {
	g := concave(10, 2)
	wide := Params{Kind: CyclicRev, Budget: 1 << 20, Seed: 3, EpsilonBps: MaxEpsilon}
	e, _ := Run(10, g.Value, wide)
	if !e.Converged || e.Bases != firstLook {
		t.Errorf("a wide epsilon: converged %v after %d bases, want the first look", e.Converged, e.Bases)
	}
	hard, err := game.New(3, []int64{0, 0, 0, 0, 0, 0, 0, 6})
	if err != nil {
		t.Fatal(err)
	}
	e, _ = Run(3, hard.Value, Params{Kind: Antithetic, Budget: 1000, Seed: 3, EpsilonBps: MinEpsilon})
	if e.Converged || e.Bases != MaxBases {
		t.Errorf("a noisy game: converged %v after %d bases, want unconverged at %d", e.Converged, e.Bases, MaxBases)
	}
	constant, _ := game.New(3, make([]int64, 8))
	if e, _ = Run(3, constant.Value, wide); !e.Converged {
		t.Error("a constant game has converged")
	}
}

// TestTheBudgetHolds runs games with more coalitions than the budget, so that
// the run ends because the next look would not fit.
func TestTheBudgetHolds(t *testing.T) {
	g := concave(11, 6)
	for _, c := range []struct {
		kind   Kind
		budget uint64
		bases  int
	}{
		{CyclicRev, 22, 1}, {CyclicRev, 42, 2}, {CyclicRev, 100, 4}, {CyclicRev, 500, 4}, {CyclicRev, 600, 5}, {CyclicRev, 900, 8},
		{Antithetic, 22, 1}, {Antithetic, 161, 7}, {Antithetic, 200, 8}, {Antithetic, 320, 16}, {Complementary, 1000, 16},
	} {
		e, err := Run(11, g.Value, Params{Kind: c.kind, Budget: c.budget, Seed: 2, EpsilonBps: MinEpsilon})
		if err != nil {
			t.Fatal(err)
		}
		if e.Evaluations > c.budget || e.Bases != c.bases {
			t.Errorf("%s, budget %d: %d evaluations, %d bases, want %d", c.kind, c.budget, e.Evaluations, e.Bases, c.bases)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	v := func(uint32) *big.Int { return new(big.Int) }
	good := Params{Kind: CyclicRev, Budget: 100, Seed: 1, EpsilonBps: 100}
	for _, c := range []struct {
		name string
		n    int
		edit func(*Params)
	}{
		{"no players", 0, func(*Params) {}},
		{"too many players", 25, func(*Params) {}},
		{"an unknown kind", 3, func(p *Params) { p.Kind = "msr" }},
		{"a budget below one base", 3, func(p *Params) { p.Budget = 5 }},
		{"epsilon of zero", 3, func(p *Params) { p.EpsilonBps = 0 }},
		{"epsilon of half the game", 3, func(p *Params) { p.EpsilonBps = 5000 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := good
			c.edit(&p)
			if _, err := Run(c.n, v, p); !errors.Is(err, poa.ErrRange) {
				t.Errorf("got %v, want ErrRange", err)
			}
		})
	}
}

// TestGoldenRun pins the stream of draws and the arithmetic of the interval.
func TestGoldenRun(t *testing.T) {
	g, err := game.Parse([]byte(`{"n":4,"v":[0,1,2,4,1,3,3,7,0,1,4,5,2,2,6,9]}`))
	if err != nil {
		t.Fatal(err)
	}
	e, err := Run(4, g.Value, Params{Kind: CyclicRev, Budget: 16, Seed: 7, EpsilonBps: MinEpsilon})
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for i := range e.Values {
		got += e.Values[i].FloatString(9) + " ± " + e.HalfWidths[i].FloatString(9) + "\n"
	}
	const want = `1.834716797 ± 0.008553728
4.000000000 ± 0.005573356
2.165283203 ± 0.008553728
1.000000000 ± 0.005573356
`
	if got != want || e.Bases != 4096 || e.Evaluations != 16 {
		t.Errorf("got\n%s%d bases, %d evaluations", got, e.Bases, e.Evaluations)
	}
}
