// SPDX-License-Identifier: Apache-2.0

package fx

import "math"

const (
	redLanes = 32
	redBlock = 4096
)

// RedSum is the reduction red/1 of x by addition. An empty x gives +0 and the
// result is never −0. Cost: O(n), no allocation up to 4,096 elements.
// Spec: FX-04.
func RedSum(x []float32) float32 { return red(x, 0, Add, redAdd) }

// RedSumSq is the reduction red/1 of the squares of x: each lane takes a
// square by fma(x, x, acc), the lanes and the partials of blocks are added.
// Spec: FX-04.
func RedSumSq(x []float32) float32 { return red(x, 0, Add, redSq) }

// RedMax is the reduction red/1 of x by Max. An empty x gives −Inf, a NaN
// anywhere gives NaN. Spec: FX-04.
func RedMax(x []float32) float32 { return red(x, float32(math.Inf(-1)), Max, Max) }

func redAdd(acc, x float32) float32 { return Add(acc, x) }
func redSq(acc, x float32) float32  { return FMA32(x, x, acc) }

// red reduces x: 32 lanes by absolute index, then a fixed tree over the lanes;
// above 4,096 values one partial per block, then the partials by join.
func red(x []float32, absent float32, join, step func(acc, x float32) float32) float32 {
	if len(x) > redBlock {
		part := make([]float32, 0, (len(x)+redBlock-1)/redBlock)
		for len(x) > 0 {
			n := min(redBlock, len(x))
			part = append(part, red(x[:n], absent, join, step))
			x = x[n:]
		}
		return red(part, absent, join, join)
	}
	var lane [redLanes]float32
	for l := range lane {
		lane[l] = absent
	}
	for i, v := range x {
		lane[i%redLanes] = step(lane[i%redLanes], v)
	}
	return foldLanes(&lane, join)
}

// foldLanes joins the lanes by the tree of FX-04.
func foldLanes(lane *[redLanes]float32, join func(acc, x float32) float32) float32 {
	for w := redLanes / 2; w > 0; w /= 2 {
		for l := range w {
			lane[l] = join(lane[l], lane[l+w])
		}
	}
	return lane[0]
}

// Argmax returns the index of the greatest element, the lowest one of equals;
// a NaN counts above +Inf. It returns -1 for an empty x. Spec: OP-03.
func Argmax(x []float32) int {
	best := -1
	for i, v := range x {
		if v != v {
			return i
		}
		if best < 0 || v > x[best] {
			best = i
		}
	}
	return best
}
