// SPDX-License-Identifier: Apache-2.0

package fx

// minQuant is 2⁻¹⁰⁰: a group whose greatest absolute value is below it is all
// zeros.
const minQuant = 0x0d800000

// Quantise writes the codes of one group of values and returns its scale: with a
// = max|x|, a < 2⁻¹⁰⁰ gives codes 0 and scale +0; a not finite gives codes 0 and
// scale NaN; else the scale is a/127 and a code is rni(x·(127/a)), never beyond
// ±127.
//
// Shapes: codes is as long as x. Spec: FX-07.
func Quantise(codes []int8, x []float32) float32 {
	var a float32
	for _, v := range x {
		a = Max(a, Abs(v))
	}
	s, inv := quantScale(a)
	for i, v := range x {
		codes[i] = quantCode(inv, v)
	}
	return s
}

// quantScale returns the scale of a group and the factor of its codes, which is
// 0 if they are all 0.
func quantScale(a float32) (scale, inv float32) {
	switch {
	case !Finite(a):
		return f(NaNBits), 0
	case a < f(minQuant):
		return 0, 0
	}
	return float32(a / 127), float32(127 / a)
}

func quantCode(inv, x float32) int8 {
	if inv == 0 {
		return 0
	}
	return int8(Rni(float32(x * inv)))
}

// QuantiseRows quantises every row of x in groups of g along it.
//
// Shapes: x and codes are [rows, k], scales is [rows, ⌈k/g⌉]; all are overwritten
// but x. g is at least 1. Spec: FX-07.
func QuantiseRows(codes []int8, scales []float32, x []float32, k, g int) {
	for len(x) > 0 {
		for o := 0; o < k; o += g {
			end := min(o+g, k)
			scales[0] = Quantise(codes[o:end], x[o:end])
			scales = scales[1:]
		}
		x, codes = x[k:], codes[k:]
	}
}

// DotI8 returns the sum of products of codes, exact up to MaxDotI8 of them.
// b is at least as long as a. Spec: FX-07.
func DotI8(a, b []int8) int32 {
	var s int32
	for i, v := range a {
		s += int32(v) * int32(b[i])
	}
	return s
}

// DotQ returns one output of a product of quantised rows: the chain over groups
// of fma(float(dot), s_x·s_w, acc).
//
// Shapes: x and w are [k], xs and ws [⌈k/g⌉]. Spec: FX-07.
func DotQ(x, w []int8, xs, ws []float32, g int) float32 {
	var acc float32
	for i, s := range xs {
		end := min((i+1)*g, len(x))
		acc = FMA32(FromInt(DotI8(x[i*g:end], w[i*g:end])), Mul(s, ws[i]), acc)
	}
	return acc
}
