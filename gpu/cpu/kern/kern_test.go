// SPDX-License-Identifier: Apache-2.0

package kern

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/fx"
)

// special are the values at which kernels go wrong: zeros, infinities, quiet and
// signalling NaN with payloads, subnormals, the borders of exp, log, tanh and
// sigmoid and their neighbours.
var special = []uint32{
	0, 0x80000000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7f800001, 0xffbfffff, 0x7fedcba9,
	1, 0x80000001, 0x007fffff, 0x807fffff, 0x00800000, 0x80800000, 0x7f7fffff, 0xff7fffff,
	0x3f800000, 0xbf800000, 0x3f000000, 0xbf000000, 0x3f7fffff, 0x3f800001, 0x40000000, 0x33800000, 0x34000000,
	0x42b17217, 0x42b17218, 0x42b17219, 0xc2cff1b4, 0xc2cff1b5, 0xc2cff1b6, 0xc2aeac50, 0xc2aeac4f,
	0x3f3504f2, 0x3f3504f3, 0x3f3504f4, 0x410fffff, 0x41104000, 0x41104001, 0x3f1fffff, 0x3f200000, 0x3f200001,
	0xc27fffff, 0xc2800000, 0xc2800001, 0x4b000000, 0x4b800001, 0xcb400000,
}

// value draws from special values, all bit patterns, small numbers of few bits
// (ties), and normals.
func value(r *rand.Rand) float32 {
	switch r.IntN(5) {
	case 0:
		return math.Float32frombits(special[r.IntN(len(special))])
	case 1:
		return math.Float32frombits(r.Uint32())
	case 2:
		return float32(r.IntN(129)-64) / 8
	case 3:
		return math.Float32frombits(special[r.IntN(len(special))] + uint32(r.IntN(7)) - 3)
	}
	return float32(r.NormFloat64())
}

// vector returns n values at an address that is off vectors' boundaries.
func vector(r *rand.Rand, n int) []float32 {
	v := make([]float32, n+3)[r.IntN(4):][:n]
	for i := range v {
		v[i] = value(r)
	}
	return v
}

// finite returns n values of ordinary size.
func finite(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

// same fails at the first bit that differs.
func same(t interface{ Fatalf(string, ...any) }, what string, got, want []float32) {
	for i := range want {
		if g, w := math.Float32bits(got[i]), math.Float32bits(want[i]); g != w {
			t.Fatalf("%s: element %d of %d is %08x, want %08x", what, i, len(want), g, w)
		}
	}
}

// onPaths runs a test on every path of this machine but plain Go.
func onPaths(t *testing.T, f func(t *testing.T, c CPU)) {
	for _, c := range Paths() {
		t.Run(fmt.Sprintf("%s vnni=%v", c.path, c.vnni), func(t *testing.T) { f(t, c) })
	}
}

func TestElemEqualsFxOnEveryPath(t *testing.T) {
	onPaths(t, func(t *testing.T, c CPU) {
		r := rand.New(rand.NewPCG(1, uint64(c.path)))
		for op := range ops {
			k, _ := op.Arity()
			for n := range 70 {
				for range 12 {
					var x [4][]float32
					for i := range x {
						x[i] = vector(r, n)
					}
					var s Scalars
					for i := range s {
						s[i] = value(r)
					}
					want, got := make([]float32, n), vector(r, n)
					elemGo(op, want, &s, &x)
					c.Elem(op, got, s, x[:k]...)
					same(t, fmt.Sprintf("op %d n %d", op, n), got, want)
					c.Elem(op, x[0], s, x[:k]...) // in place
					same(t, fmt.Sprintf("op %d n %d in place", op, n), x[0], want)
				}
			}
		}
	})
}

// exhaustive walks all 2³² inputs of each function (make fx-exhaustive) instead of
// 2²⁰ spread evenly.
var (
	exhaustive = flag.Bool("exhaustive", false, "compare every input of the functions")
	only       = flag.String("only", "", "with -exhaustive: the name of one function")
	slice      = flag.String("slice", "0/1", "with -exhaustive: part i of n, as i/n")
)

func TestFX09FunctionsOfEveryPathEqualFx(t *testing.T) {
	const n = 1 << 18
	parts, first := 4, 0
	if *exhaustive {
		var i, of int
		if _, err := fmt.Sscanf(*slice, "%d/%d", &i, &of); err != nil || i < 0 || i >= of {
			t.Fatalf("-slice %q is not i/n", *slice)
		}
		parts = 1 << 32 / n / of
		first = i * parts
	}
	pool := NewPool(runtime.GOMAXPROCS(0))
	for name, op := range map[string]Op{"exp": Exp, "log": Log, "tanh": Tanh, "sigmoid": Sigmoid, "silu": Silu, "rsqrt": Rsqrt, "sqrt": Sqrt} {
		if *only != "" && *only != name {
			continue
		}
		pool.Run(parts, func(_ *Worker, part int) {
			x, got, want := make([]float32, n), make([]float32, n), make([]float32, n)
			for i := range x {
				bits := uint32(i)<<14 | (uint32(i)*2654435761+uint32(part)<<30)>>18
				if *exhaustive {
					bits = uint32((first+part)*n + i)
				}
				x[i] = math.Float32frombits(bits)
			}
			elemGo(op, want, &Scalars{}, &[4][]float32{x})
			for _, c := range Paths()[1:] {
				c.Elem(op, got, Scalars{}, x)
				for i := range want {
					if g, w := math.Float32bits(got[i]), math.Float32bits(want[i]); g != w {
						t.Errorf("%s of %08x on %s is %08x, want %08x", name, math.Float32bits(x[i]), c.path, g, w)
						return
					}
				}
			}
		})
		t.Logf("%s: %d inputs on %d paths", name, parts*n, len(Paths())-1)
	}
}

func TestReductionsEqualFxAtEveryLength(t *testing.T) {
	onPaths(t, func(t *testing.T, c CPU) {
		r := rand.New(rand.NewPCG(2, uint64(c.path)))
		for n := range 300 {
			if n > 200 {
				n = 200 + r.IntN(RedBlock-199)
			}
			for round := range 4 {
				x := vector(r, n)
				if round > 0 {
					x = finite(r, n)
				}
				if round == 2 {
					for i := range x {
						x[i] = math.Float32frombits(0x80000000 * uint32(r.IntN(2)))
					}
				}
				same(t, fmt.Sprint("sum, max of ", n), []float32{c.RedSum(x), c.RedSumSq(x), c.RedMax(x)},
					[]float32{fx.RedSum(x), fx.RedSumSq(x), fx.RedMax(x)})
			}
		}
	})
}

// TestGemmEqualsTheChain draws shapes, strides, contents and threads.
func TestGemmEqualsTheChain(t *testing.T) {
	onPaths(t, func(t *testing.T, c CPU) {
		pool := NewPool(3)
		rapid.Check(t, func(t *rapid.T) {
			r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 3))
			g := Mat{M: rapid.IntRange(1, 40).Draw(t, "m"), N: rapid.IntRange(1, 70).Draw(t, "n"),
				K: rapid.SampledFrom([]int{0, 1, 7, 8, 16, 33, 255, 256, 257, 530}).Draw(t, "k")}
			g.TA, g.TB = rapid.Bool().Draw(t, "a turned"), rapid.Bool().Draw(t, "b turned")
			lda, a := extent(r, g.M, g.K, g.TA)
			ldb, b := extent(r, g.N, g.K, g.TB)
			g.LDA, g.LDB, g.LDC = lda, ldb, g.N+r.IntN(3)
			fill := finite
			if rapid.Bool().Draw(t, "any value") {
				fill = vector
			}
			g.A, g.B, g.C = fill(r, a), fill(r, b), vector(r, g.M*g.LDC)
			g.Continue = rapid.Bool().Draw(t, "continue")
			if !g.Continue {
				g.Limit = rapid.SampledFrom([]uint64{fx.NoLimit, fx.NBelow, fx.KBelow, fx.KFrom}).Draw(t, "limit")
			}
			if g.Limit != fx.NoLimit {
				start, step := r.IntN(2*max(g.K, g.N))-g.K/2, r.IntN(3)
				g.Lim = make([]int32, 1+r.IntN(g.M))
				for i := range g.Lim {
					g.Lim[i] = int32(start + step*i)
					if r.IntN(20) == 0 {
						g.Lim[i] = int32(r.Uint32())
					}
				}
			}
			w := g
			w.C = append([]float32(nil), g.C...)
			for i := range w.M {
				w.row(i)
			}
			if rapid.Bool().Draw(t, "one thread") {
				c.Gemm(new(Worker), g)
			} else {
				c.Gemm(pool, g)
			}
			same(t, fmt.Sprintf("%d %d %d", g.M, g.N, g.K), g.C, w.C) // what lies between the rows too
		})
	})
}

// extent draws how far apart the rows of an operand stand and returns how many
// elements it takes.
func extent(r *rand.Rand, rows, k int, turned bool) (ld, n int) {
	if turned {
		rows, k = k, rows
	}
	ld = k + r.IntN(3)
	return ld, max((rows-1)*ld+k, 0)
}

// TestGemmCrossesItsBlocks has more rows and terms than are packed at once.
func TestGemmCrossesItsBlocks(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for _, g := range []Mat{{M: 1100, N: 5, K: 300}, {M: 2, N: 40, K: 140_000}, {M: 500, N: 3, K: 700}} {
		g.LDA, g.LDB, g.LDC = g.K, g.K, g.N
		g.A, g.B, g.C = finite(r, g.M*g.K), finite(r, g.N*g.K), make([]float32, g.M*g.N)
		for _, c := range Paths() {
			got := g
			got.C = make([]float32, g.M*g.N)
			c.Gemm(NewPool(2), got)
			if c.path == Ref {
				g.C = got.C
			}
			same(t, c.path.String(), got.C, g.C)
		}
	}
}

func TestMatricesOutsideTheirSliceArePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("a matrix beyond its slice was accepted")
		}
	}()
	CPU{}.Gemm(NewPool(1), Mat{M: 2, N: 2, K: 2, LDA: 2, LDB: 2, LDC: 2, A: make([]float32, 3), B: make([]float32, 4), C: make([]float32, 4)})
}

func TestDetect(t *testing.T) {
	for _, c := range Paths() {
		got, err := Detect(c.path.String())
		if err != nil || got != c {
			t.Errorf("%v: %v, %v", c, got, err)
		}
	}
	if _, err := Detect("sse9"); !errors.Is(err, ErrPath) {
		t.Errorf("an unknown path: %v", err)
	}
	best, err := Detect("")
	if err != nil || best != Paths()[len(Paths())-1] {
		t.Errorf("the best path: %v, %v", best, err)
	}
}

// codes returns n int8 codes, many of them extreme.
func codes(r *rand.Rand, n int) []int8 {
	v := make([]int8, n)
	for i := range v {
		v[i] = int8(r.IntN(256))
		if r.IntN(3) == 0 {
			v[i] = []int8{-128, -127, 127, 0}[r.IntN(4)]
		}
	}
	return v
}

func TestGemmI8EqualsTheDefinition(t *testing.T) {
	cpus := Paths()
	for _, c := range cpus {
		if c.vnni {
			cpus = append(cpus, CPU{path: AVX512})
		}
	}
	for _, c := range cpus {
		t.Run(fmt.Sprintf("%s vnni=%v", c.path, c.vnni), func(t *testing.T) {
			pool := NewPool(2)
			rapid.Check(t, func(t *rapid.T) {
				r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 6))
				g := MatI8{M: rapid.IntRange(1, 20).Draw(t, "m"), N: rapid.IntRange(1, 70).Draw(t, "n"),
					K: rapid.SampledFrom([]int{1, 3, 4, 64, 127, 128, 129, 300, 1024, 1100, 2500}).Draw(t, "k"),
					G: rapid.SampledFrom([]int{128, 128, 128, 1, 2, 7, 32, 1200}).Draw(t, "g")}
				n := (g.K + g.G - 1) / g.G
				g.A, g.B, g.SA, g.SB = codes(r, g.M*g.K), codes(r, g.N*g.K), vector(r, g.M*n), vector(r, g.N*n)
				g.C = vector(r, g.M*g.N)
				want := g
				want.C = make([]float32, g.M*g.N)
				for i := range g.M {
					want.row(i, n)
				}
				c.GemmI8(pool, g)
				same(t, "scaled", g.C, want.C)

				g.SA, want.SA = nil, nil
				g.Ints, want.Ints = make([]int32, g.M*g.N), make([]int32, g.M*g.N)
				for i := range g.M {
					want.row(i, 1)
				}
				c.GemmI8(new(Worker), g)
				for i, v := range want.Ints {
					if g.Ints[i] != v {
						t.Fatalf("sum %d of %dx%d is %d, want %d", i, g.M, g.N, g.Ints[i], v)
					}
				}
			})
		})
	}
}

// TestGemmI8AtItsBounds has the greatest sums that fit.
func TestGemmI8AtItsBounds(t *testing.T) {
	const k = 131_072
	g := MatI8{M: 1, N: 2, K: k, A: make([]int8, k), B: make([]int8, 2*k), Ints: make([]int32, 2)}
	for i := range k {
		g.A[i], g.B[i], g.B[k+i] = -127, -127, 127
	}
	for _, c := range Paths() {
		c.GemmI8(NewPool(1), g)
		if g.Ints[0] != 127*127*k || g.Ints[1] != -127*127*k {
			t.Errorf("%s: %d", c.path, g.Ints)
		}
	}
}

func TestQuantiseEqualsFx(t *testing.T) {
	onPaths(t, func(t *testing.T, c CPU) {
		r := rand.New(rand.NewPCG(7, uint64(c.path)))
		for n := 1; n < 400; n++ {
			x := finite(r, n)
			switch r.IntN(4) {
			case 0:
				x = vector(r, n)
			case 1:
				for i := range x {
					x[i] = float32(r.IntN(255)-127) / 2 // ties of rni
				}
			case 2:
				for i := range x {
					x[i] *= 0x1p-100
				}
			}
			got, want := make([]int8, n), make([]int8, n)
			for i := range got {
				got[i] = 99
			}
			scale := fx.Quantise(want, x)
			same(t, "scale", []float32{c.Quantise(got, x), c.QuantScale(x)}, []float32{scale, scale})
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("code %d of %d is %d, want %d", i, n, got[i], want[i])
				}
			}
		}
	})
}

func TestAPoolRunsEachJobOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 5} {
		p := NewPool(threads)
		for round := range 3000 {
			n := round % 9
			var done [9]atomic.Int32
			p.Run(n, func(_ *Worker, i int) { done[i].Add(1) })
			for i := range done {
				if want := int32(min(max(n-i, 0), 1)); done[i].Load() != want {
					t.Fatalf("%d threads, round %d: job %d of %d ran %d times", threads, round, i, n, done[i].Load())
				}
			}
		}
	}
}

func TestWordsEqualPhilox(t *testing.T) {
	onPaths(t, func(t *testing.T, c CPU) {
		s := fx.Stream{Seed: 0x123456789abcdef0, Stream: 7, Purpose: fx.PurposeBench}
		for _, block := range []uint64{0, 5, 1<<32 - 20, 1<<32 - 16, 1 << 32, 1<<64 - 3} {
			for n := range 41 {
				got := make([]uint32, 4*n)
				c.Words(got, s, block, 1)
				for i, w := range got {
					if want := s.Word(4*block + uint64(i)); block < 1<<62 && w != want {
						t.Fatalf("word %d of %d from block %d is %08x, want %08x", i, n, block, w, want)
					}
				}
				c.Words(got, s, block, 64)
				for i := range n {
					if w := fx.BenchWord(s.Seed, s.Stream, block+uint64(i)); w != [4]uint32(got[4*i:]) {
						t.Fatalf("bench word %d of %d from block %d is %08x, want %08x", i, n, block, got[4*i:], w)
					}
				}
			}
		}
	})
}
