// SPDX-License-Identifier: Apache-2.0

//go:build !amd64

package kern

// machine returns the paths beside plain Go: none here.
func machine() []CPU { return nil }

const noPath = "kern: assembly on a machine without it"

func elemAVX512(op Op, dst, a, b, c, d *float32, n int, s *float32) { panic(noPath) }
func elemAVX2(op Op, dst, a, b, c, d *float32, n int, s *float32)   { panic(noPath) }
func gemmAVX512(mr, kc int, a, b, c *float32, ldc, cols, flags int) { panic(noPath) }
func gemmAVX2(mr, kc int, a, b, c *float32, ldc, cols, flags int)   { panic(noPath) }
func packAVX512(dst *float32, ldd int, rows *[16]*float32, n int)   { panic(noPath) }
func packAVX2(dst *float32, ldd int, rows *[8]*float32, n int)      { panic(noPath) }
func packRowsAVX512(dst *float32, ldd int, src *float32, ld, rows, n, panels, stride int) {
	panic(noPath)
}
func packRowsAVX2(dst *float32, ldd int, src *float32, ld, rows, n, panels, stride int) {
	panic(noPath)
}
func peakAVX512(n int)                                             { panic(noPath) }
func peakAVX2(n int)                                               { panic(noPath) }
func redSumAVX512(x *float32, blocks int, tail *float32) float32   { panic(noPath) }
func redSumAVX2(x *float32, blocks int, tail *float32) float32     { panic(noPath) }
func redSumSqAVX512(x *float32, blocks int, tail *float32) float32 { panic(noPath) }
func redSumSqAVX2(x *float32, blocks int, tail *float32) float32   { panic(noPath) }
func redMaxAVX512(x *float32, blocks int, tail *float32) float32   { panic(noPath) }
func redMaxAVX2(x *float32, blocks int, tail *float32) float32     { panic(noPath) }
func i8AVX512(mr, groups, words, last int, a, b, corr *int32, sa, sb, c *float32, ldc, cols, flags int) {
	panic(noPath)
}
func i8AVX2(mr, groups, words, last int, a, b, corr *int32, sa, sb, c *float32, ldc, cols, flags int) {
	panic(noPath)
}
func widenAVX2(dst *int16, src *int8, n int)                        { panic(noPath) }
func quantAVX512(dst *int8, x *float32, inv float32, n int)         { panic(noPath) }
func quantAVX2(dst *int8, x *float32, inv float32, n int)           { panic(noPath) }
func redAbsMaxAVX512(x *float32, blocks int, tail *float32) float32 { panic(noPath) }
func redAbsMaxAVX2(x *float32, blocks int, tail *float32) float32   { panic(noPath) }
func philoxAVX512(dst *uint32, n, times int, args *[6]uint32)       { panic(noPath) }
func philoxAVX2(dst *uint32, n, times int, args *[6]uint32)         { panic(noPath) }
func fewAVX512(m, blocks int, a *float32, lda int, b *float32, ldb int, c *float32, ldc, flags, next int) {
	panic(noPath)
}
func fewI8AVX512(groups int, x, b *int8, ldb int, corr *int32, sx, sb, c *float32, flags, next int) {
	panic(noPath)
}
func fewAVX2(m, blocks int, a *float32, lda int, b *float32, ldb int, c *float32, ldc, flags, next int) {
	panic(noPath)
}
func fewI8AVX2(groups int, x, b *int8, ldb int, corr *int32, sx, sb, c *float32, flags, next int) {
	panic(noPath)
}
func fewTurnedAVX512(m, vectors, k int, a *float32, lda int, b *float32, ldb int, c *float32, ldc int) {
	panic(noPath)
}
func fewTurnedAVX2(m, vectors, k int, a *float32, lda int, b *float32, ldb int, c *float32, ldc int) {
	panic(noPath)
}
