// SPDX-License-Identifier: Apache-2.0

package model

import (
	"github.com/openledger/openledger/internal/fx"
)

// naive is a second implementation of the models: the node list of OP-03..05 in
// the tensors' own layout, one output element at a time.
type naive struct {
	w, v *Weights
}

func newNaive(w *Weights) *naive { return &naive{w: w.Clone(), v: New(w.Arch)} }

func (n *naive) tensor(w *Weights, name string) []float32 { return w.Tensors[w.index(name)].Data }

// gemmNT is C[m,n] = chain_k A[m,k]·B[n,k].
func gemmNT(a, b []float32, m, n, k int) []float32 {
	c := make([]float32, m*n)
	for i := range m {
		for j := range n {
			c[i*n+j] = fx.Canon(fx.Dot(a[i*k:(i+1)*k], b[j*k:(j+1)*k]))
		}
	}
	return c
}

func turn(a []float32, rows, cols int) []float32 {
	out := make([]float32, len(a))
	for i := range rows {
		for j := range cols {
			out[j*rows+i] = a[i*cols+j]
		}
	}
	return out
}

func addBias(z, b []float32) {
	for i := range z {
		z[i] = fx.Add(z[i], b[i%len(b)])
	}
}

// forward returns the input and the output before the rectifier of each layer
// for a batch of rows.
func (n *naive) forward(x []float32, rows int) (in, out [][]float32) {
	for i, l := range n.w.Arch.layers() {
		if i > 0 {
			x = make([]float32, rows*l.in)
			for j, z := range out[i-1] {
				if z > 0 || z != z {
					x[j] = z
				}
			}
		}
		z := gemmNT(x, n.tensor(n.w, l.w), rows, l.out, l.in)
		addBias(z, n.tensor(n.w, l.b))
		in, out = append(in, x), append(out, z)
	}
	return in, out
}

// step trains on one batch and returns the record T_j.
func (n *naive) step(x []float32, y []int, lr, l2, mu float32) []uint32 {
	rows, layers := len(y), n.w.Arch.layers()
	in, out := n.forward(x, rows)
	c := int(n.w.Arch.Classes)
	g := fx.Div(1, fx.FromInt(int32(rows)))
	dz := make([]float32, rows*c)
	losses := make([]float32, rows)
	for r := range rows {
		z := out[len(out)-1][r*c : (r+1)*c]
		m := fx.RedMax(z)
		e := make([]float32, c)
		for k := range e {
			e[k] = fx.Exp(fx.Sub(z[k], m))
		}
		sum := fx.RedSum(e)
		losses[r] = fx.Sub(fx.Log(sum), fx.Sub(z[y[r]], m))
		for k := range e {
			hit := float32(0)
			if k == y[r] {
				hit = 1
			}
			dz[r*c+k] = fx.Mul(fx.Sub(fx.Div(e[k], sum), hit), g)
		}
	}
	grad := New(n.w.Arch)
	for i := len(layers) - 1; i >= 0; i-- {
		l := layers[i]
		copy(n.tensor(grad, l.w), gemmNT(turn(dz, rows, l.out), turn(in[i], rows, l.in), l.out, l.in, rows))
		for o := range l.out {
			n.tensor(grad, l.b)[o] = fx.Sum(turn(dz, rows, l.out)[o*rows : (o+1)*rows])
		}
		if i > 0 {
			dx := gemmNT(dz, turn(n.tensor(n.w, l.w), l.out, l.in), rows, l.in, l.out)
			for j, z := range out[i-1] {
				if !(z > 0) {
					dx[j] = 0
				}
			}
			dz = dx
		}
		for j, p := range n.tensor(n.w, l.w) {
			n.tensor(grad, l.w)[j] = fx.FMA32(l2, p, n.tensor(grad, l.w)[j])
		}
	}
	record := []uint32{fx.Bits(fx.Mul(fx.RedSum(losses), g))}
	for i, t := range grad.Tensors {
		record = append(record, fx.Bits(fx.RedSumSq(t.Data)))
		p, v := n.w.Tensors[i].Data, n.v.Tensors[i].Data
		for j := range t.Data {
			v[j] = fx.FMA32(mu, v[j], t.Data[j])
			p[j] = fx.FMA32(fx.Neg(lr), v[j], p[j])
		}
	}
	return record
}
