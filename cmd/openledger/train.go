// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/poa/atom"
	"github.com/openledger/openledger/poa/program"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
)

type trainFlags struct {
	taskFlags
	valid          string
	model          string
	classes, scale uint64
	segments, seed uint64
	k, rows        uint64
	attribute      bool
}

func newTrainCmd(a *app) *cobra.Command {
	var f trainFlags
	var nano learnFlags
	var vocab int
	cmd := &cobra.Command{
		Use: "train", Short: "Have a model trained from datasets, replayed by others, and paid for", Args: cobra.NoArgs,
		Long: "Posts a task: an operator of the network trains the model, three drawn checkers replay it bit for bit, and only equal roots settle.\n" +
			"With --attribute the task computes whose data helps: exact KNN-Shapley over the same datasets.\n" +
			"--model gpt-nano is a small language model: trained on texts of the network with --datanet or --dataset, or on this machine, without a\n" +
			"node, from a text with --data and --out. --lr, --steps and what else follows from --batch on are for it.",
		Example: "  openledger train --datanet digits --validation 0x… --model softmax --classes 10 --scale 16 --budget 20\n" +
			"  openledger train --model gpt-nano --datanet books --steps 200 --budget 20\n" +
			"  openledger train --model gpt-nano --data book.txt --out ./nano",
		RunE: func(cmd *cobra.Command, _ []string) error {
			nano.seed = f.seed
			switch {
			case f.model == "gpt-nano" && f.posts():
				return a.postNano(cmd, &f.taskFlags, &nano, vocab)
			case f.model == "gpt-nano":
				if err := f.local("validation", "segments", "classes", "scale", "attribute"); err != nil {
					return err
				}
				return a.trainNano(cmd, nano, vocab)
			case f.valid == "":
				return usage("required flag(s) \"validation\" not set; see `openledger train --help`")
			}
			return a.postTask(cmd, &f.taskFlags, f.describe, func(_ context.Context, o api.Object[task.Task]) error {
				return a.printEnded(cmd, o)
			})
		},
	}
	f.bind(cmd, "20")
	fl := cmd.Flags()
	fl.StringVar(&f.valid, "validation", "", "id of the validation dataset (required for tables)")
	fl.StringVar(&f.model, "model", "softmax", "softmax, mlp, or gpt-nano")
	fl.Uint64Var(&f.classes, "classes", 10, "number of classes")
	fl.Uint64Var(&f.scale, "scale", 16, "features are divided by this")
	fl.Uint64Var(&f.segments, "segments", 0, "checkpoints (default: the model's)")
	fl.Uint64Var(&f.seed, "seed", 1, "seed of initial weights and order of rows")
	fl.BoolVar(&f.attribute, "attribute", false, "compute the attribution instead of training")
	fl.Uint64Var(&f.k, "k", 5, "with --attribute: neighbours")
	fl.Uint64Var(&f.rows, "rows", 50, "with --attribute: validation rows of a segment")
	nano.bind(cmd, 3e-3, 128)
	nano.dev.bind(cmd)
	fl.IntVar(&vocab, "vocab", 512, "with gpt-nano: tokens that are learned from the text")
	return cmd
}

// describe fills in a task of training or attribution from flags and the ledger.
func (f *trainFlags) describe(ctx context.Context, c *client.Client) (*tx.TrainDescriptor, error) {
	valid, err := api.ParseHash(f.valid)
	if err != nil {
		return nil, usage("--validation: %v", err)
	}
	ids, sets, err := f.pick(ctx, c, false, valid)
	if err != nil {
		return nil, err
	}
	if f.attribute {
		d, err := f.descriptor(task.Attribute, ids, 0)
		if err != nil {
			return nil, err
		}
		d.Validation = valid
		d.Attribute = &program.Attribute{Method: program.KNN, K: f.k, Soft: true, Rows: f.rows, Tau: atom.Tau(sets[0].Features, f.scale)}
		return d, nil
	}
	rows := uint64(0)
	for _, s := range sets {
		rows += s.Rows
	}
	spec, err := train.Defaults(f.model+"/1", sets[0].Features, f.classes, f.scale, rows)
	if err != nil {
		return nil, usage("--model %q: %v", f.model, err)
	}
	spec.Seed = f.seed
	if f.segments > 0 {
		spec.StepsPerSegment = max(1, spec.StepsPerSegment*spec.Segments/f.segments)
		spec.Segments = f.segments
	}
	d, err := f.descriptor(task.Train, ids, 0)
	if err == nil {
		d.Validation, d.Train = valid, &spec
	}
	return d, err
}
