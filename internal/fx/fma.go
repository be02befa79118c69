// SPDX-License-Identifier: Apache-2.0

package fx

import "math"

const (
	// low28 masks the bits of a binary64 that are all zero in every binary32
	// and in every midpoint of two neighbouring ones, subnormals included.
	low28 = 1<<28 - 1
	low29 = 1<<29 - 1
	// exp64 masks the exponent field of a binary64.
	exp64 = 0x7ff << 52
	// minNormal is the exponent field of 2⁻¹²⁶ as a binary64.
	minNormal = (1023 - 126) << 52
	// half29 is what low29 leaves of a midpoint of two normal binary32.
	half29 = 1 << 28
	// wrapNormal bounds u<<1 − minNormal<<1 (modulo 2⁶⁴) for the bits u of zeros,
	// of infinities, of NaN and of everything from 2⁻¹²⁶ up.
	wrapNormal = 1<<64 - minNormal<<1
)

// FMA32 returns x·y+z with one rounding to nearest even, on any machine and
// without the machine's own fused operation.
//
// The product of two binary32 is exact in binary64, so only the sum s rounds
// before the final conversion; that double rounding can only go wrong where s
// is a midpoint of two binary32, and no midpoint has a one in its low 28 bits.
// NaN results are canonical. Cost: about 3 ns. Spec: FX-01, FX-02.
func FMA32(x, y, z float32) float32 {
	s := float64(float64(x)*float64(y)) + float64(z)
	if math.Float64bits(s)&low28 != 0 {
		return float32(s)
	}
	return fmaEdge(x, y, z)
}

// fmaEdge is FMA32 for sums on a binary32, on a midpoint, or not finite.
func fmaEdge(x, y, z float32) float32 {
	p := float64(float64(x) * float64(y))
	s := p + float64(z)
	b := math.Float64bits(s)
	switch e := b & exp64; {
	case e == exp64:
		return Canon(float32(s))
	case b&low29 == 0 && e >= minNormal:
		return float32(s) // a normal binary32: the nearest one to the exact sum
	}
	return fmaOdd(p, s, z)
}

// fmaOdd returns the finite sum s = p+z rounded to odd in binary64 and then to
// nearest even in binary32: the first step keeps on which side of a midpoint
// the exact sum lies (Boldo and Melquiond, "Emulation of FMA and correctly
// rounded sums", IEEE ToC 2008).
func fmaOdd(p, s float64, z float32) float32 {
	c := float64(z)
	t := s - p
	e := (p - (s - t)) + (c - t) // TwoSum: s+e is exactly p+c
	b := math.Float64bits(s)
	if e != 0 && b&1 == 0 {
		if (e > 0) == (s > 0) {
			b++
		} else {
			b--
		}
	}
	return float32(math.Float64frombits(b))
}
