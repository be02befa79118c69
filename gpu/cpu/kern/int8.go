// SPDX-License-Identifier: Apache-2.0

package kern

import (
	"unsafe"

	"github.com/openledger/openledger/internal/fx"
)

const (
	flagInts = 4    // of int8: one group, C takes its int32 sums
	i8Block  = 1024 // codes of k between two visits of a tile of C, but at least a group
)

// MatI8 is a product of int8 codes: C[m,n] = chain over groups of G codes along k
// of fma(float(dot), SA[m,t]·SB[n,t], acc), or with SA nil the sums of products
// themselves, modulo 2³², in Ints.
//
// Shapes: A is [M, K], B [N, K], SA [M, ⌈K/G⌉], SB [N, ⌈K/G⌉], C or Ints [M, N].
type MatI8 struct {
	M, N, K, G int
	A, B       []int8
	SA, SB     []float32
	C          []float32
	Ints       []int32
}

// GemmI8 computes the product on the threads of r. Codes are −128 … 127 and K is
// at least 1. Results do not depend on threads or path. Spec: FX-07, GPU-03.
func (c CPU) GemmI8(r runner, g MatI8) {
	if g.SA == nil {
		g.G = g.K
		g.C = unsafe.Slice((*float32)(unsafe.Pointer(&g.Ints[0])), len(g.Ints))
	}
	t := (g.K + g.G - 1) / g.G
	if len(g.A) < g.M*g.K || len(g.B) < g.N*g.K || len(g.C) < g.M*g.N || g.SA != nil && (len(g.SA) < g.M*t || len(g.SB) < g.N*t) {
		panic("kern: matrix of codes outside of its slice")
	}
	if c.path == Ref {
		r.Run(g.M, func(_ *Worker, i int) { g.row(i, t) })
		return
	}
	b := i8Mat{MatI8: g, t: t, mr: 3, nr: 16, per: 2}
	if b.vnni = c.path == AVX512 && c.vnni; b.vnni {
		b.mr, b.nr, b.per = 6, 32, 4
	} else {
		c.path = AVX2
	}
	b.cpu = c
	if b.fits() {
		b.few(r)
		return
	}
	switch { // a block is part of a group, one group, or several that end on whole words
	case g.SA == nil:
		b.codes = i8Block
	case g.G%b.per != 0 || g.G > i8Block:
		b.codes = g.G
	default:
		b.codes = i8Block / g.G * g.G
	}
	b.run(r)
}

func (g *MatI8) row(i, t int) {
	x := g.A[i*g.K:][:g.K]
	for j := range g.N {
		w := g.B[j*g.K:][:g.K]
		if g.SA == nil {
			g.Ints[i*g.N+j] = fx.DotI8(x, w)
		} else {
			g.C[i*g.N+j] = fx.DotQ(x, w, g.SA[i*t:][:t], g.SB[j*t:][:t], g.G)
		}
	}
}

// i8Mat is a product on its way: A is packed for some blocks at a time, then B
// panel by panel.
type i8Mat struct {
	MatI8
	cpu         CPU
	vnni        bool
	t           int // groups of a row
	mr, nr, per int // rows and columns of a tile, codes of a word
	codes       int // of a block
	s0, s1      int // blocks whose A is packed
	a           []float32
	stride      int // words of a block of packed A: codes, −128·sums, scales
}

// span is one block of k.
type span struct{ k, n, group, groups, words, last int }

func (b *i8Mat) span(s int) span {
	k := s * b.codes
	p := span{k: k, n: min(b.codes, b.K-k), groups: 1}
	size := p.n
	if b.SA != nil {
		p.group = k / b.G
		p.groups = (p.n + b.G - 1) / b.G
		size = min(b.G, p.n)
	}
	p.words = (size + b.per - 1) / b.per
	p.last = (p.n - (p.groups-1)*size + b.per - 1) / b.per
	return p
}

func (b *i8Mat) run(r runner) {
	spans := (b.K + b.codes - 1) / b.codes
	panels := (b.M + b.mr - 1) / b.mr
	first := b.span(0)
	b.stride = b.mr*((first.n+b.per-1)/b.per+2*first.groups) + slack
	at := max(packed/(panels*b.stride), 1)
	own := r.own()
	if b.M*b.N*b.K < 4*small {
		r = own
	}
	for b.s0 = 0; b.s0 < spans; b.s0 = b.s1 {
		b.s1 = min(b.s0+at, spans)
		n := b.s1 - b.s0
		own.a = grow(own.a, panels*n*b.stride)
		b.a = own.a
		packer := r
		if panels*n <= 8 {
			packer = own
		}
		packer.Run(panels*n, func(w *Worker, i int) { b.packA(w, i/n, b.s0+i%n) })
		r.Run((b.N+b.nr-1)/b.nr, func(w *Worker, j int) { b.panel(w, j, panels) })
	}
}

// part returns the packed block s of panel i of A.
func (b *i8Mat) part(i, s int) []float32 {
	return b.a[(i*(b.s1-b.s0)+s-b.s0)*b.stride:][:b.stride]
}

// total is the words of a block for one row.
func (b *i8Mat) total(p span) int { return (p.n + b.per - 1) / b.per }

func (b *i8Mat) packA(w *Worker, i, s int) {
	p := b.span(s)
	m := i * b.mr
	rows := min(b.mr, b.M-m)
	dst := b.part(i, s)
	b.pack(w, dst, rows, b.A, m, rows, p)
	corr := ints(dst[b.total(p)*rows:])
	scale := dst[(b.total(p)+p.groups)*rows:]
	for r := range rows {
		codes := b.A[(m+r)*b.K+p.k:][:p.n]
		for g := range p.groups {
			part := codes
			if b.SA != nil {
				part = codes[g*b.G : min((g+1)*b.G, p.n)]
				scale[g*rows+r] = b.SA[(m+r)*b.t+p.group+g]
			}
			var sum int32
			for _, v := range part {
				sum += int32(v)
			}
			corr[g*rows+r] = -128 * sum
		}
	}
}

func (b *i8Mat) panel(w *Worker, j, panels int) {
	n := j * b.nr
	cols := min(b.nr, b.N-n)
	first := b.span(0)
	w.b = grow(w.b, (b.total(first)+first.groups)*b.nr+slack)
	for s := b.s0; s < b.s1; s++ {
		p := b.span(s)
		b.pack(w, w.b, b.nr, b.B, n, cols, p)
		scale := w.b[b.total(p)*b.nr:]
		if b.SA != nil {
			for g := range p.groups {
				for c := range cols {
					scale[g*b.nr+c] = b.SB[(n+c)*b.t+p.group+g]
				}
			}
		}
		flags := 0
		if s > 0 {
			flags |= flagLoad
		}
		if b.SA == nil {
			flags |= flagInts
		} else if p.k+p.n == b.K {
			flags |= flagCanon
		}
		for i := range panels {
			m := i * b.mr
			rows := min(b.mr, b.M-m)
			a := b.part(i, s)
			corr, sa := ints(a[b.total(p)*rows:]), a[(b.total(p)+p.groups)*rows:]
			f := i8AVX2
			if b.vnni {
				f = i8AVX512
			}
			f(rows, p.groups, p.words, p.last, &ints(a)[0], &ints(w.b)[0], &corr[0], &sa[0], &scale[0], &b.C[m*b.N+n], b.N, cols, flags)
		}
	}
}

// ints is the same memory as integers.
func ints(x []float32) []int32 {
	return unsafe.Slice((*int32)(unsafe.Pointer(&x[0])), len(x))
}

// pack writes word q of row r, r < rows, to dst[q·ldd+r]; the last word is filled
// up with zeros. The codes of a row are read as words of 32 bits where they stand,
// or widened to 16 bits first.
func (b *i8Mat) pack(w *Worker, dst []float32, ldd int, src []int8, row, rows int, p span) {
	total := b.total(p)
	whole := p.n / b.per // words that need no filling
	vectors := whole / b.cpu.width()
	if b.vnni {
		for r := 0; r < rows && vectors > 0; r += 16 {
			var ptr [16]*float32
			for i := range ptr {
				ptr[i] = (*float32)(unsafe.Pointer(&src[(row+min(r+i, rows-1))*b.K+p.k]))
			}
			packAVX512(&dst[r], ldd, &ptr, vectors)
		}
	} else if vectors > 0 {
		for r := 0; r < rows; r += 8 {
			b.packWide(w, dst[r:], ldd, src[(row+r)*b.K+p.k:], min(8, rows-r), vectors)
		}
	}
	out := ints(dst)
	for r := range rows {
		codes := src[(row+r)*b.K+p.k:][:p.n]
		for q := vectors * b.cpu.width(); q < total; q++ {
			var word uint32
			for i := q * b.per; i < min((q+1)*b.per, p.n); i++ {
				if b.vnni {
					word |= uint32(uint8(codes[i])) << (i % 4 * 8)
				} else {
					word |= uint32(uint16(codes[i])) << (i % 2 * 16)
				}
			}
			out[q*ldd+r] = int32(word)
		}
	}
}

// packWide packs whole vectors of up to 8 rows as words of two widened codes.
func (b *i8Mat) packWide(w *Worker, dst []float32, ldd int, src []int8, rows, vectors int) {
	n := 8 * vectors // words of a row
	w.f = grow(w.f, 8*n)
	var ptr [8]*float32
	for i := range ptr {
		if i < rows {
			widenAVX2((*int16)(unsafe.Pointer(&w.f[i*n])), &src[i*b.K], vectors)
		}
		ptr[i] = &w.f[min(i, rows-1)*n]
	}
	packAVX2(&dst[0], ldd, &ptr, vectors)
}
