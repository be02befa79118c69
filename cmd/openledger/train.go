// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/poa/atom"
	"github.com/openledger/openledger/poa/program"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
)

type trainFlags struct {
	datasets           []string
	datanet, valid     string
	model              string
	classes, scale     uint64
	budget             string
	segments, seed     uint64
	k, rows            uint64
	attribute          bool
	wait               time.Duration
	claim, work, check time.Duration
}

func newTrainCmd(a *app) *cobra.Command {
	var f trainFlags
	var nano learnFlags
	var vocab int
	cmd := &cobra.Command{
		Use: "train", Short: "Have a model trained from datasets, replayed by others, and paid for", Args: cobra.NoArgs,
		Long: "Posts a task: an operator of the network trains the model, three drawn checkers replay it bit for bit, and only equal roots settle.\n" +
			"With --attribute the task computes whose data helps: exact KNN-Shapley over the same datasets.\n" +
			"--model gpt-nano is a small language model, trained from a text on this machine, without a node; --data, --out and what follows are for it.",
		Example: "  openledger train --datanet digits --validation 0x… --model softmax --classes 10 --scale 16 --budget 20\n" +
			"  openledger train --model gpt-nano --data book.txt --out ./nano",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.model == "gpt-nano" {
				nano.seed = f.seed
				return a.trainNano(cmd, nano, vocab)
			}
			if f.valid == "" {
				return usage("required flag(s) \"validation\" not set; see `openledger train --help`")
			}
			key, err := a.signer(cmd)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), f.wait)
			defer cancel()
			d, err := a.descriptor(ctx, f)
			if err != nil {
				return err
			}
			c, err := a.create(ctx, key, d)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.progress(cmd), "task %s posted\n", c.ID)
			return a.watch(ctx, cmd, c.ID)
		},
	}
	fl := cmd.Flags()
	fl.StringSliceVar(&f.datasets, "dataset", nil, "ids of the training datasets")
	fl.StringVar(&f.datanet, "datanet", "", "train from every dataset of this Datanet but the validation one")
	fl.StringVar(&f.valid, "validation", "", "id of the validation dataset (required)")
	fl.StringVar(&f.model, "model", "softmax", "softmax, mlp, or gpt-nano")
	fl.Uint64Var(&f.classes, "classes", 10, "number of classes")
	fl.Uint64Var(&f.scale, "scale", 16, "features are divided by this")
	fl.StringVar(&f.budget, "budget", "20", "OPEN for the operator; a quarter more is held for the checkers")
	fl.Uint64Var(&f.segments, "segments", 0, "checkpoints (default: the model's)")
	fl.Uint64Var(&f.seed, "seed", 1, "seed of initial weights and order of rows")
	fl.BoolVar(&f.attribute, "attribute", false, "compute the attribution instead of training")
	fl.Uint64Var(&f.k, "k", 5, "with --attribute: neighbours")
	fl.Uint64Var(&f.rows, "rows", 50, "with --attribute: validation rows of a segment")
	fl.DurationVar(&f.wait, "wait", 5*time.Minute, "how long to wait for the task to end")
	fl.DurationVar(&f.claim, "claim-window", 30*time.Second, "how long the task may wait for an operator")
	fl.DurationVar(&f.work, "work-window", 2*time.Minute, "how long the operator may compute")
	fl.DurationVar(&f.check, "check-window", 2*time.Minute, "how long the checkers may replay")
	nano.bind(cmd, 3e-3, 128)
	nano.dev.bind(cmd)
	fl.IntVar(&vocab, "vocab", 512, "with gpt-nano: tokens that are learned from the text")
	return cmd
}

// descriptor fills in a TrainDescriptor from flags and the ledger.
func (a *app) descriptor(ctx context.Context, f trainFlags) (*tx.TrainDescriptor, error) {
	c := a.client()
	valid, err := api.ParseHash(f.valid)
	if err != nil {
		return nil, usage("--validation: %v", err)
	}
	ids, sets, err := pickDatasets(ctx, c, f, valid)
	if err != nil {
		return nil, err
	}
	price, err := fixed.ParseAmount(f.budget)
	if err != nil {
		return nil, err
	}
	d := &tx.TrainDescriptor{Datasets: ids, Validation: valid, Price: price, CheckFee: price / 4,
		ClaimMS: uint64(f.claim.Milliseconds()), WorkMS: uint64(f.work.Milliseconds()),
		CheckMS: uint64(f.check.Milliseconds()), RevealMS: 15_000}
	if f.attribute {
		d.TaskKind = uint8(task.Attribute)
		d.Attribute = &program.Attribute{Method: program.KNN, K: f.k, Soft: true, Rows: f.rows, Tau: atom.Tau(sets[0].Features, f.scale)}
		return d, checkPayload(d)
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
	d.TaskKind, d.Train = uint8(task.Train), &spec
	return d, checkPayload(d)
}

func checkPayload(p tx.Payload) error {
	if err := p.Check(); err != nil {
		return usage("%v", err)
	}
	return nil
}

// pickDatasets lists the training datasets, ascending by id.
func pickDatasets(ctx context.Context, c *client.Client, f trainFlags, valid api.Hash) (ids []api.Hash, sets []state.Dataset, err error) {
	if f.datanet != "" {
		datanet, _, err := findDatanet(ctx, c, f.datanet)
		if err != nil {
			return nil, nil, err
		}
		l, err := all(ctx, func(ctx context.Context, p api.Page) (api.List[state.Dataset], error) {
			return c.DatasetList(ctx, api.DatasetListParams{Page: p, Datanet: &datanet})
		})
		if err != nil {
			return nil, nil, err
		}
		for _, it := range l.Items {
			if it.ID != valid {
				ids = append(ids, it.ID)
			}
		}
	}
	for _, text := range f.datasets {
		id, err := api.ParseHash(text)
		if err != nil {
			return nil, nil, usage("--dataset: %v", err)
		}
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(x, y api.Hash) int { return slices.Compare(x[:], y[:]) })
	ids = slices.Compact(ids)
	if len(ids) == 0 {
		return nil, nil, usage("no training dataset; use --dataset ID or --datanet NAME")
	}
	for _, id := range ids {
		o, err := c.DatasetGet(ctx, api.IDParams{ID: id})
		if err != nil {
			return nil, nil, err
		}
		sets = append(sets, o.Value)
	}
	return ids, sets, nil
}

// watch follows a task to its end; a void or expired task is exit code 1.
func (a *app) watch(ctx context.Context, cmd *cobra.Command, id api.Hash) error {
	c := a.client()
	progress := a.progress(cmd)
	last := task.State(0)
	poll := time.NewTicker(200 * time.Millisecond)
	defer poll.Stop()
	for {
		o, err := c.TaskGet(ctx, api.IDParams{ID: id})
		if err != nil {
			return err
		}
		if t := o.Value; t.State != last {
			last = t.State
			fmt.Fprintf(progress, "%s  %s\n", id, t.State)
		}
		if last.Final() {
			err := a.print(cmd, o, func(w io.Writer) { printTask(w, id, o.Value) })
			if err == nil && last != task.Settled {
				err = &exitError{exitNo, fmt.Errorf("task ended %s", last)}
			}
			return err
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return errors.Join(&exitError{exitNotFinal, fmt.Errorf("task %s is %s; follow it with `openledger task watch %s`", id, last, id)})
		}
	}
}

func printTask(w io.Writer, id api.Hash, t task.Task) {
	fmt.Fprintf(w, "task %s  %s  %s\n", id, t.Spec.Kind, t.State)
	fmt.Fprintf(w, "price %s  check fee %s  segments %d  datasets %d\n", t.Spec.Price, t.Spec.CheckFee, t.Spec.Segments, len(t.Spec.Datasets))
	if t.Operator != nil {
		fmt.Fprintf(w, "operator %s\n", *t.Operator)
	}
	if t.Output != nil {
		fmt.Fprintf(w, "root %s\noutput %s  %s  %d bytes\n", t.Output.Verdict.Root, t.Output.Verdict.OutputRoot, t.Output.Content, t.Output.Bytes)
	}
	for _, k := range t.Checkers {
		word := "drawn"
		switch {
		case k.Verdict != nil && *k.Verdict == t.Output.Verdict:
			word = "equal"
		case k.Verdict != nil:
			word = "DIFFERS"
		case k.Hash != nil:
			word = "committed"
		}
		fmt.Fprintf(w, "checker %s  %s\n", k.Account, word)
	}
}
