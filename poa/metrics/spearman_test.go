// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestSpearman(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b []int64
		rho  int64
		ok   bool
	}{
		{"the same order is one", []int64{3, 1, 2}, []int64{30, -10, 20}, One, true},
		{"the reverse order is minus one", []int64{1, 2, 3, 4}, []int64{9, 7, 5, 3}, -One, true},
		{"no relation is zero", []int64{1, 2, 3, 4}, []int64{2, 4, 1, 3}, 0, true},
		{"half the way", []int64{1, 2, 3}, []int64{1, 3, 2}, 500_000, true},
		{"ties share the mean rank", []int64{1, 2, 2, 4}, []int64{1, 2, 3, 4}, 948_683, true},
		{"extreme values do not overflow", []int64{math.MinInt64, 0, math.MaxInt64}, []int64{1, 2, 3}, One, true},
		{"a constant list has no order", []int64{5, 5, 5}, []int64{1, 2, 3}, 0, false},
		{"one pair is no order", []int64{1}, []int64{1}, 0, false},
		{"lists of different length do not compare", []int64{1, 2}, []int64{1, 2, 3}, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if rho, ok := Spearman(c.a, c.b); rho != c.rho || ok != c.ok {
				t.Errorf("got %d %v, want %d %v", rho, ok, c.rho, c.ok)
			}
		})
	}
}

// naive is the textbook formula in floats.
func naive(a, b []int64) float64 {
	x, y := naiveRanks(a), naiveRanks(b)
	mean := float64(len(a)+1) / 2
	var xy, xx, yy float64
	for i := range x {
		dx, dy := x[i]-mean, y[i]-mean
		xy, xx, yy = xy+float64(dx*dy), xx+float64(dx*dx), yy+float64(dy*dy)
	}
	return xy / math.Sqrt(xx*yy)
}

func naiveRanks(v []int64) []float64 {
	out := make([]float64, len(v))
	for i := range v {
		less, equal := 0, 0
		for j := range v {
			if v[j] < v[i] {
				less++
			} else if v[j] == v[i] {
				equal++
			}
		}
		out[i] = float64(less) + float64(equal+1)/2
	}
	return out
}

func TestSpearmanEqualsTheTextbook(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 30).Draw(t, "n")
		a := rapid.SliceOfN(rapid.Int64Range(-5, 5), n, n).Draw(t, "a")
		b := rapid.SliceOfN(rapid.Int64Range(-50, 50), n, n).Draw(t, "b")
		rho, ok := Spearman(a, b)
		want := naive(a, b)
		if !ok {
			if !math.IsNaN(want) {
				t.Fatalf("refused, the formula gives %v", want)
			}
			return
		}
		if math.Abs(float64(rho)/One-want) > 1e-6 {
			t.Fatalf("got %d, want %v", rho, want)
		}
		if back, _ := Spearman(b, a); back != rho {
			t.Fatalf("not symmetric: %d and %d", rho, back)
		}
	})
}
