// SPDX-License-Identifier: Apache-2.0

package gpu_test

import (
	"encoding/binary"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// TestFX04LongRowsInBlocks: the graphs that reduce rows longer than 4,096 give the
// bits of the functions on slices, with limits too.
func TestFX04LongRowsInBlocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const rows = 2
		cols := rapid.SampledFrom([]int{1, 4095, 4096, 4097, 9000}).Draw(t, "cols")
		x := make([]float32, rows*cols)
		fx.Stream{Seed: rapid.Uint64().Draw(t, "seed"), Purpose: fx.PurposeBench}.FillNormal(x)
		for range rapid.IntRange(0, 3).Draw(t, "specials") {
			at := rapid.IntRange(0, len(x)-1).Draw(t, "at")
			x[at] = rapid.SampledFrom([]float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), x[0], 7, 7}).Draw(t, "special")
		}
		lims := make([]int32, rows)
		var lim []byte
		for i := range lims {
			lims[i] = int32(rapid.SampledFrom([]int{-3, 0, 1, 33, 4095, 4096, 4097, 8999, cols, 1 << 30}).Draw(t, "limit"))
			lim = binary.LittleEndian.AppendUint32(lim, uint32(lims[i]))
		}
		b := &program.Builder{}
		v, l := b.Input("x", fx.F32, rows, uint64(cols)), b.Input("lim", fx.I32, rows)
		for op, name := range names {
			b.Output(name, b.Reduce(op, v, nil))
			b.Output(name+" limited", b.Reduce(op, v, &program.Limit{Value: l, Batch: 1, Heads: 1}))
		}
		b.Output("argmax", b.Argmax(v))
		g, err := b.Graph()
		if err != nil {
			t.Fatal(err)
		}
		if err := g.CheckReferee(); err != nil {
			t.Fatal(err)
		}
		out := run(t, g, map[string][]byte{"x": fx.AppendBits(nil, x), "lim": lim})
		for r := range rows {
			row := x[r*cols : (r+1)*cols]
			short := row[:min(max(int(lims[r]), 0), cols)]
			at := func(name string) uint32 { return binary.LittleEndian.Uint32(out[name][4*r:]) }
			for _, c := range []struct {
				name string
				want uint32
			}{
				{"sum", fx.Bits(fx.RedSum(row))}, {"sumsq", fx.Bits(fx.RedSumSq(row))}, {"max", fx.Bits(fx.RedMax(row))},
				{"sum limited", fx.Bits(fx.RedSum(short))}, {"sumsq limited", fx.Bits(fx.RedSumSq(short))}, {"max limited", fx.Bits(fx.RedMax(short))},
				{"argmax", uint32(fx.Argmax(row))},
			} {
				if got := at(c.name); got != c.want {
					t.Fatalf("%s of row %d of %d columns, limit %d: %08x, want %08x", c.name, r, cols, lims[r], got, c.want)
				}
			}
		}
	})
}

var names = map[fx.Op]string{fx.OpRedSum: "sum", fx.OpRedSumSq: "sumsq", fx.OpRedMax: "max"}
