// SPDX-License-Identifier: Apache-2.0

package fx

import "math"

// Dot returns the chain acc = fma(a[k], b[k], acc) in ascending k from +0.
// Shapes: a is [K]; b is at least as long. Spec: FX-03.
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

// Axpy advances len(acc) independent chains by one term: acc[j] = fma(a, b[j],
// acc[j]). Calling it for k = 0, 1, 2 … over the rows of a matrix computes the
// same bits as one Dot per column, in an order that memory likes.
//
// Shapes: acc is [N]; b is at least as long; they must not overlap.
// Cost: about 1.5 ns per element, no allocation. Spec: FX-03.
func Axpy(acc []float32, a float32, b []float32) {
	b = b[:len(acc)]
	if a == 0 {
		// The product is ±0 or NaN, hence exact, and one addition rounds once.
		for j, y := range b {
			acc[j] = Canon(float32(a*y) + acc[j])
		}
		return
	}
	x := float64(a)
	for j, y := range b {
		s := float64(x*float64(y)) + float64(acc[j])
		if math.Float64bits(s)&low28 != 0 {
			acc[j] = float32(s)
		} else {
			acc[j] = fmaEdge(a, y, acc[j])
		}
	}
}

// AddTo advances len(acc) chains of additions by one term: acc[j] += x[j].
// Shapes: acc is [N]; x is at least as long. Spec: FX-03.
func AddTo(acc, x []float32) {
	x = x[:len(acc)]
	for j, v := range x {
		acc[j] = Canon(acc[j] + v)
	}
}
