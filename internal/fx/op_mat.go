// SPDX-License-Identifier: Apache-2.0

package fx

import "errors"

var matrices = []opRow{
	{op: OpGemm, name: "gemm_nt", attrs: "batch m n k group limit heads", sig: gemmSig, chain: gemmChain},
	{op: OpRope, name: "rope", attrs: "tokens heads d positions", sig: ropeSig, elem: ropeElem(false)},
	{op: OpRopeBwd, name: "rope_bwd", attrs: "tokens heads d positions", sig: ropeSig, elem: ropeElem(true)},
	{op: OpXentBwd, name: "xent_bwd", attrs: "rows cols mg", sig: func(a []uint64) (Sig, error) {
		rows, n := a[0], vol(a[0], a[1])
		g := uint64(1)
		switch a[2] {
		case PerRow:
			g = rows
		case One:
		default:
			return Sig{}, errors.New("mg is neither per row nor one scalar")
		}
		return Sig{In: []Arg{{F32, n}, {I32, rows}, {F32, g}}, Out: Arg{F32, n}, Same: 1}, nil
	}, elem: func(a []uint64, i uint64, read Read) uint32 {
		r, c := i/a[1], i%a[1]
		id := int32(read(1, r))
		if id < 0 {
			return 0
		}
		p := read.f(0, i)
		if uint64(id) == c {
			p = Sub(p, 1)
		}
		return Bits(Mul(p, read.f(2, at(a[2], i, a[1]))))
	}},
}

func gemmSig(a []uint64) (Sig, error) {
	batch, m, n, k, group, limit, heads := a[0], a[1], a[2], a[3], a[4], a[5], a[6]
	s := Sig{
		In:  []Arg{{F32, vol(batch, m, k)}, {F32, vol(batch/group, n, k)}},
		Out: Arg{F32, vol(batch, m, n)}, Reads: 2 * k, Terms: k,
	}
	s.Cost.FMA = mulSat(s.Out.Len, k)
	switch {
	case batch%group != 0:
		return s, errors.New("group does not divide batch")
	case limit == NoLimit && heads != 0:
		return s, errors.New("heads without a limit is 0")
	case limit != NoLimit && heads == 0:
		return s, errors.New("a limit needs heads, how many batches share it")
	}
	if limit != NoLimit {
		s.Cost.FMA = (s.Cost.FMA + 1) / 2 // a causal limit leaves out half
	}
	return limited(s, batch, m, heads)
}

func gemmChain(a []uint64, i, from, to uint64, acc uint32, read Read) uint32 {
	m, n, k, group, limit, heads := a[1], a[2], a[3], a[4], a[5], a[6]
	b, r, c := i/n/m, i/n%m, i%n
	to = min(to, k)
	if limit != NoLimit {
		end := k
		if limit == NBelow {
			end = n
		}
		l := limitOf(read, 2, b, r, m, heads, end)
		switch limit {
		case NBelow:
			if c >= l {
				return 0
			}
		case KBelow:
			to = min(to, l)
		case KFrom:
			from = max(from, l)
		}
	}
	x, y := (b*m+r)*k, (b/group*n+c)*k
	s := f(acc)
	for j := from; j < to; j++ {
		s = FMA32(read.f(0, x+j), read.f(1, y+j), s)
	}
	return Bits(s)
}

func ropeSig(a []uint64) (Sig, error) {
	tokens, heads, d, positions := a[0], a[1], a[2], a[3]
	n, table := vol(tokens, heads, d), vol(positions, d/2)
	s := Sig{In: []Arg{{F32, n}, {F32, table}, {F32, table}, {I32, tokens}}, Out: Arg{F32, n}, Reads: 5}
	s.Cost.FMA = mulSat(n, 2)
	switch {
	case d%2 != 0:
		return s, errors.New("d, the head size, is odd")
	case heads == 0:
		return s, errors.New("no heads")
	}
	return s, nil
}

func ropeElem(back bool) func(a []uint64, i uint64, read Read) uint32 {
	return func(a []uint64, i uint64, read Read) uint32 {
		heads, d, positions := a[1], a[2], a[3]
		half := d / 2
		t, e := i/d/heads, i%d
		var cos, sin float32
		if p, ok := inside(read(3, t), positions); ok {
			cos, sin = read.f(1, p*half+e%half), read.f(2, p*half+e%half)
		}
		if back {
			sin = Neg(sin)
		}
		x := read.f(0, i)
		if e < half {
			return Bits(FMA32(-read.f(0, i+half), sin, Mul(x, cos)))
		}
		return Bits(FMA32(read.f(0, i-half), sin, Mul(x, cos)))
	}
}
