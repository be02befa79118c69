// SPDX-License-Identifier: Apache-2.0

package fx

import (
	"errors"
	"slices"
)

func groups(k, g uint64) uint64 { return (k + g - 1) / g }

func quantSig(out func(rows, k, g uint64) Arg) func(a []uint64) (Sig, error) {
	return func(a []uint64) (Sig, error) {
		n := vol(a[0], a[1])
		return Sig{In: []Arg{{F32, n}}, Out: out(a[0], a[1], a[2]), Reads: min(a[1], a[2]) + 1, Cost: Cost{FMA: n}}, nil
	}
}

// groupMax returns max|x| of the group that holds column c of row r.
func groupMax(a []uint64, r, group uint64, read Read) float32 {
	var m float32
	for c := group * a[2]; c < min((group+1)*a[2], a[1]); c++ {
		m = Max(m, Abs(read.f(0, r*a[1]+c)))
	}
	return m
}

func dotSig(most uint64, in, out Type) func(a []uint64) (Sig, error) {
	return func(a []uint64) (Sig, error) {
		m, n, k := a[0], a[1], a[2]
		s := Sig{In: []Arg{{in, vol(m, k)}, {in, vol(n, k)}}, Out: Arg{out, vol(m, n)}, Reads: 2 * k, Terms: k}
		if in == I8 {
			s.Cost.MAC = mulSat(s.Out.Len, k)
		} else {
			s.Cost.FMA = mulSat(s.Out.Len, k)
		}
		if k > most {
			return s, errors.New("k is too long for sums in int32")
		}
		return s, nil
	}
}

func dotChain(term func(acc, x, y uint32) uint32) func(a []uint64, i, from, to uint64, acc uint32, read Read) uint32 {
	return func(a []uint64, i, from, to uint64, acc uint32, read Read) uint32 {
		x, y := i/a[1]*a[2], i%a[1]*a[2]
		for k := from; k < min(to, a[2]); k++ {
			acc = term(acc, read(0, x+k), read(1, y+k))
		}
		return acc
	}
}

var integers = []opRow{
	{op: OpQuantScale, name: "quant_scale", attrs: "rows k g",
		sig: quantSig(func(rows, k, g uint64) Arg { return Arg{F32, vol(rows, groups(k, g))} }),
		elem: func(a []uint64, i uint64, read Read) uint32 {
			n := groups(a[1], a[2])
			s, _ := quantScale(groupMax(a, i/n, i%n, read))
			return Bits(s)
		}},
	{op: OpQuantI8, name: "quant_i8", attrs: "rows k g",
		sig: quantSig(func(rows, k, g uint64) Arg { return Arg{I8, vol(rows, k)} }),
		elem: func(a []uint64, i uint64, read Read) uint32 {
			_, inv := quantScale(groupMax(a, i/a[1], i%a[1]/a[2], read))
			return uint32(int32(quantCode(inv, read.f(0, i))))
		}},
	{op: OpDequantI8, name: "dequant_i8", attrs: "rows k g", sig: func(a []uint64) (Sig, error) {
		n := vol(a[0], a[1])
		return Sig{In: []Arg{{I8, n}, {F32, vol(a[0], groups(a[1], a[2]))}}, Out: Arg{F32, n}}, nil
	}, elem: func(a []uint64, i uint64, read Read) uint32 {
		s := read.f(1, i/a[1]*groups(a[1], a[2])+i%a[1]/a[2])
		return Bits(Mul(FromInt(int32(read(0, i))), s))
	}},
	{op: OpGemmI8, name: "gemm_i8", attrs: "m n k g", sig: func(a []uint64) (Sig, error) {
		s, err := dotSig(MaxDotI8, I8, F32)(a)
		g := groups(a[2], a[3])
		s.In = []Arg{s.In[0], {F32, vol(a[0], g)}, s.In[1], {F32, vol(a[1], g)}}
		s.Reads, s.Terms = 2*a[2]+2*g, g
		return s, err
	}, chain: func(a []uint64, i, from, to uint64, acc uint32, read Read) uint32 {
		k, g := a[2], a[3]
		n := groups(k, g)
		r, c := i/a[1], i%a[1]
		s := f(acc)
		for t := from; t < min(to, n); t++ {
			var dot int32
			for j := t * g; j < min((t+1)*g, k); j++ {
				dot += int32(read(0, r*k+j)) * int32(read(2, c*k+j))
			}
			s = FMA32(FromInt(dot), Mul(read.f(1, r*n+t), read.f(3, c*n+t)), s)
		}
		return Bits(s)
	}},
	{op: OpDotI8, name: "dot_i8", attrs: "m n k", sig: dotSig(MaxDotI8, I8, I32),
		chain: dotChain(func(acc, x, y uint32) uint32 { return acc + x*y })},
	{op: OpDist2I8, name: "dist2_i8", attrs: "m n k", sig: dotSig(MaxDistI8, I8, I32),
		chain: dotChain(func(acc, x, y uint32) uint32 { return acc + (x-y)*(x-y) })},
	{op: OpDist2F32, name: "dist2_f32", attrs: "m n k", sig: dotSig(MaxDim, F32, F32),
		chain: dotChain(func(acc, x, y uint32) uint32 {
			d := Sub(f(x), f(y))
			return Bits(FMA32(d, d, f(acc)))
		})},
	{op: OpSortPairs, name: "sort_pairs", attrs: "type rows n width", sig: func(a []uint64) (Sig, error) {
		s, err := sortSig(a)
		s.Reads = 2 * min(a[2], a[3])
		return s, err
	}, elem: sortElem},
	{op: OpMergePairs, name: "merge_pairs", attrs: "type rows n width", sig: func(a []uint64) (Sig, error) {
		s, err := sortSig(a)
		s.In = append(s.In, s.Out)
		s.Reads = 6 * 33 // two elements of key, rank and order for each bit of a column
		return s, err
	}, elem: mergeElem},
	{op: OpTopK, name: "topk", attrs: "rows n k", sig: func(a []uint64) (Sig, error) {
		n := vol(a[0], a[1])
		s := Sig{In: []Arg{{F32, n}}, Out: Arg{I32, vol(a[0], a[2])}, Reads: a[1], Cost: Cost{FMA: mulSat(n, 4)}}
		if a[2] > a[1] {
			return s, errors.New("k exceeds n")
		}
		return s, nil
	}, elem: func(a []uint64, i uint64, read Read) uint32 {
		n, r := a[1], i/a[2]
		cols := make([]sortKey, n)
		for c := range cols {
			cols[c] = sortKey{^orderF32(read(0, r*n+uint64(c))), 0, int32(c)}
		}
		slices.SortFunc(cols, sortKey.compare)
		return uint32(cols[i%a[2]].col)
	}},
}

func sortSig(a []uint64) (Sig, error) {
	t, n := Type(a[0]), vol(a[1], a[2])
	s := Sig{In: []Arg{{t, n}, {I32, a[2]}}, Out: Arg{I32, n}, Cost: Cost{FMA: mulSat(n, 16)}}
	if t != F32 && t != I32 {
		return s, errType
	}
	return s, nil
}

// sortKey compares by key, then rank, then column.
type sortKey struct {
	key       uint32 // ascending
	rank, col int32
}

func (x sortKey) compare(y sortKey) int {
	switch {
	case x.key != y.key:
		return 1 - 2*int(boolBit(x.key < y.key))
	case x.rank != y.rank:
		return 1 - 2*int(boolBit(x.rank < y.rank))
	case x.col != y.col:
		return 1 - 2*int(boolBit(x.col < y.col))
	}
	return 0
}

// orderF32 maps bits to integers in the order of the values, −0 = +0, NaN last.
func orderF32(b uint32) uint32 {
	switch {
	case b&0x7fffffff > 0x7f800000:
		return 0xffffffff
	case b&0x80000000 == 0:
		return b | 0x80000000
	case b == 0x80000000:
		return b
	}
	return ^b
}

// keyOf is the sort key of column c of row r.
func keyOf(a []uint64, r, c uint64, read Read) sortKey {
	k := read(0, r*a[2]+c)
	if Type(a[0]) == F32 {
		k = orderF32(k)
	} else {
		k ^= 0x80000000
	}
	return sortKey{k, int32(read(1, c)), int32(c)}
}

func sortElem(a []uint64, i uint64, read Read) uint32 {
	r, c := i/a[2], i%a[2]
	first := c / a[3] * a[3]
	keys := make([]sortKey, min(a[3], a[2]-first))
	for j := range keys {
		keys[j] = keyOf(a, r, first+uint64(j), read)
	}
	slices.SortFunc(keys, sortKey.compare)
	return uint32(keys[c-first].col)
}

// mergeElem finds the element by a binary search for how many come from the
// first run. Columns outside the row, which no sorted run holds, count as 0.
func mergeElem(a []uint64, i uint64, read Read) uint32 {
	n, w := a[2], a[3]
	r, c := i/n, i%n
	first := c / (2 * w) * (2 * w)
	mid, end := min(first+w, n), min(first+2*w, n)
	key := func(j uint64) sortKey {
		col, ok := inside(read(2, r*n+j), n)
		if !ok {
			col = 0
		}
		return keyOf(a, r, col, read)
	}
	p := c - first // elements of the result before this one
	lo, hi := p-min(p, end-mid), min(p, mid-first)
	for lo < hi { // the least x such that first-run element x is not before second-run element p−1−x
		x := (lo + hi) / 2
		if key(first+x).compare(key(mid+p-1-x)) < 0 {
			lo = x + 1
		} else {
			hi = x
		}
	}
	x, y := first+lo, mid+p-lo
	if y >= end || x < mid && key(x).compare(key(y)) < 0 {
		return read(2, r*n+x)
	}
	return read(2, r*n+y)
}

var benches = []opRow{
	{op: OpBenchFill, name: "bench_fill", attrs: "len seed stream", sig: func(a []uint64) (Sig, error) {
		return Sig{Out: Arg{I8, a[0]}, Cost: Cost{FMA: mulSat(a[0], 64*20/16)}}, nil
	}, elem: func(a []uint64, i uint64, read Read) uint32 {
		return noMin(uint8(BenchWord(a[1], uint32(a[2]), i/16)[i/4%4] >> (i % 4 * 8)))
	}},
	{op: OpBenchMix, name: "bench_mix", attrs: "len", sig: func(a []uint64) (Sig, error) {
		return Sig{In: []Arg{{I32, a[0]}}, Out: Arg{I8, a[0]}}, nil
	}, elem: func(a []uint64, i uint64, read Read) uint32 {
		return noMin(uint8(read(0, i) * 0x9e3779b1 >> 24))
	}},
}

// noMin is a code: −128 becomes −127.
func noMin(b uint8) uint32 { return uint32(int32(max(int8(b), -127))) }

// BenchWord returns word w of a bench matrix before −128 is replaced: Philox
// applied 64 times to its own output. Cost: 64 calls. Spec: BEN-02.
func BenchWord(seed uint64, stream uint32, w uint64) [4]uint32 {
	ctr := [4]uint32{uint32(w), uint32(w >> 32), stream, uint32(PurposeBench)}
	for range 64 {
		ctr = Philox([2]uint32{uint32(seed), uint32(seed >> 32)}, ctr)
	}
	return ctr
}
