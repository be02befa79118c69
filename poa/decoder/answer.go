// SPDX-License-Identifier: Apache-2.0

package decoder

import (
	"fmt"

	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// Forward is the program of an answer: seqs texts of tokens tokens each, "ids" i32
// [seqs·tokens], give "logits" [seqs·tokens, V]. Every other split of the same work
// (Embed, Project, Finish, Head with a cache) gives the same bits. Errors:
// program.ErrSpec. Spec: OP-01, OP-03.
func (n Net) Forward(seqs, tokens uint64) (program.Graph, error) {
	if err := n.checkRows(seqs, tokens); err != nil {
		return program.Graph{}, err
	}
	b := n.build()
	s := b.causal(seqs, tokens)
	b.Output("logits", b.logits(b.forward(b.Input("ids", fx.I32, seqs*tokens), s)))
	return b.Graph()
}

func (n Net) checkRows(seqs, tokens uint64) error {
	if err := n.Check(); err != nil {
		return err
	}
	if seqs < 1 || tokens < 1 || seqs > fx.MaxDim || tokens > n.Arch.Positions || seqs*tokens > fx.MaxDim {
		return fmt.Errorf("%w: %d texts of %d tokens; a text has 1 to %d", program.ErrSpec, seqs, tokens, n.Arch.Positions)
	}
	return nil
}

// causal are texts from their first token on.
func (b *build) causal(seqs, tokens uint64) seq {
	n := seqs * tokens
	fill := func(base uint64) value { return b.Node(fx.OpFillSeq, []uint64{n, tokens, base}, []uint64{n}) }
	s := seq{seqs: seqs, queries: tokens, keys: tokens, pos: fill(0), see: fill(1)}
	s.seen = s.pos
	return s
}

// Embed gives "x" [rows, C] for "ids" i32 [rows]. Errors: program.ErrSpec.
func (n Net) Embed(rows uint64) (program.Graph, error) {
	b := n.build()
	b.Output("x", b.lookup(b.Input("ids", fx.I32, rows)))
	return b.Graph()
}

// Project gives "q_new" [rows, H·D], "k_new" and "v_new" [rows, HKV·D] of one layer
// for "x" [rows, C] at "pos" i32 [rows]. Weights have their names without Layer.
// Errors: program.ErrSpec. Spec: OP-03.
func (n Net) Project(rows uint64) (program.Graph, error) {
	b := n.build()
	x := b.Input("x", fx.F32, rows, n.Arch.Hidden)
	s := seq{seqs: 1, queries: rows, pos: b.Input("pos", fx.I32, rows)}
	q, k, v := b.project(x, s, &layer{})
	b.Output("q_new", q)
	b.Output("k_new", k)
	b.Output("v_new", v)
	return b.Graph()
}

// Finish gives "x" [rows, C] after one layer for "x" before it, "q_new", and the keys
// and values "keys", "values" [keys, HKV·D] of one text, of which row i sees the first
// "see"[i], i32 [rows]. Errors: program.ErrSpec. Spec: OP-03.
func (n Net) Finish(rows, keys uint64) (program.Graph, error) {
	a, b := n.Arch, n.build()
	s := seq{seqs: 1, queries: rows, keys: keys, see: b.Input("see", fx.I32, rows)}
	x, q := b.Input("x", fx.F32, rows, a.Hidden), b.Input("q_new", fx.F32, rows, a.Heads*a.HeadDim)
	k, v := b.Input("keys", fx.F32, keys, a.KVHeads*a.HeadDim), b.Input("values", fx.F32, keys, a.KVHeads*a.HeadDim)
	b.Output("x", b.finish(x, q, k, v, s, &layer{}))
	return b.Graph()
}

// Head gives "logits" [rows, V] for "x" [rows, C] after the last layer. Errors:
// program.ErrSpec.
func (n Net) Head(rows uint64) (program.Graph, error) {
	b := n.build()
	f, _ := b.norm("norm", b.Input("x", fx.F32, rows, n.Arch.Hidden))
	b.Output("logits", b.logits(f))
	return b.Graph()
}

// Merge gives "w" = W + Scale·(B·A) for the matrix "w" [out, in] and its adapters "a",
// "b". Errors: program.ErrSpec. Spec: TNS-05.
func (n Net) Merge(m string) (program.Graph, error) {
	d, b := n.Arch.dims(m), n.build()
	w, x, y := b.Input("w", fx.F32, d...), b.Input("a", fx.F32, n.LoRA.Rank, d[1]), b.Input("b", fx.F32, d[0], n.LoRA.Rank)
	p := b.Linear(y, b.T(x))
	b.Output("w", b.add(w, b.Node(fx.OpScale, []uint64{b.Len(p), uint64(n.LoRA.Scale)}, d, p)))
	return b.Graph()
}
