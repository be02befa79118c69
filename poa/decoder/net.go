// SPDX-License-Identifier: Apache-2.0

package decoder

import (
	"slices"

	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// Names of inputs that are no weights.
const (
	RopeCos = "rope.cos" // f32 [Positions, HeadDim/2]
	RopeSin = "rope.sin"
)

type value = program.Value

var all = program.All

// build is a graph in the making. Inputs come into being where they are first
// used, and what several nodes need is made once.
type build struct {
	*program.Builder
	Net
	prefix string              // of the names of the layer that is built
	rename func(string) string // name of a weight to that of its input; nil: the same
	inputs map[string]value
	codes  map[value][2]value // activations as codes and scales
	turned map[value]value    // transposes
	tape   *tape              // nil: forward only
}

func (n Net) build() *build {
	return &build{Builder: &program.Builder{}, Net: n, inputs: map[string]value{}, codes: map[value][2]value{}, turned: map[value]value{}}
}

func (b *build) input(name string, t fx.Type, shape ...uint64) value {
	if b.rename != nil {
		name = b.rename(name)
	}
	v, ok := b.inputs[name]
	if !ok {
		v = b.Input(name, t, shape...)
		b.inputs[name] = v
	}
	return v
}

func (b *build) f32(name string, shape ...uint64) value { return b.input(name, fx.F32, shape...) }

// turn is the transpose of a matrix.
func (b *build) turn(x value) value {
	t, ok := b.turned[x]
	if !ok {
		t = b.T(x)
		b.turned[x] = t
	}
	return t
}

func (b *build) add(x, y value) value { return b.Mix(fx.OpAdd, all(x), all(y)) }

// product is x·wᵀ with the weight name [out, in] in the arithmetic of the net.
func (b *build) product(x value, name string, out, in uint64) value {
	if !b.Int8 {
		return b.Linear(x, b.f32(name, out, in))
	}
	rows, groups := b.Len(x)/in, (in+Group-1)/Group
	c, ok := b.codes[x]
	if !ok {
		attrs := []uint64{rows, in, Group}
		c = [2]value{b.Node(fx.OpQuantI8, attrs, []uint64{rows, in}, x), b.Node(fx.OpQuantScale, attrs, []uint64{rows, groups}, x)}
		b.codes[x] = c
	}
	return b.Node(fx.OpGemmI8, []uint64{rows, out, in, Group}, []uint64{rows, out}, c[0], c[1],
		b.input(name+".q", fx.I8, out, in), b.f32(name+".s", out, groups))
}

// matrix is a weight in fx/1, for the way back: codes times scales if it is held
// in fx/int8. Spec: TNS-05.
func (b *build) matrix(name string, out, in uint64) value {
	if !b.Int8 {
		return b.f32(name, out, in)
	}
	return b.Node(fx.OpDequantI8, []uint64{out, in, Group}, []uint64{out, in},
		b.input(name+".q", fx.I8, out, in), b.f32(name+".s", out, (in+Group-1)/Group))
}

// linear is a matrix of a layer with its bias and adapters, and what the way back
// takes from it.
func (b *build) linear(m string, x value) (y value, s linear) {
	d, name := b.Arch.dims(m), b.prefix+m
	s = linear{m: m, x: x}
	y = b.product(x, name, d[0], d[1])
	if b.Arch.biased(m) {
		y = b.Mix(fx.OpAdd, all(y), program.Col(b.f32(name+"_bias", d[0])))
	}
	if slices.Contains(b.LoRA.Targets, m) {
		s.down = b.Linear(x, b.f32(name+".lora_a", b.LoRA.Rank, d[1]))
		up := b.Linear(s.down, b.f32(name+".lora_b", d[0], b.LoRA.Rank))
		y = b.add(y, b.Node(fx.OpScale, []uint64{b.Len(up), uint64(b.LoRA.Scale)}, b.Shape(up), up))
	}
	return y, s
}

// linear is what a product saves: its input, and A·x of the adapters.
type linear struct {
	m       string
	x, down value
}

// seq says how rows are split into sequences, and where each stands.
type seq struct {
	seqs, queries, keys uint64
	pos, see, seen      value
}

func (b *build) rope(op fx.Op, x value, heads uint64, s seq) value {
	a := b.Arch
	cos, sin := b.f32(RopeCos, a.Positions, a.HeadDim/2), b.f32(RopeSin, a.Positions, a.HeadDim/2)
	return b.Node(op, []uint64{s.seqs * s.queries, heads, a.HeadDim, a.Positions}, b.Shape(x), x, cos, sin, s.pos)
}

func (b *build) attention(s seq) program.Attention {
	a := b.Arch
	return program.Attention{Seqs: s.seqs, Queries: s.queries, Keys: s.keys, H: a.Heads, HKV: a.KVHeads, D: a.HeadDim, See: s.see, Seen: s.seen}
}

// norm is RMSNorm by the weight name.
type norm struct {
	name    string
	x, w, r value
}

func (b *build) norm(name string, x value) (value, norm) {
	s := norm{name: b.prefix + name, x: x, w: b.f32(b.prefix+name, b.Arch.Hidden)}
	var y value
	y, s.r = b.RMSNorm(x, s.w, b.Arch.Eps)
	return y, s
}

// layer is what one layer saves for the way back.
type layer struct {
	attn, mlp                  norm
	q, k, v, o, gate, up, down linear
	saved                      program.Saved
	g, u                       value // what swiglu got
}

// queries, keys and values of x, turned to their positions.
func (b *build) project(x value, s seq, l *layer) (q, k, v value) {
	var h value
	h, l.attn = b.norm("attn_norm", x)
	q, l.q = b.linear("q", h)
	k, l.k = b.linear("k", h)
	v, l.v = b.linear("v", h)
	return b.rope(fx.OpRope, q, b.Arch.Heads, s), b.rope(fx.OpRope, k, b.Arch.KVHeads, s), v
}

// finish is the rest of a layer: attention, its output, the MLP.
func (b *build) finish(x, q, k, v value, s seq, l *layer) value {
	var o, y, h value
	o, l.saved = b.attention(s).Forward(b.Builder, q, k, v)
	y, l.o = b.linear("o", o)
	x = b.add(x, y)
	h, l.mlp = b.norm("mlp_norm", x)
	l.g, l.gate = b.linear("gate", h)
	l.u, l.up = b.linear("up", h)
	y, l.down = b.linear("down", b.Each(fx.OpSwiglu, l.g, l.u))
	return b.add(x, y)
}

// lookup are the rows of the embedding.
func (b *build) lookup(ids value) value {
	a, n := b.Arch, b.Len(ids)
	return b.Node(fx.OpGather, []uint64{uint64(fx.F32), n, a.Vocab, a.Hidden}, []uint64{n, a.Hidden}, b.f32("embed", a.Vocab, a.Hidden), ids)
}

// logits are the product with the head.
func (b *build) logits(f value) value { return b.product(f, b.head(), b.Arch.Vocab, b.Arch.Hidden) }

func (b *build) head() string {
	if b.Arch.Tied && !b.Int8 {
		return "embed"
	}
	return "head"
}
