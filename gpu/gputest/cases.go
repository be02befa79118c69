// SPDX-License-Identifier: Apache-2.0

package gputest

import (
	"cmp"
	"slices"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// Case is one run of one operation: what goes in.
type Case struct {
	Node program.Node
	Sig  fx.Sig
	In   [][]byte
	// Offset is how many elements into a larger allocation each buffer starts.
	Offset uint64
	all    bool // compare every element, not a sample
}

// NewCase draws case n of an operation with about work reads of input scalars in
// all. Equal arguments give equal cases.
func NewCase(op fx.Op, seed uint64, n int, work uint64) Case {
	r := newSource(seed, op, n)
	attrs := r.attrs(op, work)
	return r.of(op, attrs, r.one(0, 0, 1, 3, 4), r.one(styleNormal, styleHard, styleHard, styleTiny, styleHuge, styleTies))
}

// maxElements bounds tensors of operations that read each element about once.
const maxElements = 1 << 15

// attrs draws attributes for about work reads.
func (r *source) attrs(op fx.Op, work uint64) []uint64 {
	left := work
	switch op {
	case fx.OpView:
		left = min(left, maxElements)
		rows, n := r.spend(&left, left), r.spend(&left, left)
		first := r.below(n)
		return []uint64{r.moved(), rows, n, first, 1 + r.below(n-first)}
	case fx.OpGemm:
		return r.gemm(left)
	case fx.OpRedSum, fx.OpRedSumSq, fx.OpRedMax:
		left = min(left, 2*maxElements)
		cols := r.spend(&left, 10_000)
		seqs, rows, heads := r.spend(&left, 3), r.spend(&left, 40), r.spend(&left, 4)
		if r.below(2) == 0 {
			return []uint64{seqs * heads, rows, cols, 0}
		}
		return []uint64{seqs * heads, rows, cols, heads}
	case fx.OpRope, fx.OpRopeBwd:
		tokens, heads, half := r.spend(&left, 50), r.spend(&left, 9), r.spend(&left, 70)
		return []uint64{tokens, heads, 2 * half, r.dim(60)}
	case fx.OpXentBwd:
		return []uint64{r.spend(&left, 20), r.spend(&left, 5000), r.one(fx.PerRow, fx.One)}
	case fx.OpTopK:
		rows, n := r.spend(&left, 4), r.spend(&left, 200)
		return []uint64{rows, n, 1 + r.below(n)}
	case fx.OpGemmI8:
		k, m := r.spend(&left, 700), r.spend(&left, 100)
		return []uint64{m, r.spend(&left, 100), k, r.one(128, 128, 1, 32, 7, k)}
	}
	if c := op.AttrNames(); c[len(c)-1] != "k" {
		left = min(left, maxElements) // no chain over k: what is read is about what there is
	}
	names := op.AttrNames()
	out := make([]uint64, len(names))
	for i := len(names) - 1; i >= 0; i-- { // inner dimensions first: they get the most
		out[i] = r.attr(op, names[i], &left)
	}
	return out
}

func (r *source) moved() uint64 { return r.one(uint64(fx.F32), uint64(fx.I32), uint64(fx.I8)) }

// attr draws one attribute by its name.
func (r *source) attr(op fx.Op, name string, left *uint64) uint64 {
	switch name {
	case "type":
		switch op {
		case fx.OpCast:
			return r.one(uint64(fx.F16), uint64(fx.BF16), uint64(fx.I32))
		case fx.OpSortPairs, fx.OpMergePairs:
			return r.one(uint64(fx.F32), uint64(fx.I32))
		}
		return r.moved()
	case "ma", "mb", "mc":
		return r.one(fx.Full, fx.Full, fx.PerRow, fx.PerCol, fx.One)
	case "bits", "c", "ε", "wd":
		return uint64(r.float(r.below(styles)))
	case "β1", "β2":
		return r.one(0x3f666666, 0x3f7fbe77, 0x3f000000, 0)
	case "base", "stream":
		return uint64(r.word())
	case "seed":
		return uint64(r.word())<<32 | uint64(r.word())
	case "purpose":
		return 1 + r.below(6)
	case "block":
		return r.below(2)
	case "records", "period", "width", "g":
		return r.dim(300)
	case "len":
		if op == fx.OpBenchFill {
			return r.spend(left, 500)
		}
		return r.spend(left, *left)
	case "n":
		if op == fx.OpSortPairs || op == fx.OpMergePairs {
			return r.spend(left, 700)
		}
	case "tokens", "positions":
		return r.spend(left, 50)
	}
	return r.spend(left, 5000)
}

func (r *source) gemm(left uint64) []uint64 {
	group := r.one(1, 1, 1, 2, 3)
	kv := r.one(1, 1, 1, 2)
	seqs := r.one(1, 1, 1, 2)
	left /= group * kv * seqs
	k := r.spend(&left, 1100)
	m := r.spend(&left, 200)
	n := r.spend(&left, 300)
	if r.below(2) == 0 {
		m, n = n, m
	}
	limit, heads := r.below(4), group*kv
	if limit == fx.NoLimit {
		heads = 0
	}
	return []uint64{seqs * kv * group, m, n, k, group, limit, heads}
}

// indexLimit bounds the indices that an I32 input holds, 0 for plain numbers.
func indexLimit(op fx.Op, a []uint64, in int) uint64 {
	switch {
	case op == fx.OpGather && in == 1:
		return a[2]
	case op == fx.OpPick && in == 1:
		return a[2]
	case op == fx.OpValid:
		return 9
	case op == fx.OpXentBwd && in == 1:
		return a[1]
	case (op == fx.OpRedSum || op == fx.OpRedSumSq || op == fx.OpRedMax) && in == 1:
		return a[2]
	case op == fx.OpArgmax && in == 1:
		return (a[1] + 4095) / 4096
	case op == fx.OpScatterChain && in == 0:
		return a[1]
	case op == fx.OpGemm && in == 2 && a[5] == fx.NBelow:
		return a[2]
	case op == fx.OpGemm && in == 2:
		return a[3]
	case (op == fx.OpRope || op == fx.OpRopeBwd) && in == 3:
		return a[3]
	case op == fx.OpSortPairs, op == fx.OpMergePairs:
		return 5 // many equal keys and ranks
	}
	return 0
}

// sortedRuns is the order that OpMergePairs may be given: what OpSortPairs of the
// same keys leaves.
func sortedRuns(a []uint64, in [][]byte) []byte {
	form, err := fx.NewForm(fx.OpSortPairs, a)
	if err != nil {
		panic(err)
	}
	out := make([]byte, 4*form.Out.Len)
	// Sorting by insertion of whole runs: one sort per run, not one per element.
	for row := range a[1] {
		for first := uint64(0); first < a[2]; first += a[3] {
			at := row*a[2] + first
			run := make([]uint64, min(a[3], a[2]-first))
			for j := range run {
				run[j] = first + uint64(j)
			}
			slices.SortFunc(run, func(x, y uint64) int { return before(a, in, row, x, y) })
			for j, c := range run {
				gpu.Store(fx.I32, out, at+uint64(j), uint32(c))
			}
		}
	}
	return out
}

// before compares two columns as OpSortPairs does, written a second time.
func before(a []uint64, in [][]byte, row, x, y uint64) int {
	key := func(c uint64) int64 {
		b := gpu.Load(fx.I32, in[0], row*a[2]+c)
		if fx.Type(a[0]) == fx.I32 {
			return int64(int32(b))
		}
		switch {
		case b&0x7fffffff > 0x7f800000:
			return 1 << 40
		case b>>31 == 1:
			return -int64(b & 0x7fffffff)
		}
		return int64(b)
	}
	rank := func(c uint64) int32 { return int32(gpu.Load(fx.I32, in[1], c)) }
	return cmp.Or(cmp.Compare(key(x), key(y)), cmp.Compare(rank(x), rank(y)), cmp.Compare(x, y))
}
