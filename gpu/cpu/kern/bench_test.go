// SPDX-License-Identifier: Apache-2.0

package kern

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
	"unsafe"
)

// peakGflops measures the FMA units of the given number of threads at once.
func peakGflops(c CPU, threads int) float64 {
	if c.path == Ref {
		return 0
	}
	const rounds = 1 << 20
	best := 0.0
	p := NewPool(threads)
	for range 5 {
		start := time.Now()
		p.Run(threads, func(*Worker, int) { c.Peak(rounds) })
		flops := float64(threads) * float64(2*12*c.width()*rounds)
		best = max(best, flops/time.Since(start).Seconds()/1e9)
	}
	return best
}

// large is a copy of x in memory like that of a device.
func large[T any](x []T) []T {
	b := pages(len(x) * int(unsafe.Sizeof(x[0])))
	y := unsafe.Slice((*T)(unsafe.Pointer(&b[0])), len(x))
	copy(y, x)
	return y
}

// BenchmarkGemm prints GFLOP/s and the share of the FMA peak measured in the
// same run.
func BenchmarkGemm(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, s := range [][3]int{{1024, 1024, 1024}, {256, 1024, 1024}, {512, 64, 512}, {8, 2048, 2048}, {1, 4096, 4096}} {
		g := Mat{M: s[0], N: s[1], K: s[2], LDA: s[2], LDB: s[2], LDC: s[1]}
		g.A, g.B, g.C = finite(r, g.M*g.K), large(finite(r, g.N*g.K)), make([]float32, g.M*g.N)
		for _, c := range Paths()[1:] {
			for threads := 1; threads <= runtime.NumCPU(); threads *= 2 {
				b.Run(fmt.Sprintf("%dx%dx%d/%v/threads=%d", g.M, g.N, g.K, c.path, threads), func(b *testing.B) {
					pool := NewPool(threads)
					peak := peakGflops(c, threads)
					for b.Loop() {
						c.Gemm(pool, g)
					}
					gflops := 2 * float64(g.M) * float64(g.N) * float64(g.K) * float64(b.N) / b.Elapsed().Seconds() / 1e9
					b.ReportMetric(gflops, "GFLOP/s")
					b.ReportMetric(gflops/peak, "of_peak")
					b.ReportMetric(4*float64(g.N)*float64(g.K)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GB/s_of_B")
				})
			}
		}
	}
}

// BenchmarkGemmI8 prints multiply-adds of codes; one row is the product of a
// decoded token, bound by reading B.
func BenchmarkGemmI8(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, s := range [][3]int{{1024, 1024, 1024}, {1, 4096, 4096}} {
		g := MatI8{M: s[0], N: s[1], K: s[2], G: 128, A: codes(r, s[0]*s[2]), B: large(codes(r, s[1]*s[2])), C: make([]float32, s[0]*s[1])}
		g.SA, g.SB = finite(r, g.M*g.K/g.G), finite(r, g.N*g.K/g.G)
		for _, c := range Paths()[1:] {
			for threads := 1; threads <= runtime.NumCPU(); threads *= 2 {
				b.Run(fmt.Sprintf("%dx%dx%d/%v/threads=%d", g.M, g.N, g.K, c.path, threads), func(b *testing.B) {
					pool := NewPool(threads)
					for b.Loop() {
						c.GemmI8(pool, g)
					}
					b.ReportMetric(float64(g.M)*float64(g.N)*float64(g.K)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
					b.ReportMetric(float64(g.N)*float64(g.K)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GB/s_of_B")
				})
			}
		}
	}
}

// BenchmarkRead is what products with one row are measured against: reading
// 256 MiB in 16 streams for each job, and nothing else.
func BenchmarkRead(b *testing.B) {
	x := large(make([]float32, 64<<20))
	c := Paths()[len(Paths())-1]
	const jobs, streams, part = 8, 16, 512
	for threads := 1; threads <= runtime.NumCPU(); threads *= 2 {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			pool := NewPool(threads)
			n := len(x) / jobs / streams
			for b.Loop() {
				pool.Run(jobs, func(_ *Worker, j int) {
					for o := 0; o < n; o += part {
						for s := range streams {
							c.RedMax(x[(j*streams+s)*n+o:][:part])
						}
					}
				})
			}
			b.ReportMetric(4*float64(len(x))*float64(b.N)/b.Elapsed().Seconds()/1e9, "GB/s")
		})
	}
}

// BenchmarkElem runs from the first-level cache.
func BenchmarkElem(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	x, y, z, d := finite(r, 2048), finite(r, 2048), finite(r, 2048), make([]float32, 2048)
	for _, k := range []struct {
		name string
		op   Op
	}{{"copy", Copy}, {"add", Add}, {"fma", FMA}, {"div", Div}, {"exp", Exp}, {"log", Log}, {"tanh", Tanh},
		{"sigmoid", Sigmoid}, {"swiglu", Swiglu}, {"swiglu_bwd", SwigluBwd}, {"rsqrt", Rsqrt}, {"adam_p", AdamP}} {
		for _, c := range Paths() {
			b.Run(k.name+"/"+c.path.String(), func(b *testing.B) {
				in := [][]float32{x, y, z}[:arity[k.op].in]
				for b.Loop() {
					c.Elem(k.op, d, Scalars{1, 2, 3, 4, 5}, in...)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/2048, "ns/elem")
			})
		}
	}
}

func BenchmarkRed(b *testing.B) {
	x := finite(rand.New(rand.NewPCG(1, 1)), RedBlock)
	for _, c := range Paths() {
		for name, f := range map[string]func([]float32) float32{"sum": c.RedSum, "sumsq": c.RedSumSq, "max": c.RedMax} {
			b.Run(name+"/"+c.path.String(), func(b *testing.B) {
				for b.Loop() {
					f(x)
				}
				b.ReportMetric(4*RedBlock*float64(b.N)/b.Elapsed().Seconds()/1e9, "GB/s")
			})
		}
	}
}
