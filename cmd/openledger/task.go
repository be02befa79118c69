// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/node/worker"
	"github.com/openledger/openledger/rpc/api"
)

func newTaskCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "task", Short: "Look at tasks, and replay them yourself", Args: cobra.NoArgs}
	cmd.AddCommand(newTaskListCmd(a), newTaskShowCmd(a), newTaskWatchCmd(a), newTaskVerifyCmd(a), newTaskResultCmd(a))
	return cmd
}

func newTaskListCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List tasks", Args: cobra.NoArgs,
		Example: "  openledger task list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd, func(ctx context.Context) error {
				l, err := all(ctx, a.client().TaskList)
				if err != nil {
					return err
				}
				return a.print(cmd, l, func(w io.Writer) {
					for _, it := range l.Items {
						fmt.Fprintf(w, "%s  %-9s %-9s %s\n", it.ID, it.Value.Spec.Kind, it.Value.State, it.Value.Spec.Price)
					}
				})
			})
		},
	}
}

func newTaskShowCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show a task with its checkers and verdicts", Args: cobra.ExactArgs(1),
		Example: "  openledger task show 0x…",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := api.ParseHash(args[0])
			if err != nil {
				return usage("%v", err)
			}
			return a.call(cmd, func(ctx context.Context) error {
				o, err := a.client().TaskGet(ctx, api.IDParams{ID: id})
				if err != nil {
					return err
				}
				return a.print(cmd, o, func(w io.Writer) { printTask(w, id, o.Value) })
			})
		},
	}
}

func newTaskWatchCmd(a *app) *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "watch ID", Short: "Follow a task to its end", Args: cobra.ExactArgs(1),
		Example: "  openledger task watch 0x…",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := api.ParseHash(args[0])
			if err != nil {
				return usage("%v", err)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), wait)
			defer cancel()
			return a.watch(ctx, cmd, id)
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", 10*time.Minute, "how long to wait")
	return cmd
}

func newTaskVerifyCmd(a *app) *cobra.Command {
	var wait time.Duration
	var device string
	cmd := &cobra.Command{
		Use: "verify ID", Short: "Replay a task from its published data and compare every root", Args: cobra.ExactArgs(1),
		Long:    "Fetches the task and its datasets, checks the data against the ledger's roots, computes every segment again on this machine, and compares.\nExit code 0: equal. 1: the operator's roots are not what the data gives.",
		Example: "  openledger task verify 0x…\n  openledger task verify 0x… --device auto",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := api.ParseHash(args[0])
			if err != nil {
				return usage("%v", err)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), wait)
			defer cancel()
			progress := a.progress(cmd)
			lend, done, err := lender(ctx, device, progress)
			if err != nil {
				return err
			}
			defer done()
			v, _, err := worker.Verify(ctx, a.client(), id, worker.Options{Cards: lend,
				Progress: func(done, total uint64) { fmt.Fprintf(progress, "\rsegment %d of %d", done, total) }})
			if errors.Is(err, worker.ErrNotCommitted) {
				return &exitError{exitRefused, err}
			}
			if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return &exitError{exitNotFinal, fmt.Errorf("the replay is not done after %v; give it more time with --wait", wait)}
			}
			if err != nil {
				return err
			}
			fmt.Fprintln(progress)
			err = a.print(cmd, v, func(w io.Writer) {
				if v.Equal {
					fmt.Fprintf(w, "equal: %d segments replayed in %.1fs\nroot %s\noutput %s\n", v.Segments, v.Seconds, v.Own.Root, v.Own.OutputRoot)
				} else {
					fmt.Fprintf(w, "FALSE: replay gives root %s, the operator committed %s\noutput %s, committed %s\n", v.Own.Root, v.Theirs.Root, v.Own.OutputRoot, v.Theirs.OutputRoot)
				}
			})
			if err == nil && !v.Equal {
				err = &exitError{exitNo, errors.New("the committed result is not what the data gives")}
			}
			return err
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", 10*time.Minute, "how long the replay may take")
	cmd.Flags().StringVar(&device, "device", "cpu", "cpu; a card's number or UUID; auto: a card if there is one")
	return cmd
}

// lender opens the card that was asked for, and lends it once: if it fails the
// processor goes on. Without a card lend is nil.
func lender(ctx context.Context, which string, notes io.Writer) (lend func() worker.Card, done func(), err error) {
	switch which {
	case "cpu":
		return nil, func() {}, nil
	case "ref":
		return nil, nil, usage("--device ref: write cpu, auto, or the number or UUID of a card")
	}
	d, err := (&deviceFlags{device: which}).open(ctx, notes)
	if err != nil {
		return nil, nil, err
	}
	done = func() { _ = d.Close() }
	if d.Info().Backend != "cuda" {
		return nil, done, nil
	}
	lent := false
	return func() worker.Card {
		if lent {
			return nil
		}
		lent = true
		return onceLent{d}
	}, done, nil
}

// onceLent is a card that is this command's own.
type onceLent struct{ d gpu.Device }

func (l onceLent) Device() gpu.Device { return l.d }
func (onceLent) Rest() bool           { return false }
func (onceLent) Done(error)           {}
