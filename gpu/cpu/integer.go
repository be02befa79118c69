// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"github.com/openledger/openledger/gpu/cpu/kern"
	"github.com/openledger/openledger/internal/fx"
)

func (c *call) integer() {
	switch c.op {
	case fx.OpQuantScale, fx.OpQuantI8:
		c.quantise()
	case fx.OpDequantI8:
		c.dequantise()
	case fx.OpGemmI8:
		c.gemmI8()
	case fx.OpDotI8, fx.OpDist2I8:
		c.dotI8()
	case fx.OpDist2F32:
		c.dist2()
	case fx.OpSortPairs:
		c.sortPairs()
	case fx.OpTopK:
		c.topK()
	case fx.OpBenchMix:
		x := c.i(0)
		c.split(len(x), grain, func(_ *kern.Worker, lo, hi int) {
			for i := lo; i < hi; i++ {
				c.out[i] = code(byte(uint32(x[i]) * 0x9e3779b1 >> 24))
			}
		})
	case fx.OpBenchFill:
		c.benchFill()
	default:
		c.mergePairs()
	}
}

// code is a byte with −128 replaced by −127.
func code(b byte) byte { return byte(max(int8(b), -127)) }

func (c *call) quantise() {
	rows, k, g := c.a[0], c.a[1], c.a[2]
	x := c.f(0)
	n := (k + g - 1) / g
	c.rows(rows*n, 2*g, func(_ *kern.Worker, i int) {
		r, first := i/n, i%n*g
		group := x[r*k+first : r*k+min(first+g, k)]
		if c.op == fx.OpQuantScale {
			c.y()[i] = c.cpu.QuantScale(group)
		} else {
			c.cpu.Quantise(of[int8](c.out)[r*k+first:][:len(group)], group)
		}
	})
}

func (c *call) dequantise() {
	rows, k, g := c.a[0], c.a[1], c.a[2]
	q, s, y := of[int8](c.in[0]), c.f(1), c.y()
	n := (k + g - 1) / g
	c.rows(rows, 4*k, func(_ *kern.Worker, r int) {
		for t := range n {
			from, to := r*k+t*g, r*k+min((t+1)*g, k)
			for j := from; j < to; j++ {
				y[j] = float32(q[j])
			}
			c.cpu.Elem(kern.Scale, y[from:to], kern.Scalars{s[r*n+t]}, y[from:to])
		}
	})
}

func (c *call) gemmI8() {
	c.cpu.GemmI8(c.pool, kern.MatI8{M: c.a[0], N: c.a[1], K: c.a[2], G: c.a[3],
		A: of[int8](c.in[0]), SA: c.f(1), B: of[int8](c.in[2]), SB: c.f(3), C: c.y()})
}

// dotI8 computes sums of products, or squared distances as |x|² + |y|² − 2·x·y,
// which is exact modulo 2³².
func (c *call) dotI8() {
	m, n, k := c.a[0], c.a[1], c.a[2]
	x, w, y := of[int8](c.in[0]), of[int8](c.in[1]), c.yi()
	c.cpu.GemmI8(c.pool, kern.MatI8{M: m, N: n, K: k, A: x, B: w, Ints: y})
	if c.op == fx.OpDotI8 {
		return
	}
	square := make([]int32, n)
	for j := range square {
		square[j] = fx.DotI8(w[j*k:][:k], w[j*k:])
	}
	c.rows(m, n, func(_ *kern.Worker, i int) {
		own := fx.DotI8(x[i*k:][:k], x[i*k:])
		for j, s := range square {
			y[i*n+j] = own + s - 2*y[i*n+j]
		}
	})
}

// benchFill makes words of 16 bytes, each once.
func (c *call) benchFill() {
	s := fx.Stream{Seed: c.attrs[1], Stream: uint32(c.attrs[2]), Purpose: fx.PurposeBench}
	c.split((len(c.out)+15)/16, 256, func(w *kern.Worker, lo, hi int) {
		words := w.Floats(4 * (hi - lo))
		c.cpu.Words(of[uint32](bytesOf(words)), s, uint64(lo), 64)
		for i, b := range bytesOf(words)[:min(16*hi, len(c.out))-16*lo] {
			c.out[16*lo+i] = code(b)
		}
	})
}
