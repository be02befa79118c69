// SPDX-License-Identifier: Apache-2.0

package fx

import "testing"

func benchVec(n int, seed uint64) []float32 {
	v := make([]float32, n)
	Stream{Seed: seed, Purpose: PurposeBench}.FillNormal(v)
	return v
}

// sixteenths looks like a row of the digits: half zeros, else k/16.
func sixteenths(n int) []float32 {
	v := make([]float32, n)
	s := Stream{Seed: 9, Purpose: PurposeBench}
	for i := range v {
		if w := s.Word(uint64(i)); w&1 == 0 {
			v[i] = float32(w>>28) / 16
		}
	}
	return v
}

// perTerm reports the cost of one fused multiply-add.
func perTerm(b *testing.B, terms int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(terms), "ns/fma")
}

func BenchmarkFMA32(b *testing.B) {
	x, y := benchVec(1024, 1), benchVec(1024, 2)
	z := benchVec(1024, 3)
	for b.Loop() {
		for i := range x {
			z[i] = FMA32(x[i], y[i], z[i])
		}
	}
	perTerm(b, 1024)
}

func BenchmarkDot(b *testing.B) {
	x, y := benchVec(1024, 1), benchVec(1024, 2)
	for b.Loop() {
		Dot(x, y)
	}
	perTerm(b, 1024)
}

func BenchmarkAxpy(b *testing.B) {
	for _, c := range []struct {
		name string
		a, b []float32
	}{
		{"normals times 64 normals", benchVec(64, 1), benchVec(64, 2)},
		{"normals times 10 normals", benchVec(64, 1), benchVec(10, 2)},
		{"digits times 32 normals", sixteenths(64), benchVec(32, 2)},
		{"normals times 64 digits", benchVec(64, 1), sixteenths(64)},
	} {
		b.Run(c.name, func(b *testing.B) {
			n := len(c.b)
			acc, row, a := make([]float64, n), make([]float64, n), make([]float64, len(c.a))
			Widen(row, c.b)
			Widen(a, c.a)
			for b.Loop() {
				clear(acc)
				for _, x := range a {
					Axpy(acc, x, row)
				}
			}
			perTerm(b, len(a)*n)
		})
	}
}

func BenchmarkExp(b *testing.B) {
	x := benchVec(1024, 1)
	for b.Loop() {
		for _, v := range x {
			Exp(v)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1024, "ns/exp")
}

func BenchmarkRedSum(b *testing.B) {
	x := benchVec(4096, 1)
	for b.Loop() {
		RedSum(x)
	}
}

func BenchmarkPhilox(b *testing.B) {
	for b.Loop() {
		Philox([2]uint32{1, 2}, [4]uint32{3, 4, 5, 6})
	}
}

// BenchmarkElem is what a referee does for one element of the dearest operations
// that it may be asked for.
func BenchmarkElem(b *testing.B) {
	read := func(k int, i uint64) uint32 { return uint32(i)*2654435761>>9 | 0x3f000000 }
	for _, c := range []struct {
		name  string
		op    Op
		attrs []uint64
	}{
		{"gemm of 2048 terms", OpGemm, []uint64{1, 8, 8, 2048, 1, 0, 0}},
		{"red_sum of 4096", OpRedSum, []uint64{1, 8, 4096, 0}},
		{"sort_pairs of 2048", OpSortPairs, []uint64{uint64(F32), 1, 2048, 2048}},
		{"topk of 4096", OpTopK, []uint64{1, 4096, 8}},
		{"gemm_i8 of 2048", OpGemmI8, []uint64{8, 8, 2048, 128}},
		{"bench_fill", OpBenchFill, []uint64{1 << 24, 1, 1}},
		{"perm_rows", OpPerm, []uint64{32, 1 << 30, 1}},
	} {
		b.Run(c.name, func(b *testing.B) {
			if _, err := Check(c.op, c.attrs); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				Elem(c.op, c.attrs, 3, read)
			}
		})
	}
}
