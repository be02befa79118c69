// SPDX-License-Identifier: Apache-2.0

// Package kern holds the CPU kernels of fx/1: loops over plain
// slices whose every result bit is that of package fx.
//
// Each kernel exists three times: as plain Go, which is the definition read
// off package fx and runs on any machine, and as assembly for AVX2 with FMA and
// for AVX-512, written by the program in gen. A [CPU] value carries the choice;
// [Detect] makes it at start. Assembly sees whole vectors only: the rest of a
// slice runs on a padded copy, so no kernel touches memory outside its
// arguments.
//
// It refuses to know tensors, operations with attributes or devices; package
// gpu/cpu maps those onto these loops. It never reorders a chain, never pads
// one, and stores no NaN but 7fc00000.
//
// For example:
//
//	cpu, err := kern.Detect(os.Getenv("OPENLEDGER_CPU"))
//	cpu.Elem(kern.Add, dst, kern.Scalars{}, a, b)
//	cpu.Gemm(pool, kern.Mat{M: m, N: n, K: k, A: a, B: b, C: c})
//
// Spec: FX-01, FX-03, FX-04, FX-05, GPU-03.
package kern
