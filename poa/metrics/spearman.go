// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"cmp"
	"math/big"
	"slices"
)

// One is a correlation of 1: results are in millionths.
const One = 1_000_000

// Spearman returns the rank correlation of a and b in millionths, rounded to
// the nearest, halves away from zero. Equal values share their mean rank. ok is
// false, and the result 0, if the lengths differ, are below 2, or one list is
// constant, so that there is no order to compare.
//
// Cost: O(n log n). Spec: CAL-02.
func Spearman(a, b []int64) (rho int64, ok bool) {
	if len(a) != len(b) || len(a) < 2 {
		return 0, false
	}
	x, y := ranks(a), ranks(b)
	xx, yy, xy := moments(x, x), moments(y, y), moments(x, y)
	den := new(big.Int).Mul(xx, yy)
	if den.Sign() == 0 {
		return 0, false
	}
	// |ρ|·2·10^6 = √(4·10^12·xy²/(xx·yy)), then halved with rounding.
	num := new(big.Int).Mul(xy, xy)
	num.Mul(num, big.NewInt(4*One*One))
	root := num.Sqrt(num.Quo(num, den)).Int64()
	rho = (root + 1) / 2
	if xy.Sign() < 0 {
		rho = -rho
	}
	return rho, true
}

// ranks returns twice the mean rank of each value, ranks from 1.
func ranks(v []int64) []int64 {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(v[i], v[j]) })
	out := make([]int64, len(v))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && v[order[j]] == v[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			out[k] = int64(i + 1 + j) // 2·(i+1 + j)/2
		}
		i = j
	}
	return out
}

// moments returns n·Σxy − Σx·Σy, n² times the covariance.
func moments(x, y []int64) *big.Int {
	var sx, sy int64 // at most 2·n², n below 2^31
	xy, t, u := new(big.Int), new(big.Int), new(big.Int)
	for i := range x {
		sx, sy = sx+x[i], sy+y[i]
		xy.Add(xy, t.Mul(t.SetInt64(x[i]), u.SetInt64(y[i])))
	}
	xy.Mul(xy, t.SetInt64(int64(len(x))))
	return xy.Sub(xy, t.Mul(t.SetInt64(sx), u.SetInt64(sy)))
}
