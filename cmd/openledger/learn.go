// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/gpu/lm"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/poa/decoder"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
)

// bytesPerToken is what a token is reckoned to stand for where the texts are not at
// hand.
const bytesPerToken = 3

// records reckons how many records datasets of texts make.
func (f *learnFlags) records(sets []state.Dataset) uint64 {
	bytes := uint64(0)
	for _, s := range sets {
		bytes += s.Bytes
	}
	return max(1, bytes/(bytesPerToken*max(1, f.tokens)))
}

// describe fills in a task of learning for a net, on from base if it is not zero.
func (f *learnFlags) describe(ctx context.Context, c *client.Client, t *taskFlags, net decoder.Net, base api.Hash) (*tx.TrainDescriptor, error) {
	ids, sets, err := t.pick(ctx, c, true, api.Hash{})
	if err != nil {
		return nil, err
	}
	if f.batch == 0 {
		return nil, usage("--batch 0: a step takes one record at least")
	}
	l, err := f.spec(net, f.batch, f.stepsFor(f.records(sets), f.batch))
	if err != nil {
		return nil, err
	}
	d, err := t.descriptor(task.Learn, ids, l.Cost())
	if err == nil {
		d.Learn, d.Model = &l, base
	}
	return d, err
}

// postable refuses a folder that what is learned has no room in, before anything is
// paid, and what only a run on this machine has.
func (f *learnFlags) postable(cmd *cobra.Command) error {
	if f.out != "" {
		if err := vacant(f.out); err != nil {
			return err
		}
	}
	return notHere(cmd)
}

// notHere refuses what only a run on this machine has.
func notHere(cmd *cobra.Command) error {
	for _, name := range []string{"data", "device", "memory", "micro-batch", "merged", "prompt", "adapters", "chat", "chat-template"} {
		if cmd.Flags().Changed(name) {
			return usage("--%s is for a run on this machine; --datanet and --dataset post a task that operators compute", name)
		}
	}
	return nil
}

// postNano posts gpt-nano as a task on texts of the network.
func (a *app) postNano(cmd *cobra.Command, t *taskFlags, f *learnFlags, vocab int) error {
	if err := checkNano(f, vocab); err != nil {
		return err
	}
	if err := f.postable(cmd); err != nil {
		return err
	}
	return a.postTask(cmd, t, func(ctx context.Context, c *client.Client) (*tx.TrainDescriptor, error) {
		return f.describe(ctx, c, t, nanoNet(vocab, f.tokens), api.Hash{})
	}, a.learnedTask(cmd, f.out))
}

// postFinetune posts the tuning of a model of the ledger.
func (a *app) postFinetune(cmd *cobra.Command, t *taskFlags, f *tuneFlags) error {
	if err := f.postable(cmd); err != nil {
		return err
	}
	return a.postTask(cmd, t, func(ctx context.Context, c *client.Client) (*tx.TrainDescriptor, error) {
		id, err := findModel(ctx, c, f.base)
		if err != nil {
			return nil, err
		}
		o, err := c.ModelGet(ctx, api.IDParams{ID: id})
		if err != nil {
			return nil, err
		}
		if k := kindOf(o.Value); k != "language model" {
			return nil, usage("--base %s: it is %s; a base is a language model with whole weights", f.base, k)
		}
		folder, err := languageModel(ctx, c, id, o.Value)
		if err != nil {
			return nil, err
		}
		f.tokens = min(f.tokens, uint64(folder.Config.Arch.Positions))
		net := lm.NetOf(folder.Config.Arch, f.tokens)
		net.Int8, net.LoRA = f.int8, f.lora
		return f.describe(ctx, c, t, net, id)
	}, a.learnedTask(cmd, f.out))
}

// learnedTask prints a settled task, and writes what it made if there is a folder for
// it.
func (a *app) learnedTask(cmd *cobra.Command, out string) func(context.Context, api.Object[task.Task]) error {
	return func(_ context.Context, o api.Object[task.Task]) error {
		if out == "" {
			return a.printEnded(cmd, o)
		}
		s, err := a.saveResult(cmd.Context(), cmd, o.ID, o.Value, out)
		if err != nil {
			return fmt.Errorf("task %s is settled, but: %w", o.ID, err)
		}
		return a.print(cmd, o, func(w io.Writer) {
			printTask(w, o.ID, o.Value)
			fmt.Fprintf(w, "%s  %s, verified\n", s.Out, s.Kind)
		})
	}
}
