// SPDX-License-Identifier: Apache-2.0

package fx

import (
	"errors"
	"math"
)

// ErrMachine means that this process does not round to nearest even or does
// not keep subnormals; nothing it computes may be committed.
var ErrMachine = errors.New("floating point unit is not in round-to-nearest with subnormals")

// CheckMachine tests by results that the floating point unit of the calling
// thread rounds to nearest even and keeps subnormals in binary32 and binary64
// (the settings MXCSR & 0xffc0 = 0x1f80, or FPCR FZ and RMode 0). A node calls
// it once at start. Errors: ErrMachine. Spec: FX-02.
func CheckMachine() error {
	type probe struct{ got, want float64 }
	one, tiny := float32(1), f(0x00000001)
	norm := f(0x00800000)
	d1, dmin := math.Float64frombits(0x3ff0000000000000), math.Float64frombits(0x0010000000000000)
	for _, p := range []probe{
		{float64(float32(one + f(0x33800000))), 1},                            // 1+2⁻²⁴ ties to even, down
		{float64(float32(f(0x3f800001) + f(0x33800000))), 1 + 2*0x1p-23},      // ties to even, up
		{float64(float32(one + f(0x33800001))), 1 + 0x1p-23},                  // above the tie
		{float64(float32(-one - f(0x33800001))), -1 - 0x1p-23},                // and below zero
		{float64(float32(norm * f(0x3f000000))), 0x1p-127},                    // subnormal result kept
		{float64(float32(tiny * f(0x4b800000))), 0x1p-125},                    // subnormal operand kept
		{float64(float32(d1 + 0x1p-24)), 1},                                   // conversion ties to even
		{float64(d1 + math.Float64frombits(0x3ca0000000000000)), 1},           // binary64 1+2⁻⁵³
		{float64(dmin * math.Float64frombits(0x3fe0000000000000)), 0x1p-1023}, // binary64 subnormal
	} {
		if p.got != p.want {
			return ErrMachine
		}
	}
	if FMA32(f(0x3f800001), f(0x3f800001), f(0xbf800002)) != f(0x28800000) {
		return ErrMachine
	}
	return nil
}
