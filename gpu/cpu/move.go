// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"math"
	"unsafe"

	"github.com/openledger/openledger/gpu/cpu/kern"
	"github.com/openledger/openledger/internal/fx"
)

func (c *call) move() {
	a := c.a
	switch c.op {
	case fx.OpCopy:
		c.split(a[1], grain, func(_ *kern.Worker, lo, hi int) { c.move1(0, lo, lo, hi-lo) })
	case fx.OpView:
		c.rows(a[1], a[4], func(_ *kern.Worker, r int) { c.move1(0, r*a[4], r*a[2]+a[3], a[4]) })
	case fx.OpConcat:
		c.rows(a[1], a[2]+a[3], func(_ *kern.Worker, r int) {
			c.move1(0, r*(a[2]+a[3]), r*a[2], a[2])
			c.move1(1, r*(a[2]+a[3])+a[2], r*a[3], a[3])
		})
	case fx.OpTranspose:
		c.transpose()
	case fx.OpGather:
		idx := c.i(1)
		c.rows(a[1], a[3], func(_ *kern.Worker, r int) {
			if x := int(idx[r]); x >= 0 && x < a[2] {
				c.move1(0, r*a[3], x*a[3], a[3])
				return
			}
			size := len(c.out) / (a[1] * a[3])
			clear(c.out[r*a[3]*size:][:a[3]*size])
		})
	case fx.OpPerm:
		c.perm()
	case fx.OpPick:
		c.pick()
	default:
		c.fill()
	}
}

// pick takes elements of each row, and 0 where there is none.
func (c *call) pick() {
	cols, n := c.a[2], c.a[3]
	c.rows(c.a[1], n, func(_ *kern.Worker, r int) {
		idx := c.i(1)[r*n:][:n]
		if c.sig.Out.Type == fx.I8 {
			take(c.out[r*n:][:n], c.in[0][r*cols:][:cols], idx)
			return
		}
		take(c.yi()[r*n:][:n], c.i(0)[r*cols:][:cols], idx)
		if c.sig.Out.Type == fx.F32 {
			y := c.y()[r*n:][:n]
			c.cpu.Elem(kern.Copy, y, kern.Scalars{}, y) // canonical NaN
		}
	})
}

func take[T any](y, row []T, idx []int32) {
	var zero T
	for i, at := range idx {
		if uint(at) < uint(len(row)) {
			y[i] = row[at]
		} else {
			y[i] = zero
		}
	}
}

// move1 copies n elements of input k from element src to element dst of the
// output; binary32 with canonical NaN.
func (c *call) move1(k, dst, src, n int) {
	if c.sig.Out.Type == fx.F32 {
		c.cpu.Elem(kern.Copy, c.y()[dst:dst+n], kern.Scalars{}, c.f(k)[src:src+n])
		return
	}
	size := int(c.sig.Out.Type.Size())
	copy(c.out[dst*size:(dst+n)*size], c.in[k][src*size:])
}

// transpose exchanges the two middle axes of [batch, rows, cols, inner].
func (c *call) transpose() {
	batch, rows, cols, inner := c.a[1], c.a[2], c.a[3], c.a[4]
	if inner > 1 || c.sig.Out.Type == fx.I8 {
		c.rows(batch*cols, rows*inner, func(_ *kern.Worker, i int) {
			b, j := i/cols, i%cols
			for r := range rows {
				c.move1(0, (i*rows+r)*inner, ((b*rows+r)*cols+j)*inner, inner)
			}
		})
		return
	}
	// Words are moved by the kernel that packs matrices, then made canonical while
	// they are in the cache.
	const strip = 16
	x, y := of[float32](c.in[0]), of[float32](c.out)
	strips := (cols + strip - 1) / strip
	c.rows(batch*strips, rows*strip, func(_ *kern.Worker, i int) {
		b, j := i/strips, i%strips*strip
		n := min(strip, cols-j)
		dst := y[(b*cols+j)*rows:][:n*rows]
		c.cpu.Transpose(dst, rows, x[b*rows*cols+j:], cols, rows, n)
		if c.sig.Out.Type == fx.F32 {
			c.cpu.Elem(kern.Copy, dst, kern.Scalars{}, dst)
		}
	})
}

// fill makes elements from their index or from one input element each.
func (c *call) fill() {
	c.split(int(c.sig.Out.Len), grain/4, func(w *kern.Worker, lo, hi int) {
		switch c.op {
		case fx.OpFill:
			c.fillBits(lo, hi)
		case fx.OpFillSeq:
			y := c.yi()
			for i := lo; i < hi; i++ {
				y[i] = int32(uint32(c.attrs[2]) + uint32(i%c.a[1]))
			}
		case fx.OpAddI32:
			for i, y := lo, c.yi(); i < hi; i++ {
				y[i] = c.i(0)[i] + int32(uint32(c.attrs[1]))
			}
		case fx.OpValid:
			for i, y := lo, c.y(); i < hi; i++ {
				if c.i(0)[i] < 0 {
					y[i] = 0
				} else {
					y[i] = 1
				}
			}
		case fx.OpCast:
			c.cast(lo, hi)
		default:
			c.random(w, lo, hi)
		}
	})
}

func (c *call) fillBits(lo, hi int) {
	if c.sig.Out.Type == fx.I8 {
		for i := lo; i < hi; i++ {
			c.out[i] = byte(c.attrs[2])
		}
		return
	}
	v := uint32(c.attrs[2])
	if c.sig.Out.Type == fx.F32 {
		v = fx.Bits(c.bits(2))
	}
	for i, y := lo, of[uint32](c.out); i < hi; i++ {
		y[i] = v
	}
}

func (c *call) cast(lo, hi int) {
	y := c.y()
	switch fx.Type(c.attrs[0]) {
	case fx.F16:
		for i, x := lo, of[uint16](c.in[0]); i < hi; i++ {
			v := x[i]
			if (v+0x400)&0x7c00 <= 0x400 { // subnormal, infinite or NaN
				y[i] = fx.FromF16(v)
				continue
			}
			y[i] = math.Float32frombits(uint32(v>>15)<<31 | (uint32(v&0x7fff)+112<<10)<<13)
		}
	case fx.BF16:
		words := of[uint32](c.out)
		for i, x := lo, of[uint16](c.in[0]); i < hi; i++ {
			words[i] = uint32(x[i]) << 16
		}
		c.cpu.Elem(kern.Copy, y[lo:hi], kern.Scalars{}, y[lo:hi]) // canonical NaN
	default:
		for i, x := lo, c.i(0); i < hi; i++ {
			y[i] = fx.FromInt(x[i])
		}
	}
}

// random fills from the streams of FX-06: words first, then what is made of them,
// a few at a time so that both stay in the cache.
func (c *call) random(w *kern.Worker, lo, hi int) {
	s := fx.Stream{Seed: c.attrs[1], Stream: uint32(c.attrs[2]), Purpose: fx.Purpose(c.attrs[3])}
	const part = 1024
	y := c.y()
	words := w.Floats(12 * part)
	for ; lo < hi; lo += part {
		out := y[lo:min(lo+part, hi)]
		per, op := 1, kern.U01
		switch c.op {
		case fx.OpFillNormal:
			per = 12
		case fx.OpFillSign:
			op = kern.Sign
		}
		block := uint64(lo) * uint64(per) / 4
		skip := lo * per % 4
		n := (skip + len(out)*per + 3) / 4 * 4
		c.cpu.Words(of[uint32](bytesOf(words))[:n], s, block, 1)
		if per == 1 {
			c.cpu.Elem(op, out, kern.Scalars{}, words[skip:n])
			continue
		}
		c.cpu.Elem(op, words[:n], kern.Scalars{}, words[:n])
		for i := range out {
			var acc float32
			for _, u := range words[12*i : 12*i+12] {
				acc = float32(acc + u)
			}
			out[i] = float32(acc - 6)
		}
	}
}

// bytesOf is the same memory as bytes.
func bytesOf(x []float32) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), 4*len(x)) }
