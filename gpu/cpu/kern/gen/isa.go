// SPDX-License-Identifier: Apache-2.0

//go:build kerngen

package gen

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

type vec = reg.VecVirtual

// mask is an opmask register (AVX-512) or a vector of all-ones lanes (AVX2).
type mask = reg.Register

// isa writes instructions of one vector width. Every method that returns a
// vector returns a new register.
type isa struct {
	*build.Context
	z      bool // AVX-512
	w      int  // lanes of 32 bits
	suffix string
}

func both(c *build.Context) []isa {
	return []isa{{c, true, 16, "AVX512"}, {c, false, 8, "AVX2"}}
}

func (s isa) r() vec {
	if s.z {
		return s.ZMM()
	}
	return s.YMM()
}

// Predicates of VCMPPS, quiet.
const (
	eq  = operand.U8(0x00)
	uno = operand.U8(0x03)
	lt  = operand.U8(0x11)
	nge = operand.U8(0x19) // not ≥, or NaN
	ge  = operand.U8(0x1d)
	gt  = operand.U8(0x1e)
	nle = operand.U8(0x16) // not ≤, or NaN
)

// consts holds the constants used so far, each repeated over 64 bytes.
var consts = map[uint32]operand.Mem{}

func (s isa) c(bits uint32) operand.Mem {
	m, ok := consts[bits]
	if !ok {
		m = s.StaticGlobal(fmt.Sprintf("c%08x", bits))
		s.DataAttributes(attr.RODATA | attr.NOPTR)
		for i := range 8 {
			s.AddDatum(8*i, operand.U64(uint64(bits)<<32|uint64(bits)))
		}
		consts[bits] = m
	}
	return m
}

func (s isa) cv(bits uint32) vec { return s.ld(s.c(bits)) }

func (s isa) ld(m operand.Op) vec {
	v := s.r()
	s.VMOVUPS(m, v)
	return v
}

func (s isa) zero() vec {
	v := s.r()
	if s.z {
		s.VPXORD(v, v, v)
	} else {
		s.VXORPS(v, v, v)
	}
	return v
}

// op applies f(b, a, dst) into a new register: a and b in mathematical order.
func (s isa) op(f func(...operand.Op), a, b operand.Op) vec {
	v := s.r()
	f(b, a, v)
	return v
}

func (s isa) add(a, b operand.Op) vec { return s.op(s.VADDPS, a, b) }
func (s isa) sub(a, b operand.Op) vec { return s.op(s.VSUBPS, a, b) }
func (s isa) mul(a, b operand.Op) vec { return s.op(s.VMULPS, a, b) }
func (s isa) div(a, b operand.Op) vec { return s.op(s.VDIVPS, a, b) }

func (s isa) iadd(a, b operand.Op) vec { return s.op(s.VPADDD, a, b) }
func (s isa) isub(a, b operand.Op) vec { return s.op(s.VPSUBD, a, b) }

func (s isa) sqrt(a operand.Op) vec {
	v := s.r()
	s.VSQRTPS(a, v)
	return v
}

// fma returns a·b+c. fnma returns −(a·b)+c.
func (s isa) fma(a, b, c operand.Op) vec {
	v := s.ld(c)
	s.VFMADD231PS(b, a, v)
	return v
}

func (s isa) fnma(a, b, c operand.Op) vec {
	v := s.ld(c)
	s.VFNMADD231PS(b, a, v)
	return v
}

// horner returns (…(c0·x+c1)·x+…)+cn.
func (s isa) horner(x vec, c ...uint32) vec {
	p := s.cv(c[0])
	for _, b := range c[1:] {
		s.VFMADD213PS(s.c(b), x, p)
	}
	return p
}

func (s isa) and(a, b operand.Op) vec {
	if s.z {
		return s.op(s.VPANDD, a, b)
	}
	return s.op(func(o ...operand.Op) { s.VPAND(o[0], o[1], o[2]) }, a, b)
}

func (s isa) or(a, b operand.Op) vec {
	if s.z {
		return s.op(s.VPORD, a, b)
	}
	return s.op(func(o ...operand.Op) { s.VPOR(o[0], o[1], o[2]) }, a, b)
}

func (s isa) xor(a, b operand.Op) vec {
	if s.z {
		return s.op(s.VPXORD, a, b)
	}
	return s.op(func(o ...operand.Op) { s.VPXOR(o[0], o[1], o[2]) }, a, b)
}

func (s isa) neg(a operand.Op) vec { return s.xor(a, s.c(0x80000000)) }

// shift applies an immediate shift: VPSLLD, VPSRLD or VPSRAD.
func (s isa) shift(f func(...operand.Op), n uint8, a operand.Op) vec {
	v := s.r()
	f(operand.U8(n), a, v)
	return v
}

// cmp returns the lanes where a pred b.
func (s isa) cmp(pred operand.U8, a, b operand.Op) mask {
	var m mask
	if s.z {
		m = s.K()
	} else {
		m = s.YMM()
	}
	s.VCMPPS(pred, b, a, m)
	return m
}

// blend returns yes where m, else no.
func (s isa) blend(m mask, no, yes operand.Op) vec {
	if s.z {
		v := s.ld(no)
		s.VMOVUPS(yes, m, v)
		return v
	}
	v := s.r()
	s.VBLENDVPS(m, yes, no, v)
	return v
}

// masked returns a where m, else +0.
func (s isa) masked(m mask, a operand.Op) vec {
	if s.z {
		v := s.r()
		s.VMOVUPS_Z(a, m, v)
		return v
	}
	return s.and(m, a)
}

// canon replaces each NaN by the canonical one, in place.
func (s isa) canon(v vec) {
	m := s.cmp(uno, v, v)
	if s.z {
		s.VMOVUPS(s.c(0x7fc00000), m, v)
		return
	}
	s.VBLENDVPS(m, s.c(0x7fc00000), v, v)
}

// float converts int32 lanes, to nearest even.
func (s isa) float(a operand.Op) vec {
	v := s.r()
	s.VCVTDQ2PS(a, v)
	return v
}

// bcast loads one 32-bit word into every lane.
func (s isa) bcast(m operand.Op) vec {
	v := s.r()
	s.VBROADCASTSS(m, v)
	return v
}

// dot4 adds to acc the four products of unsigned bytes a and signed bytes b of
// each lane (AVX-512 VNNI), which the assembler library does not know.
func (s isa) dot4(a, b operand.Op, acc vec) {
	s.Instruction(&ir.Instruction{Opcode: "VPDPBUSD", Operands: []operand.Op{b, a, acc},
		Inputs: []operand.Op{b, a, acc}, Outputs: []operand.Op{acc}, ISA: []string{"AVX512VNNI"}})
}

// prefetchw fetches the line at R11 plus less than 128 bytes for writing; the assembler
// does not know PREFETCHW, and processors without it skip it.
func (s isa) prefetchw(disp int) {
	for _, b := range []int{0x41, 0x0f, 0x0d, 0x4b, disp} {
		s.Instruction(&ir.Instruction{Opcode: "BYTE", Operands: []operand.Op{operand.U8(b)}})
	}
}

// align makes the next instruction start at a multiple of n bytes.
func (s isa) align(n uint64) {
	s.Instruction(&ir.Instruction{Opcode: "PCALIGN", Operands: []operand.Op{operand.Imm(n)}})
}
