// SPDX-License-Identifier: Apache-2.0

package fx

import "errors"

var errHeads = errors.New("heads does not divide batch")

// limited appends the input lim [batch/heads, rows] if heads is not 0.
func limited(s Sig, batch, rows, heads uint64) (Sig, error) {
	if heads == 0 {
		return s, nil
	}
	if batch%heads != 0 {
		return s, errHeads
	}
	s.In, s.Reads = append(s.In, Arg{I32, vol(batch/heads, rows)}), s.Reads+1
	return s, nil
}

// limitOf reads the limit of row r of batch b, cut to 0 … n.
func limitOf(read Read, in int, b, r, rows, heads, n uint64) uint64 {
	l := int32(read(in, b/heads*rows+r))
	return min(uint64(max(l, 0)), n)
}

func redSig(a []uint64) (Sig, error) {
	batch, rows, cols, heads := a[0], a[1], a[2], a[3]
	n := vol(batch, rows, cols)
	s := Sig{In: []Arg{{F32, n}}, Out: Arg{F32, vol(batch, rows, blocks(cols))}, Reads: min(cols, redBlock), Cost: Cost{FMA: n}}
	return limited(s, batch, rows, heads)
}

// blocks is how many partials red/1 has for n values. Spec: FX-04.
func blocks(n uint64) uint64 { return (n + redBlock - 1) / redBlock }

func redElem(absent uint32, join, step func(acc, x float32) float32) func(a []uint64, i uint64, read Read) uint32 {
	return func(a []uint64, i uint64, read Read) uint32 {
		rows, cols, heads := a[1], a[2], a[3]
		nb := blocks(cols)
		row, first := i/nb, i%nb*redBlock
		n := cols
		if heads > 0 {
			n = limitOf(read, 1, row/rows, row%rows, rows, heads, cols)
		}
		n = min(max(n, first), first+redBlock)
		var lane [redLanes]float32
		for l := range lane {
			lane[l] = f(absent)
		}
		for k := first; k < n; k++ {
			l := &lane[k%redLanes]
			*l = step(*l, read.f(0, row*cols+k))
		}
		return Bits(foldLanes(&lane, join))
	}
}

const bitsMinusInf = 0xff800000

var reductions = []opRow{
	{op: OpRedSum, name: "red_sum", attrs: "batch rows cols heads", sig: redSig, elem: redElem(0, Add, Add)},
	{op: OpRedSumSq, name: "red_sumsq", attrs: "batch rows cols heads", sig: redSig, elem: redElem(0, Add, redSq)},
	{op: OpRedMax, name: "red_max", attrs: "batch rows cols heads", sig: redSig, elem: redElem(bitsMinusInf, Max, Max)},
	{op: OpArgmax, name: "argmax", attrs: "rows cols block", sig: func(a []uint64) (Sig, error) {
		n := vol(a[0], a[1])
		s := Sig{In: []Arg{{F32, n}}, Out: Arg{I32, a[0]}, Reads: a[1], Cost: Cost{FMA: n}}
		if a[2] == 1 {
			s.In, s.Reads = append(s.In, Arg{I32, a[0]}), min(a[1], redBlock)+1
			s.Cost.FMA = mulSat(a[0], min(a[1], redBlock))
		}
		return s, nil
	}, elem: argmaxElem},
	{op: OpColChain, name: "col_chain", attrs: "batch rows cols", sig: func(a []uint64) (Sig, error) {
		n := vol(a...)
		return Sig{In: []Arg{{F32, n}}, Out: Arg{F32, vol(a[0], a[2])}, Reads: a[1], Terms: a[1], Cost: Cost{FMA: n}}, nil
	}, chain: func(a []uint64, i, from, to uint64, acc uint32, read Read) uint32 {
		base := i/a[2]*a[1]*a[2] + i%a[2]
		s := f(acc)
		for r := from; r < min(to, a[1]); r++ {
			s = Add(s, read.f(0, base+r*a[2]))
		}
		return Bits(s)
	}},
	{op: OpScatterChain, name: "scatter_chain", attrs: "tokens rows cols", sig: func(a []uint64) (Sig, error) {
		n := vol(a[0], a[2])
		return Sig{In: []Arg{{I32, a[0]}, {F32, n}}, Out: Arg{F32, vol(a[1], a[2])}, Reads: 2 * a[0], Terms: a[0], Cost: Cost{FMA: n}}, nil
	}, chain: func(a []uint64, i, from, to uint64, acc uint32, read Read) uint32 {
		row, c := i/a[2], i%a[2]
		s := f(acc)
		for t := from; t < min(to, a[0]); t++ {
			if v, ok := inside(read(0, t), a[1]); ok && v == row {
				s = Add(s, read.f(1, t*a[2]+c))
			}
		}
		return Bits(s)
	}},
}

func argmaxElem(a []uint64, i uint64, read Read) uint32 {
	cols := a[1]
	first, end := uint64(0), cols
	if a[2] == 1 {
		b, ok := inside(read(1, i), blocks(cols))
		if !ok {
			return 0xffffffff
		}
		first = b * redBlock
		end = min(first+redBlock, cols)
	}
	best, at := float32(0), ^uint64(0)
	for c := first; c < end; c++ {
		v := read.f(0, i*cols+c)
		if v != v {
			return uint32(c)
		}
		if at == ^uint64(0) || v > best {
			best, at = v, c
		}
	}
	return uint32(at)
}
