// SPDX-License-Identifier: Apache-2.0

package sampler

import (
	"math"
	"testing"
)

// upperTail integrates the density of Student's t with df degrees of freedom
// from x to infinity, by Simpson's rule on x = tan(u).
func upperTail(x, df float64) float64 {
	a, _ := math.Lgamma((df + 1) / 2)
	b, _ := math.Lgamma(df / 2)
	c := math.Exp(a-b) / math.Sqrt(df*math.Pi)
	f := func(u float64) float64 {
		t := math.Tan(u)
		return c * math.Pow(1+float64(t*t)/df, -(df+1)/2) * (1 + float64(t*t))
	}
	const steps = 4000
	from, to := math.Atan(x), math.Pi/2-1e-12
	h := (to - from) / steps
	s := f(from) + f(to)
	for i := 1; i < steps; i++ {
		s += float64(f(from+float64(float64(i)*h)) * float64(2+2*(i%2)))
	}
	return s * h / 3
}

// TestLevels checks the factors of SMP-04 against the distribution: look j has
// level 0.05/(j(j+1)), half of it in each tail; the single early look that of j = 1.
func TestLevels(t *testing.T) {
	check := func(bases int, q16 int64, level float64) {
		t.Helper()
		got := 2 * upperTail(float64(q16)/65536, float64(bases-1))
		if math.Abs(got/level-1) > 1e-4 {
			t.Errorf("%d bases: level %.6f, want %.6f", bases, got, level)
		}
	}
	total := 0.0
	for j, q16 := range tQ16 {
		level := 0.05 / float64((j+1)*(j+2))
		check(firstLook<<j, q16, level)
		total += level
	}
	if total > 0.05 || firstLook<<(len(tQ16)-1) != MaxBases {
		t.Errorf("levels sum to %v over looks up to %d bases", total, firstLook<<(len(tQ16)-1))
	}
	for bases := 2; bases < firstLook; bases++ {
		check(bases, tFew[bases], 0.025)
	}
}
