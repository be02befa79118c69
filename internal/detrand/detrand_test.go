// SPDX-License-Identifier: Apache-2.0

package detrand

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"testing"

	"github.com/openledger/openledger/internal/enc"
	"pgregory.net/rapid"
)

// TestEXE05WordsAreHashPieces spells the clause out once, byte for byte.
func TestEXE05WordsAreHashPieces(t *testing.T) {
	seed, id := filled(1), filled(2)
	d := New(seed, "checker", id)
	for counter := range uint64(3) {
		h := sha256.Sum256(enc.Encode([]any{"openledger/draw/1", seed, "checker", id, counter}))
		for i := range 4 {
			if got, want := d.Uint64(), binary.BigEndian.Uint64(h[8*i:]); got != want {
				t.Fatalf("word %d of counter %d is %d, want %d", i, counter, got, want)
			}
		}
	}
}

// TestARC04SplitMixReference compares with the published outputs of the
// reference implementation for seed 1234567.
func TestARC04SplitMixReference(t *testing.T) {
	s := NewSplitMix(1234567)
	for i, want := range []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821} {
		if got := s.Next(); got != want {
			t.Errorf("word %d is %d, want %d", i, got, want)
		}
	}
}

func TestEXE05BelowStaysBelowAndZeroTakesNoWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64().Draw(t, "n")
		d, s := New(filled(3), "t", filled(4)), NewSplitMix(5)
		for range 10 {
			if v := d.Below(n); v >= max(n, 1) {
				t.Fatalf("draw %d below %d", v, n)
			}
			if v := s.Below(n); v >= max(n, 1) {
				t.Fatalf("splitmix %d below %d", v, n)
			}
		}
	})
	a, b := New(filled(3), "t", filled(4)), New(filled(3), "t", filled(4))
	if a.Below(0) != 0 || a.Uint64() != b.Uint64() {
		t.Error("Below(0) moved the stream")
	}
}

// TestEXE05RejectionIsExact looks at the last accepted and the first rejected
// word: every value of [0, n) must have equally many accepted words.
func TestEXE05RejectionIsExact(t *testing.T) {
	for _, n := range []uint64{1, 2, 3, 5, 10, 1 << 20, 1<<63 - 1, 1 << 63, 1<<63 + 1, math.MaxUint64} {
		// 2^64 = q·n + r, so the words 0 … q·n−1 are accepted.
		// For n = 1 the product wraps to 0, as it should: all words are accepted.
		q, r := bits.Div64(1%n, 0, n)
		last := q*n - 1
		if v, ok := reduce(last, n); !ok || v != n-1 {
			t.Errorf("n %d: word %d gives %d, %v", n, last, v, ok)
		}
		if _, ok := reduce(last+1, n); ok && r != 0 {
			t.Errorf("n %d: word %d is accepted", n, last+1)
		}
		if _, ok := reduce(math.MaxUint64, n); ok != (r == 0) {
			t.Errorf("n %d: the largest word is accepted: %v", n, ok)
		}
	}
}

// TestEXE05BelowIsUnbiased draws below 3·2^62: without rejection the lowest
// third of the range would come twice as often as each of the others.
func TestEXE05BelowIsUnbiased(t *testing.T) {
	const n, rounds = 3 << 62, 6000
	d := New(filled(9), "bias", filled(0))
	var low int
	for range rounds {
		if d.Below(n) < 1<<62 {
			low++
		}
	}
	// One third of 6,000 with standard deviation 36.5; unrejected words give one half.
	if low < 1800 || low > 2200 {
		t.Errorf("%d of %d in the lowest third", low, rounds)
	}
}

func TestEXE05StreamsOfOtherInputsDiffer(t *testing.T) {
	seen := map[uint64]string{}
	for name, d := range map[string]*Draw{
		"base":           New(filled(1), "a", filled(2)),
		"another seed":   New(filled(3), "a", filled(2)),
		"another id":     New(filled(1), "a", filled(3)),
		"swapped":        New(filled(2), "a", filled(1)),
		"purpose":        New(filled(1), "b", filled(2)),
		"longer purpose": New(filled(1), "aa", filled(2)),
	} {
		w := d.Uint64()
		if other, ok := seen[w]; ok {
			t.Errorf("%s equals %s", name, other)
		}
		seen[w] = name
	}
}

// naiveSample picks by listing every unit of weight, which is the definition.
func naiveSample(d *Draw, weights []uint64, k int) (picks []int) {
	gone := map[int]bool{}
	for len(picks) < k {
		var units []int
		for i, w := range weights {
			for range w {
				if !gone[i] {
					units = append(units, i)
				}
			}
		}
		if len(units) == 0 {
			return picks
		}
		i := units[d.Below(uint64(len(units)))]
		gone[i], picks = true, append(picks, i)
	}
	return picks
}

func TestEXE05SampleEqualsItsNaiveTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.Uint64Range(0, 9), 0, 12).Draw(t, "weights")
		k := rapid.IntRange(-1, 14).Draw(t, "k")
		before := slices.Clone(weights)
		id := filled(rapid.Byte().Draw(t, "id"))
		got := New(filled(1), "s", id).Sample(weights, k)
		want := naiveSample(New(filled(1), "s", id), weights, k)
		if !slices.Equal(got, want) {
			t.Fatalf("picked %v, want %v", got, want)
		}
		if !slices.Equal(weights, before) {
			t.Fatal("the weights were changed")
		}
	})
}

// TestEXE05SampleFollowsTheWeights checks the share of first places.
func TestEXE05SampleFollowsTheWeights(t *testing.T) {
	weights, rounds := []uint64{1, 2, 3, 4}, 8000
	count := make([]float64, len(weights))
	for i := range rounds {
		var id [32]byte
		binary.BigEndian.PutUint64(id[:], uint64(i))
		count[New(filled(7), "s", id).Sample(weights, 2)[0]]++
	}
	for i, w := range weights {
		p := float64(w) / 10
		sigma := math.Sqrt(float64(rounds) * p * (1 - p))
		if d := math.Abs(count[i] - p*float64(rounds)); d > 4*sigma {
			t.Errorf("index %d came first %.0f times, %.1f sigma off", i, count[i], d/sigma)
		}
	}
}

func TestARC04ShuffleIsFisherYates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, seed := rapid.IntRange(0, 40).Draw(t, "n"), rapid.Uint64().Draw(t, "seed")
		s := NewSplitMix(seed)
		want := make([]int, n)
		for i := range want {
			want[i] = i
		}
		for i := n - 1; i >= 1; i-- {
			j := s.Below(uint64(i + 1))
			want[i], want[j] = want[j], want[i]
		}
		got := NewSplitMix(seed).Perm(n)
		if !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
		slices.Sort(got)
		for i, x := range got {
			if i != x {
				t.Fatalf("not a permutation: %v", got)
			}
		}
	})
	NewSplitMix(1).Shuffle(-1, func(i, j int) { t.Error("a shuffle of nothing swaps") })
}

func BenchmarkDrawUint64(b *testing.B) {
	d := New(filled(1), "bench", filled(2))
	for b.Loop() {
		d.Uint64()
	}
}

func BenchmarkSample3Of1000(b *testing.B) {
	weights := make([]uint64, 1000)
	for i := range weights {
		weights[i] = uint64(i) + 1
	}
	for b.Loop() {
		New(filled(1), "bench", filled(2)).Sample(weights, 3)
	}
}

func BenchmarkSplitMixNext(b *testing.B) {
	s := NewSplitMix(1)
	for b.Loop() {
		s.Next()
	}
}
