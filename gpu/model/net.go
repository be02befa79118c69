// SPDX-License-Identifier: Apache-2.0

package model

import (
	"github.com/openledger/openledger/internal/fx"
)

// Net is a working copy of a model for one goroutine. All its arrays are wide
// vectors (float64 holding binary32, see fx.Axpy) in an order that the chains
// of FX-03 run through row by row; the bits are those of the tensors' layout.
type Net struct {
	arch   Arch
	layers []dense

	prob    []float32 // [C] scratch of the loss
	scratch *Weights  // gradients in the tensors' layout
}

// dense is one layer. I inputs, O outputs; w, gw and vw are [I, O], the
// transpose of the tensor.
type dense struct {
	layer
	w, b   []float64 // parameters
	gw, gb []float64 // gradient of the step
	vw, vb []float64 // momentum
	wt     []float64 // w as [O, I], for the gradient of the inputs
	x, z   []float64 // input [I] and output before the rectifier [O] of one row
	dz     []float64 // gradient of z
}

// NewNet returns a Net with the given weights and zero momentum. w is copied.
func NewNet(w *Weights) *Net {
	n := &Net{arch: w.Arch, prob: make([]float32, w.Arch.Classes), scratch: New(w.Arch)}
	for _, l := range w.Arch.layers() {
		size := l.in * l.out
		n.layers = append(n.layers, dense{layer: l,
			w: make([]float64, size), gw: make([]float64, size), vw: make([]float64, size), wt: make([]float64, size),
			b: make([]float64, l.out), gb: make([]float64, l.out), vb: make([]float64, l.out),
			x: make([]float64, l.in), z: make([]float64, l.out), dz: make([]float64, l.out)})
	}
	n.set(w, func(d *dense) ([]float64, []float64) { return d.w, d.b })
	return n
}

// SetMomentum sets the momentum from tensors of the model's shapes.
func (n *Net) SetMomentum(v *Weights) {
	n.set(v, func(d *dense) ([]float64, []float64) { return d.vw, d.vb })
}

// Weights returns a copy of the parameters as tensors.
func (n *Net) Weights() *Weights {
	return n.get(New(n.arch), func(d *dense) ([]float64, []float64) { return d.w, d.b })
}

// Momentum returns a copy of the momentum as tensors.
func (n *Net) Momentum() *Weights {
	return n.get(New(n.arch), func(d *dense) ([]float64, []float64) { return d.vw, d.vb })
}

func (n *Net) set(w *Weights, part func(*dense) (matrix, bias []float64)) {
	for i := range n.layers {
		d := &n.layers[i]
		m, b := part(d)
		for j, v := range w.Tensors[w.index(d.layer.w)].Data {
			m[j%d.in*d.out+j/d.in] = float64(v)
		}
		fx.Widen(b, w.Tensors[w.index(d.layer.b)].Data)
	}
}

func (n *Net) get(w *Weights, part func(*dense) (matrix, bias []float64)) *Weights {
	for i := range n.layers {
		d := &n.layers[i]
		m, b := part(d)
		transpose(w.Tensors[w.index(d.layer.w)].Data, m, d.in, d.out)
		fx.Narrow(w.Tensors[w.index(d.layer.b)].Data, b)
	}
	return w
}

// transpose sets dst [O, I] from the wide src [I, O].
func transpose(dst []float32, src []float64, in, out int) {
	for i := range in {
		for o := range out {
			dst[o*in+i] = fx.Canon(float32(src[i*out+o]))
		}
	}
}

// Logits computes the outputs of one row: z = W·x + b in each layer as chains
// over the inputs, then the bias; between layers relu(z) = z if z > 0, else +0.
//
// Shapes: x is [features], out is [classes], overwritten. Cost: one multiply-add
// per weight. Spec: OP-03, OP-05.
func (n *Net) Logits(x, out []float32) {
	n.forward(x)
	fx.Narrow(out, n.layers[len(n.layers)-1].z)
}

func (n *Net) forward(x []float32) {
	fx.Widen(n.layers[0].x, x)
	for i := range n.layers {
		d := &n.layers[i]
		if i > 0 {
			relu(d.x, n.layers[i-1].z)
		}
		clear(d.z)
		for k, v := range d.x {
			fx.Axpy(d.z, v, d.w[k*d.out:(k+1)*d.out])
		}
		fx.AddTo(d.z, d.b)
	}
}

// relu sets dst = x where x > 0 or x is NaN, else +0. Spec: OP-05.
func relu(dst, x []float64) {
	for i, v := range x {
		if v > 0 || v != v {
			dst[i] = v
		} else {
			dst[i] = 0
		}
	}
}

// Label returns the class of the greatest logit, the lowest one of equals.
// Spec: OP-03.
func (n *Net) Label(x, logits []float32) int {
	n.Logits(x, logits)
	return fx.Argmax(logits)
}

// Correct counts the rows of d whose label the model gives. d has labels.
func (n *Net) Correct(d *Data) int {
	out, correct := make([]float32, n.arch.Classes), 0
	for i := range d.Rows {
		if n.Label(d.Row(i), out) == d.Y[i] {
			correct++
		}
	}
	return correct
}
