// SPDX-License-Identifier: Apache-2.0

package kern

import "github.com/openledger/openledger/internal/fx"

// tile is one block of C in one block of k: rows of packed A times a panel of
// packed B.
type tile struct {
	b       *block
	w       *Worker
	m, rows int
	n, cols int
	k       int       // first term
	pa, pb  []float32 // packed, from term k on
}

// run adds terms from … to−1 of the block.
func (t *tile) run(from, to, flags int) {
	b := t.b
	a, pb, c := &t.pa[from*t.rows], &t.pb[from*b.nr], &b.C[t.m*b.LDC+t.n]
	if b.cpu.path == AVX512 {
		gemmAVX512(t.rows, to-from, a, pb, c, b.LDC, t.cols, flags)
	} else {
		gemmAVX2(t.rows, to-from, a, pb, c, b.LDC, t.cols, flags)
	}
}

// runRow adds terms from … to−1 to row r alone.
func (t *tile) runRow(r, from, to int) {
	b := t.b
	row := t.w.row[:to-from]
	for i := range row {
		row[i] = t.pa[(from+i)*t.rows+r]
	}
	a, pb, c := &row[0], &t.pb[from*b.nr], &b.C[(t.m+r)*b.LDC+t.n]
	if b.cpu.path == AVX512 {
		gemmAVX512(1, to-from, a, pb, c, b.LDC, t.cols, flagLoad|flagCanon)
	} else {
		gemmAVX2(1, to-from, a, pb, c, b.LDC, t.cols, flagLoad|flagCanon)
	}
}

// zero sets the columns from … of row r of the tile to +0.
func (t *tile) zero(r, from int) {
	clear(t.b.C[(t.m+r)*t.b.LDC+t.n:][:t.cols][from:])
}

// start returns the flags of the first terms that all rows have: at the start of
// the chains, if these come first, C need not be there.
func (t *tile) start(first bool) int {
	if first && t.k == 0 {
		return flagCanon
	}
	return flagLoad | flagCanon
}

// clear sets the tile to +0 at the start of the chains.
func (t *tile) clear() {
	for r := 0; t.k == 0 && r < t.rows; r++ {
		t.zero(r, 0)
	}
}

// limited adds the block's kc terms as far as the rows' limits let it. Terms that
// all rows have go through the common kernel; what the rows differ in, a dozen
// terms in a causal mask, row by row.
func (t *tile) limited(kc int) {
	b := t.b
	switch b.Limit {
	case fx.NBelow:
		lo, hi := t.bounds(t.n, t.cols)
		if hi == 0 {
			t.clear()
			return
		}
		t.run(0, kc, t.start(true))
		for r := 0; lo < t.cols && r < t.rows; r++ {
			t.zero(r, min(max(b.limit(t.m+r, b.N)-t.n, 0), t.cols))
		}
	case fx.KBelow:
		lo, hi := t.bounds(t.k, kc)
		if lo > 0 {
			t.run(0, lo, t.start(true))
		} else {
			t.clear()
		}
		for r := 0; lo < hi && r < t.rows; r++ {
			if l := min(b.limit(t.m+r, b.K)-t.k, kc); l > lo {
				t.runRow(r, lo, l)
			}
		}
	case fx.KFrom:
		lo, hi := t.bounds(t.k, kc)
		if hi > 0 {
			t.clear()
		}
		for r := 0; lo < hi && r < t.rows; r++ {
			if l := max(b.limit(t.m+r, b.K)-t.k, 0); l < hi {
				t.runRow(r, l, hi)
			}
		}
		if hi < kc {
			t.run(hi, kc, t.start(hi == 0))
		}
	}
}

// bounds returns the least and greatest limit of the tile's rows, counted from
// first and cut to 0 … most.
func (t *tile) bounds(first, most int) (lo, hi int) {
	lo, hi = most, 0
	for r := range t.rows {
		l := min(max(t.b.limit(t.m+r, 1<<31-1)-first, 0), most)
		lo, hi = min(lo, l), max(hi, l)
	}
	return lo, hi
}

// idle reports that no tile of the panel at column n has anything to do in the
// terms k … k+kc−1 but to be set to zero, which it then does.
func (b *block) idle(from, to, n, k, kc int) bool {
	m, end := b.m0+from*b.mr, min(b.m0+to*b.mr, b.m1)
	for r := m; r < end; r++ {
		switch l := b.limit(r, 1<<31-1); {
		case b.Limit == fx.NBelow && l > n, b.Limit == fx.KBelow && l > k, b.Limit == fx.KFrom && l < k+kc:
			return false
		}
	}
	for r := m; k == 0 && r < end; r++ {
		clear(b.C[r*b.LDC+n:][:min(b.nr, b.N-n)])
	}
	return true
}
