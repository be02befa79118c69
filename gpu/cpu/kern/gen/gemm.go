// SPDX-License-Identifier: Apache-2.0

//go:build kerngen

package gen

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Flags of the tile kernels.
const (
	flagLoad  = 1 // the chains go on from C
	flagCanon = 2 // store canonical NaN: the last block of k
	flagInts  = 4 // of int8: one group, C takes its int32 sums
)

func gemms(s isa) {
	tile(s)
	pack(s)
	packRows(s)
	peak(s)
}

func at(base reg.Register, disp int) operand.Mem { return operand.Mem{Base: base, Disp: disp} }

// iota holds the numbers 0, 1, 2 … of two vectors.
func (s isa) iota() operand.Mem {
	m, ok := consts[^uint32(0)]
	if !ok {
		m = s.StaticGlobal("iota")
		s.DataAttributes(attr.RODATA | attr.NOPTR)
		for i := range 2 * s.w {
			s.AddDatum(4*i, operand.U32(i))
		}
		consts[^uint32(0)] = m
	}
	return m
}

// colMasks returns the lanes of two vectors that lie below column count n.
func (s isa) colMasks(n reg.Register) [2]mask {
	iota := s.iota()
	cols := s.r()
	if s.z {
		s.VPBROADCASTD(n.(reg.GPVirtual).As32(), cols)
	} else {
		s.VMOVD(n.(reg.GPVirtual).As32(), cols.AsX())
		s.VPBROADCASTD(cols.AsX(), cols)
	}
	var m [2]mask
	for i := range m {
		lanes := s.ld(iota.Offset(4 * s.w * i))
		if s.z {
			k := s.K()
			s.VPCMPGTD(lanes, cols, k)
			m[i] = k
		} else {
			v := s.YMM()
			s.VPCMPGTD(lanes, cols, v)
			m[i] = v
		}
	}
	return m
}

func (s isa) loadMasked(p operand.Mem, m mask) vec {
	v := s.r()
	if s.z {
		s.VMOVUPS_Z(p, m, v)
	} else {
		s.VMASKMOVPS(p, m, v)
	}
	return v
}

func (s isa) storeMasked(v vec, m mask, p operand.Mem) {
	if s.z {
		s.VMOVUPS(v, m, p)
	} else {
		s.VMASKMOVPS(v, m, p)
	}
}

// tile writes the GEMM kernel: mr rows of packed A (k-major, mr wide) times a
// panel of packed B (k-major, two vectors wide), one chain per element.
func tile(s isa) {
	rows := map[bool]int{true: 12, false: 6}[s.z]
	s.Function("gemm" + s.suffix)
	s.Attributes(attr.NOSPLIT)
	s.SignatureExpr("func(mr, kc int, a, b, c *float32, ldc, cols, flags int)")
	mr := s.Load(s.Param("mr"), s.GP64())
	kc := s.Load(s.Param("kc"), s.GP64())
	a := s.Load(s.Param("a"), s.GP64())
	b := s.Load(s.Param("b"), s.GP64())
	c := s.Load(s.Param("c"), s.GP64())
	ldc := s.Load(s.Param("ldc"), s.GP64())
	cols := s.Load(s.Param("cols"), s.GP64())
	flags := s.Load(s.Param("flags"), s.GP64())
	s.SHLQ(operand.Imm(2), ldc)
	for r := rows; r > 1; r-- {
		s.CMPQ(mr, operand.Imm(uint64(r)))
		s.JEQ(operand.LabelRef(fmt.Sprintf("rows%d", r)))
	}
	for r := 1; r <= rows; r++ {
		s.tileRows(r, kc, a, b, c, ldc, cols, flags)
	}
}

func (s isa) tileRows(r int, kc, a, b, c, ldc, cols, flags reg.Register) {
	ref := func(name string) operand.LabelRef { return operand.LabelRef(fmt.Sprintf("%s%d", name, r)) }
	s.Label(string(ref("rows")))
	acc := make([][2]vec, r)
	for i := range acc {
		acc[i] = [2]vec{s.zero(), s.zero()}
	}
	row := reg.R11
	s.IMUL3Q(operand.Imm(uint64(r)), ldc, row)
	s.ADDQ(c, row)
	for range acc { // the tile below in C, which the next call writes; a prefetch never faults
		s.prefetchw(0)
		s.prefetchw(8*s.w - 4)
		s.ADDQ(ldc, row)
	}
	s.TESTQ(operand.U32(flagLoad), flags)
	s.JEQ(ref("start"))
	s.MOVQ(c, row)
	m := s.colMasks(cols)
	for i := range acc {
		for j := range 2 {
			s.VMOVUPS(s.loadMasked(at(row, 4*s.w*j), m[j]), acc[i][j])
		}
		s.ADDQ(ldc, row)
	}
	s.Label(string(ref("start")))
	step := func(off int) {
		b0, b1 := s.ld(at(b, 8*s.w*off)), s.ld(at(b, 8*s.w*off+4*s.w))
		for i := range acc {
			x := s.bcast(at(a, 4*(off*r+i)))
			s.VFMADD231PS(b0, x, acc[i][0])
			s.VFMADD231PS(b1, x, acc[i][1])
		}
	}
	s.repeat(kc, unroll, ref("loop"), func(n int) {
		for off := range n {
			step(off)
		}
		s.ADDQ(operand.U32(8*s.w*n), b)
		s.ADDQ(operand.U32(4*r*n), a)
	})
	s.TESTQ(operand.U32(flagCanon), flags)
	s.JEQ(ref("store"))
	for i := range acc {
		s.canon(acc[i][0])
		s.canon(acc[i][1])
	}
	s.Label(string(ref("store")))
	m = s.colMasks(cols)
	for i := range acc {
		for j := range 2 {
			s.storeMasked(acc[i][j], m[j], at(c, 4*s.w*j))
		}
		s.ADDQ(ldc, c)
	}
	s.VZEROUPPER()
	s.RET()
}

// unroll is how many terms share the counting, whose instructions compete with the
// multiply-adds for execution ports.
const unroll = 4

// repeat runs body(u) ⌊n/u⌋ times, then body(1) for the rest. n ≥ 1 is used up.
func (s isa) repeat(n reg.Register, u int, label operand.LabelRef, body func(u int)) {
	rest, done := label+"rest", label+"done"
	s.SUBQ(operand.Imm(uint64(u)), n)
	s.JLT(rest)
	s.align(64)
	s.Label(string(label))
	body(u)
	s.SUBQ(operand.Imm(uint64(u)), n)
	s.JGE(label)
	s.Label(string(rest))
	s.ADDQ(operand.Imm(uint64(u)), n)
	s.JEQ(done)
	s.Label(string(rest + "loop"))
	body(1)
	s.DECQ(n)
	s.JNE(rest + "loop")
	s.Label(string(done))
}

// pack writes the block transposition: for each of n blocks of w words it
// reads w words from each of w rows and writes w vectors, ldd words apart.
// Vectors may overlap the ones before them; they are written in order.
func pack(s isa) {
	s.Function("pack" + s.suffix)
	s.Attributes(attr.NOSPLIT)
	s.SignatureExpr(fmt.Sprintf("func(dst *float32, ldd int, rows *[%d]*float32, n int)", s.w))
	dst := s.Load(s.Param("dst"), s.GP64())
	ldd := s.Load(s.Param("ldd"), s.GP64())
	rows := s.Load(s.Param("rows"), s.GP64())
	n := s.Load(s.Param("n"), s.GP64())
	s.SHLQ(operand.Imm(2), ldd)
	off := s.GP64()
	s.XORQ(off, off)
	s.Label("loop")
	s.TESTQ(n, n)
	s.JEQ(operand.LabelRef("done"))
	x := make([]vec, s.w)
	for i := range x {
		p := s.GP64()
		s.MOVQ(at(rows, 8*i), p)
		x[i] = s.ld(operand.Mem{Base: p, Index: off, Scale: 1})
	}
	for _, v := range s.transpose(x) {
		s.VMOVUPS(v, at(dst, 0))
		s.ADDQ(ldd, dst)
	}
	s.ADDQ(operand.Imm(uint64(4*s.w)), off)
	s.DECQ(n)
	s.JMP(operand.LabelRef("loop"))
	s.Label("done")
	s.VZEROUPPER()
	s.RET()
}

// packRows writes the copy of n rows, ld words apart, to rows ldd words apart: of one
// panel of at most two vectors, or of several panels side by side of at most one,
// which go stride words apart. Whole vectors are stored, row after row.
func packRows(s isa) {
	s.Function("packRows" + s.suffix)
	s.Attributes(attr.NOSPLIT)
	s.SignatureExpr("func(dst *float32, ldd int, src *float32, ld, rows, n, panels, stride int)")
	load := func(name string, shift uint64) reg.GPVirtual {
		v := s.GP64()
		s.Load(s.Param(name), v)
		if shift > 0 {
			s.SHLQ(operand.Imm(shift), v)
		}
		return v
	}
	dst, ldd, src, ld, n := load("dst", 0), load("ldd", 2), load("src", 0), load("ld", 2), load("n", 0)
	rows, panels, stride := load("rows", 0), load("panels", 0), load("stride", 2)
	m := s.colMasks(rows)
	s.CMPQ(rows, operand.Imm(uint64(s.w)))
	s.JGT(operand.LabelRef("wide"))
	s.SHLQ(operand.Imm(2), rows)
	from, to, left := s.GP64(), s.GP64(), s.GP64()
	s.Label("narrow")
	s.MOVQ(src, from)
	s.MOVQ(dst, to)
	s.MOVQ(panels, left)
	s.Label("panel")
	s.VMOVUPS(s.loadMasked(at(from, 0), m[0]), at(to, 0))
	s.ADDQ(rows, from)
	s.ADDQ(stride, to)
	s.DECQ(left)
	s.JNE(operand.LabelRef("panel"))
	s.ADDQ(ld, src)
	s.ADDQ(ldd, dst)
	s.DECQ(n)
	s.JNE(operand.LabelRef("narrow"))
	s.VZEROUPPER()
	s.RET()
	s.Label("wide")
	for j := range 2 {
		s.VMOVUPS(s.loadMasked(at(src, 4*s.w*j), m[j]), at(dst, 4*s.w*j))
	}
	s.ADDQ(ld, src)
	s.ADDQ(ldd, dst)
	s.DECQ(n)
	s.JNE(operand.LabelRef("wide"))
	s.VZEROUPPER()
	s.RET()
}

// transpose turns w rows of w words into columns.
func (s isa) transpose(x []vec) []vec {
	lo := func(a, b vec) vec { return s.op(s.VUNPCKLPS, a, b) }
	hi := func(a, b vec) vec { return s.op(s.VUNPCKHPS, a, b) }
	lod := func(a, b vec) vec { return s.op(s.VUNPCKLPD, a, b) }
	hid := func(a, b vec) vec { return s.op(s.VUNPCKHPD, a, b) }
	q := make([]vec, len(x)) // q[4g+j]: in each 128-bit lane L the words 4L+j of rows 4g … 4g+3
	for g := 0; g < len(x); g += 4 {
		a, b := lo(x[g], x[g+1]), hi(x[g], x[g+1])
		c, d := lo(x[g+2], x[g+3]), hi(x[g+2], x[g+3])
		q[g], q[g+1], q[g+2], q[g+3] = lod(a, c), hid(a, c), lod(b, d), hid(b, d)
	}
	y := make([]vec, len(x))
	if !s.z {
		for j := range 4 {
			y[j], y[4+j] = s.YMM(), s.YMM()
			s.VPERM2F128(operand.Imm(0x20), q[4+j], q[j], y[j])
			s.VPERM2F128(operand.Imm(0x31), q[4+j], q[j], y[4+j])
		}
		return y
	}
	shuf := func(a, b vec, i uint8) vec {
		v := s.ZMM()
		s.VSHUFF32X4(operand.U8(i), b, a, v)
		return v
	}
	for j := range 4 {
		a, b := shuf(q[j], q[4+j], 0x88), shuf(q[j], q[4+j], 0xdd)       // lanes 0 2, lanes 1 3 of rows 0–7
		c, d := shuf(q[8+j], q[12+j], 0x88), shuf(q[8+j], q[12+j], 0xdd) // of rows 8–15
		y[j], y[8+j] = shuf(a, c, 0x88), shuf(a, c, 0xdd)
		y[4+j], y[12+j] = shuf(b, d, 0x88), shuf(b, d, 0xdd)
	}
	return y
}

// peak writes the register-only loop that measures what the FMA units can do.
func peak(s isa) {
	s.Function("peak" + s.suffix)
	s.Attributes(attr.NOSPLIT)
	s.SignatureExpr("func(n int)")
	n := s.Load(s.Param("n"), s.GP64())
	x := s.zero()
	acc := make([]vec, 12)
	for i := range acc {
		acc[i] = s.zero()
	}
	s.Label("loop")
	for i := range acc {
		s.VFMADD231PS(x, x, acc[i])
	}
	s.DECQ(n)
	s.JNE(operand.LabelRef("loop"))
	s.VZEROUPPER()
	s.RET()
}
