// SPDX-License-Identifier: Apache-2.0

//go:build kerngen

package gen

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func int8s(s isa) {
	s.tileI8()
	s.quant()
	if !s.z {
		s.widen()
	}
}

// i8 are the registers of the kernel of integer tiles.
type i8 struct {
	groups, words, a, b, corr, sa, sb, c, ldc reg.Register
}

// tileI8 writes the kernel of fx/int8: mr rows of packed codes times a panel of
// two vectors of columns. In each of groups it sums words products of codes, the
// last group may be shorter, then goes on with the chain of floats. With AVX-512
// a word is four codes: those of B are made unsigned by adding 128, and corr
// holds −128·(sum of the row of A) for each group and row. With AVX2 a word is two
// codes of 16 bits. With flagInts there is one group, and its sums are stored.
func (s isa) tileI8() {
	rows := map[bool]int{true: 6, false: 3}[s.z]
	s.Function("i8" + s.suffix)
	s.Attributes(attr.NOSPLIT)
	s.SignatureExpr("func(mr, groups, words, last int, a, b, corr *int32, sa, sb, c *float32, ldc, cols, flags int)")
	mr := s.Load(s.Param("mr"), s.GP64())
	var p i8
	get := func(name string) reg.Register { return s.Load(s.Param(name), s.GP64()) }
	p.groups, p.words, p.a, p.b = get("groups"), get("words"), get("a"), get("b")
	p.corr, p.sa, p.sb, p.c, p.ldc = get("corr"), get("sa"), get("sb"), get("c"), get("ldc")
	s.SHLQ(operand.Imm(2), p.ldc)
	for r := rows; r > 1; r-- {
		s.CMPQ(mr, operand.Imm(uint64(r)))
		s.JEQ(operand.LabelRef(fmt.Sprintf("rows%d", r)))
	}
	for r := 1; r <= rows; r++ {
		s.rowsI8(r, p)
	}
}

func (s isa) rowsI8(r int, p i8) {
	ref := func(name string) operand.LabelRef { return operand.LabelRef(fmt.Sprintf("%s%d", name, r)) }
	param := func(name string) reg.Register { return s.Load(s.Param(name), s.GP64()) }
	s.Label(string(ref("rows")))
	dot, acc := make([][2]vec, r), make([][2]vec, r)
	for i := range acc {
		acc[i] = [2]vec{s.zero(), s.zero()}
	}
	s.TESTQ(operand.U32(flagLoad), param("flags"))
	s.JEQ(ref("group"))
	row := s.GP64()
	s.MOVQ(p.c, row)
	m := s.colMasks(param("cols"))
	for i := range acc {
		for j := range 2 {
			s.VMOVUPS(s.loadMasked(at(row, 4*s.w*j), m[j]), acc[i][j])
		}
		s.ADDQ(p.ldc, row)
	}
	s.Label(string(ref("group")))
	for i := range dot {
		for j := range 2 {
			if s.z {
				dot[i][j] = s.ZMM()
				s.VPBROADCASTD(at(p.corr, 4*i), dot[i][j])
			} else {
				dot[i][j] = s.zero()
			}
		}
	}
	n := s.GP64()
	s.MOVQ(p.words, n)
	s.CMPQ(p.groups, operand.Imm(1))
	s.JNE(ref("loop"))
	s.MOVQ(param("last"), n)
	s.Label(string(ref("loop")))
	s.dotStep(r, p, dot)
	s.DECQ(n)
	s.JNE(ref("loop"))
	s.TESTQ(operand.U32(flagInts), param("flags"))
	s.JNE(ref("ints"))
	w := [2]vec{s.ld(at(p.sb, 0)), s.ld(at(p.sb, 4*s.w))}
	for i := range dot {
		x := s.bcast(at(p.sa, 4*i))
		for j := range 2 {
			s.VCVTDQ2PS(dot[i][j], dot[i][j])
			s.VFMADD231PS(s.mul(x, w[j]), dot[i][j], acc[i][j])
		}
	}
	s.ADDQ(operand.Imm(uint64(8*s.w)), p.sb)
	s.ADDQ(operand.Imm(uint64(4*r)), p.sa)
	s.ADDQ(operand.Imm(uint64(4*r)), p.corr)
	s.DECQ(p.groups)
	s.JNE(ref("group"))
	s.TESTQ(operand.U32(flagCanon), param("flags"))
	s.JEQ(ref("store"))
	for i := range acc {
		s.canon(acc[i][0])
		s.canon(acc[i][1])
	}
	s.JMP(ref("store"))
	s.Label(string(ref("ints")))
	for i := range acc {
		for j := range 2 {
			s.VPADDD(dot[i][j], acc[i][j], acc[i][j])
		}
	}
	s.Label(string(ref("store")))
	m = s.colMasks(param("cols"))
	for i := range acc {
		for j := range 2 {
			s.storeMasked(acc[i][j], m[j], at(p.c, 4*s.w*j))
		}
		s.ADDQ(p.ldc, p.c)
	}
	s.VZEROUPPER()
	s.RET()
}

// dotStep adds one word of every row and column.
func (s isa) dotStep(r int, p i8, dot [][2]vec) {
	b := [2]vec{s.ld(at(p.b, 0)), s.ld(at(p.b, 4*s.w))}
	if s.z {
		b[0], b[1] = s.xor(b[0], s.c(0x80808080)), s.xor(b[1], s.c(0x80808080))
	}
	for i := range r {
		x := s.r()
		s.VPBROADCASTD(at(p.a, 4*i), x)
		for j := range 2 {
			if s.z {
				s.dot4(b[j], x, dot[i][j])
				continue
			}
			t := s.YMM()
			s.VPMADDWD(b[j], x, t)
			s.VPADDD(t, dot[i][j], dot[i][j])
		}
	}
	s.ADDQ(operand.Imm(uint64(8*s.w)), p.b)
	s.ADDQ(operand.Imm(uint64(4*r)), p.a)
}

// widen writes n blocks of 16 codes as 16 bits each.
func (s isa) widen() {
	s.Function("widen" + s.suffix)
	s.Attributes(attr.NOSPLIT)
	s.SignatureExpr("func(dst *int16, src *int8, n int)")
	dst := s.Load(s.Param("dst"), s.GP64())
	src := s.Load(s.Param("src"), s.GP64())
	n := s.Load(s.Param("n"), s.GP64())
	s.Label("loop")
	s.TESTQ(n, n)
	s.JEQ(operand.LabelRef("done"))
	v := s.YMM()
	s.VPMOVSXBW(at(src, 0), v)
	s.VMOVDQU(v, at(dst, 0))
	s.ADDQ(operand.Imm(16), src)
	s.ADDQ(operand.Imm(32), dst)
	s.DECQ(n)
	s.JMP(operand.LabelRef("loop"))
	s.Label("done")
	s.VZEROUPPER()
	s.RET()
}

// quant writes n codes rni(x·inv), n a multiple of the vector width, where no
// code exceeds ±127.
func (s isa) quant() {
	s.Function("quant" + s.suffix)
	s.Attributes(attr.NOSPLIT)
	s.SignatureExpr("func(dst *int8, x *float32, inv float32, n int)")
	dst := s.Load(s.Param("dst"), s.GP64())
	x := s.Load(s.Param("x"), s.GP64())
	n := s.Load(s.Param("n"), s.GP64())
	addr, err := s.Param("inv").Resolve()
	if err != nil {
		panic(err)
	}
	inv := s.bcast(addr.Addr)
	i := s.GP64()
	s.XORQ(i, i)
	s.Label("loop")
	s.CMPQ(i, n)
	s.JGE(operand.LabelRef("done"))
	v := s.mul(s.ld(operand.Mem{Base: x, Index: i, Scale: 4}), inv)
	s.VCVTPS2DQ(v, v)
	out := operand.Mem{Base: dst, Index: i, Scale: 1}
	if s.z {
		s.VPMOVDB(v, out)
	} else {
		s.VPACKSSDW(v, v, v)
		s.VPERMQ(operand.Imm(0x08), v, v)
		s.VPACKSSWB(v, v, v)
		s.VMOVQ(v.AsX(), out)
	}
	s.ADDQ(operand.Imm(uint64(s.w)), i)
	s.JMP(operand.LabelRef("loop"))
	s.Label("done")
	s.VZEROUPPER()
	s.RET()
}
