// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/gpu/format/pack"
	"github.com/openledger/openledger/gpu/infer"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/genesis"
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
	cmd.AddCommand(newModelPublishCmd(a), newModelListCmd(a), newModelShowCmd(a), newModelImportCmd(a), newModelExportCmd(a))
	return cmd
}

// unreplayedStake is how many times the stake of other models one from elsewhere takes
// (MOD-02).
const unreplayedStake = 4

type modelFlags struct {
	task, folder, name, royalty, stake string
	k                                  uint64
}

func newModelPublishCmd(a *app) *cobra.Command {
	var f modelFlags
	cmd := &cobra.Command{
		Use: "publish", Short: "Publish the model that a settled task made, or a language model from elsewhere", Args: cobra.NoArgs,
		Long: "Whoever posted a training task publishes its result as a model. Every answer of a model of tables then pays the royalty: 70 % of what is left\n" +
			"after fees goes to the contributors whose data spoke for the answer (exact KNN-Shapley of that query), 30 % to the publisher. Answers of\n" +
			"language models are attributed to nobody yet, so they pay no royalty and are not sold; they can be tuned, evaluated and asked by tasks.\n" +
			"--folder uploads a HuggingFace folder. Nobody has computed such a model again: it is marked unreplayed and takes four times the stake.",
		Example: "  openledger model publish --task 0x… --name digits --royalty 0.01\n  openledger model publish --folder ./tinyllama --name tinyllama",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (f.task == "") == (f.folder == "") {
				return usage("name one of --task ID and --folder DIR")
			}
			royalty, err := fixed.ParseAmount(f.royalty)
			if err != nil {
				return err
			}
			p := &tx.ModelManifest{Name: f.name, Royalty: royalty, AttrMethod: program.KNN, K: f.k}
			if f.folder == "" {
				if p.Task, err = api.ParseHash(f.task); err != nil {
					return usage("--task: %v", err)
				}
			}
			key, err := a.signer(cmd)
			if err != nil {
				return err
			}
			if f.folder == "" {
				return a.call(cmd, func(ctx context.Context) error { return a.publishTask(ctx, cmd, key, p, f) })
			}
			return a.publishFolder(cmd, key, p, f)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.task, "task", "", "id of the task that made it")
	fl.StringVar(&f.folder, "folder", "", "HuggingFace folder of a language model")
	fl.StringVar(&f.name, "name", "", "name of the model (required)")
	fl.StringVar(&f.royalty, "royalty", "0.01", "OPEN per answer for contributors and publisher, of models of tables")
	fl.StringVar(&f.stake, "stake", "", "stake in OPEN (default: the ledger's least)")
	fl.Uint64Var(&f.k, "k", 5, "neighbours that an answer is attributed to (knn/1), of models of tables")
	_ = cmd.MarkFlagRequired("name")
	return cmd
}

// publishTask checks the task's output, brings it to the node, posts the manifest and
// announces it.
func (a *app) publishTask(ctx context.Context, cmd *cobra.Command, key keys.PrivateKey, p *tx.ModelManifest, f modelFlags) error {
	c, id := a.client(), p.Task
	o, err := c.TaskGet(ctx, api.IDParams{ID: id})
	if err != nil {
		return err
	}
	t := o.Value
	if t.State != task.Settled || !makesModel(t) {
		return &exitError{exitRefused, fmt.Errorf("task %s is a %s task and %s; a model needs a settled training task", id, t.Spec.Kind, t.State)}
	}
	data, err := c.DatasetGet(ctx, api.IDParams{ID: t.Spec.Datasets[0]})
	if err != nil {
		return err
	}
	p.WeightsRoot, p.Weights, p.Bytes, p.Terms = t.Output.Verdict.OutputRoot, t.Output.Content, t.Output.Bytes, data.Value.Terms
	if t.Spec.Kind == task.Learn {
		if err := languageTerms(cmd, p); err != nil {
			return err
		}
		q, err := pack.New(c.BlobAt(ctx, p.Weights), int64(p.Bytes)) // also brings it to the node
		if err != nil {
			return err
		}
		_ = q.Close()
	} else {
		blob, err := c.Blob(ctx, p.Weights.String())
		if err != nil {
			return err
		}
		if _, err := infer.Load(blob, p.WeightsRoot); err != nil {
			return &exitError{exitNo, err}
		}
	}
	if err := a.stakeModel(ctx, p, f, 1); err != nil {
		return err
	}
	return a.publishModel(ctx, cmd, key, p)
}

// publishFolder uploads a folder and publishes it under CC-BY-4.0 terms, as data is.
func (a *app) publishFolder(cmd *cobra.Command, key keys.PrivateKey, p *tx.ModelManifest, f modelFlags) error {
	if err := languageTerms(cmd, p); err != nil {
		return err
	}
	q, err := pack.Folder(f.folder)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	defer q.Close()
	if q.Adapters != nil {
		return usage("%s holds adapters; what is published from elsewhere is a whole model (finetune --merged writes one)", f.folder)
	}
	// What would be refused afterwards is said before the upload.
	if err := a.call(cmd, func(ctx context.Context) error { return a.stakeModel(ctx, p, f, unreplayedStake) }); err != nil {
		return err
	}
	s, err := sendPackage(cmd.Context(), a.client(), q, a.progress(cmd)) // takes longer than --timeout
	if err != nil {
		return err
	}
	p.WeightsRoot, p.Weights, p.Bytes, p.Terms = s.root, s.content, s.bytes, genesis.CCBY4().ID()
	return a.call(cmd, func(ctx context.Context) error { return a.publishModel(ctx, cmd, key, p) })
}

// stakeModel fills in the stake: that of the flag, or so many times the ledger's least.
func (a *app) stakeModel(ctx context.Context, p *tx.ModelManifest, f modelFlags, times fixed.Amount) error {
	least, err := amountOr(ctx, a.client(), "", "model_stake")
	if err != nil {
		return err
	}
	least *= times
	if p.Stake = least; f.stake == "" {
		return nil
	}
	if p.Stake, err = fixed.ParseAmount(f.stake); err == nil && p.Stake < least {
		err = usage("--stake %s: this model takes at least %s", p.Stake, least)
	}
	return err
}

// languageTerms makes p the manifest of a language model: nobody is paid for answers.
func languageTerms(cmd *cobra.Command, p *tx.ModelManifest) error {
	if cmd.Flags().Changed("royalty") && p.Royalty > 0 {
		return usage("--royalty: answers of a language model are attributed to nobody yet, so it has no royalty")
	}
	p.AttrMethod, p.Royalty, p.K = tx.NoAttribution, 0, 0
	return nil
}

// publishedModel is a model on the ledger.
type publishedModel struct {
	created
	Kind       string   `json:"kind"`
	Root       api.Hash `json:"weights_root"`
	Unreplayed bool     `json:"unreplayed"`
}

// publishModel posts a manifest and announces the content.
func (a *app) publishModel(ctx context.Context, cmd *cobra.Command, key keys.PrivateKey, p *tx.ModelManifest) error {
	if err := checkPayload(p); err != nil {
		return err
	}
	out, err := a.create(ctx, key, p)
	if err != nil {
		return err
	}
	if err := publish.Gossip(ctx, a.client(), key, publish.KindModel, out.ID, nil); err != nil {
		return err
	}
	m := publishedModel{created: out, Kind: "model of tables", Root: p.WeightsRoot, Unreplayed: p.Task == tx.ID{}}
	if p.AttrMethod == tx.NoAttribution {
		m.Kind = "language model"
	}
	return a.print(cmd, m, func(w io.Writer) {
		if p.AttrMethod != tx.NoAttribution {
			fmt.Fprintf(w, "model %s  royalty %s  final at %d  fee %s\n", m.ID, p.Royalty, m.Height, m.Fee)
			return
		}
		fmt.Fprintf(w, "model %s  %d bytes  final at %d  fee %s\nroot %s\n", m.ID, p.Bytes, m.Height, m.Fee, m.Root)
		if m.Unreplayed {
			fmt.Fprintf(w, "unreplayed: no task of the network made these weights and nobody has computed them again; your stake of %s stands for them\n", p.Stake)
		}
	})
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
						m := it.Value
						switch {
						case m.Unreplayed:
							fmt.Fprintf(w, "%s  %-20s %s, unreplayed\n", it.ID, m.Name, kindOf(m))
						case isLanguage(m):
							fmt.Fprintf(w, "%s  %-20s %s  %d datasets\n", it.ID, m.Name, kindOf(m), len(m.Datasets))
						default:
							fmt.Fprintf(w, "%s  %-20s royalty %s  %d datasets\n", it.ID, m.Name, m.Royalty, len(m.Datasets))
						}
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
					fmt.Fprintf(w, "%s  %s\nowner %s\n%s\nweights %s  root %s  %d bytes\n", o.ID, m.Name, m.Owner, origin(m), m.Weights, m.WeightsRoot, m.Bytes)
					if !isLanguage(m) {
						fmt.Fprintf(w, "royalty %s per answer, attributed by %s with K = %d\n", m.Royalty, m.AttrMethod, m.K)
					}
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

// origin says what made a model.
func origin(m state.Model) string {
	text := kindOf(m)
	switch {
	case m.Unreplayed:
		return fmt.Sprintf("%s, unreplayed: no task made it and nobody has computed it again; stake %s", text, m.Stake)
	case m.Base != tx.ID{}:
		text += " of model " + api.Hash(m.Base).String()
	}
	return fmt.Sprintf("%s\ntask %s", text, m.Task)
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
	if fi, err := os.Stat(name); best == nil && err == nil && fi.IsDir() {
		return api.Hash{}, &exitError{exitNotFound, fmt.Errorf("no model %q on the ledger; publish the folder with `openledger model publish --folder %s --name NAME`", name, name)}
	}
	if best == nil {
		return api.Hash{}, &exitError{exitNotFound, fmt.Errorf("no model %q; see `openledger model list`", name)}
	}
	return best.ID, nil
}
