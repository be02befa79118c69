// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"fmt"
	"math"
	"slices"
)

// Quantile returns the q-quantile of ascending values by the nearest lower rank;
// NaN if there are none.
func Quantile(ascending []float64, q float64) float64 {
	if len(ascending) == 0 {
		return math.NaN()
	}
	return ascending[int(q*float64(len(ascending)-1))]
}

// Spread is the median and the range of repeated measurements.
type Spread struct {
	Median, Min, Max float64
	N                int
}

// Summarise sorts a copy of values. The median of an even number is the mean of
// the middle two, or never if one is that; of none, NaN.
func Summarise(values []float64) Spread {
	v := slices.Clone(values)
	slices.Sort(v)
	n := len(v)
	if n == 0 {
		return Spread{Median: math.NaN(), Min: math.NaN(), Max: math.NaN()}
	}
	mid := v[n/2]
	if n%2 == 0 && mid < never { // between something and never there is no mean
		mid = (v[n/2-1] + v[n/2]) / 2
	}
	return Spread{Median: mid, Min: v[0], Max: v[n-1], N: n}
}

// String shows the median, and the range if there is more than one value.
func (s Spread) String() string {
	switch {
	case s.N == 0:
		return "–"
	case s.N == 1:
		return number(s.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", number(s.Median), number(s.Min), number(s.Max))
}

// number prints a figure with as many digits as mean something.
func number(x float64) string {
	switch a := math.Abs(x); {
	case math.IsNaN(x):
		return "–"
	case math.IsInf(x, 0) || x >= never:
		return "∞"
	case a >= 100 || x == math.Trunc(x):
		return fmt.Sprintf("%.0f", x)
	case a >= 10:
		return fmt.Sprintf("%.1f", x)
	case a >= 0.1:
		return fmt.Sprintf("%.2f", x)
	}
	return fmt.Sprintf("%.4f", x)
}
