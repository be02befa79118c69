// SPDX-License-Identifier: Apache-2.0

package gpu_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/ref"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// Shapes of the small decoder layer of this file.
const (
	dim, heads, kvHeads, head, ffn, positions = 12, 4, 2, 4, 10, 16
)

// layer is one decoder layer for seqs sequences of queries new tokens after the
// keys in a cache, as a server would run it: it takes the cache and gives the new
// keys and values.
func layer(t *rapid.T, seqs, queries, cached uint64) program.Graph {
	b := &program.Builder{}
	rows := seqs * queries
	x := b.Input("x", fx.F32, rows, dim)
	pos, see := b.Input("pos", fx.I32, rows), b.Input("see", fx.I32, seqs, queries)
	cos, sin := b.Input("cos", fx.F32, positions, head/2), b.Input("sin", fx.F32, positions, head/2)
	w := map[string]program.Value{}
	for _, p := range weights {
		w[p.name] = b.Input(p.name, fx.F32, p.shape...)
	}
	y, _ := b.RMSNorm(x, w["norm1"], 0x3727c5ac)
	rope := func(v program.Value, h uint64) program.Value {
		return b.Node(fx.OpRope, []uint64{rows, h, head, positions}, []uint64{rows, h * head}, v, cos, sin, pos)
	}
	q := rope(b.Linear(y, w["q"]), heads)
	k, v := rope(b.Linear(y, w["k"]), kvHeads), b.Linear(y, w["v"])
	b.Output("k", k)
	b.Output("v", v)
	if cached > 0 {
		join := func(name string, v program.Value) program.Value {
			old := b.Input(name, fx.F32, seqs, cached*kvHeads*head)
			return b.Node(fx.OpConcat, []uint64{uint64(fx.F32), seqs, cached * kvHeads * head, queries * kvHeads * head},
				[]uint64{seqs * (cached + queries), kvHeads * head}, old, v)
		}
		k, v = join("old k", k), join("old v", v)
	}
	att := program.Attention{Seqs: seqs, Queries: queries, Keys: cached + queries, H: heads, HKV: kvHeads, D: head, See: see}
	o, _ := att.Forward(b, q, k, v)
	x = b.Mix(fx.OpAdd, program.All(x), program.All(b.Linear(o, w["o"])))
	y, _ = b.RMSNorm(x, w["norm2"], 0x3727c5ac)
	y = b.Each(fx.OpSwiglu, b.Linear(y, w["gate"]), b.Linear(y, w["up"]))
	b.Output("y", b.Mix(fx.OpAdd, program.All(x), program.All(b.Linear(y, w["down"]))))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

var weights = []struct {
	name  string
	shape []uint64
}{
	{"norm1", []uint64{dim}}, {"q", []uint64{heads * head, dim}}, {"k", []uint64{kvHeads * head, dim}}, {"v", []uint64{kvHeads * head, dim}},
	{"o", []uint64{dim, heads * head}}, {"norm2", []uint64{dim}}, {"gate", []uint64{ffn, dim}}, {"up", []uint64{ffn, dim}}, {"down", []uint64{dim, ffn}},
}

// run runs a graph once on inputs by name; what has no name is drawn from it.
func run(t *rapid.T, g program.Graph, given map[string][]byte) map[string][]byte {
	d := ref.New(1 << 24)
	defer d.Close()
	p, err := gpu.NewPlan(d, g)
	if err != nil {
		t.Fatal(err)
	}
	var in, out []gpu.Buffer
	for _, x := range g.Inputs {
		n := uint64(1)
		for _, s := range x.Shape {
			n *= s
		}
		data, ok := given[x.Name]
		if !ok {
			v := make([]float32, n)
			fx.Stream{Seed: uint64(len(x.Name)) + uint64(x.Name[0])<<8, Purpose: fx.PurposeInit}.FillNormal(v)
			data = fx.AppendBits(nil, v)
		}
		b, err := d.Alloc(x.Type, n)
		if err == nil {
			err = d.Upload(b, data)
		}
		if err != nil {
			t.Fatalf("%s: %v", x.Name, err)
		}
		in = append(in, b)
	}
	for _, o := range g.Outputs {
		s, _ := g.Nodes[int(o.Value)-len(g.Inputs)].Check()
		b, err := d.Alloc(s.Out.Type, s.Out.Len)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	if err := p.Run(in, out); err != nil {
		t.Fatal(err)
	}
	got := map[string][]byte{}
	for i, o := range g.Outputs {
		got[o.Name] = read(t, d, out[i])
	}
	return got
}

func i32s(from, n uint64) []byte {
	var b []byte
	for i := range n {
		b = binary.LittleEndian.AppendUint32(b, uint32(from+i))
	}
	return b
}

// TestOP03PrefillDecodeAndPaddingChangeNoBit computes a sequence at once, then in
// random chunks with a cache, then beside another sequence with padding behind
// both: rows of equal position have equal bits.
func TestOP03PrefillDecodeAndPaddingChangeNoBit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Range(1, 9).Draw(t, "tokens")
		all := make([]float32, 2*positions*dim)
		fx.Stream{Seed: rapid.Uint64().Draw(t, "seed"), Purpose: fx.PurposeBench}.FillNormal(all)
		first, second := fx.AppendBits(nil, all[:n*dim]), fx.AppendBits(nil, all[positions*dim:])
		whole := run(t, layer(t, 1, n, 0), map[string][]byte{"x": first, "pos": i32s(0, n), "see": i32s(1, n)})["y"]

		var k, v []byte
		for at := uint64(0); at < n; {
			m := rapid.Uint64Range(1, n-at).Draw(t, "chunk")
			part := run(t, layer(t, 1, m, at), map[string][]byte{
				"x": first[4*at*dim : 4*(at+m)*dim], "pos": i32s(at, m), "see": i32s(at+1, m), "old k": k, "old v": v})
			if want := whole[4*at*dim : 4*(at+m)*dim]; !bytes.Equal(part["y"], want) {
				t.Fatalf("tokens %d to %d have other bits after a cache of %d", at, at+m-1, at)
			}
			k, v, at = append(k, part["k"]...), append(v, part["v"]...), at+m
		}

		pad := n + rapid.Uint64Range(0, 3).Draw(t, "padding")
		x := append(append(append([]byte{}, first...), second[:4*(pad-n)*dim]...), second[:4*pad*dim]...)
		both := run(t, layer(t, 2, pad, 0), map[string][]byte{
			"x": x, "pos": append(i32s(0, pad), i32s(0, pad)...), "see": append(i32s(1, pad), i32s(1, pad)...)})["y"]
		if !bytes.Equal(both[:len(whole)], whole) {
			t.Fatalf("beside another sequence and with %d tokens of padding the bits are others", pad-n)
		}
	})
}
