// SPDX-License-Identifier: Apache-2.0

package kern

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/fx"
)

// bitsOf reads inputs of an operation for fx.Elem.
func bitsOf(in ...any) fx.Read {
	return func(k int, i uint64) uint32 {
		switch x := in[k].(type) {
		case []float32:
			return math.Float32bits(x[i])
		case []int8:
			return uint32(int32(x[i]))
		default:
			return uint32(x.([]int32)[i])
		}
	}
}

// TestFX03FewRowsEqualTheDefinition draws products of the shapes that read B where it
// lies, and of those just beyond.
func TestFX03FewRowsEqualTheDefinition(t *testing.T) {
	onPaths(t, func(t *testing.T, c CPU) {
		pool := NewPool(2)
		rapid.Check(t, func(t *rapid.T) {
			r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 8))
			m, n, k := rapid.IntRange(1, fewRows+1).Draw(t, "m"), rapid.IntRange(1, 90).Draw(t, "n"), rapid.IntRange(1, 70).Draw(t, "k")
			limit := rapid.SampledFrom([]uint64{fx.NoLimit, fx.NoLimit, fx.NBelow, fx.KBelow, fx.KFrom}).Draw(t, "limit")
			lim := []int32{int32(r.IntN(2*max(n, k)) - 5)}
			fill := finite
			if rapid.Bool().Draw(t, "any value") {
				fill = vector
			}
			g := Mat{M: m, N: n, K: k, LDA: k, LDB: k, LDC: n, A: fill(r, m*k), B: fill(r, n*k), C: vector(r, m*n), Limit: limit}
			attrs := []uint64{uint64(m), 1, uint64(n), uint64(k), uint64(m), limit, uint64(m)}
			in := []any{g.A, g.B}
			if limit != fx.NoLimit {
				g.Lim, in = lim, append(in, lim)
			}
			if rapid.Bool().Draw(t, "B along its rows") {
				turned := make([]float32, n*k)
				for i, v := range g.B {
					turned[i%k*n+i/k] = v
				}
				g.B, g.LDB, g.TB = turned, n, true
			}
			c.Gemm(pool, g)
			for i, v := range g.C {
				if want := fx.Elem(fx.OpGemm, attrs, uint64(i), bitsOf(in...)); math.Float32bits(v) != want {
					t.Fatalf("%d rows, %d columns, %d terms, limit %d of %d: element %d is %08x, want %08x", m, n, k, limit, lim, i, math.Float32bits(v), want)
				}
			}
		})
	})
}

// TestFX07FewRowsEqualTheDefinition is the same for codes, with scales that are 0, NaN
// or infinite, and groups that are not full.
func TestFX07FewRowsEqualTheDefinition(t *testing.T) {
	onPaths(t, func(t *testing.T, c CPU) {
		pool := NewPool(2)
		rapid.Check(t, func(t *rapid.T) {
			r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 9))
			m, n := rapid.IntRange(1, fewRows+1).Draw(t, "m"), rapid.IntRange(1, 70).Draw(t, "n")
			k, groups := rapid.SampledFrom([]int{100, 127, 128, 129, 144, 256, 300, 384}).Draw(t, "k"), 0
			groups = (k + fewGroup - 1) / fewGroup
			q := MatI8{M: m, N: n, K: k, G: fewGroup, A: codes(r, m*k), B: codes(r, n*k),
				SA: vector(r, m*groups), SB: vector(r, n*groups), C: vector(r, m*n)}
			c.GemmI8(pool, q)
			attrs := []uint64{uint64(m), uint64(n), uint64(k), fewGroup}
			for i, v := range q.C {
				if want := fx.Elem(fx.OpGemmI8, attrs, uint64(i), bitsOf(q.A, q.SA, q.B, q.SB)); math.Float32bits(v) != want {
					t.Fatalf("%d rows, %d columns, %d codes: element %d is %08x, want %08x", m, n, k, i, math.Float32bits(v), want)
				}
			}
		})
	})
}

// TestFewRowsWithManyGroups has more groups than a vector has lanes, and more columns
// than one job.
func TestFewRowsWithManyGroups(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 10))
	q := MatI8{M: 2, N: 333, K: 40*fewGroup + 5, G: fewGroup}
	q.A, q.B, q.SA, q.SB = codes(r, q.M*q.K), codes(r, q.N*q.K), finite(r, q.M*41), finite(r, q.N*41)
	q.C = make([]float32, q.M*q.N)
	want := q
	want.C = make([]float32, q.M*q.N)
	for i := range q.M {
		want.row(i, 41)
	}
	onPaths(t, func(t *testing.T, c CPU) {
		c.GemmI8(NewPool(3), q)
		same(t, fmt.Sprint(q.K), q.C, want.C)
	})
}
