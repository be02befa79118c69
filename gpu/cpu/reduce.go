// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"github.com/openledger/openledger/gpu/cpu/kern"
	"github.com/openledger/openledger/internal/fx"
)

func (c *call) reduce() {
	switch c.op {
	case fx.OpArgmax:
		c.argmax()
	case fx.OpColChain:
		c.colChain()
	default:
		c.scatterChain()
	}
}

// red reduces every block of 4,096 columns of every row.
func (c *call) red(f func([]float32) float32) job {
	batch, rows, cols, heads := c.a[0], c.a[1], c.a[2], c.a[3]
	x, y := c.f(0), c.y()
	blocks := (cols + kern.RedBlock - 1) / kern.RedBlock
	return each(batch*rows, cols, func(r int) {
		n := cols
		if heads > 0 {
			n = min(max(int(c.i(1)[r/rows/heads*rows+r%rows]), 0), cols)
		}
		row := x[r*cols:][:n]
		for b := range blocks {
			first := min(b*kern.RedBlock, n)
			y[r*blocks+b] = f(row[first:min(first+kern.RedBlock, n)])
		}
	})
}

// argmax finds the greatest value by vectors, then where it stands.
func (c *call) argmax() {
	rows, cols, block := c.a[0], c.a[1], c.a[2]
	x, y := c.f(0), c.yi()
	c.rows(rows, cols, func(_ *kern.Worker, r int) {
		first, end := 0, cols
		if block == 1 {
			first = int(c.i(1)[r]) * kern.RedBlock
			if first < 0 || first >= cols {
				y[r] = -1
				return
			}
			end = min(first+kern.RedBlock, cols)
		}
		row := x[r*cols+first : r*cols+end]
		best := c.cpu.RedMax(row[:min(len(row), kern.RedBlock)])
		for o := kern.RedBlock; o < len(row); o += kern.RedBlock {
			best = fx.Max(best, c.cpu.RedMax(row[o:min(o+kern.RedBlock, len(row))]))
		}
		y[r] = int32(first + find(row, best))
	})
}

// find returns the first index of v, which is in row; every NaN equals NaN.
func find(row []float32, v float32) int {
	for i, x := range row {
		if x == v || v != v && x != x {
			return i
		}
	}
	return 0
}

// strip is how many columns a chain over rows takes at a time: two cache lines
// pages apart are read per row.
const strip = 512

func (c *call) colChain() {
	batch, rows, cols := c.a[0], c.a[1], c.a[2]
	x, y := c.f(0), c.y()
	strips := (cols + strip - 1) / strip
	c.rows(batch*strips, rows*min(cols, strip), func(_ *kern.Worker, i int) {
		b, j := i/strips, i%strips*strip
		acc := y[b*cols+j : b*cols+min(j+strip, cols)]
		clear(acc)
		for r := range rows {
			c.cpu.Elem(kern.Add, acc, kern.Scalars{}, acc, x[(b*rows+r)*cols+j:])
		}
	})
}

func (c *call) scatterChain() {
	tokens, rows, cols := c.a[0], c.a[1], c.a[2]
	ids, g, y := c.i(0), c.f(1), c.y()
	strips := (cols + strip - 1) / strip
	c.split(rows*cols, grain, func(_ *kern.Worker, lo, hi int) { clear(y[lo:hi]) })
	c.rows(strips, tokens*strip, func(_ *kern.Worker, i int) {
		j := i * strip
		n := min(strip, cols-j)
		for t := range tokens {
			if v := int(ids[t]); v >= 0 && v < rows {
				acc := y[v*cols+j:][:n]
				c.cpu.Elem(kern.Add, acc, kern.Scalars{}, acc, g[t*cols+j:])
			}
		}
	})
}
