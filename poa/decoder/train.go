// SPDX-License-Identifier: Apache-2.0

package decoder

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// Optimizers.
const (
	AdamW = 1
	SGD   = 2
)

// Train is one step of training by cross-entropy. Numbers are in bits of binary32.
//
// A step takes Seqs records of Tokens+1 token ids: record perm(seed, data epoch, n,
// …) of TNS-04. With adapters they alone are trained, else every weight. Micro is
// how many records go through the net at once: less needs less memory and changes
// no bit of a result; the program of a task is that of Micro = Seqs. Spec: TNS-04.
type Train struct {
	_            struct{} `cbor:",toarray"`
	Net          Net
	Seqs, Tokens uint64
	Records      uint64 // of the data
	Steps        uint64 // of the run: the length of the table of learning rates
	Seed         uint64
	Optimizer    uint64
	Beta1, Beta2 uint32 // AdamW
	Eps, Decay   uint32 // AdamW; matrices decay, vectors do not
	Momentum     uint32 // SGD
	Clip         uint32 // most norm of all gradients; 0: no bound
	Micro        uint64
}

// Check verifies the record. Errors: program.ErrSpec.
func (t Train) Check() error {
	if err := t.Net.checkRows(t.Seqs, t.Tokens); err != nil {
		return err
	}
	switch {
	case t.Micro < 1 || t.Seqs%t.Micro != 0:
		return fmt.Errorf("%w: micro-batches of %d do not divide a batch of %d", program.ErrSpec, t.Micro, t.Seqs)
	case t.Records < 1 || t.Records > fx.MaxDim || t.Steps < 1 || t.Steps > fx.MaxDim:
		return fmt.Errorf("%w: %d records, %d steps", program.ErrSpec, t.Records, t.Steps)
	case t.Net.Int8 && t.Net.LoRA.Rank == 0:
		return fmt.Errorf("%w: weights in fx/int8 are not trained; train adapters (lora)", program.ErrSpec)
	case t.Optimizer != AdamW && t.Optimizer != SGD:
		return fmt.Errorf("%w: optimizer %d", program.ErrSpec, t.Optimizer)
	}
	one := uint32(0x3f800000)
	for _, f := range []struct {
		name string
		v    uint32
		most uint32
	}{{"beta1", t.Beta1, one - 1}, {"beta2", t.Beta2, one - 1}, {"eps", t.Eps, one}, {"weight decay", t.Decay, one},
		{"momentum", t.Momentum, one - 1}, {"clip", t.Clip, 0x7f7fffff}} {
		if f.v > f.most {
			return fmt.Errorf("%w: %s with the bits %08x is out of bounds", program.ErrSpec, f.name, f.v)
		}
	}
	return nil
}

// Trained lists what is trained, by name: the adapters, or all weights.
func (t Train) Trained() []Tensor {
	if t.Net.LoRA.Rank > 0 {
		return t.Net.Adapters()
	}
	return t.Net.Arch.Weights()
}

// State lists the tensors that a step changes, by name: "param/", "m/" and "v/"
// (SGD: "v/") with the name of each trained tensor, "b1" and "b2" (AdamW), "step".
// Spec: TNS-04, CHK-01.
func (t Train) State() []Tensor {
	list := []Tensor{{"step", fx.I32, []uint64{1}}}
	groups := []string{"param/", "v/"}
	if t.Optimizer == AdamW {
		list = append(list, Tensor{"b1", fx.F32, []uint64{1}}, Tensor{"b2", fx.F32, []uint64{1}})
		groups = append(groups, "m/")
	}
	for _, g := range groups {
		for _, p := range t.Trained() {
			list = append(list, Tensor{g + p.Name, p.Type, p.Shape})
		}
	}
	slices.SortFunc(list, func(x, y Tensor) int { return cmp.Compare(x.Name, y.Name) })
	return list
}

// tape collects what each gradient is a chain over, micro-batch by micro-batch.
type tape struct {
	parts map[string][]part
}

// part is one micro-batch of a gradient. For a matrix the gradient is gᵀ·x, for a
// vector the sum of the rows of g, for the embedding the rows of g added by id.
type part struct{ x, g value }

func (b *build) record(name string, x, g value) {
	if b.LoRA.Rank == 0 || isAdapter(name) {
		b.tape.parts[name] = append(b.tape.parts[name], part{x, g})
	}
}

// Graph is the program of a step. Inputs: "data" i32 [Records, Tokens+1] (a negative
// target is not counted), "lr" f32 [Steps], the tables of RoPE, frozen weights by
// their names, and State. Outputs: State after the step; "loss" [1], the mean
// cross-entropy; "norm/" + name [1], red_sumsq of each gradient before clipping.
// Errors: program.ErrSpec. Spec: OP-01, OP-04, TNS-04, TNS-05, CHK-01.
func (t Train) Graph() (program.Graph, error) {
	if err := t.Check(); err != nil {
		return program.Graph{}, err
	}
	b := t.Net.build()
	trained := map[string]bool{}
	for _, p := range t.Trained() {
		trained[p.Name] = true
	}
	b.rename = func(name string) string {
		if trained[name] {
			return "param/" + name
		}
		return name
	}
	b.tape = &tape{parts: map[string][]part{}}
	step := b.input("step", fx.I32, 1)
	width := t.Tokens + 1
	pick := b.Node(fx.OpPerm, []uint64{t.Seqs, t.Records, t.Seed}, []uint64{t.Seqs}, step)
	rows := b.Node(fx.OpGather, []uint64{uint64(fx.I32), t.Seqs, t.Records, width}, []uint64{t.Seqs, width},
		b.Input("data", fx.I32, t.Records, width), pick)
	columns := func(first uint64) value {
		return b.Node(fx.OpView, []uint64{uint64(fx.I32), t.Seqs, width, first, t.Tokens}, []uint64{t.Seqs * t.Tokens}, rows)
	}
	ids, targets := columns(0), columns(1)
	mean := b.MeanScale(targets)
	var losses []value
	n := t.Micro * t.Tokens
	for m := range t.Seqs / t.Micro {
		slice := func(x value) value {
			if t.Micro == t.Seqs {
				return x
			}
			return b.Node(fx.OpView, []uint64{uint64(fx.I32), 1, t.Seqs * t.Tokens, m * n, n}, []uint64{n}, x)
		}
		losses = append(losses, b.micro(slice(ids), slice(targets), mean, b.causal(t.Micro, t.Tokens)))
	}
	total := b.cat(losses, 1)
	b.Output("loss", b.Mix(fx.OpMul, all(b.Reduce(fx.OpRedSum, b.Reshape(total, t.Seqs*t.Tokens), nil)), all(mean)))
	t.update(b, step, ids)
	return b.Graph()
}

// micro is the way there and back for some records; it returns their losses.
func (b *build) micro(ids, targets, mean value, s seq) value {
	x := b.lookup(ids)
	layers := make([]layer, b.Arch.Layers)
	for l := range layers {
		b.prefix = Layer(uint64(l))
		q, k, v := b.project(x, s, &layers[l])
		x = b.finish(x, q, k, v, s, &layers[l])
	}
	b.prefix = ""
	f, last := b.norm("norm", x)
	loss, p := b.Xent(b.logits(f), targets)
	g := b.XentBwd(p, targets, mean)
	b.record(b.head(), f, g)
	g = b.normBwd(last, b.Linear(g, b.turn(b.matrix(b.head(), b.Arch.Vocab, b.Arch.Hidden))))
	for l := len(layers) - 1; l >= 0; l-- {
		b.prefix = Layer(uint64(l))
		g = b.layerBwd(&layers[l], s, g, l == 0 && b.LoRA.Rank > 0)
	}
	b.prefix = ""
	if b.LoRA.Rank == 0 {
		b.record("lookup", ids, g)
	}
	return loss
}

// layerBwd returns the gradient of a layer's input; with stop nobody needs it.
func (b *build) layerBwd(l *layer, s seq, g value, stop bool) value {
	dact := b.linearBwd(l.down, g, false)
	dgate, dup := b.Each(fx.OpSwigluBwd, l.g, l.u, dact), b.Each(fx.OpSwiglu, l.g, dact)
	g = b.add(g, b.normBwd(l.mlp, b.add(b.linearBwd(l.gate, dgate, false), b.linearBwd(l.up, dup, false))))
	do := b.linearBwd(l.o, g, false)
	dq, dk, dv := b.attention(s).Backward(b.Builder, l.saved, do)
	dq, dk = b.rope(fx.OpRopeBwd, dq, b.Arch.Heads, s), b.rope(fx.OpRopeBwd, dk, b.Arch.KVHeads, s)
	hq, hk, hv := b.linearBwd(l.q, dq, stop), b.linearBwd(l.k, dk, stop), b.linearBwd(l.v, dv, stop)
	if stop {
		return g
	}
	return b.add(g, b.normBwd(l.attn, b.add(b.add(hq, hk), hv)))
}

// linearBwd returns the gradient of a product's input and records those of its
// weights; with stop nobody needs the first.
func (b *build) linearBwd(s linear, g value, stop bool) value {
	d, name := b.Arch.dims(s.m), b.prefix+s.m
	b.record(name, s.x, g)
	if b.Arch.biased(s.m) {
		b.record(name+"_bias", s.x, g)
	}
	adapted := slices.Contains(b.LoRA.Targets, s.m)
	var side value
	if adapted {
		up := b.Node(fx.OpScale, []uint64{b.Len(g), uint64(b.LoRA.Scale)}, b.Shape(g), g)
		b.record(name+".lora_b", s.down, up)
		side = b.Linear(up, b.turn(b.f32(name+".lora_b", d[0], b.LoRA.Rank)))
		b.record(name+".lora_a", s.x, side)
	}
	if stop {
		return 0
	}
	dx := b.Linear(g, b.turn(b.matrix(name, d[0], d[1])))
	if adapted {
		dx = b.add(dx, b.Linear(side, b.turn(b.f32(name+".lora_a", b.LoRA.Rank, d[1]))))
	}
	return dx
}

// normBwd is the gradient of RMSNorm's input; that of its weight is the sum of the
// rows of g·(x·r). Spec: OP-05.
func (b *build) normBwd(s norm, g value) value {
	if b.LoRA.Rank == 0 {
		b.record(s.name, s.x, b.Mix(fx.OpMul, all(g), all(b.Mix(fx.OpMul, all(s.x), program.Row(s.r)))))
	}
	return b.RMSNormDx(s.x, s.w, s.r, g)
}
