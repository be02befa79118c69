// SPDX-License-Identifier: Apache-2.0

package kern

import (
	"math"

	"github.com/openledger/openledger/internal/fx"
)

// Op is an element-wise operation; the constants say what each computes.
type Op uint8

// Scalars are the arguments s0 … s4 of an operation.
type Scalars [5]float32

// Arity returns the number of inputs and of scalars that op takes.
func (op Op) Arity() (inputs, scalars int) {
	return int(arity[op].in), int(arity[op].scalars)
}

// Elem sets dst[i] = op(in[0][i], in[1][i], …) with canonical NaN.
//
// Shapes: every input is at least as long as dst. dst may be one of the inputs,
// element for element, but must not overlap one in any other way.
// Cost: bound by memory for arithmetic; about 1 ns per element for functions
// on AVX2, half of that on AVX-512. Spec: FX-01, FX-05, OP-05.
func (c CPU) Elem(op Op, dst []float32, s Scalars, in ...[]float32) {
	var x [4][]float32
	k := copy(x[:], in)
	if k != int(arity[op].in) {
		panic("kern: wrong number of inputs")
	}
	for i := range k {
		x[i] = x[i][:len(dst)]
	}
	if c.path == Ref {
		elemGo(op, dst, &s, &x)
		return
	}
	w := c.width()
	if n := len(dst) &^ (w - 1); n > 0 {
		c.elem(op, dst[:n], &s, &x)
	}
	rest := len(dst) & (w - 1)
	if rest == 0 {
		return
	}
	var pad [5][16]float32
	n := len(dst) - rest
	for i := range k {
		copy(pad[i][:], x[i][n:])
		x[i] = pad[i][:]
	}
	c.elem(op, pad[4][:w], &s, &x)
	copy(dst[n:], pad[4][:rest])
}

// elem runs whole vectors.
func (c CPU) elem(op Op, dst []float32, s *Scalars, x *[4][]float32) {
	var p [4]*float32
	for i := range arity[op].in {
		p[i] = &x[i][0]
	}
	if c.path == AVX512 {
		elemAVX512(op, &dst[0], p[0], p[1], p[2], p[3], len(dst), &s[0])
	} else {
		elemAVX2(op, &dst[0], p[0], p[1], p[2], p[3], len(dst), &s[0])
	}
}

func elemGo(op Op, dst []float32, s *Scalars, x *[4][]float32) {
	var v [4]float32
	for i := range dst {
		for j := range arity[op].in {
			v[j] = x[j][i]
		}
		dst[i] = one(op, s, v[0], v[1], v[2], v[3])
	}
}

// one is the definition of every operation.
func one(op Op, s *Scalars, a, b, c, d float32) float32 {
	switch op {
	case Copy:
		return fx.Canon(a)
	case Add:
		return fx.Add(a, b)
	case Sub:
		return fx.Sub(a, b)
	case Mul:
		return fx.Mul(a, b)
	case Div:
		return fx.Div(a, b)
	case FMA:
		return fx.FMA32(a, b, c)
	case Neg:
		return fx.Neg(a)
	case Select:
		if a > 0 {
			return fx.Canon(b)
		}
		return fx.Canon(c)
	case Scale:
		return fx.Mul(a, s[0])
	case AddS:
		return fx.Add(a, s[0])
	case SubS:
		return fx.Sub(a, s[0])
	case DivS:
		return fx.Div(a, s[0])
	case Axpy:
		return fx.FMA32(s[0], a, b)
	case U01:
		return fx.Mul(fx.FromInt(int32(math.Float32bits(a)>>8)), 0x1p-24)
	case Sign:
		return math.Float32frombits(0x3f800000 | math.Float32bits(a)<<31)
	case Rot:
		return fx.FMA32(a, b, fx.Mul(c, d))
	case Sqrt:
		return fx.Sqrt(a)
	case Rsqrt:
		return fx.Rsqrt(a)
	case Exp:
		return fx.Exp(a)
	case Log:
		return fx.Log(a)
	case Tanh:
		return fx.Tanh(a)
	case Sigmoid:
		return fx.Sigmoid(a)
	case Silu:
		return fx.Silu(a)
	case Relu:
		if a <= 0 {
			return 0
		}
		return fx.Canon(a)
	case ReluBwd:
		if a > 0 {
			return fx.Canon(b)
		}
		return 0
	case TanhBwd:
		return fx.Mul(fx.FMA32(-a, a, 1), b)
	case SiluBwd:
		return siluBwd(a, b)
	case Swiglu:
		return fx.Mul(fx.Silu(a), b)
	case SwigluBwd:
		return siluBwd(a, fx.Mul(b, c))
	case AdamM:
		return fx.FMA32(s[0], a, fx.Mul(s[1], b))
	case AdamV:
		return fx.FMA32(s[0], a, fx.Mul(fx.Mul(s[1], b), b))
	case AdamP:
		u := fx.Div(fx.Div(b, s[0]), fx.Add(fx.Sqrt(fx.Div(c, s[1])), s[2]))
		return fx.FMA32(s[4], fx.FMA32(s[3], a, u), a)
	}
	panic("kern: unknown operation")
}

// siluBwd is the gradient of silu at x times g (OP-05).
func siluBwd(x, g float32) float32 {
	s := fx.Sigmoid(x)
	return fx.Mul(fx.Mul(s, fx.FMA32(x, fx.Sub(1, s), 1)), g)
}
