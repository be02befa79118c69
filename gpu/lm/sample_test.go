// SPDX-License-Identifier: Apache-2.0

package lm

import (
	"cmp"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/fx"
)

func TestINF02SamplingByHand(t *testing.T) {
	z := []float32{0, float32(math.Log(2)), float32(math.Log(4)), float32(math.Log(2)), float32(math.Inf(-1))}
	// Probabilities 1/9, 2/9, 4/9, 2/9, 0 in the order 2, 1, 3, 0, 4.
	count := func(s Sampling) (n [5]int) {
		s.Temperature = 1
		for p := range uint64(9000) {
			id, err := s.Pick(z, p)
			if err != nil {
				t.Fatal(err)
			}
			n[id]++
		}
		return n
	}
	for name, c := range map[string]struct {
		s    Sampling
		want [5]int
	}{
		"all":                           {Sampling{Seed: 1}, [5]int{1000, 2000, 4000, 2000, 0}},
		"the two greatest, lowest ids":  {Sampling{Seed: 2, TopK: 2}, [5]int{0, 3000, 6000, 0, 0}},
		"half of what is probable":      {Sampling{Seed: 3, TopP: 0.5}, [5]int{0, 3000, 6000, 0, 0}},
		"less than the most probable":   {Sampling{Seed: 4, TopP: 0.1}, [5]int{0, 0, 9000, 0, 0}},
		"three greatest, then the half": {Sampling{Seed: 5, TopK: 3, TopP: 0.6}, [5]int{0, 3000, 6000, 0, 0}},
	} {
		for i, n := range count(c.s) {
			if d := n - c.want[i]; d*d > 9*c.want[i]+9 { // three standard deviations
				t.Errorf("%s: token %d came %d times, not about %d", name, i, n, c.want[i])
			}
		}
	}
	flat := []float32{3, 3, 3, 3} // 1/4 each, exactly: two reach a half
	for p := range uint64(100) {
		if id, err := (Sampling{Temperature: 1, TopP: 0.5}).Pick(flat, p); err != nil || id > 1 {
			t.Fatalf("half of four equal ones holds %d, %v", id, err)
		}
	}
	for _, c := range []struct {
		s    Sampling
		z    []float32
		want error
	}{
		{Sampling{Temperature: -1}, z, ErrSampling},
		{Sampling{Temperature: float32(math.NaN())}, z, ErrSampling},
		{Sampling{TopP: 1.5}, z, ErrSampling},
		{Sampling{}, []float32{1, float32(math.NaN())}, ErrLogits},
		{Sampling{}, []float32{1, float32(math.Inf(1))}, ErrLogits},
		{Sampling{}, nil, ErrLogits},
	} {
		if _, err := c.s.Pick(c.z, 0); !errors.Is(err, c.want) {
			t.Errorf("%+v of %v: %v", c.s, c.z, err)
		}
	}
}

// TestINF02AgainstANaiveTwin chooses by the words of the clause, one by one.
func TestINF02AgainstANaiveTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z := rapid.SliceOfN(rapid.Float32Range(-8, 8), 1, 40).Draw(t, "z")
		for i := range z { // make ties likely
			if rapid.Bool().Draw(t, "coarse") {
				z[i] = float32(math.Round(float64(z[i])))
			}
		}
		s := Sampling{Temperature: rapid.Float32Range(0.1, 3).Draw(t, "t"), TopK: rapid.Uint32Range(0, 45).Draw(t, "k"),
			TopP: rapid.Float32Range(0, 1).Draw(t, "p"), Seed: rapid.Uint64().Draw(t, "seed"), Choice: rapid.Uint32().Draw(t, "choice")}
		at := rapid.Uint64().Draw(t, "position")
		got, err := s.Pick(z, at)
		if err != nil || got != naive(s, z, at) {
			t.Fatalf("%d, %v; by the clause %d", got, err, naive(s, z, at))
		}
	})
}

func naive(s Sampling, logits []float32, at uint64) uint32 {
	inv := 1 / s.Temperature
	var ids []int
	var z []float32
	for i, x := range logits {
		greater := 0
		for j, y := range logits {
			if y*inv > x*inv || y*inv == x*inv && j < i {
				greater++
			}
		}
		if s.TopK == 0 || greater < int(s.TopK) {
			ids, z = append(ids, i), append(z, x*inv)
		}
	}
	m := z[0]
	for _, x := range z {
		m = max(m, x)
	}
	p := make([]float32, len(z))
	for i := range z {
		p[i] = fx.Exp(z[i] - m)
	}
	sum := fx.RedSum(p)
	for i := range p {
		p[i] /= sum
	}
	var order []int
	for len(order) < len(p) {
		best := -1
		for i := range p {
			used := false
			for _, o := range order {
				used = used || o == i
			}
			if !used && (best < 0 || p[i] > p[best]) {
				best = i
			}
		}
		order = append(order, best)
	}
	var total float32
	kept := 0
	for _, i := range order {
		total += p[i]
		kept++
		if s.TopP > 0 && s.TopP < 1 && total >= s.TopP {
			break
		}
	}
	word := fx.Stream{Seed: s.Seed, Stream: s.Choice, Purpose: 4}.Word(at)
	u := float32(word>>8) / (1 << 24)
	var sofar float32
	for _, i := range order[:kept] {
		if sofar += p[i]; sofar > u*total {
			return uint32(ids[i])
		}
	}
	return uint32(ids[order[0]])
}

func TestDescendingIsASortByValueThenPlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		x := make([]float32, rapid.IntRange(0, 6000).Draw(t, "n"))
		for i := range x {
			switch x[i] = math.Float32frombits(r.Uint32()); r.IntN(4) {
			case 0:
				x[i] = float32(r.IntN(9) - 4)
			case 1:
				x[i] = float32(math.Copysign(0, float64(r.IntN(2))-1))
			}
		}
		want := make([]uint32, len(x))
		for i := range want {
			want[i] = uint32(i)
		}
		slices.SortStableFunc(want, func(a, b uint32) int { return cmp.Compare(x[b], x[a]) })
		if got := descending(x); !slices.Equal(got, want) {
			t.Fatalf("%d values are out of order", len(x))
		}
	})
}

// TestINF02LargeVocabularies has more logits than one reduction takes.
func TestINF02LargeVocabularies(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	z := make([]float32, 4200)
	for i := range z {
		z[i] = float32(math.Round(r.NormFloat64()*64) / 16)
	}
	s := Sampling{Temperature: 1.3, TopK: 50, TopP: 0.9}
	if got, err := s.Pick(z, 7); err != nil || got != naive(s, z, 7) {
		t.Fatalf("%d, %v; by the clause %d", got, err, naive(s, z, 7))
	}
	if a, b := reduce(z, vectors().RedSum), fx.RedSum(z); a != b {
		t.Fatalf("the sum of %d values is %g, want %g", len(z), a, b)
	}
}

func BenchmarkPick(b *testing.B) {
	r := rand.New(rand.NewPCG(3, 3))
	z := make([]float32, 128_000)
	for i := range z {
		z[i] = float32(r.NormFloat64())
	}
	for name, s := range map[string]Sampling{"greatest": {}, "all": {Temperature: 1}, "top 40": {Temperature: 1, TopK: 40}, "top 0.9": {Temperature: 1, TopP: 0.9}} {
		b.Run(name, func(b *testing.B) {
			for i := uint64(0); b.Loop(); i++ {
				if _, err := s.Pick(z, i); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
