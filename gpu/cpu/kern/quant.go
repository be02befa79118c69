// SPDX-License-Identifier: Apache-2.0

package kern

import "github.com/openledger/openledger/internal/fx"

// QuantScale returns the scale of a group of values. Spec: FX-07.
func (c CPU) QuantScale(x []float32) float32 {
	scale, _ := c.quantScale(x)
	return scale
}

// Quantise writes the codes of a group of values and returns its scale. Shapes:
// codes is as long as x. Cost: about 0.2 ns per value. Spec: FX-07.
func (c CPU) Quantise(codes []int8, x []float32) float32 {
	codes = codes[:len(x)]
	scale, inv := c.quantScale(x)
	n := len(x) &^ (c.width() - 1)
	switch {
	case inv == 0:
		clear(codes)
		return scale
	case n == 0:
	case c.path == AVX512:
		quantAVX512(&codes[0], &x[0], inv, n)
	case c.path == AVX2:
		quantAVX2(&codes[0], &x[0], inv, n)
	default:
		n = 0
	}
	for i := n; i < len(x); i++ {
		codes[i] = int8(fx.Rni(float32(x[i] * inv)))
	}
	return scale
}

// quantScale returns the scale and the factor of the codes, 0 if all are 0.
func (c CPU) quantScale(x []float32) (scale, inv float32) {
	var a float32
	for len(x) > 0 {
		n := min(len(x), RedBlock)
		a = fx.Max(a, c.absMax(x[:n]))
		x = x[n:]
	}
	scale = fx.Quantise(make([]int8, 1), []float32{a}) // the definition, at the greatest value
	if scale == 0 || scale != scale {
		return scale, 0
	}
	return scale, fx.Div(127, a)
}

// absMax is max|x| from +0, which is the same in any order.
func (c CPU) absMax(x []float32) float32 {
	switch body, tail := split(x, 0); c.path {
	case AVX512:
		return redAbsMaxAVX512(body, len(x)/lanes, &tail[0])
	case AVX2:
		return redAbsMaxAVX2(body, len(x)/lanes, &tail[0])
	}
	var a float32
	for _, v := range x {
		a = fx.Max(a, fx.Abs(v))
	}
	return a
}
