// SPDX-License-Identifier: Apache-2.0

package cpu

import "github.com/openledger/openledger/gpu/cpu/kern"

// dist2 is the chain over k of squared differences. Lanes are rows of the matrix that
// has more: some of them are turned, then each row of the other goes over them. The
// sign of a difference changes no square.
func (c *call) dist2() {
	m, n, k := c.a[0], c.a[1], c.a[2]
	lanes, other, y := c.f(1), c.f(0), c.y()
	count, others, step, stride := n, m, n, 1
	if m > n {
		lanes, other, count, others, step, stride = other, lanes, m, n, 1, n
	}
	width := min(max(1<<15/k&^15, 16), 512) // of lanes at a time: they stay in the cache
	blocks := (count + width - 1) / width
	parts := min(max(2*c.pool.Threads()/blocks, 1), others) // of the others, where blocks are few
	c.split(blocks*parts, grain/max(width*k*others/parts, 1), func(w *kern.Worker, lo, hi int) {
		for i := lo; i < hi; i++ {
			first, part := i/parts*width, i%parts
			l := min(width, count-first)
			s := w.Floats((k + 2) * l)
			turned, d, acc := s[:k*l], s[k*l:][:l], s[(k+1)*l:]
			c.cpu.Transpose(turned, l, lanes[first*k:], k, l, k)
			for o := part * others / parts; o < (part+1)*others/parts; o++ {
				clear(acc)
				for t, v := range other[o*k:][:k] {
					c.cpu.Elem(kern.SubS, d, kern.Scalars{v}, turned[t*l:])
					c.cpu.Elem(kern.FMA, acc, kern.Scalars{}, d, d, acc)
				}
				for j, v := range acc {
					y[o*step+(first+j)*stride] = v
				}
			}
		}
	})
}
