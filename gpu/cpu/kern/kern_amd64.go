// SPDX-License-Identifier: Apache-2.0

package kern

import "golang.org/x/sys/cpu"

// machine returns the paths beside plain Go; package cpu also asks whether the
// operating system saves the registers.
func machine() []CPU {
	var out []CPU
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA {
		return nil
	}
	out = append(out, CPU{path: AVX2})
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512BW {
		out = append(out, CPU{path: AVX512, vnni: cpu.X86.HasAVX512VNNI})
	}
	return out
}

//go:noescape
func gemmAVX512(mr, kc int, a, b, c *float32, ldc, cols, flags int)

//go:noescape
func gemmAVX2(mr, kc int, a, b, c *float32, ldc, cols, flags int)

//go:noescape
func packAVX512(dst *float32, ldd int, rows *[16]*float32, n int)

//go:noescape
func packAVX2(dst *float32, ldd int, rows *[8]*float32, n int)

//go:noescape
func packRowsAVX512(dst *float32, ldd int, src *float32, ld, rows, n, panels, stride int)

//go:noescape
func packRowsAVX2(dst *float32, ldd int, src *float32, ld, rows, n, panels, stride int)

//go:noescape
func peakAVX512(n int)

//go:noescape
func peakAVX2(n int)

//go:noescape
func redSumAVX512(x *float32, blocks int, tail *float32) float32

//go:noescape
func redSumAVX2(x *float32, blocks int, tail *float32) float32

//go:noescape
func redSumSqAVX512(x *float32, blocks int, tail *float32) float32

//go:noescape
func redSumSqAVX2(x *float32, blocks int, tail *float32) float32

//go:noescape
func redMaxAVX512(x *float32, blocks int, tail *float32) float32

//go:noescape
func redMaxAVX2(x *float32, blocks int, tail *float32) float32

//go:noescape
func i8AVX512(mr, groups, words, last int, a, b, corr *int32, sa, sb, c *float32, ldc, cols, flags int)

//go:noescape
func i8AVX2(mr, groups, words, last int, a, b, corr *int32, sa, sb, c *float32, ldc, cols, flags int)

//go:noescape
func widenAVX2(dst *int16, src *int8, n int)

//go:noescape
func quantAVX512(dst *int8, x *float32, inv float32, n int)

//go:noescape
func quantAVX2(dst *int8, x *float32, inv float32, n int)

//go:noescape
func redAbsMaxAVX512(x *float32, blocks int, tail *float32) float32

//go:noescape
func redAbsMaxAVX2(x *float32, blocks int, tail *float32) float32

//go:noescape
func philoxAVX512(dst *uint32, n, times int, args *[6]uint32)

//go:noescape
func philoxAVX2(dst *uint32, n, times int, args *[6]uint32)

//go:noescape
func fewAVX512(m, blocks int, a *float32, lda int, b *float32, ldb int, c *float32, ldc, flags, next int)

//go:noescape
func fewI8AVX512(groups int, x, b *int8, ldb int, corr *int32, sx, sb, c *float32, flags, next int)

//go:noescape
func fewAVX2(m, blocks int, a *float32, lda int, b *float32, ldb int, c *float32, ldc, flags, next int)

//go:noescape
func fewI8AVX2(groups int, x, b *int8, ldb int, corr *int32, sx, sb, c *float32, flags, next int)

//go:noescape
func fewTurnedAVX512(m, vectors, k int, a *float32, lda int, b *float32, ldb int, c *float32, ldc int)

//go:noescape
func fewTurnedAVX2(m, vectors, k int, a *float32, lda int, b *float32, ldb int, c *float32, ldc int)
