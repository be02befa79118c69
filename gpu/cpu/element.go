// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"github.com/openledger/openledger/gpu/cpu/kern"
	"github.com/openledger/openledger/internal/fx"
)

// operand is an input of an operation on [rows, cols] and how it is read.
type operand struct {
	x    []float32
	mode int
}

// flatOps are the operations on one flat list.
var flatOps = map[fx.Op]kern.Op{
	fx.OpNeg: kern.Neg, fx.OpRelu: kern.Relu, fx.OpReluBwd: kern.ReluBwd, fx.OpExp: kern.Exp, fx.OpLog: kern.Log,
	fx.OpTanh: kern.Tanh, fx.OpTanhBwd: kern.TanhBwd, fx.OpSigmoid: kern.Sigmoid, fx.OpSilu: kern.Silu,
	fx.OpSiluBwd: kern.SiluBwd, fx.OpSqrt: kern.Sqrt, fx.OpRsqrt: kern.Rsqrt, fx.OpSwiglu: kern.Swiglu,
	fx.OpSwigluBwd: kern.SwigluBwd,
}

// spreadOps are the operations whose operands have modes.
var spreadOps = map[fx.Op]kern.Op{
	fx.OpAdd: kern.Add, fx.OpSub: kern.Sub, fx.OpMul: kern.Mul, fx.OpDiv: kern.Div, fx.OpFMA: kern.FMA, fx.OpSelect: kern.Select,
}

func (c *call) element() job {
	if c.op == fx.OpScale {
		return c.flat(kern.Scale, kern.Scalars{c.bits(1)}, len(c.in))
	}
	if op, ok := flatOps[c.op]; ok {
		return c.flat(op, kern.Scalars{}, len(c.in))
	}
	x := make([]operand, len(c.in))
	scalar := true
	for k := range x {
		x[k] = operand{c.f(k), c.a[2+k]}
		scalar = scalar && (x[k].mode == fx.Full || x[k].mode == fx.One)
	}
	if scalar { // rows do not matter
		return c.strips(spreadOps[c.op], x)
	}
	return c.spread(spreadOps[c.op], c.a[0], c.a[1], x)
}

// flat is an operation on the first n inputs over the whole output.
func (c *call) flat(op kern.Op, s kern.Scalars, n int) job {
	y := c.y()
	var in [4][]float32
	for k := range n {
		in[k] = c.f(k)
	}
	return job{len(y), 1, func(_ *kern.Worker, lo, hi int) {
		var x [4][]float32
		for k := range n {
			x[k] = in[k][lo:hi]
		}
		c.cpu.Elem(op, y[lo:hi], s, x[:n]...)
	}}
}

// piece is how many elements are spread at a time: three operands stay in the
// first-level cache.
const piece = 2048

// strips is an operation on operands that are given in full or are one scalar.
func (c *call) strips(op kern.Op, x []operand) job {
	y := c.y()
	return job{len(y), 1, func(w *kern.Worker, lo, hi int) {
		if c.scalar(op, y[lo:hi], 0, lo, lo, x) {
			return
		}
		for ; lo < hi; lo += piece {
			c.piece(w, op, y, lo, min(piece, hi-lo), len(y), x)
		}
	}}
}

// spread is an operation on rows, piece by piece. Where a piece lies in one row and an
// operation with a scalar fits, it takes that; else operands that are not given
// in full are written out.
func (c *call) spread(op kern.Op, rows, cols int, x []operand) job {
	y := c.y()
	if cols < 64 { // whole rows to a piece
		per := max(piece/cols, 1)
		return job{rows, cols, func(w *kern.Worker, lo, hi int) {
			for r := lo; r < hi; r += per {
				c.piece(w, op, y, r*cols, min(per, hi-r)*cols, cols, x)
			}
		}}
	}
	per := (cols + piece - 1) / piece // pieces to a row
	return job{rows * per, min(cols, piece), func(w *kern.Worker, lo, hi int) {
		for i := lo; i < hi; i++ {
			first := i % per * piece
			n := min(piece, cols-first)
			at := i/per*cols + first
			if !c.scalar(op, y[at:at+n], i/per, first, at, x) {
				c.piece(w, op, y, at, n, cols, x)
			}
		}
	}}
}

// piece writes out the operands of elements at … at+n−1.
func (c *call) piece(w *kern.Worker, op kern.Op, y []float32, at, n, cols int, x []operand) {
	var in [3][]float32
	scratch := w.Floats(3 * n)
	for k, o := range x {
		s := scratch[k*n : (k+1)*n]
		switch o.mode {
		case fx.Full:
			s = o.x[at : at+n]
		case fx.One:
			fill(s, o.x[0])
		case fx.PerCol:
			if j := at % cols; j+n <= cols {
				s = o.x[j : j+n]
				break
			}
			fallthrough
		default:
			for i := 0; i < n; {
				r, j := (at+i)/cols, (at+i)%cols
				m := min(cols-j, n-i)
				if o.mode == fx.PerCol {
					copy(s[i:i+m], o.x[j:])
				} else {
					fill(s[i:i+m], o.x[r])
				}
				i += m
			}
		}
		in[k] = s
	}
	c.cpu.Elem(op, y[at:at+n], kern.Scalars{}, in[:len(x)]...)
}

func fill(s []float32, v float32) {
	for i := range s {
		s[i] = v
	}
}

// scalar runs the piece of row r from column first on if one operand is a scalar
// there and an operation for that exists.
func (c *call) scalar(op kern.Op, y []float32, r, first, at int, x []operand) bool {
	get := func(k int) (v []float32, s float32, ok bool) {
		switch o := x[k]; o.mode {
		case fx.Full:
			return o.x[at : at+len(y)], 0, false
		case fx.PerCol:
			return o.x[first : first+len(y)], 0, false
		case fx.PerRow:
			return nil, o.x[r], true
		default:
			return nil, o.x[0], true
		}
	}
	a, sa, aOne := get(0)
	b, sb, bOne := get(1)
	if aOne && !bOne && (op == kern.Add || op == kern.Mul) { // both commute, NaN is canonical
		a, sb, aOne, bOne = b, sa, false, true
	}
	switch {
	case op == kern.FMA && aOne && !bOne:
		z, _, zOne := get(2)
		if zOne {
			return false
		}
		c.cpu.Elem(kern.Axpy, y, kern.Scalars{sa}, b, z)
	case aOne || !bOne:
		return false
	case op == kern.Add:
		c.cpu.Elem(kern.AddS, y, kern.Scalars{sb}, a)
	case op == kern.Sub:
		c.cpu.Elem(kern.SubS, y, kern.Scalars{sb}, a)
	case op == kern.Mul:
		c.cpu.Elem(kern.Scale, y, kern.Scalars{sb}, a)
	case op == kern.Div:
		c.cpu.Elem(kern.DivS, y, kern.Scalars{sb}, a)
	default:
		return false
	}
	return true
}

func (c *call) optimise() job {
	switch c.op {
	case fx.OpAdamM:
		return c.flat(kern.AdamM, kern.Scalars{c.bits(1), fx.Sub(1, c.bits(1))}, 2)
	case fx.OpAdamV:
		return c.flat(kern.AdamV, kern.Scalars{c.bits(1), fx.Sub(1, c.bits(1))}, 2)
	}
	s := kern.Scalars{fx.Sub(1, c.f(3)[0]), fx.Sub(1, c.f(4)[0]), c.bits(1), c.bits(2), fx.Neg(c.f(5)[0])}
	return c.flat(kern.AdamP, s, 3)
}
