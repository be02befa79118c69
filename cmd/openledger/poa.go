// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/poa/payout"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
)

func newPoaCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "poa", Short: "Record and show whose data made a model good", Args: cobra.NoArgs}
	cmd.AddCommand(newPoaCommitCmd(a), newPoaShowCmd(a))
	return cmd
}

func newPoaCommitCmd(a *app) *cobra.Command {
	var model, job, bond string
	cmd := &cobra.Command{
		Use: "commit", Short: "Record a settled attribution task as the attribution of a model", Args: cobra.NoArgs,
		Example: "  openledger poa commit --model digits --job 0x…",
		RunE: func(cmd *cobra.Command, _ []string) error {
			id, err := api.ParseHash(job)
			if err != nil {
				return usage("--job: %v", err)
			}
			key, err := a.signer(cmd)
			if err != nil {
				return err
			}
			return a.call(cmd, func(ctx context.Context) error {
				c := a.client()
				p, err := attribution(ctx, c, model, id, bond)
				if err != nil {
					return err
				}
				s, err := c.Send(ctx, key, p)
				if err != nil {
					return err
				}
				return a.print(cmd, s, func(w io.Writer) { printFinal(w, s) })
			})
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&model, "model", "", "name or id of the model (required)")
	fl.StringVar(&job, "job", "", "id of the attribution task (required)")
	fl.StringVar(&bond, "bond", "", "bond in OPEN (default: the ledger's least)")
	_ = cmd.MarkFlagRequired("model")
	_ = cmd.MarkFlagRequired("job")
	return cmd
}

// attribution makes the commit from the task's output, which is checked against
// the root that its checkers agreed on.
func attribution(ctx context.Context, c *client.Client, model string, job api.Hash, bond string) (*tx.AttributionCommit, error) {
	id, err := findModel(ctx, c, model)
	if err != nil {
		return nil, err
	}
	o, err := c.TaskGet(ctx, api.IDParams{ID: job})
	if err != nil {
		return nil, err
	}
	t := o.Value
	if t.State != task.Settled || t.Spec.Kind != task.Attribute {
		return nil, &exitError{exitRefused, fmt.Errorf("task %s is a %s task and %s; a settled attribution task is needed", job, t.Spec.Kind, t.State)}
	}
	blob, err := c.Blob(ctx, t.Output.Content.String())
	if err != nil {
		return nil, err
	}
	r, err := payout.DecodeResult(blob)
	if err != nil {
		return nil, err
	}
	if r.Root() != t.Output.Verdict.OutputRoot {
		return nil, &exitError{exitNo, errors.New("the output that the network provides is not what the task settled on")}
	}
	root, err := r.WeightRoot()
	if err != nil {
		return nil, err
	}
	stake, err := amountOr(ctx, c, bond, "attribution_bond")
	if err != nil {
		return nil, err
	}
	params, _ := r.Params()
	p := &tx.AttributionCommit{Model: id, Job: job, Rule: receipt.Rule, WeightRoot: root.Hash, W: root.Sum, Owners: root.Count,
		ResultRoot: t.Output.Verdict.OutputRoot, Leaves: t.Spec.Segments, Params: params, Bond: stake}
	if root.Sum == 0 {
		p.Owners = 0
	}
	return p, checkPayload(p)
}

func newPoaShowCmd(a *app) *cobra.Command {
	var prove bool
	cmd := &cobra.Command{
		Use: "show MODEL", Short: "Show the attribution recorded for a model", Args: cobra.ExactArgs(1),
		Example: "  openledger poa show digits",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.call(cmd, func(ctx context.Context) error {
				c := a.client()
				id, err := findModel(ctx, c, args[0])
				if err != nil {
					return err
				}
				o, err := c.PoaReport(ctx, api.IDParams{ID: id, Prove: prove})
				if err != nil {
					return err
				}
				return a.print(cmd, o, func(w io.Writer) {
					r := o.Value
					fmt.Fprintf(w, "model %s  rule %s\njob %s\n%d owners, weights sum to %d\nweight root %s\nresult root %s\n",
						o.ID, r.Rule, r.Job, r.Owners, r.W, r.WeightRoot, r.ResultRoot)
				})
			})
		},
	}
	cmd.Flags().BoolVar(&prove, "prove", false, "add a state proof to the JSON; `openledger query proof` writes one to a file and checks it")
	return cmd
}
