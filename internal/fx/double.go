// SPDX-License-Identifier: Apache-2.0

package fx

import "math"

// NaN64Bits are the bits of the only NaN of fx/1d.
const NaN64Bits uint64 = 0x7ff8000000000000

// g names a binary64 by its bits.
func g(bits uint64) float64 { return math.Float64frombits(bits) }

// Canon64 returns x, or the canonical NaN if x is a NaN. Spec: FX-08.
func Canon64(x float64) float64 {
	if x != x {
		return g(NaN64Bits)
	}
	return x
}

// FMA64 returns x·y+z with one rounding to nearest even, on any machine: math.FMA
// is exact with and without the machine's instruction. Spec: FX-08.
func FMA64(x, y, z float64) float64 { return Canon64(math.FMA(x, y, z)) }

// Dot64 returns the chain acc = fma(a[k], b[k], acc) in ascending k from +0.
// Shapes: a is [K]; b is at least as long. Spec: FX-08.
func Dot64(a, b []float64) float64 {
	b = b[:len(a)]
	var acc float64
	for k, x := range a {
		acc = math.FMA(x, b[k], acc)
	}
	return Canon64(acc)
}

// Sum64 returns the chain acc = acc + x[k] in ascending k from +0. Spec: FX-08.
func Sum64(x []float64) float64 {
	var acc float64
	for _, v := range x {
		acc += v
	}
	return Canon64(acc)
}

// Dist2 returns the squared distance of two rows: e = a[k] − b[k], acc = e·e + acc
// with two roundings, in ascending k. Shapes: a is [K]; b is at least as long.
// Spec: FX-08, KNN-06.
func Dist2(a, b []float64) float64 {
	b = b[:len(a)]
	var acc float64
	for k, x := range a {
		e := x - b[k]
		acc = float64(e*e) + acc
	}
	return Canon64(acc)
}

// Exp64 returns e^x: x = n·ln 2 + r, the series of e^r to r¹³, then 2^n in two
// factors. Above 709.782712893384 it is +Inf, below −745.1332191019412 it is +0.
// Error at most 1.5 ulp. Cost: about 20 ns. Spec: FX-08.
func Exp64(x float64) float64 {
	switch {
	case x != x:
		return g(NaN64Bits)
	case x > g(0x40862e42fefa39ef):
		return g(0x7ff0000000000000)
	case x < g(0xc0874910d52d3052):
		return 0
	}
	const magic64 = 0x4338000000000000 // 1.5·2⁵²
	n := math.FMA(x, g(0x3ff71547652b82fe), g(magic64)) - g(magic64)
	r := math.FMA(n, -g(0x3fe62e42fee00000), x)
	r = math.FMA(n, -g(0x3dea39ef35793c76), r)
	p := g(expCoeff[0])
	for _, c := range expCoeff[1:] {
		p = math.FMA(p, r, g(c))
	}
	p = math.FMA(p, float64(r*r), r)
	p++
	i := int64(n)
	h := i >> 1
	return float64(float64(p*g(uint64(h+1023)<<52)) * g(uint64(i-h+1023)<<52))
}

// expCoeff are 1/13! … 1/2!, each rounded to nearest.
var expCoeff = [12]uint64{
	0x3de6124613a86d09, 0x3e21eed8eff8d898, 0x3e5ae64567f544e4, 0x3e927e4fb7789f5c, 0x3ec71de3a556c734, 0x3efa01a01a01a01a,
	0x3f2a01a01a01a01a, 0x3f56c16c16c16c17, 0x3f81111111111111, 0x3fa5555555555555, 0x3fc5555555555555, 0x3fe0000000000000,
}

// Log64 returns the natural logarithm: x = m·2^e with m from √½ to √2, f = m−1, s =
// f/(2+f), log m = f − (f²/2 − s·(f²/2 + R(s²))), R the series 2/3·s² + 2/5·s⁴ … to
// 2/23. x < 0 gives NaN, ±0 gives −Inf. Error at most 1 ulp. Cost: about 20 ns.
// Spec: FX-08.
func Log64(x float64) float64 {
	switch {
	case x != x || x < 0:
		return g(NaN64Bits)
	case x == 0:
		return g(0xfff0000000000000)
	case x == g(0x7ff0000000000000):
		return x
	}
	e := int64(0)
	if math.Float64bits(x) < 1<<52 { // subnormal
		x *= g(0x4350000000000000) // 2⁵⁴
		e = -54
	}
	b := math.Float64bits(x)
	e += int64(b>>52) - 1022
	m := g(b&(1<<52-1) | 0x3fe0000000000000) // in [½, 1)
	if m < g(0x3fe6a09e667f3bcd) {
		e--
		m += m
	}
	f := m - 1
	s := f / (2 + f)
	z := float64(s * s)
	p := g(logCoeff64[0])
	for _, c := range logCoeff64[1:] {
		p = math.FMA(p, z, g(c))
	}
	half := float64(g(0x3fe0000000000000) * float64(f*f))
	y := float64(s * (half + float64(p*z)))
	n := float64(e)
	return math.FMA(n, g(0x3fe62e42fee00000), f-(half-math.FMA(n, g(0x3dea39ef35793c76), y)))
}

// logCoeff64 are 2/23, 2/21 … 2/3, each rounded to nearest.
var logCoeff64 = [11]uint64{
	0x3fb642c8590b2164, 0x3fb8618618618618, 0x3fbaf286bca1af28, 0x3fbe1e1e1e1e1e1e, 0x3fc1111111111111, 0x3fc3b13b13b13b14,
	0x3fc745d1745d1746, 0x3fcc71c71c71c71c, 0x3fd2492492492492, 0x3fd999999999999a, 0x3fe5555555555555,
}
