// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/node/publish"
	"github.com/openledger/openledger/node/worker"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
)

func newTaskCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "task", Short: "Look at tasks, and replay them yourself", Args: cobra.NoArgs}
	cmd.AddCommand(newTaskListCmd(a), newTaskShowCmd(a), newTaskWatchCmd(a), newTaskVerifyCmd(a))
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

// verification is the outcome of a replay.
type verification struct {
	Task        api.Hash `json:"task"`
	Equal       bool     `json:"equal"`
	Segments    uint64   `json:"segments"`
	OwnRoot     api.Hash `json:"own_root"`
	TheirRoot   api.Hash `json:"their_root"`
	OwnOutput   api.Hash `json:"own_output_root"`
	TheirOutput api.Hash `json:"their_output_root"`
	Seconds     float64  `json:"seconds"`
}

func newTaskVerifyCmd(a *app) *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "verify ID", Short: "Replay a task from its published data and compare every root", Args: cobra.ExactArgs(1),
		Long:    "Fetches the task and its datasets, checks the data against the ledger's roots, computes every segment again on this machine, and compares.\nExit code 0: equal. 1: the operator's roots are not what the data gives.",
		Example: "  openledger task verify 0x…",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := api.ParseHash(args[0])
			if err != nil {
				return usage("%v", err)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), wait)
			defer cancel()
			progress := a.progress(cmd)
			v, err := replay(ctx, a.client(), id, func(done, total uint64) { fmt.Fprintf(progress, "\rsegment %d of %d", done, total) })
			if err != nil {
				return err
			}
			fmt.Fprintln(progress)
			err = a.print(cmd, v, func(w io.Writer) {
				if v.Equal {
					fmt.Fprintf(w, "equal: %d segments replayed in %.1fs\nroot %s\noutput %s\n", v.Segments, v.Seconds, v.OwnRoot, v.OwnOutput)
				} else {
					fmt.Fprintf(w, "FALSE: replay gives root %s, the operator committed %s\noutput %s, committed %s\n", v.OwnRoot, v.TheirRoot, v.OwnOutput, v.TheirOutput)
				}
			})
			if err == nil && !v.Equal {
				err = &exitError{exitNo, errors.New("the committed result is not what the data gives")}
			}
			return err
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", 10*time.Minute, "how long the replay may take")
	return cmd
}

// replay computes a committed task again from published bytes.
func replay(ctx context.Context, c *client.Client, id api.Hash, progress func(done, total uint64)) (verification, error) {
	o, err := c.TaskGet(ctx, api.IDParams{ID: id})
	if err != nil {
		return verification{}, err
	}
	t := o.Value
	if t.Output == nil || t.Operator == nil {
		return verification{}, &exitError{exitRefused, fmt.Errorf("task %s is %s: nothing is committed yet", id, t.State)}
	}
	in := worker.Inputs{ID: id, Spec: t.Spec, Operator: *t.Operator}
	for _, d := range t.Spec.Datasets {
		set, err := fetchDataset(ctx, c, d)
		if err != nil {
			return verification{}, err
		}
		in.Datasets = append(in.Datasets, set)
	}
	if in.Validation, err = fetchDataset(ctx, c, t.Spec.Validation); err != nil {
		return verification{}, err
	}
	start := time.Now()
	out, err := worker.Execute(in, worker.Options{Progress: progress, Stop: func() bool { return ctx.Err() != nil }})
	if err != nil {
		return verification{}, err
	}
	return verification{Task: id, Equal: out.Verdict == t.Output.Verdict, Segments: out.Segments, OwnRoot: out.Verdict.Root,
		TheirRoot: t.Output.Verdict.Root, OwnOutput: out.Verdict.OutputRoot, TheirOutput: t.Output.Verdict.OutputRoot,
		Seconds: time.Since(start).Seconds()}, nil
}

// fetchDataset reads a dataset through a node and checks it against the roots on
// the ledger.
func fetchDataset(ctx context.Context, c *client.Client, id api.Hash) (worker.Dataset, error) {
	o, err := c.DatasetGet(ctx, api.IDParams{ID: id})
	if err != nil {
		return worker.Dataset{}, err
	}
	csv, err := c.Blob(ctx, o.Value.Content.String())
	if err != nil {
		return worker.Dataset{}, err
	}
	t, err := publish.Load(o.Value.Content, o.Value.RowRoot, csv)
	return worker.Dataset{ID: id, Record: o.Value, Table: t}, err
}
