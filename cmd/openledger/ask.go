// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/gpu/format/hf"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/poa/decoder"
	"github.com/openledger/openledger/poa/program"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
)

// askFlags are a question to a model of the ledger about rows of datasets.
type askFlags struct {
	taskFlags
	model, out string
	context    uint64
	int8       bool
}

func newEvaluateCmd(a *app) *cobra.Command {
	var f askFlags
	cmd := &cobra.Command{
		Use: "evaluate", Short: "Have a model judged by datasets, replayed by others", Args: cobra.NoArgs,
		Long: "Posts a task: an operator asks the model about every row, drawn checkers do it again, and only equal roots settle. A table's rows are judged\n" +
			"by their labels, a text by how well the model expected each next token. `openledger task result` writes what became of each row.",
		Example: "  openledger evaluate --model digits --dataset 0x…\n  openledger evaluate --model nano --dataset 0x… --budget 5",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.ask(cmd, &f, decoder.Ask{Int8: f.int8})
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.model, "model", "", "name or id of the model on the ledger (required)")
	fl.StringVar(&f.out, "out", "", "file for what became of each row, as JSON")
	fl.Uint64Var(&f.context, "context", 1024, "of texts: tokens that the model sees at once, at most what it was made for")
	fl.BoolVar(&f.int8, "int8", false, "hold the weights of a language model in fx/int8")
	f.bind(cmd, "5")
	_ = cmd.MarkFlagRequired("model")
	return cmd
}

// ask posts a question and shows what came of it. q has what changes the answers of a
// text; q.Max is 0 for an evaluation.
func (a *app) ask(cmd *cobra.Command, f *askFlags, q decoder.Ask) error {
	if !f.posts() {
		return usage("no dataset to ask about; use --dataset ID or --datanet NAME")
	}
	return a.postTask(cmd, &f.taskFlags, func(ctx context.Context, c *client.Client) (*tx.TrainDescriptor, error) {
		return f.describe(ctx, c, q)
	}, func(ctx context.Context, o api.Object[task.Task]) error {
		r, err := a.result(ctx, o.ID, o.Value)
		if err == nil && f.out != "" {
			err = r.save(f.out)
		}
		if err != nil {
			return fmt.Errorf("task %s is settled, but: %w", o.ID, err)
		}
		return a.print(cmd, r, func(w io.Writer) { r.write(w) })
	})
}

// describe fills in a task that asks a model.
func (f *askFlags) describe(ctx context.Context, c *client.Client, q decoder.Ask) (*tx.TrainDescriptor, error) {
	id, err := findModel(ctx, c, f.model)
	if err != nil {
		return nil, err
	}
	o, err := c.ModelGet(ctx, api.IDParams{ID: id})
	if err != nil {
		return nil, err
	}
	language := isLanguage(o.Value)
	ids, sets, err := f.pick(ctx, c, language, api.Hash{})
	if err != nil {
		return nil, err
	}
	rows := uint64(0)
	for _, s := range sets {
		rows += s.Rows
	}
	cost := uint64(0)
	if language {
		folder, err := languageModel(ctx, c, id, o.Value)
		if err != nil {
			return nil, err
		}
		q.Tokens, cost = f.textCost(folder, q.Max, rows)
	} else if q.Max > 0 {
		q = decoder.Ask{Max: 1}
	} else {
		q = decoder.Ask{}
	}
	q.Rows = min(max(1, (rows+15)/16), program.MaxRows)
	kind := task.Evaluate
	if q.Max > 0 {
		kind = task.Answer
	}
	d, err := f.descriptor(kind, ids, cost)
	if err == nil {
		d.Model, d.Ask = id, &q
	}
	return d, err
}

// textCost is the context of a question about lines, and about how many multiply-adds
// it takes.
func (f *askFlags) textCost(folder *hf.Folder, max, rows uint64) (tokens, cost uint64) {
	arch := folder.Config.Arch
	tokens = min(f.context, uint64(arch.Positions), decoder.MaxTaskTokens)
	return tokens, arch.Params() * rows * min(tokens, 64+max)
}

// sampled is a question with the settings of generate.
func (f *generateFlags) sampled() decoder.Ask {
	return decoder.Ask{Int8: f.int8, Max: f.max, Temperature: fx.Bits(f.s.Temperature), TopP: fx.Bits(f.s.TopP), TopK: uint64(f.s.TopK), Seed: f.s.Seed}
}
