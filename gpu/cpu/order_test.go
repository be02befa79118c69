// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"math/rand/v2"
	"testing"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// run computes one operation on inputs given as bytes.
func run(t testing.TB, d *Device, op fx.Op, attrs []uint64, in ...[]byte) []byte {
	t.Helper()
	s, err := fx.Check(op, attrs)
	if err != nil {
		t.Fatal(err)
	}
	var args []gpu.Buffer
	for k, b := range in {
		x, err := d.Alloc(s.In[k].Type, s.In[k].Len)
		if err == nil {
			err = d.Upload(x, b)
		}
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, x)
	}
	out, err := d.Alloc(s.Out.Type, s.Out.Len)
	if err == nil {
		err = d.Run(program.Node{Op: op, Attrs: attrs, In: make([]uint64, len(in)), Shape: []uint64{s.Out.Len}}, args, out)
	}
	got := make([]byte, s.Out.Len*s.Out.Type.Size())
	if err == nil {
		err = d.Download(got, out)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range append(args, out) {
		if err := d.Free(b); err != nil {
			t.Fatal(err)
		}
	}
	return got
}

// definition fails at the first of some elements that is not as fx.Elem has it.
func definition(t *testing.T, op fx.Op, attrs []uint64, got []byte, in ...[]byte) {
	t.Helper()
	s, _ := fx.Check(op, attrs)
	for i := uint64(0); i < s.Out.Len; i += 1 + s.Out.Len/500 {
		want := fx.Elem(op, attrs, i, func(k int, j uint64) uint32 { return gpu.Load(s.In[k].Type, in[k], j) })
		if v := gpu.Load(s.Out.Type, got, i); v != want {
			t.Fatalf("%s %d: element %d is %08x, want %08x", op, attrs, i, v, want)
		}
	}
}

// draw gives n values of few different ones, NaN and both zeros among them; as int32
// any values below 8 or above all columns.
func draw(r *rand.Rand, n int) []byte {
	x := make([]byte, 4*n)
	for i := range n {
		gpu.Store(fx.I32, x, uint64(i), []uint32{0, 0x80000000, 0x7fc00000, 0xff800000, 3, 0x3f800000, 0xbf800000, r.Uint32()}[r.IntN(8)])
	}
	return x
}

// TestOP02SortsAndMergesAsTheDefinition sorts runs, then merges them until a row is
// one run; and merges what is not sorted at all.
func TestOP02SortsAndMergesAsTheDefinition(t *testing.T) {
	onPaths(t, func(t *testing.T, d *Device) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, typ := range []fx.Type{fx.F32, fx.I32} {
			for _, n := range []uint64{1, 2, 7, 64, 500} {
				const rows = 3
				keys, rank := draw(r, int(rows*n)), draw(r, int(n))
				attrs := []uint64{uint64(typ), rows, n, 4}
				runs := run(t, d, fx.OpSortPairs, attrs, keys, rank)
				definition(t, fx.OpSortPairs, attrs, runs, keys, rank)
				for ; attrs[3] < n; attrs[3] *= 2 {
					merged := run(t, d, fx.OpMergePairs, attrs, keys, rank, runs)
					definition(t, fx.OpMergePairs, attrs, merged, keys, rank, runs)
					runs = merged
				}
				attrs[3] = 4
				wild := draw(r, int(rows*n))
				definition(t, fx.OpMergePairs, attrs, run(t, d, fx.OpMergePairs, attrs, keys, rank, wild), keys, rank, wild)
			}
		}
	})
}

func TestOP02TopKPickAndDistancesEqualTheDefinition(t *testing.T) {
	onPaths(t, func(t *testing.T, d *Device) {
		r := rand.New(rand.NewPCG(3, 4))
		for _, k := range []uint64{1, 5, 40, 299, 300} {
			x, attrs := draw(r, 2*300), []uint64{2, 300, k}
			definition(t, fx.OpTopK, attrs, run(t, d, fx.OpTopK, attrs, x), x)
			idx := draw(r, int(2*k))
			attrs = []uint64{uint64(fx.F32), 2, 300, k}
			definition(t, fx.OpPick, attrs, run(t, d, fx.OpPick, attrs, x, idx), x, idx)
		}
		for _, s := range [][3]uint64{{1, 1, 1}, {3, 40, 5}, {40, 3, 5}, {70, 1100, 3}, {2, 20, 700}, {1100, 2, 33}} {
			x, y := draw(r, int(s[0]*s[2])), draw(r, int(s[1]*s[2]))
			definition(t, fx.OpDist2F32, s[:], run(t, d, fx.OpDist2F32, s[:], x, y), x, y)
		}
		all := make([]byte, 2<<16)
		for i := range 1 << 16 {
			gpu.Store(fx.F16, all, uint64(i), uint32(i))
		}
		for _, typ := range []fx.Type{fx.F16, fx.BF16} {
			attrs := []uint64{uint64(typ), 1 << 16}
			got := run(t, d, fx.OpCast, attrs, all)
			for i := range uint64(1 << 16) {
				want := fx.Elem(fx.OpCast, attrs, i, func(int, uint64) uint32 { return uint32(i) })
				if v := gpu.Load(fx.F32, got, i); v != want {
					t.Fatalf("%s %04x is %08x, want %08x", typ, i, v, want)
				}
			}
		}
	})
}

// BenchmarkOrder prints the cost of one output element, or of one term of a distance.
func BenchmarkOrder(b *testing.B) {
	d, err := New(Options{Threads: 1})
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	x, idx, half := make([]byte, 4<<20), make([]byte, 4<<20), make([]byte, 2<<20)
	for i := range uint64(1 << 20) {
		gpu.Store(fx.F32, x, i, fx.Bits(float32(r.NormFloat64())))
		gpu.Store(fx.I32, idx, i, r.Uint32()%4096)
		gpu.Store(fx.F16, half, i, r.Uint32()&0x3fff)
	}
	rank := idx[:4*4096]
	sorted := run(b, d, fx.OpSortPairs, []uint64{uint64(fx.F32), 256, 4096, 2048}, x, rank)
	for _, c := range []struct {
		op    fx.Op
		attrs []uint64
		per   int
		in    [][]byte
	}{
		{fx.OpSortPairs, []uint64{uint64(fx.F32), 256, 4096, 2048}, 1 << 20, [][]byte{x, rank}},
		{fx.OpMergePairs, []uint64{uint64(fx.F32), 256, 4096, 2048}, 1 << 20, [][]byte{x, rank, sorted}},
		{fx.OpTopK, []uint64{256, 4096, 64}, 1 << 20, [][]byte{x}},
		{fx.OpPick, []uint64{uint64(fx.F32), 256, 4096, 4096}, 1 << 20, [][]byte{x, idx}},
		{fx.OpDist2F32, []uint64{64, 512, 64}, 64 * 512 * 64, [][]byte{x[:4*64*64], x[:4*512*64]}},
		{fx.OpCast, []uint64{uint64(fx.F16), 1 << 20}, 1 << 20, [][]byte{half}},
		{fx.OpCast, []uint64{uint64(fx.BF16), 1 << 20}, 1 << 20, [][]byte{half}},
	} {
		b.Run(c.op.String()+"/"+fx.Type(c.attrs[0]).String(), func(b *testing.B) {
			s, _ := fx.Check(c.op, c.attrs)
			var args []gpu.Buffer
			for k, m := range c.in {
				y, _ := d.Alloc(s.In[k].Type, s.In[k].Len)
				if err := d.Upload(y, m); err != nil {
					b.Fatal(err)
				}
				args = append(args, y)
			}
			out, _ := d.Alloc(s.Out.Type, s.Out.Len)
			n := program.Node{Op: c.op, Attrs: c.attrs, In: make([]uint64, len(args)), Shape: []uint64{s.Out.Len}}
			for b.Loop() {
				if err := d.Run(n, args, out); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(c.per), "ns/elem")
		})
	}
}
