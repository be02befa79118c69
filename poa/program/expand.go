// SPDX-License-Identifier: Apache-2.0

package program

import (
	"fmt"
	"slices"

	"github.com/openledger/openledger/internal/fx"
)

// dense is one layer of the models that Train knows: a matrix [out, in] and a
// bias [out]; a rectifier stands between two layers.
type dense struct {
	in, out uint64
	w, b    string
}

func (t Train) layers() []dense {
	if t.Model == MLP {
		return []dense{{t.Features, t.Hidden, "w1", "b1"}, {t.Hidden, t.Classes, "w2", "b2"}}
	}
	return []dense{{t.Features, t.Classes, "w", "b"}}
}

// tensors are the names and shapes of the parameters in name order.
func (t Train) tensors() []Input {
	var out []Input
	for _, l := range t.layers() {
		out = append(out, Input{Name: l.w, Type: fx.F32, Shape: []uint64{l.out, l.in}}, Input{Name: l.b, Type: fx.F32, Shape: []uint64{l.out}})
	}
	slices.SortFunc(out, func(a, b Input) int {
		switch {
		case a.Name < b.Name:
			return -1
		case a.Name > b.Name:
			return 1
		}
		return 0
	})
	return out
}

// Expand returns one step of a training run over a dataset of rows records: the
// program that its checkpoints follow.
//
// Inputs: "data" f32 [rows, Features], already divided by Scale; "labels" i32
// [rows]; "step" i32 [1]; the parameters in name order (b, w, or b1, b2, w1, w2; a
// matrix is [out, in]) and their momentum under "v/" and the name. Outputs: the
// same parameters, momentum and step for the next step; "loss" [1], the mean
// cross-entropy; "norm/" and the name [1], red_sumsq of each gradient, the l2 term
// included. Errors: ErrSpec. Spec: OP-01, OP-04, TNS-04, CHK-01.
func Expand(t Train, rows uint64) (Graph, error) {
	if err := t.Check(); err != nil {
		return Graph{}, err
	}
	if rows < 1 || rows > fx.MaxDim {
		return Graph{}, fmt.Errorf("%w: %d rows are not in 1..%d", ErrSpec, rows, fx.MaxDim)
	}
	b := &Builder{}
	data, labels := b.Input("data", fx.F32, rows, t.Features), b.Input("labels", fx.I32, rows)
	step := b.Input("step", fx.I32, 1)
	param, momentum := map[string]Value{}, map[string]Value{}
	for _, p := range t.tensors() {
		param[p.Name] = b.Input(p.Name, fx.F32, p.Shape...)
	}
	for _, p := range t.tensors() {
		momentum[p.Name] = b.Input("v/"+p.Name, fx.F32, p.Shape...)
	}
	n := t.Batch
	pick := b.Node(fx.OpPerm, []uint64{n, rows, t.Seed}, []uint64{n}, step)
	x := b.Node(fx.OpGather, []uint64{uint64(fx.F32), n, rows, t.Features}, []uint64{n, t.Features}, data, pick)
	ids := b.Node(fx.OpGather, []uint64{uint64(fx.I32), n, rows, 1}, []uint64{n}, labels, pick)

	z, ins, pre := t.forward(b, x, param)
	g := b.Mix(fx.OpDiv, All(b.Const(0x3f800000)), All(b.Count(n)))
	losses, p := b.Xent(z, ids)
	b.Output("loss", b.Mix(fx.OpMul, All(b.Reduce(fx.OpRedSum, losses, nil)), All(g)))
	grad := t.backward(b, b.XentBwd(p, ids, g), param, ins, pre)

	l2, mu, negLR := b.Const(t.L2), b.Const(t.Momentum), b.Const(t.LR^1<<31)
	for _, l := range t.layers() {
		grad[l.w] = b.Mix(fx.OpFMA, Scalar(l2), All(param[l.w]), All(grad[l.w]))
	}
	for _, q := range t.tensors() {
		b.Output("norm/"+q.Name, b.SumSq(grad[q.Name]))
		p1, v1 := b.SGD(param[q.Name], momentum[q.Name], grad[q.Name], mu, negLR)
		b.Output(q.Name, p1)
		b.Output("v/"+q.Name, v1)
	}
	b.Output("step", b.Node(fx.OpAddI32, []uint64{1, 1}, []uint64{1}, step))
	return b.Graph()
}

// forward returns the logits, the input of each layer, and what its rectifier got.
func (t Train) forward(b *Builder, x Value, param map[string]Value) (z Value, ins, pre []Value) {
	for i, l := range t.layers() {
		if i > 0 {
			x = b.Each(fx.OpRelu, z)
		}
		z = b.Mix(fx.OpAdd, All(b.Linear(x, param[l.w])), Col(param[l.b]))
		ins, pre = append(ins, x), append(pre, z)
	}
	return z, ins, pre
}

// backward returns the gradient of each parameter for dz, that of the logits.
func (t Train) backward(b *Builder, dz Value, param map[string]Value, ins, pre []Value) map[string]Value {
	grad := map[string]Value{}
	layers := t.layers()
	for i := len(layers) - 1; i >= 0; i-- {
		l := layers[i]
		grad[l.b] = b.ColSum(dz)
		grad[l.w] = b.Linear(b.T(dz), b.T(ins[i]))
		if i > 0 {
			dz = b.Each(fx.OpReluBwd, pre[i-1], b.Linear(dz, b.T(param[l.w])))
		}
	}
	return grad
}

// ExpandInfer returns the answers to n rows: inputs "x" f32 [n, Features] and the
// parameters as in Expand; outputs "logits" [n, Classes] and "label" i32 [n], the
// greatest logit, lowest of equals. Errors: ErrSpec. Spec: OP-01, OP-03.
func ExpandInfer(t Train, n uint64) (Graph, error) {
	if err := t.checkModel(); err != nil {
		return Graph{}, err
	}
	b := &Builder{}
	x := b.Input("x", fx.F32, n, t.Features)
	param := map[string]Value{}
	for _, p := range t.tensors() {
		param[p.Name] = b.Input(p.Name, fx.F32, p.Shape...)
	}
	z, _, _ := t.forward(b, x, param)
	b.Output("logits", z)
	b.Output("label", b.Argmax(z))
	return b.Graph()
}
