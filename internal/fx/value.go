// SPDX-License-Identifier: Apache-2.0

package fx

import (
	"encoding/binary"
	"math"
)

// NaNBits are the bits of the only NaN that a stored result may hold (FX-01).
const NaNBits uint32 = 0x7fc00000

// magic is 1.5·2²³ (bits 4b400000). Adding it to |x| < 2²² rounds x to an
// integer, half to even, in the low bits of the sum.
const magic = 0x4b400000

// Bits returns the 32 bits of x, with any NaN as NaNBits. This is the form in
// which a value enters a hash. Spec: FX-01.
func Bits(x float32) uint32 {
	if x != x {
		return NaNBits
	}
	return math.Float32bits(x)
}

// FromBits returns the value with bits b, any NaN as NaNBits. Spec: FX-01.
func FromBits(b uint32) float32 { return Canon(math.Float32frombits(b)) }

// Canon returns x, or the canonical NaN if x is a NaN. Spec: FX-01.
func Canon(x float32) float32 {
	if x != x {
		return math.Float32frombits(NaNBits)
	}
	return x
}

// CanonAll applies Canon to every element of x in place. Spec: FX-01.
func CanonAll(x []float32) {
	for i, v := range x {
		if v != v {
			x[i] = math.Float32frombits(NaNBits)
		}
	}
}

// Finite reports whether x is neither an infinity nor a NaN.
func Finite(x float32) bool { return math.Float32bits(x)&0x7f800000 != 0x7f800000 }

// AllFinite reports whether every element of x is finite.
func AllFinite(x []float32) bool {
	for _, v := range x {
		if !Finite(v) {
			return false
		}
	}
	return true
}

// Add returns x+y with one rounding. Spec: FX-01.
func Add(x, y float32) float32 { return Canon(float32(x + y)) }

// Sub returns x−y with one rounding. Spec: FX-01.
func Sub(x, y float32) float32 { return Canon(float32(x - y)) }

// Mul returns x·y with one rounding. Spec: FX-01.
func Mul(x, y float32) float32 { return Canon(float32(x * y)) }

// Div returns x/y with one rounding; x/±0 is an infinity, 0/0 is NaN.
// Spec: FX-01.
func Div(x, y float32) float32 { return Canon(float32(x / y)) }

// Sqrt returns the correctly rounded square root: ±0 stays, x < 0 gives NaN.
// The binary64 root rounded again is exact enough, because 53 ≥ 2·24+2.
// Spec: FX-01.
func Sqrt(x float32) float32 { return Canon(float32(math.Sqrt(float64(x)))) }

// Neg returns x with the other sign; NaN stays NaN. Spec: FX-01.
func Neg(x float32) float32 { return Canon(math.Float32frombits(math.Float32bits(x) ^ 0x80000000)) }

// Abs returns x without its sign; NaN stays NaN. Spec: FX-01.
func Abs(x float32) float32 { return Canon(math.Float32frombits(math.Float32bits(x) &^ 0x80000000)) }

// Max is NaN if either is NaN, else y if y > x, else x; so of two equal zeros
// the first one stays. Spec: FX-04.
func Max(x, y float32) float32 {
	if x != x || y != y {
		return math.Float32frombits(NaNBits)
	}
	if y > x {
		return y
	}
	return x
}

// Min is NaN if either is NaN, else y if y < x, else x. Spec: FX-04.
func Min(x, y float32) float32 {
	if x != x || y != y {
		return math.Float32frombits(NaNBits)
	}
	if y < x {
		return y
	}
	return x
}

// Rni rounds x to the nearest int32, half to even. The domain is |x| < 2²²;
// outside it the result is unspecified but never a panic. Spec: FX-01.
func Rni(x float32) int32 {
	m := math.Float32frombits(magic)
	return int32(math.Float32bits(float32(x+m))) - magic
}

// FromInt returns the binary32 nearest to i, ties to even. Spec: FX-01.
func FromInt(i int32) float32 { return float32(i) }

// BitsOfInt returns the bits of FromInt(i), for callers that hold no floats.
func BitsOfInt(i int32) uint32 { return Bits(FromInt(i)) }

// AppendBits appends the bits of x, little-endian, as they enter hashes.
// Spec: FX-01.
func AppendBits(dst []byte, x []float32) []byte {
	for _, v := range x {
		dst = binary.LittleEndian.AppendUint32(dst, Bits(v))
	}
	return dst
}

// AppendBits64 appends the bits of binary64 values, little-endian; data rows
// with a fraction enter row hashes this way. Values must not be NaN.
// Spec: LIN-01.
func AppendBits64(dst []byte, x []float64) []byte {
	for _, v := range x {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
	}
	return dst
}
