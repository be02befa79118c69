// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/gpu/infer"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/publish"
	"github.com/openledger/openledger/poa/program"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
)

func newModelCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "model", Short: "Publish and list trained models", Args: cobra.NoArgs}
	cmd.AddCommand(newModelPublishCmd(a), newModelListCmd(a), newModelShowCmd(a), newModelImportCmd(a))
	return cmd
}

type modelFlags struct {
	task, name, royalty, stake string
	k                          uint64
}

func newModelPublishCmd(a *app) *cobra.Command {
	var f modelFlags
	cmd := &cobra.Command{
		Use: "publish", Short: "Publish the model that a settled training task made", Args: cobra.NoArgs,
		Long: "Whoever posted the training task publishes its result as a model. Every answer then pays the royalty: 70 % of what is left after fees\n" +
			"goes to the contributors whose data spoke for the answer (exact KNN-Shapley of that query), 30 % to the publisher.",
		Example: "  openledger model publish --task 0x… --name digits --royalty 0.01",
		RunE: func(cmd *cobra.Command, _ []string) error {
			id, err := api.ParseHash(f.task)
			if err != nil {
				return usage("--task: %v", err)
			}
			royalty, err := fixed.ParseAmount(f.royalty)
			if err != nil {
				return err
			}
			key, err := a.signer(cmd)
			if err != nil {
				return err
			}
			return a.call(cmd, func(ctx context.Context) error {
				m, err := a.publishModel(ctx, key, id, royalty, f)
				if err != nil {
					return err
				}
				return a.print(cmd, m, func(w io.Writer) {
					fmt.Fprintf(w, "model %s  royalty %s  final at %d  fee %s\n", m.ID, royalty, m.Height, m.Fee)
				})
			})
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.task, "task", "", "id of the training task (required)")
	fl.StringVar(&f.name, "name", "", "name of the model (required)")
	fl.StringVar(&f.royalty, "royalty", "0.01", "OPEN per answer for contributors and publisher")
	fl.StringVar(&f.stake, "stake", "", "stake in OPEN (default: the ledger's least)")
	fl.Uint64Var(&f.k, "k", 5, "neighbours that an answer is attributed to (knn/1)")
	_ = cmd.MarkFlagRequired("task")
	_ = cmd.MarkFlagRequired("name")
	return cmd
}

// publishModel checks the task's output, brings it to the node, posts the
// manifest and announces it.
func (a *app) publishModel(ctx context.Context, key keys.PrivateKey, id api.Hash, royalty fixed.Amount, f modelFlags) (created, error) {
	c := a.client()
	o, err := c.TaskGet(ctx, api.IDParams{ID: id})
	if err != nil {
		return created{}, err
	}
	t := o.Value
	if t.State != task.Settled || t.Spec.Kind != task.Train {
		return created{}, &exitError{exitRefused, fmt.Errorf("task %s is a %s task and %s; a model needs a settled training task", id, t.Spec.Kind, t.State)}
	}
	data, err := c.DatasetGet(ctx, api.IDParams{ID: t.Spec.Datasets[0]})
	if err != nil {
		return created{}, err
	}
	stake, err := amountOr(ctx, c, f.stake, "model_stake")
	if err != nil {
		return created{}, err
	}
	blob, err := c.Blob(ctx, t.Output.Content.String())
	if err != nil {
		return created{}, err
	}
	if _, err := infer.Load(blob, t.Output.Verdict.OutputRoot); err != nil {
		return created{}, &exitError{exitNo, err}
	}
	p := &tx.ModelManifest{Name: f.name, Task: id, WeightsRoot: t.Output.Verdict.OutputRoot, Weights: t.Output.Content, Bytes: t.Output.Bytes,
		Terms: data.Value.Terms, Royalty: royalty, AttrMethod: program.KNN, K: f.k, Stake: stake}
	if err := checkPayload(p); err != nil {
		return created{}, err
	}
	out, err := a.create(ctx, key, p)
	if err != nil {
		return created{}, err
	}
	return out, publish.Gossip(ctx, c, key, publish.KindModel, out.ID, nil)
}

// amountOr reads an amount, or the ledger's parameter if text is empty.
func amountOr(ctx context.Context, c *client.Client, text, param string) (fixed.Amount, error) {
	if text != "" {
		return fixed.ParseAmount(text)
	}
	p, err := c.ChainParams(ctx, api.Empty{})
	if err != nil {
		return 0, err
	}
	for _, it := range p.Items {
		if it.Name == param {
			return fixed.ParseAmount(it.Value)
		}
	}
	return 0, fmt.Errorf("the node names no parameter %q", param)
}

func newModelListCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List models", Args: cobra.NoArgs,
		Example: "  openledger model list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd, func(ctx context.Context) error {
				l, err := all(ctx, a.client().ModelList)
				if err != nil {
					return err
				}
				return a.print(cmd, l, func(w io.Writer) {
					for _, it := range l.Items {
						fmt.Fprintf(w, "%s  %-20s royalty %s  %d datasets\n", it.ID, it.Value.Name, it.Value.Royalty, len(it.Value.Datasets))
					}
				})
			})
		},
	}
}

func newModelShowCmd(a *app) *cobra.Command {
	var prove bool
	cmd := &cobra.Command{
		Use: "show MODEL", Short: "Show a model: weights, data, royalty", Args: cobra.ExactArgs(1),
		Example: "  openledger model show digits",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.call(cmd, func(ctx context.Context) error {
				c := a.client()
				id, err := findModel(ctx, c, args[0])
				if err != nil {
					return err
				}
				o, err := c.ModelGet(ctx, api.IDParams{ID: id, Prove: prove})
				if err != nil {
					return err
				}
				return a.print(cmd, o, func(w io.Writer) {
					m := o.Value
					fmt.Fprintf(w, "%s  %s\nowner %s\ntask %s\nweights %s  root %s  %d bytes\nroyalty %s per answer, attributed by %s with K = %d\n",
						o.ID, m.Name, m.Owner, m.Task, m.Weights, m.WeightsRoot, m.Bytes, m.Royalty, m.AttrMethod, m.K)
					for _, d := range m.Datasets {
						fmt.Fprintf(w, "dataset %s\n", d)
					}
				})
			})
		},
	}
	cmd.Flags().BoolVar(&prove, "prove", false, "add a state proof to the JSON; `openledger query proof` writes one to a file and checks it")
	return cmd
}

// findModel returns the model with an id, or the newest one with a name.
func findModel(ctx context.Context, c *client.Client, name string) (api.Hash, error) {
	if id, err := api.ParseHash(name); err == nil {
		return id, nil
	}
	l, err := all(ctx, c.ModelList)
	if err != nil {
		return api.Hash{}, err
	}
	var best *api.Item[state.Model]
	for i, it := range l.Items {
		if it.Value.Name == name && (best == nil || it.Value.CreatedMS > best.Value.CreatedMS) {
			best = &l.Items[i]
		}
	}
	if best == nil {
		return api.Hash{}, &exitError{exitNotFound, fmt.Errorf("no model %q; see `openledger model list`", name)}
	}
	return best.ID, nil
}
