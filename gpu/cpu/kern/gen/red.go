// SPDX-License-Identifier: Apache-2.0

//go:build kerngen

package gen

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
)

// reds writes the reductions red/1 of up to 4,096 values (FX-04): whole blocks
// of 32 from x, then one block from tail in which absent values are the neutral
// element, then the tree over the lanes.
func reds(s isa) {
	add := func(s isa, a, b vec) vec { return s.add(a, b) }
	max := func(s isa, a, b vec) vec { return s.max(a, b) }
	sq := func(s isa, a, b vec) vec { return s.fma(b, b, a) }
	s.red("Sum", 0, add, add)
	s.red("SumSq", 0, sq, add)
	s.red("Max", 0xff800000, max, max)
	s.red("AbsMax", 0, func(s isa, a, b vec) vec { return s.max(a, s.and(b, s.c(0x7fffffff))) }, max)
}

func (s isa) red(name string, neutral uint32, step, join func(s isa, a, b vec) vec) {
	s.Function("red" + name + s.suffix)
	s.Attributes(attr.NOSPLIT)
	s.SignatureExpr("func(x *float32, blocks int, tail *float32) float32")
	x := s.Load(s.Param("x"), s.GP64())
	blocks := s.Load(s.Param("blocks"), s.GP64())
	tail := s.Load(s.Param("tail"), s.GP64())
	lane := make([]vec, 32/s.w)
	for i := range lane {
		lane[i] = s.cv(neutral)
	}
	s.Label("loop")
	s.TESTQ(blocks, blocks)
	s.JEQ(operand.LabelRef("tail"))
	for i := range lane {
		s.VMOVUPS(step(s, lane[i], s.ld(at(x, 4*s.w*i))), lane[i])
	}
	s.ADDQ(operand.Imm(128), x)
	s.DECQ(blocks)
	s.JMP(operand.LabelRef("loop"))
	s.Label("tail")
	for i := range lane {
		s.VMOVUPS(step(s, lane[i], s.ld(at(tail, 4*s.w*i))), lane[i])
	}
	for n := len(lane) / 2; n > 0; n /= 2 {
		for i := range n {
			s.VMOVUPS(join(s, lane[i], lane[i+n]), lane[i])
		}
	}
	v, y := lane[0], isa{s.Context, false, 8, ""}
	if s.z {
		u := s.YMM()
		s.VEXTRACTF64X4(operand.Imm(1), v, u)
		v = join(y, v.AsY().(vec), u)
	}
	h := s.XMM()
	s.VEXTRACTF128(operand.Imm(1), v, h)
	v = join(y, v, h.AsY().(vec))
	for _, order := range []uint64{0x4e, 0xb1} {
		h := s.YMM()
		s.VPERMILPS(operand.Imm(order), v, h)
		v = join(y, v, h)
	}
	y.canon(v)
	s.Store(v.AsX(), s.ReturnIndex(0))
	s.VZEROUPPER()
	s.RET()
}
