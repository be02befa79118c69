// SPDX-License-Identifier: Apache-2.0

package model

import (
	"github.com/openledger/openledger/internal/fx"
)

// Begin starts a step: gradients are cleared.
func (n *Net) Begin() {
	for i := range n.layers {
		d := &n.layers[i]
		clear(d.gw)
		clear(d.gb)
		if i > 0 {
			for j, v := range d.w {
				d.wt[j%d.out*d.in+j/d.out] = v
			}
		}
	}
}

// Row adds one row with label y to the gradient of the step and returns its
// loss: xent = (log red_sum exp(z−m)) − (z_y−m) with m = red_max z. The gradient
// of the logits is (softmax(z) − [k = y])·g; every weight's gradient is one
// chain over the rows of the step in order, every bias' a chain of additions.
//
// Shapes: x is [features]; y < classes; g is 1/batch. Spec: OP-03, OP-05.
func (n *Net) Row(x []float32, y int, g float32) (loss float32) {
	n.forward(x)
	last := &n.layers[len(n.layers)-1]
	loss = n.xent(last, y, g)
	for i := len(n.layers) - 1; i >= 0; i-- {
		d := &n.layers[i]
		for k, v := range d.x {
			fx.Axpy(d.gw[k*d.out:(k+1)*d.out], v, d.dz)
		}
		fx.AddTo(d.gb, d.dz)
		if i > 0 {
			d.back(&n.layers[i-1])
		}
	}
	return loss
}

// xent computes the loss of one row and the gradient of its logits.
func (n *Net) xent(d *dense, y int, g float32) float32 {
	p := n.prob
	fx.Narrow(p, d.z)
	m := fx.RedMax(p)
	zy := fx.Sub(p[y], m)
	for k, z := range p {
		p[k] = fx.Exp(fx.Sub(z, m))
	}
	s := fx.RedSum(p)
	for k, e := range p {
		q := fx.Div(e, s)
		if k == y {
			q = fx.Sub(q, 1)
		}
		d.dz[k] = float64(fx.Mul(q, g))
	}
	return fx.Sub(fx.Log(s), zy)
}

// back sets the gradient of the outputs of the layer below: chains over this
// layer's outputs, kept where the rectifier let the value pass (relu_bwd).
func (d *dense) back(below *dense) {
	clear(below.dz)
	for o, v := range d.dz {
		fx.Axpy(below.dz, v, d.wt[o*d.in:(o+1)*d.in])
	}
	for k, z := range below.z {
		if !(z > 0) {
			below.dz[k] = 0
		}
	}
}

// Update ends a step: g = fma(l2, p, g) for weights, not biases; v =
// fma(momentum, v, g); p = fma(−lr, v, p). It appends to norms the bits of
// red_sumsq(g) of each tensor in name order.
//
// Deviation: OP-04 gives SGD without a penalty; the l2 term is one more fma node
// per weight before it, and the recorded norms contain it, the loss does not.
// With l2 = 0 the bits are those of OP-04. Spec: OP-04, CHK-01.
func (n *Net) Update(lr, l2, momentum float32, norms []uint32) []uint32 {
	for i := range n.layers {
		d := &n.layers[i]
		fx.Axpy(d.gw, float64(l2), d.w)
	}
	norms = n.norms(norms)
	for i := range n.layers {
		d := &n.layers[i]
		sgd(d.w, d.gw, d.vw, lr, momentum)
		sgd(d.b, d.gb, d.vb, lr, momentum)
	}
	return norms
}

// sgd replaces v and p; g is spent.
func sgd(p, g, v []float64, lr, momentum float32) {
	fx.Axpy(g, float64(momentum), v)
	copy(v, g)
	fx.Axpy(p, float64(fx.Neg(lr)), v)
}

func (n *Net) norms(out []uint32) []uint32 {
	n.get(n.scratch, func(d *dense) ([]float64, []float64) { return d.gw, d.gb })
	for _, t := range n.scratch.Tensors {
		out = append(out, fx.Bits(fx.RedSumSq(t.Data)))
	}
	return out
}
