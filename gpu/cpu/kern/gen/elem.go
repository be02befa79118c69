// SPDX-License-Identifier: Apache-2.0

//go:build kerngen

package gen

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// kernel is one element-wise operation: x holds the inputs, k the scalars in
// every lane; the result is made canonical and stored.
type kernel struct {
	name    string
	in, sc  int
	formula string
	body    func(s isa, x, k []vec) vec
}

var kernels = []kernel{
	{"Copy", 1, 0, "a", func(s isa, x, _ []vec) vec { return x[0] }},
	{"Add", 2, 0, "a+b", func(s isa, x, _ []vec) vec { return s.add(x[0], x[1]) }},
	{"Sub", 2, 0, "a−b", func(s isa, x, _ []vec) vec { return s.sub(x[0], x[1]) }},
	{"Mul", 2, 0, "a·b", func(s isa, x, _ []vec) vec { return s.mul(x[0], x[1]) }},
	{"Div", 2, 0, "a/b", func(s isa, x, _ []vec) vec { return s.div(x[0], x[1]) }},
	{"FMA", 3, 0, "fma(a, b, c)", func(s isa, x, _ []vec) vec { return s.fma(x[0], x[1], x[2]) }},
	{"Neg", 1, 0, "−a", func(s isa, x, _ []vec) vec { return s.neg(x[0]) }},
	{"Sqrt", 1, 0, "sqrt(a)", func(s isa, x, _ []vec) vec { return s.sqrt(x[0]) }},
	{"Rsqrt", 1, 0, "1/sqrt(a)", func(s isa, x, _ []vec) vec { return s.div(s.cv(one), s.sqrt(x[0])) }},
	{"Exp", 1, 0, "exp(a)", func(s isa, x, _ []vec) vec { return s.exp(x[0]) }},
	{"Log", 1, 0, "log(a)", func(s isa, x, _ []vec) vec { return s.log(x[0]) }},
	{"Tanh", 1, 0, "tanh(a)", func(s isa, x, _ []vec) vec { return s.tanh(x[0]) }},
	{"Sigmoid", 1, 0, "sigmoid(a)", func(s isa, x, _ []vec) vec { return s.sigmoid(x[0]) }},
	{"Silu", 1, 0, "silu(a)", func(s isa, x, _ []vec) vec { return s.silu(x[0]) }},
	{"Relu", 1, 0, "relu(a)", func(s isa, x, _ []vec) vec { return s.masked(s.cmp(nle, x[0], s.zero()), x[0]) }},
	{"ReluBwd", 2, 0, "a > 0 ? b : +0", func(s isa, x, _ []vec) vec { return s.masked(s.cmp(gt, x[0], s.zero()), x[1]) }},
	{"TanhBwd", 2, 0, "fma(−a, a, 1)·b", func(s isa, x, _ []vec) vec { return s.mul(s.fnma(x[0], x[0], s.cv(one)), x[1]) }},
	{"SiluBwd", 2, 0, "silu'(a)·b", func(s isa, x, _ []vec) vec { return s.siluBwd(x[0], x[1]) }},
	{"Swiglu", 2, 0, "silu(a)·b", func(s isa, x, _ []vec) vec { return s.mul(s.silu(x[0]), x[1]) }},
	{"SwigluBwd", 3, 0, "silu'(a)·(b·c)", func(s isa, x, _ []vec) vec { return s.siluBwd(x[0], s.mul(x[1], x[2])) }},
	{"Select", 3, 0, "a > 0 ? b : c", func(s isa, x, _ []vec) vec { return s.blend(s.cmp(gt, x[0], s.zero()), x[2], x[1]) }},
	{"Scale", 1, 1, "a·s0", func(s isa, x, k []vec) vec { return s.mul(x[0], k[0]) }},
	{"AddS", 1, 1, "a+s0", func(s isa, x, k []vec) vec { return s.add(x[0], k[0]) }},
	{"SubS", 1, 1, "a−s0", func(s isa, x, k []vec) vec { return s.sub(x[0], k[0]) }},
	{"DivS", 1, 1, "a/s0", func(s isa, x, k []vec) vec { return s.div(x[0], k[0]) }},
	{"Axpy", 2, 1, "fma(s0, a, b)", func(s isa, x, k []vec) vec { return s.fma(k[0], x[0], x[1]) }},
	{"U01", 1, 0, "the word a, shifted right by 8, times 2⁻²⁴", func(s isa, x, _ []vec) vec {
		return s.mul(s.float(s.shift(s.VPSRLD, 8, x[0])), s.c(0x33800000))
	}},
	{"Sign", 1, 0, "−1 if the lowest bit of the word a is set, else 1", func(s isa, x, _ []vec) vec {
		return s.or(s.shift(s.VPSLLD, 31, x[0]), s.c(one))
	}},
	{"Rot", 4, 0, "fma(a, b, c·d)", func(s isa, x, _ []vec) vec { return s.fma(x[0], x[1], s.mul(x[2], x[3])) }},
	{"AdamM", 2, 2, "fma(s0, a, s1·b)", func(s isa, x, k []vec) vec { return s.fma(k[0], x[0], s.mul(k[1], x[1])) }},
	{"AdamV", 2, 2, "fma(s0, a, (s1·b)·b)", func(s isa, x, k []vec) vec {
		return s.fma(k[0], x[0], s.mul(s.mul(k[1], x[1]), x[1]))
	}},
	{"AdamP", 3, 5, "u = (b/s0)/(sqrt(c/s1)+s2); fma(s4, fma(s3, a, u), a)", func(s isa, x, k []vec) vec {
		u := s.div(s.div(x[1], k[0]), s.add(s.sqrt(s.div(x[2], k[1])), k[2]))
		return s.fma(k[4], s.fma(k[3], x[0], u), x[0])
	}},
}

// elems writes every kernel for one instruction set.
func elems(s isa) {
	for _, k := range kernels {
		elem(s, k)
	}
}

func elem(s isa, k kernel) {
	s.Function(strings.ToLower(k.name[:1]) + k.name[1:] + s.suffix)
	s.Attributes(attr.NOSPLIT)
	s.SignatureExpr("func(dst, a, b, c, d *float32, n int, s *float32)")
	dst := s.Load(s.Param("dst"), s.GP64())
	base := make([]reg.Register, k.in)
	for i := range base {
		base[i] = s.Load(s.Param(string(rune('a'+i))), s.GP64())
	}
	n := s.Load(s.Param("n"), s.GP64())
	var sc []vec
	if k.sc > 0 {
		p := s.Load(s.Param("s"), s.GP64())
		for i := range k.sc {
			sc = append(sc, s.bcast(operand.Mem{Base: p, Disp: 4 * i}))
		}
	}
	i := s.GP64()
	s.XORQ(i, i)
	s.Label("loop")
	s.CMPQ(i, n)
	s.JGE(operand.LabelRef("done"))
	x := make([]vec, k.in)
	for j := range x {
		x[j] = s.ld(operand.Mem{Base: base[j], Index: i, Scale: 4})
	}
	y := k.body(s, x, sc)
	s.canon(y)
	s.VMOVUPS(y, operand.Mem{Base: dst, Index: i, Scale: 4})
	s.ADDQ(operand.Imm(uint64(s.w)), i)
	s.JMP(operand.LabelRef("loop"))
	s.Label("done")
	s.VZEROUPPER()
	s.RET()
}

// elemGo returns the Go file with the operations, their declarations and the
// two tables of calls.
func elemGo() string {
	var b strings.Builder
	b.WriteString(header + "//go:build amd64\n\npackage kern\n")
	for _, suffix := range []string{"AVX512", "AVX2"} {
		for _, k := range kernels {
			fmt.Fprintf(&b, "\n//go:noescape\nfunc %s%s(dst, a, b, c, d *float32, n int, s *float32)\n", strings.ToLower(k.name[:1])+k.name[1:], suffix)
		}
		fmt.Fprintf(&b, "\n// elem%s sets dst[:n] by op; n is a multiple of the vector width.\nfunc elem%s(op Op, dst, a, b, c, d *float32, n int, s *float32) {\n\tswitch op {\n", suffix, suffix)
		for _, k := range kernels {
			fmt.Fprintf(&b, "\tcase %s:\n\t\t%s%s(dst, a, b, c, d, n, s)\n", k.name, strings.ToLower(k.name[:1])+k.name[1:], suffix)
		}
		b.WriteString("\t}\n}\n")
	}
	return b.String()
}

// opsGo returns the Go file with the names of the operations.
func opsGo() string {
	var b strings.Builder
	b.WriteString(header + "package kern\n\n// The element-wise operations; a, b, c, d are the inputs, s0 … s4 the scalars.\nconst (\n")
	for i, k := range kernels {
		typ := ""
		if i == 0 {
			typ = " Op = iota"
		}
		fmt.Fprintf(&b, "\t// %s is %s.\n\t%s%s\n", k.name, k.formula, k.name, typ)
	}
	b.WriteString("\tops\n)\n\n// arity holds the number of inputs and of scalars of each operation.\nvar arity = [ops]struct{ in, scalars uint8 }{\n")
	for _, k := range kernels {
		fmt.Fprintf(&b, "\t%s: {%d, %d},\n", k.name, k.in, k.sc)
	}
	b.WriteString("}\n")
	return b.String()
}

const header = "// SPDX-License-Identifier: Apache-2.0\n\n// Code generated by gpu/cpu/kern/gen. DO NOT EDIT.\n\n"
