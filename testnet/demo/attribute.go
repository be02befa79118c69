// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"

	"github.com/openledger/openledger/gpu/model"
	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/internal/table"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/worker"
	"github.com/openledger/openledger/poa/atom"
	"github.com/openledger/openledger/poa/metrics"
	"github.com/openledger/openledger/poa/payout"
	"github.com/openledger/openledger/poa/program"
)

const knnK = 5

// attribute is beat 5: exact KNN-Shapley as a replayed task, beside the true
// effect of training without each contributor.
func (s *story) attribute(ctx context.Context) error {
	d := s.descriptor()
	d.TaskKind, d.Price, d.CheckFee = uint8(task.Attribute), 5*fixed.OPEN, fixed.OPEN
	d.Attribute = &program.Attribute{Method: program.KNN, K: knnK, Soft: true, Rows: 50, Tau: atom.Tau(64, scale)}
	id, err := s.create(ctx, requester, d)
	if err != nil {
		return err
	}
	t, err := s.ended(ctx, id)
	if err != nil {
		return err
	}
	if err := check(t.State == task.Settled, "attribution task ended %v", t.State); err != nil {
		return err
	}
	v, out, err := worker.Verify(ctx, s.c, id, worker.Options{})
	if err != nil {
		return err
	}
	if err := check(v.Equal && out.Result != nil && content.Sum(out.Blob) == t.Output.Content, "own attribution differs"); err != nil {
		return err
	}
	if err := s.publishModel(ctx, id, *out.Result); err != nil {
		return err
	}
	if err := s.retrain(); err != nil {
		return err
	}
	return s.compare(id, *out.Result)
}

// retrain trains the softmax model without each contributor in turn, on the rows
// that founded atoms (the copies are out for everybody), and measures how the
// validation loss rises, in 10^-9 nats.
func (s *story) retrain() error {
	arch := model.ArchOf(s.softmax.spec)
	valid, err := s.validation(arch)
	if err != nil {
		return err
	}
	loss := func(without int) (int64, error) {
		var tables []*table.Table
		for i, csv := range s.data.own[:len(sizes)] {
			if i == without {
				continue
			}
			t, err := table.Parse(contributors[i], csv, table.Options{})
			if err != nil {
				return 0, err
			}
			tables = append(tables, t)
		}
		data, err := model.Load(arch, tables...)
		if err != nil {
			return 0, err
		}
		r, err := train.Run(train.Job{Spec: s.softmax.spec, Data: data}, train.Options{})
		if err != nil {
			return 0, err
		}
		return validationLoss(r.Weights, valid), nil
	}
	if s.base, err = loss(-1); err != nil {
		return err
	}
	for i := range contributors {
		l := s.base
		if i < len(sizes) {
			if l, err = loss(i); err != nil {
				return err
			}
		}
		s.effects = append(s.effects, l-s.base)
	}
	return nil
}

// validationLoss is the mean cross-entropy in 10^-9 nats, by fx/1 alone, so that
// it is the same number on every machine.
func validationLoss(w *model.Weights, d *model.Data) int64 {
	net := model.NewNet(w)
	logits := make([]float32, w.Arch.Classes)
	var sum float32
	for i := range d.Rows {
		net.Logits(d.Row(i), logits)
		top := fx.RedMax(logits)
		exps := make([]float32, len(logits))
		for k, z := range logits {
			exps[k] = fx.Exp(fx.Sub(z, top))
		}
		nll := fx.Sub(fx.Log(fx.RedSum(exps)), fx.Sub(logits[d.Y[i]], top))
		sum = fx.Add(sum, nll)
	}
	return int64(float64(sum) / float64(d.Rows) * 1e9)
}

// compare prints shares beside true effects and their rank correlation.
func (s *story) compare(id tx.ID, r payout.Result) error {
	weights := map[string]uint64{}
	for _, o := range r.Owners {
		weights[s.name(o.Owner)] = o.Weight
	}
	s.fact("%d rows are %d atoms; %d rows joined an earlier atom, %d stood on a validation row", r.Rows, r.Atoms, r.Duplicates, r.Leaks)
	s.fact("%-8s %10s  %28s", "", "share", "loss without this contributor")
	for i, who := range contributors {
		s.shares = append(s.shares, int64(weights[who]))
		s.digest.add("share "+who, weights[who])
		s.digest.add("effect "+who, s.effects[i])
		s.fact("%-8s %8.2f %%  %+.6f nats", who, 100*float64(weights[who])/(1<<40), float64(s.effects[i])/1e9)
	}
	copycat := contributors[len(contributors)-1]
	s.r.CopyShare = fixed.Amount(weights[copycat])
	if err := check(s.r.CopyShare == 0, "the copier got a share of %d", s.r.CopyShare); err != nil {
		return err
	}
	rho, ok := metrics.Spearman(s.shares, s.effects)
	if err := check(ok, "no rank correlation: all values are equal"); err != nil {
		return err
	}
	s.r.RankCorrelation = float64(rho) / 1e6
	s.digest.add("rank", rho)
	s.fact("the copy was found: %s earns nothing; rank correlation of shares and true effects %.2f over %d contributors", copycat, s.r.RankCorrelation, len(contributors))
	s.try("task verify %s --node %s", id, s.net.Nodes[1].RPC)
	return nil
}

// publishModel posts the trained model and binds the attribution to it.
func (s *story) publishModel(ctx context.Context, job tx.ID, r payout.Result) error {
	out := s.mlp.task.Output
	params := state.LocalParams()
	var err error
	s.model, err = s.create(ctx, requester, &tx.ModelManifest{Name: "digits-mlp", Task: s.mlp.id, WeightsRoot: out.Verdict.OutputRoot,
		Weights: out.Content, Bytes: out.Bytes, Terms: genesis.CCBY4().ID(), Royalty: royalty, AttrMethod: program.KNN, K: knnK, Stake: params.ModelStake})
	if err != nil {
		return err
	}
	root, err := r.WeightRoot()
	if err != nil {
		return err
	}
	record, _ := r.Params()
	o, err := s.c.TaskGet(ctx, idParams(job))
	if err != nil {
		return err
	}
	_, err = s.send(ctx, requester, &tx.AttributionCommit{Model: s.model, Job: job, Rule: r.Rule, WeightRoot: root.Hash, W: root.Sum,
		Owners: uint64(len(r.Owners)), ResultRoot: o.Value.Output.Verdict.OutputRoot, Leaves: r.Leaves, Params: record, Bond: params.AttrBond})
	if err != nil {
		return fmt.Errorf("attribution commit: %w", err)
	}
	s.fact("model %.10s published with its attribution %.10s", s.model, tx.ID(root.Hash))
	return nil
}
