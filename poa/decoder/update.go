// SPDX-License-Identifier: Apache-2.0

package decoder

import (
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// cat joins rows of cols elements, in order.
func (b *build) cat(parts []value, cols uint64) value {
	for len(parts) > 1 {
		var next []value
		for i := 0; i+1 < len(parts); i += 2 {
			x, y := b.Len(parts[i]), b.Len(parts[i+1])
			next = append(next, b.Node(fx.OpConcat, []uint64{uint64(fx.F32), 1, x, y}, []uint64{(x + y) / cols, cols}, parts[i], parts[i+1]))
		}
		if len(parts)%2 == 1 {
			next = append(next, parts[len(parts)-1])
		}
		parts = next
	}
	return parts[0]
}

// joined are the inputs and gradients of all micro-batches, one after the other.
// Inputs that several weights share are joined once.
func (b *build) joined(name string, seen map[value]value) (x, g value) {
	parts := b.tape.parts[name]
	var xs, gs []value
	for _, p := range parts {
		xs, gs = append(xs, p.x), append(gs, p.g)
	}
	width := func(v value) uint64 { s := b.Shape(v); return s[len(s)-1] }
	x, ok := seen[xs[0]]
	if !ok {
		x = b.cat(xs, width(xs[0]))
		seen[xs[0]] = x
	}
	if y, ok := seen[gs[0]]; ok {
		return x, y
	}
	g = b.cat(gs, width(gs[0]))
	seen[gs[0]] = g
	return x, g
}

// gradient of one trained tensor, a chain over all rows of the step. Spec: OP-03.
func (b *build) gradient(t Tensor, ids value, seen map[value]value) value {
	if t.Name == "embed" {
		var gs []value
		for _, p := range b.tape.parts["lookup"] {
			gs = append(gs, p.g)
		}
		g := b.cat(gs, b.Arch.Hidden)
		rows := b.Len(g) / b.Arch.Hidden
		d := b.Node(fx.OpScatterChain, []uint64{rows, b.Arch.Vocab, b.Arch.Hidden}, t.Shape, ids, g)
		if !b.Arch.Tied {
			return d
		}
		x, g := b.joined("embed", seen)
		return b.add(b.Linear(b.turn(g), b.turn(x)), d)
	}
	x, g := b.joined(t.Name, seen)
	if len(t.Shape) == 1 {
		return b.ColSum(g)
	}
	return b.Linear(b.turn(g), b.turn(x))
}

// update adds the optimizer and the outputs. Spec: OP-04.
func (t Train) update(b *build, step, ids value) {
	seen := map[value]value{}
	var grads []value
	var total value
	for i, p := range t.Trained() {
		g := b.gradient(p, ids, seen)
		grads = append(grads, g)
		sq := b.SumSq(g)
		b.Output("norm/"+p.Name, sq)
		if i == 0 {
			total = sq
		} else {
			total = b.add(total, sq)
		}
	}
	if t.Clip != 0 {
		s := b.Node(fx.OpClipScale, []uint64{uint64(t.Clip)}, []uint64{1}, total)
		for i, g := range grads {
			grads[i] = b.Mix(fx.OpMul, all(g), program.Scalar(s))
		}
	}
	lr := b.Node(fx.OpGather, []uint64{uint64(fx.F32), 1, t.Steps, 1}, []uint64{1}, b.Input("lr", fx.F32, t.Steps), step)
	t.optimise(b, grads, lr)
	b.Output("step", b.Node(fx.OpAddI32, []uint64{1, 1}, []uint64{1}, step))
}

func (t Train) optimise(b *build, grads []value, lr value) {
	state := func(group string, p Tensor) value { return b.f32(group+p.Name, p.Shape...) }
	if t.Optimizer == SGD {
		mu, neg := b.Const(t.Momentum), b.Each(fx.OpNeg, lr)
		for i, p := range t.Trained() {
			p1, v1 := b.SGD(b.f32(p.Name, p.Shape...), state("v/", p), grads[i], mu, neg)
			b.Output("param/"+p.Name, p1)
			b.Output("v/"+p.Name, v1)
		}
		return
	}
	power := func(name string, beta uint32) value {
		return b.Node(fx.OpScale, []uint64{1, uint64(beta)}, []uint64{1}, b.f32(name, 1))
	}
	b1, b2 := power("b1", t.Beta1), power("b2", t.Beta2)
	b.Output("b1", b1)
	b.Output("b2", b2)
	for i, p := range t.Trained() {
		decay := t.Decay
		if len(p.Shape) == 1 {
			decay = 0
		}
		p1, m1, v1 := b.AdamW(b.f32(p.Name, p.Shape...), state("m/", p), state("v/", p), grads[i], b1, b2, lr, t.Beta1, t.Beta2, t.Eps, decay)
		b.Output("param/"+p.Name, p1)
		b.Output("m/"+p.Name, m1)
		b.Output("v/"+p.Name, v1)
	}
}
