// SPDX-License-Identifier: Apache-2.0

// Package fx is the normative arithmetic: fx/1 in binary32, fx/int8 in codes, fx/1d
// in binary64, and every operation of a program element by element. Every result
// bit is fixed, on any machine, in plain Go.
//
// A claim about off-chain work is a string of bits that anyone can reproduce
// only if the arithmetic behind it has exactly one answer. This package gives
// that answer: single operations, the fused multiply-add with one rounding,
// chains, the reduction red/1, six functions, a counter based generator and a
// keyed permutation. It is the one place in the pure layers that may hold
// floats.
//
// It refuses to use what differs between machines: no libm, no vendor kernels,
// no fused operation chosen by the compiler, no flush to zero, no reordering.
// It never returns a NaN other than bits 7fc00000 from a stored result, and it
// does not report errors: NaN and infinities are values here, the caller
// decides whether they end the work.
//
// The main types are float32 itself, [Stream] and [Op]; [FMA32] is the main
// operation, and [Elem] gives one element of what an Op computes: it is all that a
// referee needs. For example, one output of a matrix product is a chain:
//
//	var acc float32 // +0
//	for k := range a {
//		acc = fx.FMA32(a[k], b[k], acc)
//	}
//	acc = fx.Canon(acc) // the same bits as fx.Dot(a, b)
//
// Spec: FX-01 values, FX-02 Go, FX-03 chains, FX-04 red/1, FX-05 functions,
// FX-06 randomness, FX-07 fx/int8, FX-08 fx/1d, OP-02 operations, OP-04 optimizers,
// OP-05 forms, BEN-02 bench operations.
package fx
