// SPDX-License-Identifier: Apache-2.0

package fixed

import (
	"cmp"
	"math/bits"
	"slices"
)

// Split divides total by weights with prefix differences: with C_i the sum of
// the first i weights and W the sum of all,
//
//	part_i = ⌊total·C_i/W⌋ − ⌊total·C_{i−1}/W⌋.
//
// The parts sum to total exactly, each is within one unit of total·w_i/W, and
// a weight of 0 gets 0. Callers order payees by ascending address. If W = 0
// every part is 0 and the caller says where the total goes.
//
// Errors: ErrArith if W does not fit 64 bits. Cost: one division per weight.
// Spec: PAY-02.
func Split(total uint64, weights []uint64) ([]uint64, error) {
	w, err := sum(weights)
	if err != nil {
		return nil, err
	}
	parts := make([]uint64, len(weights))
	if w == 0 {
		return parts, nil
	}
	var c, before uint64 // C_i and ⌊total·C_{i−1}/W⌋
	for i, x := range weights {
		c += x
		hi, lo := bits.Mul64(total, c)
		upTo, _ := bits.Div64(hi, lo, w) // hi < w, for c ≤ w
		parts[i], before = upTo-before, upTo
	}
	return parts, nil
}

// Hamilton divides pool by weights with largest remainders: each weight first
// gets ⌊pool·w_i/S⌋ with S the sum, then the units left go one each to the
// largest pool·w_i mod S, ties to the lower index. Callers order owners by
// ascending account id. The parts sum to pool exactly; a weight of 0 gets 0. If
// S = 0 every part is 0.
//
// Errors: ErrArith if S does not fit 64 bits. Cost: one division per weight and
// one sort. Spec: SHR-02.
func Hamilton(pool uint64, weights []uint64) ([]uint64, error) {
	s, err := sum(weights)
	if err != nil {
		return nil, err
	}
	parts := make([]uint64, len(weights))
	if s == 0 {
		return parts, nil
	}
	rem := make([]uint64, len(weights))
	order := make([]int, len(weights))
	left := pool
	for i, w := range weights {
		hi, lo := bits.Mul64(pool, w)
		parts[i], rem[i] = bits.Div64(hi, lo, s) // hi < s, for w ≤ s
		left -= parts[i]
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rem[b], rem[a]) })
	// left = Σ rem / S < number of non-zero remainders, so no zero gets a unit.
	for i := range left {
		parts[order[i]]++
	}
	return parts, nil
}

// sum adds the weights. Errors: ErrArith.
func sum(weights []uint64) (uint64, error) {
	var s, carry uint64
	for _, w := range weights {
		if s, carry = bits.Add64(s, w, 0); carry != 0 {
			return 0, ErrArith
		}
	}
	return s, nil
}
