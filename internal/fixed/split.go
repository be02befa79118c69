// SPDX-License-Identifier: Apache-2.0

package fixed

import (
	"math/bits"
	"slices"
)

func sum(weights []uint64) (uint64, error) {
	var s, c uint64
	for _, w := range weights {
		if s, c = bits.Add64(s, w, 0); c != 0 {
			return 0, ErrArith
		}
	}
	return s, nil
}

// Split divides total by weights with prefix differences (PAY-02):
// part_i = ⌊total·C_i/W⌋ − ⌊total·C_{i−1}/W⌋. Parts sum to total; each is within
// one unit of its exact share. With W = 0 every part is 0 and the caller says
// where the total goes. Errors: ErrArith if the weights exceed 64 bits.
func Split(total uint64, weights []uint64) ([]uint64, error) {
	w, err := sum(weights)
	if err != nil {
		return nil, err
	}
	out := make([]uint64, len(weights))
	if w == 0 {
		return out, nil
	}
	var c, before uint64
	for i, x := range weights {
		c += x
		upTo, err := MulDiv(total, c, w)
		if err != nil {
			return nil, err
		}
		out[i], before = upTo-before, upTo
	}
	return out, nil
}

// Hamilton divides pool by weights with largest remainders, ties to the lower
// index (SHR-02). Parts sum to pool unless all weights are 0, which gives
// zeros. A weight of 0 gets 0. Errors: ErrArith if the weights exceed 64 bits.
func Hamilton(pool uint64, weights []uint64) ([]uint64, error) {
	s, err := sum(weights)
	if err != nil {
		return nil, err
	}
	out := make([]uint64, len(weights))
	if s == 0 {
		return out, nil
	}
	rem := make([]uint64, len(weights))
	order := make([]int, len(weights))
	left := pool
	for i, w := range weights {
		hi, lo := bits.Mul64(pool, w)
		out[i], rem[i] = bits.Div64(hi, lo, s)
		left -= out[i]
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if rem[a] != rem[b] {
			if rem[a] > rem[b] {
				return -1
			}
			return 1
		}
		return a - b
	})
	for i := range left {
		out[order[i]]++
	}
	return out, nil
}
