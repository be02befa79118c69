// SPDX-License-Identifier: Apache-2.0

package payout

import (
	"math/big"
	"slices"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/poa"
	"github.com/openledger/openledger/poa/knn"
)

// Hamilton divides pool by weights: ⌊pool·w/Σw⌋ each, the units left to the
// largest remainders, ties to the lower index. The parts sum to pool; a weight
// of zero or less gets 0; without a positive weight all parts are 0.
//
// pool ≥ 0. The weights are not changed. Cost: O(n log n) comparisons.
// Spec: SHR-02.
func Hamilton(pool *big.Int, weights []*big.Int) []*big.Int {
	out := make([]*big.Int, len(weights))
	sum := new(big.Int)
	for i, w := range weights {
		out[i] = new(big.Int)
		if w.Sign() > 0 {
			sum.Add(sum, w)
		}
	}
	if sum.Sign() == 0 {
		return out
	}
	rest := make([]*big.Int, len(weights))
	order := make([]int, 0, len(weights))
	left := new(big.Int).Set(pool)
	for i, w := range weights {
		if w.Sign() <= 0 {
			continue
		}
		rest[i] = new(big.Int)
		out[i].QuoRem(out[i].Mul(pool, w), sum, rest[i])
		left.Sub(left, out[i])
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int { return rest[b].Cmp(rest[a]) })
	for _, i := range order[:left.Int64()] { // left < len(order): Σ rest < n·Σw
		out[i].Add(out[i], big.NewInt(1))
	}
	return out
}

// Weights turns signed owner totals into weights of 2^40: negative totals are
// clipped to 0, then Hamilton over poa.W. attributed is false, and all weights
// are 0, if no total is positive. Spec: SHR-01, SHR-03.
func Weights(totals []knn.Wide) (weights []uint64, attributed bool) {
	small := make([]uint64, len(totals))
	fits := true
	for i, t := range totals {
		switch {
		case t.Hi < 0:
		case t.Hi > 0:
			fits = false
		default:
			small[i] = t.Lo
		}
	}
	if fits {
		if w, err := fixed.Hamilton(poa.W, small); err == nil {
			return w, positive(w)
		}
	}
	wide := make([]*big.Int, len(totals))
	for i, t := range totals {
		wide[i] = t.Big()
	}
	weights = make([]uint64, len(totals))
	for i, w := range Hamilton(new(big.Int).SetUint64(poa.W), wide) {
		weights[i] = w.Uint64()
	}
	return weights, positive(weights)
}

func positive(w []uint64) bool {
	return slices.ContainsFunc(w, func(x uint64) bool { return x > 0 })
}

// Why says why owner i has no weight, poa.ReasonNone if it has some.
func Why(totals []knn.Wide, weights []uint64, i int) poa.Reason {
	switch {
	case weights[i] > 0:
		return poa.ReasonNone
	case totals[i].Hi < 0 || totals[i] == (knn.Wide{}):
		if !positive(weights) {
			return poa.ReasonUnattributed
		}
		return poa.ReasonNegative
	}
	return poa.ReasonBelowResolution
}

// Part is one owner's weight of 2^40 in a receipt.
type Part struct {
	Owner  uint32
	Weight uint64
}

// Top returns the n largest positive weights by ascending owner, ties to the
// lower owner. What the others had stays out of the list: Σ ≤ poa.W.
// Spec: RCP-01, SHR-05.
func Top(weights []uint64, n int) []Part {
	parts := make([]Part, 0, len(weights))
	for i, w := range weights {
		if w > 0 {
			parts = append(parts, Part{uint32(i), w})
		}
	}
	slices.SortStableFunc(parts, func(a, b Part) int {
		switch {
		case a.Weight > b.Weight:
			return -1
		case a.Weight < b.Weight:
			return 1
		}
		return 0
	})
	parts = parts[:min(n, len(parts))]
	slices.SortFunc(parts, func(a, b Part) int { return int(a.Owner) - int(b.Owner) })
	return parts
}
