// SPDX-License-Identifier: Apache-2.0

package fx

import "math"

// at is where an operand of mode m is read for flat element i of [rows, cols].
func at(m, i, cols uint64) uint64 {
	switch m {
	case PerRow:
		return i / cols
	case PerCol:
		return i % cols
	case One:
		return 0
	}
	return i
}

// spread is the signature of operands with modes on [rows, cols].
func spread(rows, cols uint64, modes ...uint64) Sig {
	n := vol(rows, cols)
	s := Sig{Out: Arg{F32, n}}
	for k, m := range modes {
		s.In = append(s.In, Arg{F32, [4]uint64{n, rows, cols, 1}[m]})
		s.Same |= boolBit(m == Full) << k
	}
	return s
}

func sigSpread(a []uint64) (Sig, error) { return spread(a[0], a[1], a[2:]...), nil }

// flat is the signature of n operands of the output's length a[0], each counted
// as cost roundings per element.
func flat(n int, cost uint64) func(a []uint64) (Sig, error) {
	return func(a []uint64) (Sig, error) {
		s := spread(1, a[0], make([]uint64, n)...)
		s.Cost.FMA = mulSat(a[0], cost)
		return s, nil
	}
}

// mixed2 and mixed3 read operands by their modes, each1 and each2 at the output's
// index.
func mixed2(f func(x, y float32) float32) func(a []uint64, i uint64, read Read) uint32 {
	return func(a []uint64, i uint64, read Read) uint32 {
		return Bits(f(read.f(0, at(a[2], i, a[1])), read.f(1, at(a[3], i, a[1]))))
	}
}

func mixed3(f func(x, y, z float32) float32) func(a []uint64, i uint64, read Read) uint32 {
	return func(a []uint64, i uint64, read Read) uint32 {
		return Bits(f(read.f(0, at(a[2], i, a[1])), read.f(1, at(a[3], i, a[1])), read.f(2, at(a[4], i, a[1]))))
	}
}

func each1(f func(x float32) float32) func(a []uint64, i uint64, read Read) uint32 {
	return func(a []uint64, i uint64, read Read) uint32 { return Bits(f(read.f(0, i))) }
}

func each2(f func(x, y float32) float32) func(a []uint64, i uint64, read Read) uint32 {
	return func(a []uint64, i uint64, read Read) uint32 { return Bits(f(read.f(0, i), read.f(1, i))) }
}

var elements = []opRow{
	{op: OpAdd, name: "add", attrs: "rows cols ma mb", sig: sigSpread, elem: mixed2(Add)},
	{op: OpSub, name: "sub", attrs: "rows cols ma mb", sig: sigSpread, elem: mixed2(Sub)},
	{op: OpMul, name: "mul", attrs: "rows cols ma mb", sig: sigSpread, elem: mixed2(Mul)},
	{op: OpDiv, name: "div", attrs: "rows cols ma mb", sig: sigSpread, elem: mixed2(Div)},
	{op: OpFMA, name: "fma", attrs: "rows cols ma mb mc", sig: sigSpread, elem: mixed3(FMA32)},
	{op: OpSelect, name: "select", attrs: "rows cols mc ma mb", sig: sigSpread, elem: mixed3(Select)},
	{op: OpScale, name: "scale", attrs: "len bits", sig: flat(1, 1), elem: func(a []uint64, i uint64, read Read) uint32 {
		return Bits(Mul(read.f(0, i), f(uint32(a[1]))))
	}},
	{op: OpNeg, name: "neg", attrs: "len", sig: flat(1, 1), elem: each1(Neg)},
	{op: OpRelu, name: "relu", attrs: "len", sig: flat(1, 1), elem: each1(Relu)},
	{op: OpReluBwd, name: "relu_bwd", attrs: "len", sig: flat(2, 1), elem: each2(ReluBwd)},
	{op: OpExp, name: "exp", attrs: "len", sig: flat(1, 14), elem: each1(Exp)},
	{op: OpLog, name: "log", attrs: "len", sig: flat(1, 17), elem: each1(Log)},
	{op: OpTanh, name: "tanh", attrs: "len", sig: flat(1, 19), elem: each1(Tanh)},
	{op: OpTanhBwd, name: "tanh_bwd", attrs: "len", sig: flat(2, 2), elem: each2(TanhBwd)},
	{op: OpSigmoid, name: "sigmoid", attrs: "len", sig: flat(1, 17), elem: each1(Sigmoid)},
	{op: OpSilu, name: "silu", attrs: "len", sig: flat(1, 18), elem: each1(Silu)},
	{op: OpSiluBwd, name: "silu_bwd", attrs: "len", sig: flat(2, 21), elem: each2(SiluBwd)},
	{op: OpSqrt, name: "sqrt", attrs: "len", sig: flat(1, 1), elem: each1(Sqrt)},
	{op: OpRsqrt, name: "rsqrt", attrs: "len", sig: flat(1, 2), elem: each1(Rsqrt)},
	{op: OpSwiglu, name: "swiglu", attrs: "len", sig: flat(2, 19), elem: each2(Swiglu)},
	{op: OpSwigluBwd, name: "swiglu_bwd", attrs: "len", sig: flat(3, 22), elem: func(a []uint64, i uint64, read Read) uint32 {
		return Bits(SiluBwd(read.f(0, i), Mul(read.f(1, i), read.f(2, i))))
	}},
}

// Select returns a where c > 0, else b; also where c is NaN. Spec: OP-02.
func Select(c, a, b float32) float32 {
	if c > 0 {
		return Canon(a)
	}
	return Canon(b)
}

// Relu returns x > 0 → x, NaN → NaN, else +0. Spec: OP-05.
func Relu(x float32) float32 {
	if x > 0 || x != x {
		return Canon(x)
	}
	return 0
}

// ReluBwd returns the gradient g where x > 0, else +0. Spec: OP-05.
func ReluBwd(x, g float32) float32 {
	if x > 0 {
		return Canon(g)
	}
	return 0
}

// TanhBwd returns fma(−y, y, 1)·g for y = tanh(x). Spec: OP-05.
func TanhBwd(y, g float32) float32 { return Mul(FMA32(-y, y, 1), g) }

// SiluBwd returns (s·fma(x, 1−s, 1))·g with s = sigmoid(x). Spec: OP-05.
func SiluBwd(x, g float32) float32 {
	s := Sigmoid(x)
	return Mul(Mul(s, FMA32(x, Sub(1, s), 1)), g)
}

// Swiglu returns silu(a)·b. Spec: OP-05.
func Swiglu(a, b float32) float32 { return Mul(Silu(a), b) }

var optimizers = []opRow{
	{op: OpAdamM, name: "adamw_m", attrs: "len β1", sig: flat(2, 2), elem: func(a []uint64, i uint64, read Read) uint32 {
		return Bits(AdamM(f(uint32(a[1])), read.f(0, i), read.f(1, i)))
	}},
	{op: OpAdamV, name: "adamw_v", attrs: "len β2", sig: flat(2, 3), elem: func(a []uint64, i uint64, read Read) uint32 {
		return Bits(AdamV(f(uint32(a[1])), read.f(0, i), read.f(1, i)))
	}},
	{op: OpAdamP, name: "adamw_p", attrs: "len ε wd", sig: func(a []uint64) (Sig, error) {
		s := spread(1, a[0], Full, Full, Full, One, One, One)
		s.Cost.FMA = mulSat(a[0], 7)
		return s, nil
	}, elem: func(a []uint64, i uint64, read Read) uint32 {
		return Bits(AdamP(f(uint32(a[1])), f(uint32(a[2])),
			read.f(0, i), read.f(1, i), read.f(2, i), read.f(3, 0), read.f(4, 0), read.f(5, 0)))
	}},
	{op: OpClipScale, name: "clip_scale", attrs: "c", sig: func(a []uint64) (Sig, error) {
		return spread(1, 1, Full), nil
	}, elem: func(a []uint64, i uint64, read Read) uint32 {
		return Bits(ClipScale(f(uint32(a[0])), read.f(0, 0)))
	}},
}

// AdamM returns the new first moment fma(β1, m, (1−β1)·g). Spec: OP-04.
func AdamM(beta1, m, g float32) float32 { return FMA32(beta1, m, Mul(Sub(1, beta1), g)) }

// AdamV returns the new second moment fma(β2, v, ((1−β2)·g)·g). Spec: OP-04.
func AdamV(beta2, v, g float32) float32 { return FMA32(beta2, v, Mul(Mul(Sub(1, beta2), g), g)) }

// AdamP returns the new parameter from the new moments; b1 and b2 are β1 and β2
// to the power of the step, after this step's product. Spec: OP-04.
func AdamP(eps, wd, p, m, v, b1, b2, lr float32) float32 {
	u := Div(Div(m, Sub(1, b1)), Add(Sqrt(Div(v, Sub(1, b2))), eps))
	return FMA32(-lr, FMA32(wd, p, u), p)
}

// ClipScale returns min(1, c/(sqrt(s) + 1e-6)) for the sum of squares s of all
// gradients. Spec: OP-04.
func ClipScale(c, s float32) float32 {
	return Min(1, Div(c, Add(Sqrt(s), math.Float32frombits(0x358637bd))))
}
