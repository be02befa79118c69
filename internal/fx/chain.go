// SPDX-License-Identifier: Apache-2.0

package fx

import "math"

// Dot returns the chain acc = fma(a[k], b[k], acc) in ascending k from +0.
// Shapes: a is [K]; b is at least as long. Cost: about 4 ns per term, because
// each term waits for the last. Spec: FX-03.
func Dot(a, b []float32) float32 {
	b = b[:len(a)]
	var acc float32
	for k, x := range a {
		acc = FMA32(x, b[k], acc)
	}
	return acc
}

// Sum returns the chain acc = acc + x[k] in ascending k from +0. Spec: FX-03.
func Sum(x []float32) float32 {
	var acc float32
	for _, v := range x {
		acc += v
	}
	return Canon(acc)
}

// A wide vector is a []float64 whose elements all hold binary32 values. It
// saves the widening of every operand in hot loops; Widen and Narrow convert
// without rounding.

// Widen sets dst[i] = src[i]. dst is at least as long as src.
func Widen(dst []float64, src []float32) {
	dst = dst[:len(src)]
	for i, v := range src {
		dst[i] = float64(v)
	}
}

// Narrow sets dst[i] = src[i] with canonical NaNs; src must be a wide vector at
// least as long as dst. Spec: FX-01.
func Narrow(dst []float32, src []float64) {
	src = src[:len(dst)]
	for i := range dst {
		dst[i] = Canon(float32(src[i]))
	}
}

// Axpy advances len(acc) independent chains by one term: acc[j] = fma(a, b[j],
// acc[j]). Called for k = 0, 1, 2 … over the rows of a matrix it computes the
// bits of one Dot per column, in the order that memory likes. NaN payloads are
// not canonical until Narrow.
//
// Shapes: acc is [N]; b is at least as long and does not overlap acc; acc and b
// are wide vectors and a holds a binary32 value.
// Cost: about 1 ns per element, no allocation. Spec: FX-03.
func Axpy(acc []float64, a float64, b []float64) {
	b = b[:len(acc)]
	if a == 0 {
		for j, y := range b { // products are ±0 or NaN, so nothing rounds
			acc[j] = float64(a*y) + acc[j]
		}
		return
	}
	for j, y := range b {
		s := float64(a*y) + acc[j]
		u := math.Float64bits(s)
		// Rounding s again is right unless s is a midpoint of two normal binary32,
		// or below the normal ones, where midpoints look different.
		if u&low29 != half29 && u<<1-minNormal<<1 <= wrapNormal {
			acc[j] = float64(float32(s))
		} else {
			acc[j] = wideEdge(a, y, acc[j])
		}
	}
}

// wideEdge is the part of Axpy for sums that may need round to odd.
func wideEdge(a, y, z float64) float64 {
	return float64(fmaEdge(float32(a), float32(y), float32(z)))
}

// AddTo advances len(acc) chains of additions by one term: acc[j] += x[j].
// The binary64 sum rounded again is the binary32 sum, because 53 ≥ 2·24+2.
// Shapes: wide vectors; acc is [N], x is at least as long. Spec: FX-03.
func AddTo(acc, x []float64) {
	x = x[:len(acc)]
	for j, v := range x {
		acc[j] = float64(float32(acc[j] + v))
	}
}
