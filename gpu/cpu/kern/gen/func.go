// SPDX-License-Identifier: Apache-2.0

//go:build kerngen

package gen

import "github.com/mmcloughlin/avo/operand"

const (
	one = 0x3f800000
	inf = 0x7f800000
	nan = 0x7fc00000
)

// max is NaN if either is NaN, else b > a ? b : a (FX-04). The instruction
// returns its last operand for NaN and for equal zeros.
func (s isa) max(a, b operand.Op) vec {
	return s.blend(s.cmp(uno, b, b), s.op(s.VMAXPS, b, a), b)
}

func (s isa) min(a, b operand.Op) vec {
	return s.blend(s.cmp(uno, b, b), s.op(s.VMINPS, b, a), b)
}

// pow2 returns 2^n for int32 lanes n.
func (s isa) pow2(n vec) vec { return s.shift(s.VPSLLD, 23, s.iadd(n, s.c(127))) }

// exp follows FX-05 step by step; lanes outside the range are replaced.
func (s isa) exp(x vec) vec {
	t := s.fma(x, s.cv(0x3fb8aa3b), s.cv(0x4b400000))
	n := s.sub(t, s.c(0x4b400000))
	r := s.fma(n, s.cv(0xbf317200), x)
	r = s.fma(n, s.cv(0xb5bfbe8e), r)
	p := s.horner(r, 0x39506928, 0x3ab743cf, 0x3c088906, 0x3d2aa98c, 0x3e2aaac1, 0x3f000000)
	p = s.add(s.fma(p, s.mul(r, r), r), s.c(one))
	i := s.isub(t, s.c(0x4b400000)) // the low bits of t are the integer
	h := s.shift(s.VPSRAD, 1, i)
	y := s.mul(s.mul(p, s.pow2(h)), s.pow2(s.isub(i, h)))
	y = s.blend(s.cmp(gt, x, s.c(0x42b17218)), y, s.c(inf))
	return s.blend(s.cmp(lt, x, s.c(0xc2cff1b5)), y, s.zero())
}

func (s isa) log(x vec) vec {
	sub := s.cmp(lt, x, s.c(0x00800000))
	v := s.blend(sub, x, s.mul(x, s.c(0x4b800000)))
	e := s.isub(s.shift(s.VPSRLD, 23, v), s.blend(sub, s.cv(126), s.c(150)))
	m := s.or(s.and(v, s.c(0x007fffff)), s.c(0x3f000000))
	small := s.cmp(lt, m, s.c(0x3f3504f3))
	e = s.isub(e, s.masked(small, s.cv(1)))
	m = s.sub(s.blend(small, m, s.add(m, m)), s.c(one))
	z := s.mul(m, m)
	p := s.horner(m, 0x3d9021bb, 0xbdebd1b8, 0x3def251a, 0xbdfe5d4f, 0x3e11e9bf,
		0xbe2aae50, 0x3e4cceac, 0xbe7ffffc, 0x3eaaaaaa)
	ef := s.float(e)
	y := s.mul(s.mul(p, m), z)
	y = s.fma(ef, s.c(0xb95e8083), y)
	y = s.fma(z, s.c(0xbf000000), y)
	y = s.fma(ef, s.c(0x3f318000), s.add(m, y))
	y = s.blend(s.cmp(eq, x, s.zero()), y, s.c(0xff800000))
	y = s.blend(s.cmp(eq, x, s.c(inf)), y, x)
	return s.blend(s.cmp(nge, x, s.zero()), y, s.c(nan))
}

func (s isa) tanh(x vec) vec {
	a := s.and(x, s.c(0x7fffffff))
	two := s.add(s.exp(s.add(a, a)), s.c(one))
	big := s.sub(s.cv(one), s.div(s.cv(0x40000000), two))
	z := s.mul(a, a)
	p := s.horner(z, 0xbbbaf0ea, 0x3ca9134e, 0xbd5c1e2d, 0x3e088393, 0xbeaaaa99)
	y := s.fma(s.mul(p, z), a, a)
	y = s.blend(s.cmp(ge, a, s.c(0x3f200000)), y, big)
	y = s.blend(s.cmp(ge, a, s.c(0x41104000)), y, s.c(one))
	return s.or(y, s.and(x, s.c(0x80000000)))
}

func (s isa) sigmoid(x vec) vec {
	low := s.cmp(lt, x, s.c(0xc2800000))
	e := s.exp(s.blend(low, s.neg(x), x))
	return s.blend(low, s.div(s.cv(one), s.add(e, s.c(one))), e)
}

func (s isa) silu(x vec) vec { return s.mul(x, s.sigmoid(x)) }

// siluBwd is (s·fma(x, 1−s, 1))·g with s = sigmoid(x) (OP-05).
func (s isa) siluBwd(x, g vec) vec {
	sg := s.sigmoid(x)
	f := s.fma(x, s.sub(s.cv(one), sg), s.cv(one))
	return s.mul(s.mul(sg, f), g)
}
