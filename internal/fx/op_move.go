// SPDX-License-Identifier: Apache-2.0

package fx

import "errors"

// tables holds the groups of operations; each group stands in its own file.
var tables = [...][]opRow{moves, elements, reductions, matrices, optimizers, integers, benches}

var errType = errors.New("type is not one that this operation takes")

// moved is the type of a move: what a device stores.
func moved(t uint64) (Type, error) {
	if typ := Type(t); typ == F32 || typ == I32 || typ == I8 {
		return typ, nil
	}
	return 0, errType
}

// canonical gives the stored bits of a moved element.
func canonical(t uint64, b uint32) uint32 {
	if Type(t) == F32 {
		return Bits(f(b))
	}
	return b
}

func boolBit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// inside returns the index that bits hold if it is below n.
func inside(b uint32, n uint64) (uint64, bool) {
	return uint64(b), int32(b) >= 0 && uint64(b) < n
}

var moves = []opRow{
	{op: OpCopy, name: "copy", attrs: "type len", sig: func(a []uint64) (Sig, error) {
		t, err := moved(a[0])
		return Sig{In: []Arg{{t, a[1]}}, Out: Arg{t, a[1]}, Same: 1}, err
	}, elem: func(a []uint64, i uint64, read Read) uint32 { return canonical(a[0], read(0, i)) }},
	{op: OpView, name: "view", attrs: "type rows len first width", sig: func(a []uint64) (Sig, error) {
		t, err := moved(a[0])
		if a[3]+a[4] > a[2] {
			err = errors.New("first + width exceeds cols")
		}
		return Sig{In: []Arg{{t, vol(a[1], a[2])}}, Out: Arg{t, vol(a[1], a[4])}}, err
	}, elem: func(a []uint64, i uint64, read Read) uint32 {
		return canonical(a[0], read(0, i/a[4]*a[2]+a[3]+i%a[4]))
	}},
	{op: OpConcat, name: "concat", attrs: "type rows a b", sig: func(a []uint64) (Sig, error) {
		t, err := moved(a[0])
		return Sig{In: []Arg{{t, vol(a[1], a[2])}, {t, vol(a[1], a[3])}}, Out: Arg{t, vol(a[1], a[2]+a[3])}, Reads: 1}, err
	}, elem: func(a []uint64, i uint64, read Read) uint32 {
		w := a[2] + a[3]
		r, c := i/w, i%w
		if c < a[2] {
			return canonical(a[0], read(0, r*a[2]+c))
		}
		return canonical(a[0], read(1, r*a[3]+c-a[2]))
	}},
	{op: OpTranspose, name: "transpose", attrs: "type batch rows cols inner", sig: func(a []uint64) (Sig, error) {
		t, err := moved(a[0])
		n := vol(a[1:]...)
		return Sig{In: []Arg{{t, n}}, Out: Arg{t, n}}, err
	}, elem: func(a []uint64, i uint64, read Read) uint32 {
		rows, cols, inner := a[2], a[3], a[4]
		in, r, c := i%inner, i/inner%rows, i/inner/rows%cols
		b := i / inner / rows / cols
		return canonical(a[0], read(0, ((b*rows+r)*cols+c)*inner+in))
	}},
	{op: OpGather, name: "gather", attrs: "type n rows cols", sig: func(a []uint64) (Sig, error) {
		t, err := moved(a[0])
		return Sig{In: []Arg{{t, vol(a[2], a[3])}, {I32, a[1]}}, Out: Arg{t, vol(a[1], a[3])}}, err
	}, elem: func(a []uint64, i uint64, read Read) uint32 {
		r, ok := inside(read(1, i/a[3]), a[2])
		if !ok {
			return 0
		}
		return canonical(a[0], read(0, r*a[3]+i%a[3]))
	}},
	{op: OpPick, name: "pick", attrs: "type rows cols n", sig: func(a []uint64) (Sig, error) {
		t, err := moved(a[0])
		return Sig{In: []Arg{{t, vol(a[1], a[2])}, {I32, vol(a[1], a[3])}}, Out: Arg{t, vol(a[1], a[3])}}, err
	}, elem: func(a []uint64, i uint64, read Read) uint32 {
		c, ok := inside(read(1, i), a[2])
		if !ok {
			return 0
		}
		return canonical(a[0], read(0, i/a[3]*a[2]+c))
	}},
	{op: OpFill, name: "fill", attrs: "type len bits", sig: func(a []uint64) (Sig, error) {
		t, err := moved(a[0])
		return Sig{Out: Arg{t, a[1]}}, err
	}, elem: func(a []uint64, i uint64, read Read) uint32 {
		if Type(a[0]) == I8 {
			return uint32(int32(int8(a[2])))
		}
		return canonical(a[0], uint32(a[2]))
	}},
	{op: OpFillU01, name: "fill_u01", attrs: "len seed stream purpose", sig: fillSig,
		elem: func(a []uint64, i uint64, read Read) uint32 { return Bits(streamOf(a).U01(i)) }},
	{op: OpFillNormal, name: "fill_norm", attrs: "len seed stream purpose", sig: fillSig,
		elem: func(a []uint64, i uint64, read Read) uint32 { return Bits(streamOf(a).Normal(i)) }},
	{op: OpFillSign, name: "fill_sign", attrs: "len seed stream purpose", sig: fillSig,
		elem: func(a []uint64, i uint64, read Read) uint32 { return Bits(streamOf(a).Sign(i)) }},
	{op: OpFillSeq, name: "fill_seq", attrs: "len period base", sig: func(a []uint64) (Sig, error) {
		return Sig{Out: Arg{I32, a[0]}}, nil
	}, elem: func(a []uint64, i uint64, read Read) uint32 { return uint32(a[2]) + uint32(i%a[1]) }},
	{op: OpPerm, name: "perm_rows", attrs: "n records seed", sig: func(a []uint64) (Sig, error) {
		return Sig{In: []Arg{{I32, 1}}, Out: Arg{I32, a[0]}, Cost: Cost{FMA: mulSat(a[0], 32*20)}}, nil
	}, elem: func(a []uint64, i uint64, read Read) uint32 {
		p := uint64(read(0, 0))*a[0] + i // below 2⁶³
		return uint32(Perm(a[2], uint32(p/a[1]), a[1], p%a[1]))
	}},
	{op: OpAddI32, name: "add_i32", attrs: "len c", sig: func(a []uint64) (Sig, error) {
		return Sig{In: []Arg{{I32, a[0]}}, Out: Arg{I32, a[0]}, Same: 1}, nil
	}, elem: func(a []uint64, i uint64, read Read) uint32 { return read(0, i) + uint32(a[1]) }},
	{op: OpValid, name: "valid", attrs: "len", sig: func(a []uint64) (Sig, error) {
		return Sig{In: []Arg{{I32, a[0]}}, Out: Arg{F32, a[0]}, Same: 1}, nil
	}, elem: func(a []uint64, i uint64, read Read) uint32 {
		if int32(read(0, i)) < 0 {
			return 0
		}
		return bitsOne
	}},
	{op: OpCast, name: "cast_f32", attrs: "type len", sig: func(a []uint64) (Sig, error) {
		t := Type(a[0])
		s := Sig{In: []Arg{{t, a[1]}}, Out: Arg{F32, a[1]}, Same: 1}
		if t != F16 && t != BF16 && t != I32 {
			return s, errType
		}
		return s, nil
	}, elem: func(a []uint64, i uint64, read Read) uint32 {
		b := read(0, i)
		switch Type(a[0]) {
		case F16:
			return Bits(FromF16(uint16(b)))
		case BF16:
			return Bits(FromBF16(uint16(b)))
		}
		return Bits(FromInt(int32(b)))
	}},
}

// bitsOne are the bits of 1.
const bitsOne = 0x3f800000

func fillSig(a []uint64) (Sig, error) {
	return Sig{Out: Arg{F32, a[0]}, Cost: Cost{FMA: mulSat(a[0], 20)}}, nil
}

func streamOf(a []uint64) Stream {
	return Stream{Seed: a[1], Stream: uint32(a[2]), Purpose: Purpose(a[3])}
}

// FromF16 returns the value of binary16 bits; it is exact, subnormals too, and
// any NaN is canonical. Spec: FX-01, OP-02.
func FromF16(b uint16) float32 {
	sign, e, m := uint32(b>>15)<<31, uint32(b>>10&31), uint32(b&0x3ff)
	switch {
	case e == 31 && m != 0:
		return f(NaNBits)
	case e == 31:
		return f(sign | 0x7f800000)
	case e == 0:
		x := float32(float32(m) * f(0x33800000)) // m·2⁻²⁴, exact
		return f(Bits(x) | sign)
	}
	return f(sign | (e+112)<<23 | m<<13)
}

// FromBF16 returns the value whose upper half is b; any NaN is canonical.
// Spec: FX-01, OP-02.
func FromBF16(b uint16) float32 { return FromBits(uint32(b) << 16) }
