// SPDX-License-Identifier: Apache-2.0

package program

import (
	"slices"

	"github.com/openledger/openledger/internal/fx"
)

// The expansions of the operation table: layers and losses as fixed graphs of
// primitives. T tokens, C channels, V vocabulary, H heads, d head size. Spec: OP-02,
// OP-04, OP-05.

// Limit gives each row of a tensor seen as [Batch, rows, cols] how many of its
// columns count: Value is i32 [Batch/Heads, rows].
type Limit struct {
	Value        Value
	Batch, Heads uint64
}

// Reduce is red/1 (fx.OpRedSum, fx.OpRedSumSq or fx.OpRedMax) of the last dimension,
// one node per level of 4,096; with a limit, of each row's first columns. Its shape
// is that of x without the last dimension. Spec: FX-04.
func (b *Builder) Reduce(op fx.Op, x Value, lim *Limit) Value {
	rows, cols := b.rowsCols(x)
	batch, heads, in := uint64(1), uint64(0), []Value{x}
	if lim != nil {
		batch, heads, in = lim.Batch, lim.Heads, append(in, lim.Value)
		rows /= max(batch, 1)
	}
	lead := slices.Clone(b.lead(x))
	for first := true; first || cols > 1; first = false {
		blocks := (cols + 4095) / 4096
		shape := append(slices.Clone(lead), blocks)
		if blocks == 1 {
			shape = lead
		}
		x = b.Node(op, []uint64{batch, rows, cols, heads}, shape, in...)
		if op == fx.OpRedSumSq {
			op = fx.OpRedSum
		}
		batch, rows, heads, cols, in = 1, rows*batch, 0, blocks, []Value{x}
	}
	return x
}

// Argmax is the column of each row's greatest value as i32, in three nodes where
// rows are longer than 4,096. Spec: OP-02.
func (b *Builder) Argmax(x Value) Value {
	rows, cols := b.rowsCols(x)
	lead := b.lead(x)
	if cols <= 4096 {
		return b.Node(fx.OpArgmax, []uint64{rows, cols, 0}, lead, x)
	}
	blocks := (cols + 4095) / 4096
	top := b.Node(fx.OpRedMax, []uint64{1, rows, cols, 0}, append(slices.Clone(lead), blocks), x)
	return b.Node(fx.OpArgmax, []uint64{rows, cols, 1}, lead, x, b.Argmax(top))
}

// shifted returns exp(x − m) and its sum for m the greatest of each row, and x − m.
func (b *Builder) shifted(x Value, lim *Limit) (d, e, s Value) {
	d = b.Mix(fx.OpSub, All(x), Row(b.Reduce(fx.OpRedMax, x, lim)))
	e = b.Each(fx.OpExp, d)
	return d, e, b.Reduce(fx.OpRedSum, e, lim)
}

// Softmax is exp(x − red_max)/red_sum of each row. Columns outside a limit hold
// numbers without meaning, which limited operations never read. Spec: OP-02.
func (b *Builder) Softmax(x Value, lim *Limit) Value {
	_, e, s := b.shifted(x, lim)
	return b.Mix(fx.OpDiv, All(e), Row(s))
}

// SoftmaxBwd is y·(g − red_sum(y·g)) for y = Softmax(x). Spec: OP-05.
func (b *Builder) SoftmaxBwd(y, g Value, lim *Limit) Value {
	s := b.Reduce(fx.OpRedSum, b.Mix(fx.OpMul, All(y), All(g)), lim)
	return b.Mix(fx.OpMul, All(y), All(b.Mix(fx.OpSub, All(g), Row(s))))
}

// Xent is the cross-entropy of logits z [T, V] with i32 ids [T]: loss [T] = (log
// red_sum exp(z−m)) − (z_y−m), +0 where the id is negative; and p = softmax(z) for
// XentBwd. Spec: OP-02.
func (b *Builder) Xent(z, ids Value) (loss, p Value) {
	rows, cols := b.rowsCols(z)
	d, e, s := b.shifted(z, nil)
	zy := b.Node(fx.OpPick, []uint64{uint64(fx.F32), rows, cols, 1}, b.lead(z), d, ids)
	l := b.Mix(fx.OpSub, All(b.Each(fx.OpLog, s)), All(zy))
	valid := b.Node(fx.OpValid, []uint64{rows}, b.lead(z), ids)
	loss = b.Mix(fx.OpSelect, All(valid), All(l), Scalar(b.Const(0)))
	return loss, b.Mix(fx.OpDiv, All(e), Row(s))
}

// XentBwd is (p − [k = y])·g with the scalar g, +0 in rows without an id.
// Spec: OP-05.
func (b *Builder) XentBwd(p, ids, g Value) Value {
	rows, cols := b.rowsCols(p)
	return b.Node(fx.OpXentBwd, []uint64{rows, cols, fx.One}, b.Shape(p), p, ids, g)
}

// MeanScale is 1/n for the number n of ids that are not negative: the g of a mean
// loss. Spec: OP-05.
func (b *Builder) MeanScale(ids Value) Value {
	n := b.Len(ids)
	valid := b.Node(fx.OpValid, []uint64{n}, []uint64{n}, ids)
	return b.Mix(fx.OpDiv, All(b.Const(0x3f800000)), All(b.Reduce(fx.OpRedSum, valid, nil)))
}

// RMSNorm is (x·r)·w with r = rsqrt(red_sumsq(x)/C + ε) of each row, and r for
// RMSNormBwd. eps is in bits. Spec: OP-02.
func (b *Builder) RMSNorm(x, w Value, eps uint32) (y, r Value) {
	_, c := b.rowsCols(x)
	q := b.Mix(fx.OpDiv, All(b.Reduce(fx.OpRedSumSq, x, nil)), Scalar(b.Count(c)))
	r = b.Each(fx.OpRsqrt, b.Mix(fx.OpAdd, All(q), Scalar(b.Const(eps))))
	return b.Mix(fx.OpMul, All(b.Mix(fx.OpMul, All(x), Row(r))), Col(w)), r
}

// RMSNormBwd returns the gradients of x (RMSNormDx) and of w: dw = col_chain(g·(x·r)).
// Spec: OP-05.
func (b *Builder) RMSNormBwd(x, w, r, g Value) (dx, dw Value) {
	gx := b.Mix(fx.OpMul, All(g), All(b.Mix(fx.OpMul, All(x), Row(r))))
	return b.RMSNormDx(x, w, r, g), b.ColSum(gx)
}

// RMSNormDx is the gradient of x: h = g·w; k = ((red_sum(h·x)·r)·r)/C, dx =
// r·fma(−k, x, h). Spec: OP-05.
func (b *Builder) RMSNormDx(x, w, r, g Value) Value {
	_, c := b.rowsCols(x)
	h := b.Mix(fx.OpMul, All(g), Col(w))
	s := b.Reduce(fx.OpRedSum, b.Mix(fx.OpMul, All(h), All(x)), nil)
	s = b.Mix(fx.OpMul, All(b.Mix(fx.OpMul, All(s), All(r))), All(r))
	k := b.Each(fx.OpNeg, b.Mix(fx.OpDiv, All(s), Scalar(b.Count(c))))
	return b.Mix(fx.OpMul, Row(r), All(b.Mix(fx.OpFMA, Row(k), All(x), All(h))))
}

// LinearBwd returns the gradients of x and w for y = Linear(x, w): products with one
// chain over outputs, and one over all rows in order. Spec: OP-03.
func (b *Builder) LinearBwd(x, w, g Value) (dx, dw Value) {
	return b.Reshape(b.Linear(g, b.T(w)), b.Shape(x)...), b.Linear(b.T(g), b.T(x))
}

// ColSum is the chain of additions over the rows of x: the gradient of a bias.
func (b *Builder) ColSum(x Value) Value {
	rows, cols := b.rowsCols(x)
	return b.Node(fx.OpColChain, []uint64{1, rows, cols}, []uint64{cols}, x)
}

// AdamW returns parameter and moments after one step; b1 and b2 are β1 and β2 to
// the power of this step, lr a scalar; β1, β2, ε and weight decay are in bits.
// Spec: OP-04.
func (b *Builder) AdamW(p, m, v, g, b1, b2, lr Value, beta1, beta2, eps, wd uint32) (p1, m1, v1 Value) {
	n, shape := b.Len(p), b.Shape(p)
	m1 = b.Node(fx.OpAdamM, []uint64{n, uint64(beta1)}, shape, m, g)
	v1 = b.Node(fx.OpAdamV, []uint64{n, uint64(beta2)}, shape, v, g)
	p1 = b.Node(fx.OpAdamP, []uint64{n, uint64(eps), uint64(wd)}, shape, p, m1, v1, b1, b2, lr)
	return p1, m1, v1
}

// SGD returns parameter and momentum after one step: v = fma(μ, v, g), p = fma(−lr, v,
// p). mu and negLR are scalars. Spec: OP-04.
func (b *Builder) SGD(p, v, g, mu, negLR Value) (p1, v1 Value) {
	v1 = b.Mix(fx.OpFMA, Scalar(mu), All(v), All(g))
	return b.Mix(fx.OpFMA, Scalar(negLR), All(v1), All(p)), v1
}

// SumSq is red_sumsq of a whole tensor as a scalar. Spec: FX-04.
func (b *Builder) SumSq(x Value) Value {
	return b.Reduce(fx.OpRedSumSq, b.Reshape(x, b.Len(x)), nil)
}
