// SPDX-License-Identifier: Apache-2.0

package kern

import "github.com/openledger/openledger/internal/fx"

const (
	flagLoad  = 1 // the chains go on from C
	flagCanon = 2 // the last block of k: store canonical NaN

	kBlock = 512     // terms between two visits of a tile of C
	kFew   = 256     // the same for few rows: B is used once, so its panel stays in the first-level cache
	packed = 3 << 16 // floats of packed A at a time: 768 KiB, less than half of a usual second-level cache
	small  = 1 << 16 // multiply-adds that are not worth a second thread
	slack  = 16      // floats that overlapping stores may write behind a panel
)

// Mat is a matrix product C[m,n] = chain over k of fma(A[m,k], B[n,k], acc):
// both operands are contiguous along k, a row every LDA and LDB elements, or, where
// TA or TB is set, along their rows, a term every LDA and LDB elements; rows of C
// stand every LDC elements.
type Mat struct {
	M, N, K       int
	A, B, C       []float32
	LDA, LDB, LDC int
	TA, TB        bool
	// Continue starts the chains from C instead of from +0.
	Continue bool
	// Limit is fx.NoLimit, or says what row r of A leaves out by L = Lim[r mod
	// len(Lim)]: fx.NBelow, fx.KBelow or fx.KFrom. It excludes Continue.
	Limit uint64
	Lim   []int32
}

// tileSize returns the rows and columns of the kernel's block.
func (c CPU) tileSize() (mr, nr int) {
	if c.path == AVX512 {
		return 12, 32
	}
	return 6, 16
}

// check panics unless every element lies within its slice.
func (g *Mat) check() {
	fits := func(x []float32, ld, rows, cols int, turned bool) bool {
		if turned {
			rows, cols = cols, rows
		}
		return ld >= cols && (rows-1)*ld+cols <= len(x)
	}
	if g.K > 0 && !(fits(g.A, g.LDA, g.M, g.K, g.TA) && fits(g.B, g.LDB, g.N, g.K, g.TB)) || !fits(g.C, g.LDC, g.M, g.N, false) {
		panic("kern: matrix outside of its slice")
	}
}

// at is where element (r, k) of an operand stands.
func at(r, k, ld int, turned bool) int {
	if turned {
		return k*ld + r
	}
	return r*ld + k
}

// Gemm computes the product on the threads of r, a Pool or the Worker of a
// job. Results do not depend on the number of threads, on blocking or on the
// path. Shapes: M, N ≥ 1, K ≥ 0; C must not overlap A or B. Spec: FX-03, GPU-03.
func (c CPU) Gemm(r runner, g Mat) {
	if g.M <= 0 || g.N <= 0 {
		return
	}
	g.check()
	if len(g.Lim) == 1 && g.Limit != fx.NoLimit {
		if g.cut(); g.N == 0 {
			return
		}
	}
	if g.fits(c) {
		c.few(r, g)
		return
	}
	if c.path == Ref || g.K == 0 {
		r.Run(g.M, func(_ *Worker, i int) { g.row(i) })
		return
	}
	// A is packed for as many terms as fit the cache, at least for one block of k;
	// then panels of B are packed into the first-level cache one by one, each used
	// for all of A. A product with few rows thus streams B once from memory.
	mr, nr := c.tileSize()
	kc := kBlock
	if g.M <= 2*mr {
		kc = kFew
	}
	kc = min(kc, g.K)
	blocks := max((g.M+packed/kBlock/2)/(packed/kBlock), 1) // of about equally many rows
	rows := (g.M/blocks + mr) / mr * mr
	depth := max(packed/(rows*kc), 1) * kc
	own := r.own()
	if g.M*g.N*g.K < small {
		r = own
	}
	for m := 0; m < g.M; m += rows {
		b := block{Mat: g, cpu: c, mr: mr, nr: nr, kc: kc, m0: m, m1: min(m+rows, g.M)}
		panels := (b.m1 - m + mr - 1) / mr
		for k := 0; k < g.K; k += depth {
			b.k0, b.k1 = k, min(k+depth, g.K)
			b.stride = mr*(b.k1-k) + slack
			own.a = grow(own.a, panels*b.stride)
			b.a = own.a
			b.run(r, panels)
		}
	}
}

// limit returns L of row r, cut to 0 … most.
func (g *Mat) limit(r, most int) int {
	if r >= len(g.Lim) {
		r %= len(g.Lim)
	}
	return min(max(int(g.Lim[r]), 0), most)
}

// row is the plain form of one row of C.
func (g *Mat) row(i int) {
	c := g.C[i*g.LDC:][:g.N]
	from, to, n := 0, g.K, g.N
	switch g.Limit {
	case fx.NBelow:
		n = g.limit(i, g.N)
		clear(c[n:])
	case fx.KBelow:
		to = g.limit(i, g.K)
	case fx.KFrom:
		from = g.limit(i, g.K)
	}
	for j := range n {
		acc := float32(0)
		if g.Continue {
			acc = c[j]
		}
		for k := from; k < to; k++ {
			acc = fx.FMA32(g.A[at(i, k, g.LDA, g.TA)], g.B[at(j, k, g.LDB, g.TB)], acc)
		}
		c[j] = fx.Canon(acc)
	}
}

// block is the part of a product with rows m0 … m1 and terms k0 … k1.
type block struct {
	Mat
	cpu            CPU
	mr, nr, kc     int
	m0, m1, k0, k1 int
	a              []float32 // packed A, a panel of mr rows every stride floats
	stride         int
}

func (b *block) run(r runner, panels int) {
	group := 1 // panels of a job
	if b.TA {
		group = min(packGroup, (panels+r.Threads()-1)/r.Threads())
	}
	packs := r
	if panels <= 2 {
		packs = r.own()
	}
	packs.Run((panels+group-1)/group, func(_ *Worker, i int) { b.packA(i*group, min((i+1)*group, panels)) })
	cols := (b.N + b.nr - 1) / b.nr
	split := 1 // parts of A per panel of B, where B has too few panels for the threads
	if t := r.Threads(); t > 1 && cols < 4*t {
		split = min(panels, (4*t+cols-1)/cols)
	}
	r.Run(cols*split, func(w *Worker, i int) {
		part := i % split
		b.panel(w, i/split, part*panels/split, (part+1)*panels/split)
	})
}

// packGroup is how many panels are packed side by side from an operand that lies
// along its rows, which is then read in longer runs.
const packGroup = 12

// packA packs panels i … to−1 block by block of k, k-major, as wide as they have rows.
func (b *block) packA(i, to int) {
	whole := min(to, (b.m1-b.m0)/b.mr)
	for k := b.k0; k < b.k1; k += b.kc {
		kc := min(b.kc, b.k1-k)
		if b.TA && i < whole {
			b.cpu.packRows(b.a[i*b.stride+b.mr*(k-b.k0):], b.mr, b.A[at(b.m0+i*b.mr, k, b.LDA, true):], b.LDA, b.mr, kc, whole-i, b.stride)
		}
		for p := i; p < to; p++ {
			if m := b.m0 + p*b.mr; !b.TA || p >= whole {
				rows := min(b.mr, b.m1-m)
				b.cpu.pack(b.a[p*b.stride+rows*(k-b.k0):], rows, b.A[at(m, k, b.LDA, b.TA):], b.LDA, rows, kc, b.TA)
			}
		}
	}
}

// panel computes the columns of panel j for the panels from … to−1 of A.
func (b *block) panel(w *Worker, j, from, to int) {
	n := j * b.nr
	cols := min(b.nr, b.N-n)
	w.b = grow(w.b, b.kc*b.nr+slack)
	for k := b.k0; k < b.k1; k += b.kc {
		kc := min(b.kc, b.k1-k)
		if b.Limit != fx.NoLimit && b.idle(from, to, n, k, kc) {
			continue
		}
		b.cpu.pack(w.b, b.nr, b.B[at(n, k, b.LDB, b.TB):], b.LDB, cols, kc, b.TB)
		flags := 0
		if k > 0 || b.Continue {
			flags |= flagLoad
		}
		if k+kc == b.K {
			flags |= flagCanon
		}
		for i := from; i < to; i++ {
			m := b.m0 + i*b.mr
			t := tile{b: b, w: w, m: m, rows: min(b.mr, b.m1-m), n: n, cols: cols, k: k, pb: w.b}
			t.pa = b.a[i*b.stride+t.rows*(k-b.k0):]
			if b.Limit == fx.NoLimit {
				t.run(0, kc, flags)
			} else {
				t.limited(kc)
			}
		}
	}
}

// pack writes src[r·ld+k], or turned src[k·ld+r], r < rows, k < kc, to dst[k·ldd+r].
// What stands in dst between rows and the vector width is overwritten with anything,
// up to slack floats behind the last row.
func (c CPU) pack(dst []float32, ldd int, src []float32, ld, rows, kc int, turned bool) {
	if turned {
		c.packRows(dst, ldd, src, ld, rows, kc, 1, 0)
		return
	}
	if rows == 1 && ldd == 1 {
		copy(dst, src[:kc])
		return
	}
	w := c.width()
	whole := kc / w
	for r := 0; r < rows; r += w {
		if whole > 0 {
			c.packVectors(dst[r:], ldd, src[r*ld:], ld, min(w, rows-r), whole)
		}
	}
	for r := range rows {
		s := src[r*ld:][:kc]
		for k := whole * w; k < kc; k++ {
			dst[k*ldd+r] = s[k]
		}
	}
}

// packRows is pack of a turned operand into panels side by side, stride apart: more
// than one if a panel is no wider than a vector.
func (c CPU) packRows(dst []float32, ldd int, src []float32, ld, rows, kc, panels, stride int) {
	w := c.width()
	_, _ = dst[(panels-1)*stride+(kc-1)*ldd+(rows+w-1)/w*w-1], src[(kc-1)*ld+panels*rows-1]
	if c.path == AVX512 {
		packRowsAVX512(&dst[0], ldd, &src[0], ld, rows, kc, panels, stride)
	} else {
		packRowsAVX2(&dst[0], ldd, &src[0], ld, rows, kc, panels, stride)
	}
}

// packVectors transposes n blocks of whole vectors; rows that do not exist read
// the last one again.
func (c CPU) packVectors(dst []float32, ldd int, src []float32, ld, rows, n int) {
	var p [16]*float32
	for i := range p {
		p[i] = &src[min(i, rows-1)*ld]
	}
	_ = dst[(n*c.width()-1)*ldd+c.width()-1]
	_ = src[(rows-1)*ld+n*c.width()-1]
	if c.path == AVX512 {
		packAVX512(&dst[0], ldd, &p, n)
	} else {
		packAVX2(&dst[0], ldd, (*[8]*float32)(p[:8]), n)
	}
}

// Peak runs n rounds of 12 independent multiply-adds on every lane of the
// registers and returns the floating point operations it did: what the FMA units
// of this machine can do at most, measured by the caller's clock. It is 0 in
// plain Go.
func (c CPU) Peak(n int) int {
	switch c.path {
	case AVX512:
		peakAVX512(n)
		return 2 * 12 * 16 * n
	case AVX2:
		peakAVX2(n)
		return 2 * 12 * 8 * n
	}
	return 0
}

// Transpose sets dst[j·ldd+r] = src[r·lds+j] for r < rows, j < cols, bit for bit.
func (c CPU) Transpose(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	w := c.width()
	r := 0
	if c.path != Ref {
		for ; r+w <= rows; r += w { // w rows at a time make vectors of the output
			if n := cols / w; n > 0 {
				c.packVectors(dst[r:], ldd, src[r*lds:], lds, w, n)
			}
			for i := r; i < r+w; i++ {
				for j := cols &^ (w - 1); j < cols; j++ {
					dst[j*ldd+i] = src[i*lds+j]
				}
			}
		}
	}
	for ; r < rows; r++ {
		for j := range cols {
			dst[j*ldd+r] = src[r*lds+j]
		}
	}
}
