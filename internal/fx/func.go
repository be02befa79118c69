// SPDX-License-Identifier: Apache-2.0

package fx

import "math"

// f names a constant of FX-05 by its bits.
func f(bits uint32) float32 { return math.Float32frombits(bits) }

// pow2 returns 2^n for −126 ≤ n ≤ 127.
func pow2(n int32) float32 { return f(uint32(n+127) << 23) }

// Exp returns e^x by the recipe of FX-05. Error at most 1.281 ulp over all
// inputs, monotone; NaN in, NaN out. Spec: FX-05.
func Exp(x float32) float32 {
	switch {
	case x != x:
		return f(NaNBits)
	case x > f(0x42b17218):
		return f(0x7f800000)
	case x < f(0xc2cff1b5):
		return 0
	}
	t := FMA32(x, f(0x3fb8aa3b), f(magic))
	n := float32(t - f(magic))
	r := FMA32(n, -f(0x3f317200), x)
	r = FMA32(n, -f(0x35bfbe8e), r)
	p := f(0x39506928)
	p = FMA32(p, r, f(0x3ab743cf))
	p = FMA32(p, r, f(0x3c088906))
	p = FMA32(p, r, f(0x3d2aa98c))
	p = FMA32(p, r, f(0x3e2aaac1))
	p = FMA32(p, r, f(0x3f000000))
	p = FMA32(p, float32(r*r), r)
	p = float32(p + 1)
	i := int32(n)
	h := i >> 1
	return float32(float32(p*pow2(h)) * pow2(i-h))
}

// Log returns the natural logarithm by the recipe of FX-05: x < 0 gives NaN,
// ±0 gives −Inf. Error at most 0.827 ulp over all inputs, monotone.
// Spec: FX-05.
func Log(x float32) float32 {
	switch {
	case x != x || x < 0:
		return f(NaNBits)
	case x == 0:
		return f(0xff800000)
	case x == f(0x7f800000):
		return x
	}
	e := int32(0)
	if math.Float32bits(x) < 0x00800000 { // subnormal
		x = float32(x * f(0x4b800000))
		e = -24
	}
	b := math.Float32bits(x)
	e += int32(b>>23) - 126
	m := f(b&0x007fffff | 0x3f000000) // in [½, 1)
	if m < f(0x3f3504f3) {
		e--
		m = float32(m + m)
	}
	m = float32(m - 1)
	z := float32(m * m)
	p := f(0x3d9021bb)
	for _, c := range logCoeff {
		p = FMA32(p, m, f(c))
	}
	y := float32(float32(p*m) * z)
	y = FMA32(float32(e), f(0xb95e8083), y)
	y = FMA32(f(0xbf000000), z, y)
	return FMA32(float32(e), f(0x3f318000), float32(m+y))
}

var logCoeff = [8]uint32{
	0xbdebd1b8, 0x3def251a, 0xbdfe5d4f, 0x3e11e9bf,
	0xbe2aae50, 0x3e4cceac, 0xbe7ffffc, 0x3eaaaaaa,
}

// Tanh returns the hyperbolic tangent by the recipe of FX-05; the result takes
// the sign of x, also for −0. Error at most 1.332 ulp, monotone. Spec: FX-05.
func Tanh(x float32) float32 {
	if x != x {
		return f(NaNBits)
	}
	sign := math.Float32bits(x) & 0x80000000
	a := f(math.Float32bits(x) &^ 0x80000000)
	var y float32
	switch {
	case a >= f(0x41104000):
		y = 1
	case a >= f(0x3f200000):
		y = float32(1 - float32(2/float32(Exp(float32(a+a))+1)))
	default:
		z := float32(a * a)
		p := f(0xbbbaf0ea)
		p = FMA32(p, z, f(0x3ca9134e))
		p = FMA32(p, z, f(0xbd5c1e2d))
		p = FMA32(p, z, f(0x3e088393))
		p = FMA32(p, z, f(0xbeaaaa99))
		y = FMA32(float32(p*z), a, a)
	}
	return f(math.Float32bits(y) | sign)
}

// Sigmoid returns 1/(1+e^−x) by the recipe of FX-05; below −64 it is e^x, so
// that it keeps its precision down to the subnormals. Error at most 2.481 ulp,
// monotone. Spec: FX-05.
func Sigmoid(x float32) float32 {
	if x != x {
		return f(NaNBits)
	}
	if x < f(0xc2800000) {
		return Exp(x)
	}
	return float32(1 / float32(1+Exp(-x)))
}

// Silu returns x·Sigmoid(x); −Inf gives NaN. Error at most 2.861 ulp, or 52
// below −87.3 where the sigmoid is subnormal. Spec: FX-05.
func Silu(x float32) float32 { return Mul(x, Sigmoid(x)) }

// Rsqrt returns 1/sqrt(x) with two roundings: ±0 gives ±Inf, x < 0 gives NaN.
// Error at most 1.491 ulp. Spec: FX-05.
func Rsqrt(x float32) float32 { return Div(1, Sqrt(x)) }
