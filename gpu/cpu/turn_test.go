// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/ref"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// counter counts the transposes that are run as such, and the calls that run together.
type counter struct {
	*Device
	transposes, together int
}

func (c *counter) RunCalls(parts uint64, calls []gpu.Call) error {
	if calls[0].Node.Op == fx.OpTranspose {
		c.transposes++
	}
	c.together = max(c.together, len(calls))
	return c.Device.RunCalls(parts, calls)
}

// fataler is a *testing.T or *rapid.T.
type fataler interface {
	Fatal(args ...any)
}

// values runs a graph once on inputs drawn from their index, limits 0 … 7. Outputs with
// the name of an input are written over it.
func values(t fataler, d gpu.Device, g program.Graph) [][]byte {
	var in, out []gpu.Buffer
	at := map[string]gpu.Buffer{}
	alloc := func(x fx.Type, n uint64) gpu.Buffer {
		b, err := d.Alloc(x, n)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for i, x := range g.Inputs {
		n := uint64(1)
		for _, s := range x.Shape {
			n *= s
		}
		data := make([]byte, 4*n)
		for j := range n {
			gpu.Store(x.Type, data, j, uint32(j*7+uint64(i))%8)
		}
		if x.Type == fx.F32 {
			v := make([]float32, n)
			fx.Stream{Seed: uint64(i), Purpose: fx.PurposeBench}.FillNormal(v)
			v[n/2] = fx.FromBits(0xffc01234) // a NaN that is not the canonical one
			data = fx.AppendBits(nil, v)
		}
		at[x.Name] = alloc(x.Type, n)
		in = append(in, at[x.Name])
		if err := d.Upload(at[x.Name], data); err != nil {
			t.Fatal(err)
		}
	}
	p, err := gpu.NewPlan(d, g)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range g.Outputs {
		if at[o.Name] == nil {
			s, _ := g.Nodes[int(o.Value)-len(g.Inputs)].Check()
			at[o.Name] = alloc(s.Out.Type, s.Out.Len)
		}
		out = append(out, at[o.Name])
	}
	err = p.Run(in, out)
	var got [][]byte
	for _, b := range out {
		got = append(got, make([]byte, b.Region().Len))
		err = errors.Join(err, d.Download(got[len(got)-1], b))
	}
	for _, b := range at {
		err = errors.Join(err, d.Free(b))
	}
	if err := errors.Join(err, p.Close()); err != nil {
		t.Fatal(err)
	}
	return got
}

// TestGPU01ProductsReadAndWriteThroughTransposes draws shapes and how many of the
// values are outputs themselves.
func TestGPU01ProductsReadAndWriteThroughTransposes(t *testing.T) {
	onPaths(t, func(t *testing.T, d *Device) {
		rapid.Check(t, func(t *rapid.T) {
			dim := func(name string) uint64 { return rapid.Uint64Range(1, 9).Draw(t, name) }
			b := &program.Builder{}
			var all []program.Value
			keep := func(v program.Value) program.Value {
				all = append(all, v)
				return v
			}
			operand := func(name string, batch, rows, cols uint64) program.Value {
				switch rapid.IntRange(0, 4).Draw(t, name) {
				case 0: // as [rows, batch, cols]
					x := b.Input(name, fx.F32, rows, batch, cols)
					return keep(b.Transpose(x, 1, rows, batch, cols, batch, rows, cols))
				case 1: // as [batch, cols, rows]
					x := b.Input(name, fx.F32, batch, cols, rows)
					return keep(b.Transpose(x, batch, cols, rows, 1, batch, rows, cols))
				case 2: // as [cols, batch, rows]
					x := b.Input(name, fx.F32, cols, batch*rows)
					return keep(b.Transpose(x, 1, cols, batch*rows, 1, batch, rows, cols))
				case 3: // in two steps, the first of which something else reads too
					x := b.Input(name, fx.F32, cols, batch, rows)
					y := keep(b.Transpose(x, 1, cols, batch, rows, batch, cols, rows))
					keep(b.Each(fx.OpNeg, y))
					return b.Transpose(y, batch, cols, rows, 1, batch, rows, cols)
				}
				return b.Input(name, fx.F32, batch, rows, cols)
			}
			kv, group, seqs, m, n, k := dim("kv")%3+1, dim("group")%3+1, dim("seqs")%2+1, 3*dim("m"), 4*dim("n"), 3*dim("k")
			batch := seqs * kv * group
			in := []program.Value{operand("a", batch, m, k), operand("b", batch/group, n, k)}
			limit := rapid.Uint64Range(fx.NoLimit, fx.KFrom).Draw(t, "limit")
			heads := uint64(0)
			if limit != fx.NoLimit {
				heads = kv * group
				in = append(in, b.Input("limit", fx.I32, seqs, m))
			}
			y := b.Node(fx.OpGemm, []uint64{batch, m, n, k, group, limit, heads}, []uint64{batch, m, n}, in...)
			if rapid.Bool().Draw(t, "result is read") {
				keep(y)
			}
			z := b.Transpose(y, seqs, kv*group, m, n, seqs*m, kv*group*n)
			b.Output("z", z)
			b.Output("zz", b.Node(fx.OpGemm, []uint64{1, kv * group * n, 1, seqs * m, 1, 0, 0}, []uint64{kv * group * n, 1}, b.T(z), b.Input("c", fx.F32, 1, seqs*m)))
			for i, v := range all {
				if rapid.Bool().Draw(t, "output") {
					b.Output("all"+string(rune('0'+i)), v)
				}
			}
			g, err := b.Graph()
			if err != nil {
				t.Fatal(err)
			}
			r := ref.New(1 << 24)
			defer r.Close()
			want := values(t, r, g)
			for i, got := range values(t, d, g) {
				if !bytes.Equal(got, want[i]) {
					t.Fatalf("output %s differs", g.Outputs[i].Name)
				}
			}
		})
	})
}

// TestGPU01AttentionMovesNothing: of the 14 transposes of attention and its way back
// only those of the sums over the heads of a group are left.
func TestGPU01AttentionMovesNothing(t *testing.T) {
	const seqs, tokens, h, kv, dim = 2, 5, 4, 2, 6
	b := &program.Builder{}
	a := program.Attention{Seqs: seqs, Queries: tokens, Keys: tokens, H: h, HKV: kv, D: dim, See: b.Input("see", fx.I32, seqs, tokens), Seen: b.Input("seen", fx.I32, seqs, tokens)}
	q, k, v := b.Input("q", fx.F32, seqs*tokens, h*dim), b.Input("k", fx.F32, seqs*tokens, kv*dim), b.Input("v", fx.F32, seqs*tokens, kv*dim)
	y, saved := a.Forward(b, q, k, v)
	b.Output("y", y)
	for i, x := range func(x ...program.Value) []program.Value { return x }(a.Backward(b, saved, b.Input("g", fx.F32, seqs*tokens, h*dim))) {
		b.Output(string(rune('a'+i)), x)
	}
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	d, err := New(Options{Memory: 1 << 24})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	c := &counter{Device: d}
	if values(t, c, g); c.transposes != 2 {
		t.Errorf("%d transposes are run, want 2", c.transposes)
	}
}
