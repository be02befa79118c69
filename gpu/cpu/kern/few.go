// SPDX-License-Identifier: Apache-2.0

package kern

import (
	"unsafe"

	"github.com/openledger/openledger/internal/fx"
)

const (
	fewRows  = 4       // rows of A that read B where it lies
	fewGroup = 128     // codes that share a scale there
	fewBytes = 1 << 15 // of B that are worth a job of their own
	fewAhead = 1024    // floats of a row up to which asking for the next block is faster
)

// cut makes a product whose rows all have the same limit one without: smaller.
func (g *Mat) cut() {
	switch l := g.limit(0, 1<<31-1); g.Limit {
	case fx.NBelow:
		for i := range g.M {
			clear(g.C[i*g.LDC:][:g.N][min(l, g.N):])
		}
		g.N = min(l, g.N)
	case fx.KBelow:
		g.K = min(l, g.K)
	case fx.KFrom:
		l = min(l, g.K)
		g.K, g.A, g.B = g.K-l, g.A[min(at(0, l, g.LDA, g.TA), len(g.A)):], g.B[min(at(0, l, g.LDB, g.TB), len(g.B)):]
	}
	g.Limit = fx.NoLimit
}

// fits reports that the kernel of few rows takes the product. Rows of B that do not
// fill a vector are computed in one that overlaps the last, so chains start from +0.
func (g *Mat) fits(c CPU) bool {
	w := c.width()
	return g.M <= fewRows && g.N >= w && (g.K >= w || g.TB && g.K > 0) && g.Limit == fx.NoLimit && !g.Continue && !g.TA && c.path != Ref
}

// blocks calls job for each block of w rows of B in 0 … n−1, the last overlapping the
// one before if need be, with the block that the same thread takes next, or n again;
// bytes is the size of a row.
func blocks(r runner, n, w, bytes int, job func(k *Worker, n, next int)) {
	whole := n / w
	jobs := min(max(n*bytes/fewBytes, 1), 4*r.Threads(), whole)
	r.Run(jobs, func(k *Worker, i int) {
		end := (i + 1) * whole / jobs * w
		if i == jobs-1 {
			end = n
		}
		for at := i * whole / jobs * w; at < end; at += w {
			job(k, min(at, end-w), min(at+w, end-w))
		}
	})
}

// few computes a product with few rows on B where it lies.
func (c CPU) few(r runner, g Mat) {
	if g.M*g.N*g.K < small {
		r = r.own()
	}
	if g.TB {
		c.fewTurned(r, g)
		return
	}
	w := c.width()
	whole := g.K / w
	rest, flags := g.K-whole*w, flagCanon
	if rest > 0 {
		flags = 0
	}
	_, nr := c.tileSize()
	f, tile := fewAVX2, gemmAVX2
	if c.path == AVX512 {
		f, tile = fewAVX512, gemmAVX512
	}
	blocks(r, g.N, w, 4*g.K, func(k *Worker, n, next int) {
		if g.K > fewAhead { // long rows are fast alone
			next = n
		}
		b := g.B[n*g.LDB:]
		f(g.M, whole, &g.A[0], g.LDA, &b[0], g.LDB, &g.C[n], g.LDC, flags, (next-n)*g.LDB)
		if rest == 0 {
			return
		}
		k.b = grow(k.b, rest*nr+slack)
		c.pack(k.b, nr, b[g.K-rest:], g.LDB, w, rest, false)
		for i := range g.M {
			tile(1, rest, &g.A[i*g.LDA+g.K-rest], &k.b[0], &g.C[i*g.LDC+n], g.LDC, w, flagLoad|flagCanon)
		}
	})
}

// fewTurned is few where B lies along its rows.
func (c CPU) fewTurned(r runner, g Mat) {
	v, f := 4, fewTurnedAVX2
	if c.path == AVX512 {
		f = fewTurnedAVX512
	}
	if g.N < v*c.width() || c.path == AVX2 && g.M > 2 {
		v = 1
	}
	blocks(r, g.N, v*c.width(), 4*g.K, func(_ *Worker, n, _ int) {
		f(g.M, v, g.K, &g.A[0], g.LDA, &g.B[n], g.LDB, &g.C[n], g.LDC)
	})
}

// fits reports that the kernel of few rows takes the product.
func (b *i8Mat) fits() bool {
	return b.M <= fewRows && b.SA != nil && b.G == fewGroup && b.K >= fewGroup && b.N >= b.cpu.width()
}

// fewCodes is one row of A for the kernel of few rows: whole groups, the last filled
// up with zeros, as wide as the kernel takes them, and −128·(sum of each group).
func (b *i8Mat) fewCodes(dst []float32, x []int8) (codes *int8, corr []int32) {
	padded := fewGroup * b.t
	corr = ints(dst[:b.t])
	out := dst[b.t:]
	if b.vnni {
		q := unsafe.Slice((*int8)(unsafe.Pointer(&out[0])), padded)
		clear(q[copy(q, x):])
		for t := range corr {
			var sum int32
			for _, v := range q[t*fewGroup:][:fewGroup] {
				sum += int32(v)
			}
			corr[t] = -128 * sum
		}
		return &q[0], corr
	}
	q := unsafe.Slice((*int16)(unsafe.Pointer(&out[0])), padded)
	whole := len(x) / 16
	widenAVX2(&q[0], &x[0], whole)
	clear(q[16*whole:])
	for i := 16 * whole; i < len(x); i++ {
		q[i] = int16(x[i])
	}
	return (*int8)(unsafe.Pointer(&q[0])), corr
}

// few computes a product with few rows on B where it lies.
func (b *i8Mat) few(r runner) {
	w, groups := b.cpu.width(), b.K/fewGroup
	rest, flags := b.K-groups*fewGroup, flagCanon
	if rest > 0 {
		flags = 0
	}
	f, wide := fewI8AVX2, 2
	if b.vnni {
		f, wide = fewI8AVX512, 1
	}
	own, size := r.own(), b.t*(1+wide*fewGroup/4)
	own.a = grow(own.a, b.M*size)
	if b.M*b.N*b.K < 4*small {
		r = own
	}
	var x [fewRows]*int8
	var corr [fewRows][]int32
	for i := range b.M {
		x[i], corr[i] = b.fewCodes(own.a[i*size:][:size], b.A[i*b.K:][:b.K])
	}
	blocks(r, b.N, w, b.K, func(k *Worker, n, next int) {
		k.b = grow(k.b, (b.t+w)*w+slack)
		b.scales(k.b, n)
		for i := range b.M {
			f(groups, x[i], &b.B[n*b.K], b.K, &corr[i][0], &b.SA[i*b.t], &k.b[0], &b.C[i*b.N+n], flags, (next-n)*b.K)
		}
		if rest == 0 {
			return
		}
		k.f = grow(k.f, w*fewGroup/4)
		tail := unsafe.Slice((*int8)(unsafe.Pointer(&k.f[0])), w*fewGroup)
		for r := range w {
			copy(tail[r*fewGroup:], b.B[(n+r)*b.K+groups*fewGroup:][:rest])
		}
		for i := range b.M {
			at := (*int8)(unsafe.Add(unsafe.Pointer(x[i]), wide*groups*fewGroup))
			f(1, at, &tail[0], fewGroup, &corr[i][groups], &b.SA[i*b.t+groups], &k.b[groups*w], &b.C[i*b.N+n], flagLoad|flagCanon, 0)
		}
	})
}

// scales writes the scales of a block of rows to dst, those of a group side by side.
func (b *i8Mat) scales(dst []float32, n int) {
	w := b.cpu.width()
	vectors := (b.t + w - 1) / w
	if s := b.SB[n*b.t:]; (w-1)*b.t+vectors*w <= len(s) { // what stands behind a row does no harm
		b.cpu.packVectors(dst, w, s, b.t, w, vectors)
		return
	}
	b.cpu.pack(dst, w, b.SB[n*b.t:], b.t, w, b.t, false)
}
