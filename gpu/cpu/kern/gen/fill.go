// SPDX-License-Identifier: Apache-2.0

//go:build kerngen

package gen

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
)

// Philox4x32-10 (FX-06).
const (
	philoxM0, philoxM1 = 0xd2511f53, 0xcd9e8d57
	philoxW0, philoxW1 = 0x9e3779b9, 0xbb67ae85
)

// fills writes the generator: each lane has one counter. It makes n vectors of
// counters, args[0] + lane upwards, whose other words are args[1] … args[3], under
// the key args[4], args[5], applies Philox times to each, and stores the four words
// of each counter one after the other. The low word must not wrap on the way.
func fills(s isa) {
	s.Function("philox" + s.suffix)
	s.Attributes(attr.NOSPLIT)
	s.SignatureExpr("func(dst *uint32, n, times int, args *[6]uint32)")
	dst := s.Load(s.Param("dst"), s.GP64())
	n := s.Load(s.Param("n"), s.GP64())
	args := s.Load(s.Param("args"), s.GP64())
	low := s.iadd(s.bcast(at(args, 0)), s.iota())
	even := s.K()
	if s.z {
		x := s.GP32()
		s.MOVL(operand.U32(0x5555), x)
		s.KMOVW(x, even)
	}
	// mulhilo returns both halves of the products of all lanes.
	mulhilo := func(a vec, m uint32) (hi, lo vec) {
		k := s.c(m)
		p := s.op(s.VPMULUDQ, a, k)
		q := s.op(s.VPMULUDQ, s.shift(s.VPSRLQ, 32, a), k)
		if s.z { // words 0, 2, 4 … from p, the others from q
			hi, lo = q, s.shift(s.VPSLLQ, 32, q)
			s.VMOVDQA32(s.shift(s.VPSRLQ, 32, p), even, hi)
			s.VMOVDQA32(p, even, lo)
			return hi, lo
		}
		hi, lo = s.YMM(), s.YMM()
		s.VPBLENDD(operand.Imm(0xaa), q, s.shift(s.VPSRLQ, 32, p), hi)
		s.VPBLENDD(operand.Imm(0xaa), s.shift(s.VPSLLQ, 32, q), p, lo)
		return hi, lo
	}
	s.Label("loop")
	s.TESTQ(n, n)
	s.JEQ(operand.LabelRef("done"))
	var c [4]vec
	c[0] = s.ld(low)
	for i := 1; i < 4; i++ {
		c[i] = s.bcast(at(args, 4*i))
	}
	times := s.Load(s.Param("times"), s.GP64())
	s.Label("again")
	k0, k1 := s.bcast(at(args, 16)), s.bcast(at(args, 20))
	rounds := s.GP64()
	s.MOVQ(operand.U32(10), rounds)
	s.Label("round")
	h0, l0 := mulhilo(c[0], philoxM0)
	h1, l1 := mulhilo(c[2], philoxM1)
	x0 := s.xor(s.xor(h1, c[1]), k0)
	x2 := s.xor(s.xor(h0, c[3]), k1)
	for i, v := range []vec{x0, l1, x2, l0} {
		s.VMOVUPS(v, c[i])
	}
	s.VPADDD(s.c(philoxW0), k0, k0)
	s.VPADDD(s.c(philoxW1), k1, k1)
	s.DECQ(rounds)
	s.JNE(operand.LabelRef("round"))
	s.DECQ(times)
	s.JNE(operand.LabelRef("again"))

	ab, cd := s.op(s.VUNPCKLPS, c[0], c[1]), s.op(s.VUNPCKLPS, c[2], c[3])
	ef, gh := s.op(s.VUNPCKHPS, c[0], c[1]), s.op(s.VUNPCKHPS, c[2], c[3])
	for j, v := range []vec{s.op(s.VUNPCKLPD, ab, cd), s.op(s.VUNPCKHPD, ab, cd), s.op(s.VUNPCKLPD, ef, gh), s.op(s.VUNPCKHPD, ef, gh)} {
		for lane := range s.w / 4 { // 128 bits: the words of counter 4·lane + j
			if s.z {
				s.VEXTRACTF32X4(operand.Imm(uint64(lane)), v, at(dst, 16*(4*lane+j)))
			} else {
				s.VEXTRACTF128(operand.Imm(uint64(lane)), v, at(dst, 16*(4*lane+j)))
			}
		}
	}
	s.VPADDD(s.c(uint32(s.w)), low, low)
	s.ADDQ(operand.U32(16*s.w), dst)
	s.DECQ(n)
	s.JMP(operand.LabelRef("loop"))
	s.Label("done")
	s.VZEROUPPER()
	s.RET()
}
