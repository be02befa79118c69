// SPDX-License-Identifier: Apache-2.0

package lanes

import (
	"encoding/binary"
	"math/bits"
)

// fe holds eight elements of the field of 2^255 − 19, one per lane, each as five
// limbs of 51 bits: element j is the sum of fe[i][j]·2^(51·i). Every function takes
// limbs below 2^52 and leaves limbs below 2^51 + 2^15, so that two results may be
// added or subtracted inside one. The multiplications read 52 bits of a limb.
type fe [5][8]uint64

const mask51 = 1<<51 - 1

// twoP are the limbs of 2·(2^255 − 19), which keep a difference positive.
var twoP = [5]uint64{0xfffffffffffda, 0xffffffffffffe, 0xffffffffffffe, 0xffffffffffffe, 0xffffffffffffe}

// mul sets o = a·b. o may be a or b.
func (o *fe) mul(a, b *fe) {
	if fast {
		mulAsm(o, a, b)
		return
	}
	mulPlain(o, a, b)
}

// sqr sets o = a^(2^n), n at least 1.
func (o *fe) sqr(a *fe, n uint64) {
	if fast {
		sqrAsm(o, a, n)
		return
	}
	for mulPlain(o, a, a); n > 1; n-- {
		mulPlain(o, o, o)
	}
}

// add sets o = a + b.
func (o *fe) add(a, b *fe) {
	if fast {
		addAsm(o, a, b)
		return
	}
	addPlain(o, a, b)
}

// sub sets o = a − b.
func (o *fe) sub(a, b *fe) {
	if fast {
		subAsm(o, a, b)
		return
	}
	subPlain(o, a, b)
}

// neg sets o = −a.
func (o *fe) neg(a *fe) { o.sub(&fe{}, a) }

// wide is a number of up to 128 bits.
type wide struct{ hi, lo uint64 }

func (w *wide) mac(a, b uint64) {
	hi, lo := bits.Mul64(a, b)
	var c uint64
	w.lo, c = bits.Add64(w.lo, lo, 0)
	w.hi, _ = bits.Add64(w.hi, hi, c)
}

// mulPlain is the definition of mul: the products of limbs that are read modulo
// 2^52, like those of the instructions.
func mulPlain(o, a, b *fe) {
	const low = 1<<52 - 1
	var out fe
	for l := range 8 {
		var r [10]uint64 // as in field_amd64.s: low halves, and twice the high ones
		for i := range 5 {
			for j := range 5 {
				var w wide
				w.mac(a[i][l]&low, b[j][l]&low)
				r[i+j] += w.lo & low
				r[i+j+1] += 2 * (w.hi<<12 | w.lo>>52)
			}
		}
		var s [5]uint64
		for i := range s {
			s[i] = r[i] + 19*r[i+5]
		}
		carry(&out, l, s)
	}
	*o = out
}

// carry sets lane l from limbs of up to 64 bits with one pass.
func carry(o *fe, l int, s [5]uint64) {
	top := s[4] >> 51
	for i := 4; i > 0; i-- {
		o[i][l] = s[i]&mask51 + s[i-1]>>51
	}
	o[0][l] = s[0]&mask51 + 19*top
}

func addPlain(o, a, b *fe) {
	for l := range 8 {
		var s [5]uint64
		for i := range s {
			s[i] = a[i][l] + b[i][l]
		}
		carry(o, l, s)
	}
}

func subPlain(o, a, b *fe) {
	for l := range 8 {
		var s [5]uint64
		for i := range s {
			s[i] = a[i][l] + twoP[i] - b[i][l]
		}
		carry(o, l, s)
	}
}

// set puts the 255 low bits of b, little endian, into lane l. The value may be
// above the modulus.
func (o *fe) set(l int, b *[32]byte) {
	w := [4]uint64{binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint64(b[24:])}
	o[0][l] = w[0] & mask51
	o[1][l] = (w[0]>>51 | w[1]<<13) & mask51
	o[2][l] = (w[1]>>38 | w[2]<<26) & mask51
	o[3][l] = (w[2]>>25 | w[3]<<39) & mask51
	o[4][l] = w[3] >> 12 & mask51
}

// all returns the number given by its limbs in every lane.
func all(limbs [5]uint64) (o fe) {
	for i, v := range limbs {
		for l := range 8 {
			o[i][l] = v
		}
	}
	return o
}

// canon returns lane l below the modulus.
func (o *fe) canon(l int) (s [5]uint64) {
	for i := range s {
		s[i] = o[i][l]
	}
	for range 2 { // limbs below 2^51, all but the last bit of the last carry
		for i := range 4 {
			s[i+1] += s[i] >> 51
			s[i] &= mask51
		}
		s[0] += 19 * (s[4] >> 51)
		s[4] &= mask51
	}
	q := (s[0] + 19) >> 51
	for i := 1; i < 5; i++ {
		q = (s[i] + q) >> 51
	}
	s[0] += 19 * q // 1 if the value is not below the modulus
	for i := range 4 {
		s[i+1] += s[i] >> 51
		s[i] &= mask51
	}
	s[4] &= mask51
	return s
}

// zero reports whether lane l is zero.
func (o *fe) zero(l int) bool { return o.canon(l) == [5]uint64{} }
