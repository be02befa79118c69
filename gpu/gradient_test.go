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

const vocabulary = 7

// parameters of the small network whose gradients are checked.
var parameters = []struct {
	name  string
	shape []uint64
}{
	{"x", []uint64{2 * tokens, dim}}, {"norm", []uint64{dim}}, {"wq", []uint64{heads * head, dim}}, {"wk", []uint64{kvHeads * head, dim}},
	{"wv", []uint64{kvHeads * head, dim}}, {"wg", []uint64{ffn, heads * head}}, {"wu", []uint64{ffn, heads * head}}, {"wz", []uint64{vocabulary, ffn}},
}

const tokens = 5

// network is attention, a gated layer and cross-entropy on two sequences, forward
// and backward; its outputs are the mean loss and the gradient of every parameter.
func network(t *rapid.T) program.Graph {
	b := &program.Builder{}
	w := map[string]program.Value{}
	for _, p := range parameters {
		w[p.name] = b.Input(p.name, fx.F32, p.shape...)
	}
	pos, see, seen := b.Input("pos", fx.I32, 2*tokens), b.Input("see", fx.I32, 2, tokens), b.Input("seen", fx.I32, 2, tokens)
	cos, sin := b.Input("cos", fx.F32, positions, head/2), b.Input("sin", fx.F32, positions, head/2)
	ids := b.Input("ids", fx.I32, 2*tokens)
	rope := func(op fx.Op, v program.Value, h uint64) program.Value {
		return b.Node(op, []uint64{2 * tokens, h, head, positions}, b.Shape(v), v, cos, sin, pos)
	}
	n, r := b.RMSNorm(w["x"], w["norm"], 0x3727c5ac)
	q, k := rope(fx.OpRope, b.Linear(n, w["wq"]), heads), rope(fx.OpRope, b.Linear(n, w["wk"]), kvHeads)
	att := program.Attention{Seqs: 2, Queries: tokens, Keys: tokens, H: heads, HKV: kvHeads, D: head, See: see, Seen: seen}
	o, saved := att.Forward(b, q, k, b.Linear(n, w["wv"]))
	gate, up := b.Linear(o, w["wg"]), b.Linear(o, w["wu"])
	y := b.Each(fx.OpSwiglu, gate, up)
	loss, p := b.Xent(b.Linear(y, w["wz"]), ids)
	g := b.MeanScale(ids)
	b.Output("loss", b.Mix(fx.OpMul, program.All(b.Reduce(fx.OpRedSum, b.Reshape(loss, 2*tokens), nil)), program.All(g)))

	grad := map[string]program.Value{}
	add := func(x, y program.Value) program.Value { return b.Mix(fx.OpAdd, program.All(x), program.All(y)) }
	dy, dwz := b.LinearBwd(y, w["wz"], b.XentBwd(p, ids, g))
	dg, du := b.Each(fx.OpSwigluBwd, gate, up, dy), b.Each(fx.OpSwiglu, gate, dy)
	do1, dwg := b.LinearBwd(o, w["wg"], dg)
	do2, dwu := b.LinearBwd(o, w["wu"], du)
	dq, dk, dv := att.Backward(b, saved, add(do1, do2))
	dnq, dwq := b.LinearBwd(n, w["wq"], rope(fx.OpRopeBwd, dq, heads))
	dnk, dwk := b.LinearBwd(n, w["wk"], rope(fx.OpRopeBwd, dk, kvHeads))
	dnv, dwv := b.LinearBwd(n, w["wv"], dv)
	grad["x"], grad["norm"] = b.RMSNormBwd(w["x"], w["norm"], r, add(add(dnq, dnk), dnv))
	grad["wq"], grad["wk"], grad["wv"], grad["wg"], grad["wu"], grad["wz"] = dwq, dwk, dwv, dwg, dwu, dwz
	for _, p := range parameters {
		b.Output("d"+p.name, grad[p.name])
	}
	graph, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return graph
}

// TestOP05GradientsAreSlopes compares each gradient with the slope of the loss in a
// random direction.
func TestOP05GradientsAreSlopes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := network(t)
		seed := rapid.Uint64().Draw(t, "seed")
		given := map[string][]byte{
			"pos": append(i32s(0, tokens), i32s(0, tokens)...), "see": append(i32s(1, tokens), i32s(1, tokens)...),
			"seen": append(i32s(0, tokens), i32s(0, tokens)...),
		}
		ids := i32s(0, 2*tokens)
		for i := range 2 * tokens {
			id := int32(rapid.IntRange(-1, vocabulary-1).Draw(t, "id"))
			binary.LittleEndian.PutUint32(ids[4*i:], uint32(id))
		}
		binary.LittleEndian.PutUint32(ids, 3)
		given["ids"] = ids
		angle := func(f func(float64) float64) []byte {
			v := make([]float32, positions*head/2)
			for i := range v {
				v[i] = float32(f(float64(i/(head/2)) / math.Pow(100, float64(i%(head/2)))))
			}
			return fx.AppendBits(nil, v)
		}
		given["cos"], given["sin"] = angle(math.Cos), angle(math.Sin)
		value := map[string][]float32{}
		for i, p := range parameters {
			n := p.shape[0]
			if len(p.shape) > 1 {
				n *= p.shape[1]
			}
			value[p.name] = make([]float32, n)
			fx.Stream{Seed: seed, Stream: uint32(i), Purpose: fx.PurposeInit}.FillNormal(value[p.name])
			for j := range value[p.name] {
				value[p.name][j] /= 2
			}
			given[p.name] = fx.AppendBits(nil, value[p.name])
		}
		out := run(t, g, given)
		for i, p := range parameters {
			grad := out["d"+p.name]
			dir := make([]float32, len(grad)/4)
			fx.Stream{Seed: seed, Stream: uint32(i), Purpose: fx.PurposeSketch}.FillNormal(dir)
			var want, size float64
			for j := range dir {
				gj := float64(math.Float32frombits(binary.LittleEndian.Uint32(grad[4*j:])))
				want += gj * float64(dir[j])
				size += math.Abs(gj * float64(dir[j]))
			}
			const h = 1.0 / 512
			at := func(step float32) float64 {
				v := make([]float32, len(dir))
				for j := range v {
					v[j] = value[p.name][j] + float32(step*dir[j])
				}
				moved := map[string][]byte{}
				for k, b := range given {
					moved[k] = b
				}
				moved[p.name] = fx.AppendBits(nil, v)
				return float64(math.Float32frombits(binary.LittleEndian.Uint32(run(t, g, moved)["loss"])))
			}
			slope := (at(h) - at(-h)) / (2 * h)
			if math.Abs(slope-want) > 0.04*size+5e-3 {
				t.Fatalf("the gradient of %s says the loss rises by %.5f, it does by %.5f (terms up to %.5f)", p.name, want, slope, size)
			}
		}
	})
}
