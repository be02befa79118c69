// SPDX-License-Identifier: Apache-2.0

//go:build kerngen

package gen

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// fewRows is how many rows of A the kernels of few rows take.
const fewRows = 4

// fews writes the kernels of products with few rows: they read B once, where it
// lies, a vector's width of its rows at a time.
func fews(s isa) {
	s.fewF32()
	s.fewTurned()
	s.fewI8()
}

// rowsOf addresses one vector's width of rows that stand ld bytes apart.
type rowsOf struct {
	base   []reg.GPVirtual // of every fourth row
	ld, l3 reg.GPVirtual   // once and three times
}

func (s isa) rowsOf(b, ld reg.GPVirtual) rowsOf {
	r := rowsOf{base: []reg.GPVirtual{b}, ld: ld, l3: s.GP64()}
	s.LEAQ(operand.Mem{Base: ld, Index: ld, Scale: 2}, r.l3)
	for i := 4; i < s.w; i += 4 {
		p := s.GP64()
		s.LEAQ(operand.Mem{Base: r.base[len(r.base)-1], Index: ld, Scale: 4}, p)
		r.base = append(r.base, p)
	}
	return r
}

// at is byte disp of row i.
func (r rowsOf) at(i, disp int) operand.Mem {
	m := operand.Mem{Base: r.base[i/4], Disp: disp}
	switch i % 4 {
	case 1, 2:
		m.Index, m.Scale = r.ld, uint8(i%4)
	case 3:
		m.Index, m.Scale = r.l3, 1
	}
	return m
}

func (s isa) step(r rowsOf, bytes int) {
	for _, p := range r.base {
		s.ADDQ(operand.U32(bytes), p)
	}
}

// ahead asks for bytes of each row at distance next, to the second-level cache; a
// prefetch never faults.
func (s isa) ahead(r rowsOf, next reg.Register, bytes int) {
	for _, base := range r.base {
		p := s.GP64()
		s.LEAQ(operand.Mem{Base: base, Index: next, Scale: 1}, p)
		q := rowsOf{[]reg.GPVirtual{p}, r.ld, r.l3}
		for i := range 4 {
			for o := 0; o < bytes; o += 64 {
				s.PREFETCHT1(q.at(i, o))
			}
		}
	}
}

// fewF32 writes m rows of A times a vector's width of rows of B: blocks of w terms
// of each are turned in registers, so that lanes are columns of C and each adds its
// terms in order. Rows of A, B and C are lda, ldb and ldc floats apart. What stands
// next floats behind is asked for, to the second-level cache; that never faults.
func (s isa) fewF32() {
	s.Function("few" + s.suffix)
	s.Attributes(attr.NOSPLIT)
	s.SignatureExpr("func(m, blocks int, a *float32, lda int, b *float32, ldb int, c *float32, ldc, flags, next int)")
	get := func(name string) reg.GPVirtual { return s.Load(s.Param(name), s.GP64()).(reg.GPVirtual) }
	m, n, a, lda, b, ldb, next := get("m"), get("blocks"), get("a"), get("lda"), get("b"), get("ldb"), get("next")
	s.SHLQ(operand.Imm(2), next)
	s.SHLQ(operand.Imm(2), lda)
	s.SHLQ(operand.Imm(2), ldb)
	rows := s.rowsOf(b, ldb)
	for i := fewRows; i > 1; i-- {
		s.CMPQ(m, operand.Imm(uint64(i)))
		s.JEQ(operand.LabelRef(fmt.Sprintf("rows%d", i)))
	}
	lda3 := s.GP64()
	for i := 1; i <= fewRows; i++ {
		s.Label(fmt.Sprintf("rows%d", i))
		if i == 4 {
			s.LEAQ(operand.Mem{Base: lda, Index: lda, Scale: 2}, lda3)
		}
		s.fewF32Rows(i, n, rowsOf{[]reg.GPVirtual{a}, lda, lda3}, rows, next)
	}
}

func (s isa) fewF32Rows(m int, n reg.Register, a, b rowsOf, next reg.Register) {
	ref := func(name string) operand.LabelRef { return operand.LabelRef(fmt.Sprintf("%s%d", name, m)) }
	get := func(name string) reg.Register { return s.Load(s.Param(name), s.GP64()) }
	acc := make([]vec, m)
	for i := range acc {
		acc[i] = s.zero()
	}
	s.onFlag(flagLoad, ref("loop"), func() {
		c, ldc := get("c"), get("ldc")
		for i := range acc {
			s.VMOVUPS(at(c, 0), acc[i])
			if i+1 < m {
				s.LEAQ(operand.Mem{Base: c, Index: ldc, Scale: 4}, c)
			}
		}
	})
	s.Label(string(ref("loop")))
	s.ahead(b, next, 4*s.w)
	x := make([]vec, s.w)
	for i := range x {
		x[i] = s.ld(b.at(i, 0))
	}
	for k, v := range s.transpose(x) {
		for i := range acc {
			if s.z {
				s.VFMADD231PS_BCST(a.at(i, 4*k), v, acc[i])
			} else {
				s.VFMADD231PS(s.bcast(a.at(i, 4*k)), v, acc[i])
			}
		}
	}
	s.step(a, 4*s.w)
	s.step(b, 4*s.w)
	s.DECQ(n)
	s.JNE(ref("loop"))
	s.onFlag(flagCanon, ref("store"), func() {
		for i := range acc {
			s.canon(acc[i])
		}
	})
	s.Label(string(ref("store")))
	c, ldc := get("c"), get("ldc")
	for i := range acc {
		s.VMOVUPS(acc[i], at(c, 0))
		if i+1 < m {
			s.LEAQ(operand.Mem{Base: c, Index: ldc, Scale: 4}, c)
		}
	}
	s.VZEROUPPER()
	s.RET()
}

// fewVectors is how many vectors of columns of C the kernel of turned B takes at once:
// as many chains as hide the time of one multiply-add.
const fewVectors = 4

// fewTurned writes m rows of A times B that lies along its rows, one term every ldb
// floats: lanes are columns of C as B has them. It takes one vector of columns, or 4, with
// AVX2 for two rows at most.
func (s isa) fewTurned() {
	s.Function("fewTurned" + s.suffix)
	s.Attributes(attr.NOSPLIT)
	s.SignatureExpr("func(m, vectors, k int, a *float32, lda int, b *float32, ldb int, c *float32, ldc int)")
	get := func(name string) reg.GPVirtual { return s.Load(s.Param(name), s.GP64()).(reg.GPVirtual) }
	m, vectors, k, a, lda, b, ldb := get("m"), get("vectors"), get("k"), get("a"), get("lda"), get("b"), get("ldb")
	c, ldc := get("c"), get("ldc")
	s.SHLQ(operand.Imm(2), lda)
	s.SHLQ(operand.Imm(2), ldb)
	lda3 := s.GP64()
	s.LEAQ(operand.Mem{Base: lda, Index: lda, Scale: 2}, lda3)
	rows := rowsOf{[]reg.GPVirtual{a}, lda, lda3}
	s.CMPQ(vectors, operand.Imm(1))
	s.JEQ(operand.LabelRef("one"))
	for _, v := range []int{fewVectors, 1} {
		if v == 1 {
			s.Label("one")
		}
		most := fewRows
		if !s.z && v > 1 {
			most = 2 // 8 sums in 16 registers
		}
		for i := most; i > 1; i-- {
			s.CMPQ(m, operand.Imm(uint64(i)))
			s.JEQ(operand.LabelRef(fmt.Sprintf("rows%dx%d", i, v)))
		}
		for i := 1; i <= most; i++ {
			s.fewTurnedRows(i, v, k, rows, b, ldb, c, ldc)
		}
	}
}

func (s isa) fewTurnedRows(m, vectors int, k reg.Register, a rowsOf, b, ldb, c, ldc reg.Register) {
	name := fmt.Sprintf("%dx%d", m, vectors)
	s.Label("rows" + name)
	acc := make([][]vec, m)
	for i := range acc {
		for range vectors {
			acc[i] = append(acc[i], s.zero())
		}
	}
	s.Label("loop" + name)
	for o := 0; o < 4*s.w*vectors; o += 64 { // the terms after the next seven
		s.PREFETCHT0(operand.Mem{Base: b, Index: ldb, Scale: 8, Disp: o})
	}
	x := make([]vec, vectors)
	for j := range x {
		x[j] = s.ld(at(b, 4*s.w*j))
	}
	for i := range acc {
		y := s.bcast(a.at(i, 0))
		for j := range x {
			s.VFMADD231PS(x[j], y, acc[i][j])
		}
	}
	s.ADDQ(operand.Imm(4), a.base[0])
	s.ADDQ(ldb, b)
	s.DECQ(k)
	s.JNE(operand.LabelRef("loop" + name))
	for i := range acc {
		for j := range x {
			s.canon(acc[i][j])
			s.VMOVUPS(acc[i][j], at(c, 4*s.w*j))
		}
		if i+1 < m {
			s.LEAQ(operand.Mem{Base: c, Index: ldc, Scale: 4}, c)
		}
	}
	s.VZEROUPPER()
	s.RET()
}

// onFlag runs body if the flag is set, else goes to the label.
func (s isa) onFlag(flag uint32, no operand.LabelRef, body func()) {
	s.TESTQ(operand.U32(flag), s.Load(s.Param("flags"), s.GP64()))
	s.JEQ(no)
	body()
}

// groupI8 is how many codes share a scale in the kernel of few rows.
const groupI8 = 128

// fewI8 writes one row of codes times a vector's width of rows of B, in whole groups
// of 128 codes: sums of products row by row, then lanes are rows and go on with the
// chain of floats. With AVX-512 the codes of B are made unsigned by adding 128, and
// corr holds −128·(sum of the group of x). With AVX2 x has codes of 16 bits, those of
// B are widened, and corr is not read. sb has the scales of the rows for each group. What stands next
// bytes behind is asked for.
func (s isa) fewI8() {
	s.Function("fewI8" + s.suffix)
	s.Attributes(attr.NOSPLIT)
	s.SignatureExpr("func(groups int, x, b *int8, ldb int, corr *int32, sx, sb, c *float32, flags, next int)")
	get := func(name string) reg.GPVirtual { return s.Load(s.Param(name), s.GP64()).(reg.GPVirtual) }
	n, x, b, ldb, next := get("groups"), get("x"), get("b"), get("ldb"), get("next")
	corr, sx, sb, c := get("corr"), get("sx"), get("sb"), get("c")
	rows := s.rowsOf(b, ldb)
	acc := s.zero()
	s.onFlag(flagLoad, "loop", func() { s.VMOVUPS(at(c, 0), acc) })
	s.Label("loop")
	s.ahead(rows, next, groupI8)
	var dot vec
	if s.z {
		dot = s.dotsVNNI(x, rows)
		t := s.ZMM()
		s.VPBROADCASTD(at(corr, 0), t)
		s.VPADDD(t, dot, dot)
		s.ADDQ(operand.U32(groupI8), x)
		s.ADDQ(operand.Imm(4), corr)
	} else {
		dot = s.dotsWide(x, rows)
		s.ADDQ(operand.U32(2*groupI8), x)
	}
	s.VCVTDQ2PS(dot, dot)
	s.VFMADD231PS(s.mul(s.bcast(at(sx, 0)), s.ld(at(sb, 0))), dot, acc)
	s.ADDQ(operand.Imm(4), sx)
	s.ADDQ(operand.Imm(uint64(4*s.w)), sb)
	for _, p := range rows.base {
		s.ADDQ(operand.U32(groupI8), p)
	}
	s.DECQ(n)
	s.JNE(operand.LabelRef("loop"))
	s.onFlag(flagCanon, "store", func() { s.canon(acc) })
	s.Label("store")
	s.VMOVUPS(acc, at(c, 0))
	s.VZEROUPPER()
	s.RET()
}

// dotsVNNI returns the sums of a group for 16 rows.
func (s isa) dotsVNNI(x reg.Register, b rowsOf) vec {
	join := func(lo, hi func(...operand.Op), a, b vec) vec { return s.iadd(s.op(lo, a, b), s.op(hi, a, b)) }
	shuf := func(a, b vec) vec {
		lo, hi := s.ZMM(), s.ZMM()
		s.VSHUFI32X4(operand.U8(0x88), b, a, lo)
		s.VSHUFI32X4(operand.U8(0xdd), b, a, hi)
		return s.iadd(lo, hi)
	}
	high, v := s.cv(0x80808080), [2]vec{s.ld(at(x, 0)), s.ld(at(x, 64))}
	var four [4]vec // in each 128-bit lane a part of the sums of rows 4i … 4i+3
	for i := range four {
		var d [4]vec
		for r := range d {
			d[r] = s.zero()
			for j := range v {
				s.dot4(s.xor(high, b.at(4*i+r, 64*j)), v[j], d[r])
			}
		}
		four[i] = join(s.VPUNPCKLQDQ, s.VPUNPCKHQDQ, join(s.VPUNPCKLDQ, s.VPUNPCKHDQ, d[0], d[1]), join(s.VPUNPCKLDQ, s.VPUNPCKHDQ, d[2], d[3]))
	}
	return shuf(shuf(four[0], four[1]), shuf(four[2], four[3]))
}

// dotsWide returns the sums of a group for 8 rows.
func (s isa) dotsWide(x reg.Register, b rowsOf) vec {
	hadd := func(a, b vec) vec { return s.op(func(o ...operand.Op) { s.VPHADDD(o[0], o[1], o[2]) }, a, b) }
	var four [2]vec // in each 128-bit lane a part of the sums of rows 4i … 4i+3
	for i := range four {
		var d [4]vec
		for r := range d {
			for j := 0; j < groupI8; j += 16 {
				t := s.YMM()
				s.VPMOVSXBW(b.at(4*i+r, j), t)
				s.VPMADDWD(at(x, 2*j), t, t)
				if j == 0 {
					d[r] = t
				} else {
					s.VPADDD(t, d[r], d[r])
				}
			}
		}
		four[i] = hadd(hadd(d[0], d[1]), hadd(d[2], d[3]))
	}
	lo, hi := s.YMM(), s.YMM()
	s.VPERM2F128(operand.Imm(0x20), four[1], four[0], lo)
	s.VPERM2F128(operand.Imm(0x31), four[1], four[0], hi)
	return s.iadd(lo, hi)
}
