// SPDX-License-Identifier: Apache-2.0

package program

import "github.com/openledger/openledger/internal/fx"

// Attention is causal attention with grouped queries. Seqs sequences of Queries new
// tokens each attend to Keys tokens each; H query heads share HKV heads of keys
// and values, D is the head size.
type Attention struct {
	Seqs, Queries, Keys, H, HKV, D uint64
	// See is i32 [Seqs, Queries]: how many keys each token sees, its position + 1.
	See Value
	// Seen is i32 [Seqs, Keys]: the first query that sees each key. Backward only.
	Seen Value
}

// Saved is what the backward pass takes from the forward one.
type Saved struct {
	q, k, v Value // [Seqs, heads, tokens, D]
	p       Value // [Seqs, H, Queries, Keys]
}

func (a Attention) limit() *Limit { return &Limit{Value: a.See, Batch: a.Seqs * a.H, Heads: a.H} }

// gemm is one batched product of the heads.
func (a Attention) gemm(b *Builder, m, n, k, group, limit uint64, x, y, lim Value) Value {
	return b.Node(fx.OpGemm, []uint64{a.Seqs * a.H, m, n, k, group, limit, a.H}, []uint64{a.Seqs, a.H, m, n}, x, y, lim)
}

// scale is 1/sqrt(D), two roundings.
func (a Attention) scale(b *Builder) Operand { return Scalar(b.Each(fx.OpRsqrt, b.Count(a.D))) }

// Forward takes q [Seqs·Queries, H·D] and k, v [Seqs·Keys, HKV·D] after RoPE, and
// returns [Seqs·Queries, H·D]: softmax((q·k)·(1/sqrt(D)))·v over the keys that a token
// sees, each product one chain. Spec: OP-02, OP-03.
func (a Attention) Forward(b *Builder, q, k, v Value) (Value, Saved) {
	if a.HKV == 0 || a.H%a.HKV != 0 {
		return b.fail("attention: %d heads of keys do not divide %d heads", a.HKV, a.H), Saved{}
	}
	s := Saved{
		q: b.Transpose(q, a.Seqs, a.Queries, a.H, a.D, a.Seqs, a.H, a.Queries, a.D),
		k: b.Transpose(k, a.Seqs, a.Keys, a.HKV, a.D, a.Seqs, a.HKV, a.Keys, a.D),
		v: v,
	}
	z := a.gemm(b, a.Queries, a.Keys, a.D, a.H/a.HKV, fx.NBelow, s.q, s.k, a.See)
	s.p = b.Softmax(b.Mix(fx.OpMul, All(z), a.scale(b)), a.limit())
	vt := b.Transpose(v, a.Seqs, a.Keys, a.HKV*a.D, 1, a.Seqs, a.HKV, a.D, a.Keys)
	y := a.gemm(b, a.Queries, a.D, a.Keys, a.H/a.HKV, fx.KBelow, s.p, vt, a.See)
	return b.Transpose(y, a.Seqs, a.H, a.Queries, a.D, a.Seqs*a.Queries, a.H*a.D), s
}

// Backward returns the gradients of q, k and v in their shapes of Forward from g,
// that of its result. Gradients of shared heads are added in ascending order of the
// query heads. Spec: OP-03, OP-05.
func (a Attention) Backward(b *Builder, s Saved, g Value) (dq, dk, dv Value) {
	group := a.H / a.HKV
	gh := b.Transpose(g, a.Seqs, a.Queries, a.H, a.D, a.Seqs, a.H, a.Queries, a.D)
	gt := b.Transpose(g, a.Seqs, a.Queries, a.H*a.D, 1, a.Seqs, a.H, a.D, a.Queries)
	v := b.Transpose(s.v, a.Seqs, a.Keys, a.HKV, a.D, a.Seqs, a.HKV, a.Keys, a.D)
	dp := a.gemm(b, a.Queries, a.Keys, a.D, group, fx.NBelow, gh, v, a.See)
	dz := b.Mix(fx.OpMul, All(b.SoftmaxBwd(s.p, dp, a.limit())), a.scale(b))

	kt := b.Transpose(s.k, a.Seqs*a.HKV, a.Keys, a.D, 1, a.Seqs, a.HKV, a.D, a.Keys)
	dq = a.gemm(b, a.Queries, a.D, a.Keys, group, fx.KBelow, dz, kt, a.See)
	dq = b.Transpose(dq, a.Seqs, a.H, a.Queries, a.D, a.Seqs*a.Queries, a.H*a.D)

	qt := b.Transpose(s.q, a.Seqs*a.H, a.Queries, a.D, 1, a.Seqs, a.H, a.D, a.Queries)
	dk = a.back(b, dz, qt)
	return dq, dk, a.back(b, s.p, gt)
}

// back is the gradient of keys or values: for each head the chain over the queries
// that see a key, x [Seqs, H, Queries, Keys] transposed times y [Seqs, H, D, Queries];
// then the chain over the heads of a group; in the shape of Forward.
func (a Attention) back(b *Builder, x, y Value) Value {
	group := a.H / a.HKV
	xt := b.Transpose(x, a.Seqs*a.H, a.Queries, a.Keys, 1, a.Seqs, a.H, a.Keys, a.Queries)
	d := a.gemm(b, a.Keys, a.D, a.Queries, 1, fx.KFrom, xt, y, a.Seen)
	if group > 1 {
		d = b.Node(fx.OpColChain, []uint64{a.Seqs * a.HKV, group, a.Keys * a.D}, []uint64{a.Seqs, a.HKV, a.Keys, a.D}, d)
	}
	return b.Transpose(d, a.Seqs, a.HKV, a.Keys, a.D, a.Seqs*a.Keys, a.HKV*a.D)
}
