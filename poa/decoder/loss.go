// SPDX-License-Identifier: Apache-2.0

package decoder

import (
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// Loss is the program of an evaluation: seqs texts of tokens tokens each, "ids" i32
// [seqs·tokens], and for each the token that follows, "targets" i32 [seqs·tokens],
// give "loss" [seqs·tokens], the cross-entropy of each; +0 where the target is
// negative. A row's bits are those of any other batch. Errors: program.ErrSpec.
// Spec: OP-01, OP-03.
func (n Net) Loss(seqs, tokens uint64) (program.Graph, error) {
	if err := n.checkRows(seqs, tokens); err != nil {
		return program.Graph{}, err
	}
	b := n.build()
	f := b.forward(b.Input("ids", fx.I32, seqs*tokens), b.causal(seqs, tokens))
	loss, _ := b.Xent(b.logits(f), b.Input("targets", fx.I32, seqs*tokens))
	b.Output("loss", loss)
	return b.Graph()
}

// forward is the way of ids to what the head gets.
func (b *build) forward(ids value, s seq) value {
	x := b.lookup(ids)
	for l := range b.Arch.Layers {
		b.prefix = Layer(l)
		q, k, v := b.project(x, s, &layer{})
		x = b.finish(x, q, k, v, s, &layer{})
	}
	b.prefix = ""
	f, _ := b.norm("norm", x)
	return f
}
