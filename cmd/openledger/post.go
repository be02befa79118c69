// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
)

// taskFlags are what every posted task says beside its program.
type taskFlags struct {
	cmd                *cobra.Command
	datasets           []string
	datanet            string
	budget             string
	wait               time.Duration
	claim, work, check time.Duration
}

func (f *taskFlags) bind(cmd *cobra.Command, budget string) {
	f.cmd = cmd
	fl := cmd.Flags()
	fl.StringSliceVar(&f.datasets, "dataset", nil, "ids of the datasets")
	fl.StringVar(&f.datanet, "datanet", "", "take every dataset of this Datanet that fits")
	fl.StringVar(&f.budget, "budget", budget, "of a task: OPEN for the operator; a quarter more is held for the checkers")
	fl.DurationVar(&f.wait, "wait", 5*time.Minute, "how long to wait for the end of a task; longer if its windows are, unless you say")
	fl.DurationVar(&f.claim, "claim-window", 30*time.Second, "how long a task may wait for an operator")
	fl.DurationVar(&f.work, "work-window", 2*time.Minute, "how long the operator of a task may compute; longer if the work needs it, unless you say")
	fl.DurationVar(&f.check, "check-window", 2*time.Minute, "how long the checkers of a task may replay; longer if the work needs it, unless you say")
}

// local refuses what only a task has in a run on this machine.
func (f *taskFlags) local(more ...string) error {
	for _, name := range append(more, "budget", "wait", "claim-window", "work-window", "check-window") {
		if f.cmd.Flags().Changed(name) {
			return usage("--%s is for a task of the network: name what it is about with --datanet or --dataset", name)
		}
	}
	return nil
}

// posts says whether the flags ask for a task of the network.
func (f *taskFlags) posts() bool { return f.datanet != "" || len(f.datasets) > 0 }

// descriptor is a task over datasets without its program. Windows that were not
// chosen suffice for cost multiply-adds on a slow machine, at 10⁹ a second.
func (f *taskFlags) descriptor(kind task.Kind, ids []api.Hash, cost uint64) (*tx.TrainDescriptor, error) {
	slow := time.Duration(min(cost/1_000_000, task.MaxWindowMS)) * time.Millisecond
	for name, window := range map[string]*time.Duration{"work-window": &f.work, "check-window": &f.check} {
		if !f.cmd.Flags().Changed(name) {
			*window = max(*window, slow)
		}
	}
	price, err := fixed.ParseAmount(f.budget)
	if err != nil {
		return nil, err
	}
	return &tx.TrainDescriptor{TaskKind: uint8(kind), Datasets: ids, Price: price, CheckFee: price / 4,
		ClaimMS: uint64(f.claim.Milliseconds()), WorkMS: uint64(f.work.Milliseconds()),
		CheckMS: uint64(f.check.Milliseconds()), RevealMS: 15_000}, nil
}

// describer makes the task that a command is about.
type describer func(ctx context.Context, c *client.Client) (*tx.TrainDescriptor, error)

// postTask signs and posts a task, follows it to its end and then calls settled, which
// prints what came of it.
func (a *app) postTask(cmd *cobra.Command, f *taskFlags, describe describer, settled func(context.Context, api.Object[task.Task]) error) error {
	key, err := a.signer(cmd)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), f.wait)
	defer cancel()
	d, err := describe(ctx, a.client())
	if err != nil {
		return err
	}
	if err := checkPayload(d); err != nil {
		return err
	}
	if !f.cmd.Flags().Changed("wait") { // as long as the task may take
		f.wait = max(f.wait, time.Duration(d.ClaimMS+d.WorkMS+d.CheckMS+d.RevealMS)*time.Millisecond)
	}
	ctx, cancel = context.WithTimeout(cmd.Context(), f.wait)
	defer cancel()
	c, err := a.create(ctx, key, d)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.progress(cmd), "task %s posted\n", c.ID)
	o, err := a.follow(ctx, cmd, c.ID)
	if err != nil {
		return errors.Join(a.printEnded(cmd, o), err)
	}
	return settled(ctx, o)
}

// printEnded prints a task that came to an end.
func (a *app) printEnded(cmd *cobra.Command, o api.Object[task.Task]) error {
	if !o.Value.State.Final() {
		return nil
	}
	return a.print(cmd, o, func(w io.Writer) { printTask(w, o.ID, o.Value) })
}

func checkPayload(p tx.Payload) error {
	if err := p.Check(); err != nil {
		return usage("%v", err)
	}
	return nil
}

// pick lists the datasets of the flags, ascending by id: texts or tables, without one.
// What the Datanet has of the other kind is left out.
func (f *taskFlags) pick(ctx context.Context, c *client.Client, texts bool, without api.Hash) (ids []api.Hash, sets []state.Dataset, err error) {
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
			if it.ID != without && isText(it.Value) == texts {
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
	if len(ids) == 0 && texts {
		return nil, nil, usage("no text to take; publish one with `openledger data publish FILE.txt`, name it with --dataset ID or --datanet NAME")
	}
	if len(ids) == 0 {
		return nil, nil, usage("no training dataset; use --dataset ID or --datanet NAME")
	}
	for _, id := range ids {
		o, err := c.DatasetGet(ctx, api.IDParams{ID: id})
		if err == nil && isText(o.Value) != texts {
			err = usage("dataset %s holds %s; this takes %s", id, contents[isText(o.Value)], contents[texts])
		}
		if err != nil {
			return nil, nil, err
		}
		sets = append(sets, o.Value)
	}
	return ids, sets, nil
}

// contents are words for what is a text, and what is not.
var contents = map[bool]string{true: "a text", false: "a table"}

// isText says whether a dataset is a text rather than a table.
func isText(d state.Dataset) bool { return d.Features == 0 }

// watch follows a task to its end and prints it; a void or expired task is exit
// code 1.
func (a *app) watch(ctx context.Context, cmd *cobra.Command, id api.Hash) error {
	o, err := a.follow(ctx, cmd, id)
	return errors.Join(a.printEnded(cmd, o), err)
}

// ends says why a task that did not settle ended.
var ends = map[task.State]string{
	task.Void:    "checkers agree on another result than the operator's; the price is paid back",
	task.Expired: "no operator who fits took it in time, or it was not finished and checked in time; everything is paid back",
}

// follow waits for the end of a task. A task that did not settle is exit code 1.
func (a *app) follow(ctx context.Context, cmd *cobra.Command, id api.Hash) (api.Object[task.Task], error) {
	c := a.client()
	progress := a.progress(cmd)
	last := task.State(0)
	poll := time.NewTicker(200 * time.Millisecond)
	defer poll.Stop()
	for {
		o, err := c.TaskGet(ctx, api.IDParams{ID: id})
		if err != nil {
			return o, err
		}
		if t := o.Value; t.State != last {
			last = t.State
			fmt.Fprintf(progress, "%s  %s\n", id, t.State)
		}
		if last.Final() && last != task.Settled {
			return o, &exitError{exitNo, fmt.Errorf("task ended %s: %s", last, ends[last])}
		}
		if last.Final() {
			return o, nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return o, errors.Join(&exitError{exitNotFinal, fmt.Errorf("task %s is %s; follow it with `openledger task watch %s`, then take what it made with `openledger task result %s`", id, last, id, id)})
		}
	}
}

func printTask(w io.Writer, id api.Hash, t task.Task) {
	fmt.Fprintf(w, "task %s  %s  %s\n", id, t.Spec.Kind, t.State)
	fmt.Fprintf(w, "price %s  check fee %s  segments %d  datasets %d\n", t.Spec.Price, t.Spec.CheckFee, t.Spec.Segments, len(t.Spec.Datasets))
	printProgram(w, t.Spec)
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

// printProgram says what a task computes.
func printProgram(w io.Writer, s task.Spec) {
	switch {
	case s.Train != nil:
		fmt.Fprintf(w, "trains %s  features %d  classes %d  seed %d\n", s.Train.Model, s.Train.Features, s.Train.Classes, s.Train.Seed)
	case s.Attribute != nil:
		fmt.Fprintf(w, "attributes by %s  K = %d\n", s.Attribute.Method, s.Attribute.K)
	case s.Learn != nil:
		l, a := s.Learn, s.Learn.Net.Arch
		what := "a language model from nothing"
		switch {
		case l.Net.LoRA.Rank > 0:
			what = fmt.Sprintf("adapters of rank %d for %s of model %s", l.Net.LoRA.Rank, strings.Join(l.Net.LoRA.Targets, "+"), s.Model)
		case s.Model != tx.ID{}:
			what = fmt.Sprintf("every weight of model %s", s.Model)
		}
		fmt.Fprintf(w, "learns %s\nlayers %d  width %d  vocabulary %d  steps %d of %d records of %d tokens  rate %g  seed %d\n",
			what, a.Layers, a.Hidden, a.Vocab, l.Steps, l.Seqs, l.Tokens, fx.FromBits(l.Rate), l.Seed)
	case s.Ask != nil:
		fmt.Fprintf(w, "asks model %s  rows per segment %d", s.Model, s.Ask.Rows)
		if q := s.Ask; q.Text() {
			fmt.Fprintf(w, "  context %d", q.Tokens)
			if q.Max > 0 {
				fmt.Fprintf(w, "  at most %d tokens  temperature %g  top-k %d  top-p %g  seed %d", q.Max, fx.FromBits(q.Temperature), q.TopK, fx.FromBits(q.TopP), q.Seed)
			}
			if q.Int8 {
				fmt.Fprint(w, "  fx/int8")
			}
		}
		fmt.Fprintln(w)
	}
}
