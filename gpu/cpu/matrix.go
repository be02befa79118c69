// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/cpu/kern"
	"github.com/openledger/openledger/internal/fx"
)

// gemm is a batch of products. Batches that share B and their limits follow each
// other, so their rows of A make one product where they stand equally far apart.
func (c *call) gemm() {
	batch, m, n, k, group, limit, heads := c.a[0], c.a[1], c.a[2], c.a[3], c.a[4], c.attrs[5], c.a[6]
	a, b, y := c.matrix(0, batch, m, k), c.matrix(1, batch/group, n, k), c.matrix(2, batch, m, n)
	join := group
	if limit != fx.NoLimit && heads%group != 0 || !a.follow(group) || !y.follow(group) {
		join = 1
	}
	mat := func(i int) kern.Mat {
		i *= join
		g := kern.Mat{M: join * m, N: n, K: k, A: a.at(i), LDA: a.ld, TA: a.turned, B: b.at(i / group), LDB: b.ld, TB: b.turned,
			C: y.at(i), LDC: y.ld, Limit: limit}
		if limit != fx.NoLimit {
			g.Lim = c.i(2)[i/heads*m:][:m]
		}
		return g
	}
	jobs := batch / join
	if jobs < 2*c.pool.Threads() {
		for i := range jobs {
			c.cpu.Gemm(c.pool, mat(i))
		}
		return
	}
	c.pool.Run(jobs, func(w *kern.Worker, i int) { c.cpu.Gemm(w, mat(i)) })
}

// matrices are those of one operand or of the result of a product.
type matrices struct {
	x      []float32
	batch  gpu.Layout
	rows   int
	ld     int
	turned bool // elements of one column are neighbours
}

// matrix returns operand k, or as 2 the result.
func (c *call) matrix(k, batch, rows, cols int) matrices {
	m := matrices{batch: gpu.Layout{{Size: uint64(batch), Stride: uint64(rows * cols)}}, rows: rows, ld: cols}
	if k == 2 {
		m.x = c.y()
	} else {
		m.x = c.f(k)
	}
	if l := c.lay[k]; l != nil {
		r, col := l[len(l)-2], l[len(l)-1]
		m.batch, m.ld, m.turned = l[:len(l)-2], int(r.Stride), col.Stride != 1
		if m.turned {
			m.ld = int(col.Stride)
		}
	}
	return m
}

// at is the memory from the first element of matrix i on.
func (m *matrices) at(i int) []float32 { return m.x[m.batch.At(uint64(i)):] }

// follow reports whether the rows of n matrices in a row are those of one.
func (m *matrices) follow(n int) bool {
	if n == 1 {
		return true
	}
	l := m.batch
	return len(l) > 0 && !m.turned && l[len(l)-1].Size%uint64(n) == 0 && l[len(l)-1].Stride == uint64(m.rows*m.ld)
}

// rope turns the pairs (i, i+d/2) of every head; backwards the sine is negated. All
// heads of a token are one operation, for which sines, cosines and the other half of
// each pair are laid out like the row: −x·sin is x·(−sin).
func (c *call) rope(back bool) job {
	tokens, heads, d, positions := c.a[0], c.a[1], c.a[2], c.a[3]
	half, width := d/2, heads*d
	x, y, cosines, sines, pos := c.f(0), c.y(), c.f(1), c.f(2), c.i(3)
	return job{tokens, width, func(w *kern.Worker, lo, hi int) {
		room := w.Floats(3 * width)
		other, sin, cos := room[:width], room[width:2*width], room[2*width:]
		for t := lo; t < hi; t++ {
			low, high := sin[:half], sin[half:d]
			if back {
				low, high = high, low
			}
			if p := int(pos[t]); p >= 0 && p < positions {
				copy(cos, cosines[p*half:][:half])
				copy(high, sines[p*half:][:half])
			} else {
				clear(cos[:half])
				clear(high)
			}
			copy(cos[half:], cos[:half])
			c.cpu.Elem(kern.Neg, low, kern.Scalars{}, high)
			for n := d; n < width; n *= 2 {
				copy(sin[n:], sin[:n])
				copy(cos[n:], cos[:n])
			}
			row := x[t*width:][:width]
			for at := 0; at < width; at += d {
				copy(other[at:], row[at+half:at+d])
				copy(other[at+half:], row[at:at+half])
			}
			c.cpu.Elem(kern.Rot, y[t*width:][:width], kern.Scalars{}, other, sin, row, cos)
		}
	}}
}

// xentBwd is (p − [c = id])·g: a scaled row, then its one other element.
func (c *call) xentBwd() job {
	rows, cols := c.a[0], c.a[1]
	p, ids, g, y := c.f(0), c.i(1), c.f(2), c.y()
	return each(rows, cols, func(r int) {
		scale := g[0]
		if c.a[2] == fx.PerRow {
			scale = g[r]
		}
		in, out := p[r*cols:][:cols], y[r*cols:][:cols]
		id := int(ids[r])
		if id < 0 {
			clear(out)
			return
		}
		var hit float32
		if id < cols {
			hit = fx.Mul(fx.Sub(in[id], 1), scale) // before out, which may be in
		}
		c.cpu.Elem(kern.Scale, out, kern.Scalars{scale}, in)
		if id < cols {
			out[id] = hit
		}
	})
}
