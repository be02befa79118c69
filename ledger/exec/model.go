// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"slices"

	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
)

// weightTotal is W, what attribution weights sum to (PAY-03).
const weightTotal = 1 << 40

// unreplayedStake is how many times the stake of other models a model costs that no
// task made, so that nobody has computed it again (MOD-02).
const unreplayedStake = 4

// modelManifest publishes the model that a settled task of training or learning
// made, or a language model from elsewhere. Errors: ObjUnknown, TskPhase if the task
// is not settled or makes no such model, ObjOwner for another requester, TskProof if
// the weights are not the task's output, ObjExists for a second model of the task,
// LicTerms, LicPurpose, StkBondLow for the stake, TxFunds, ObjDeposit. Spec: MOD-02.
func (m *machine) modelManifest(p *tx.ModelManifest) error {
	rec := state.Model{Owner: m.sender(), Name: p.Name, Task: p.Task, WeightsRoot: p.WeightsRoot, Weights: p.Weights,
		Bytes: p.Bytes, Terms: p.Terms, Royalty: p.Royalty, AttrMethod: p.AttrMethod, K: p.K, Stake: p.Stake, CreatedMS: m.now()}
	least := m.p.ModelStake
	if p.Task == (ID{}) {
		rec.Unreplayed = true
		least *= unreplayedStake // below 2^64: a parameter is at most the supply
	} else if err := m.fitTask(p, &rec); err != nil {
		return err
	}
	if p.Stake < least {
		return tx.Errorf(tx.StkBondLow, "stake %d, at least %d", p.Stake, least)
	}
	if err := m.permits(p.Terms, state.TermsInfer); err != nil {
		return err
	}
	id := m.newID(0)
	k := state.ModelKey(id)
	var err error
	if rec.Deposit, err = m.deposit(k, rec); err != nil {
		return err
	}
	if err := m.move(m.sender(), state.Items, p.Stake, tx.TxFunds); err != nil {
		return err
	}
	store(m, k, rec)
	if !rec.Unreplayed {
		store(m, state.ModelOfTaskKey(p.Task), id)
	}
	m.done([]ID{id, ID(m.sender()), p.Task, p.WeightsRoot}, uint64(p.Stake), uint64(rec.Deposit), uint64(p.Royalty))
	return nil
}

// fitTask checks that a model is what its task made and notes what it was made of.
func (m *machine) fitTask(p *tx.ModelManifest, rec *state.Model) error {
	t, err := m.task(p.Task)
	if err != nil {
		return err
	}
	makes := task.Train
	if p.AttrMethod == tx.NoAttribution {
		makes = task.Learn
	}
	switch {
	case t.State != task.Settled || t.Spec.Kind != makes:
		return tx.Errorf(tx.TskPhase, "a model with attr_method %q needs a settled %v task, this one is a %v task and %v", p.AttrMethod, makes, t.Spec.Kind, t.State)
	case t.Spec.Requester != m.sender():
		return tx.Errorf(tx.ObjOwner, "the task was posted by %v", t.Spec.Requester)
	case t.Output.Verdict.OutputRoot != p.WeightsRoot || t.Output.Content != p.Weights || t.Output.Bytes != p.Bytes:
		return tx.Errorf(tx.TskProof, "the weights are not the output of task %v", p.Task)
	case m.has(state.ModelOfTaskKey(p.Task)):
		return tx.Errorf(tx.ObjExists, "task %v has a model", p.Task)
	}
	rec.Datasets, rec.Validation = t.Spec.Datasets, t.Spec.Validation
	if t.Spec.Learn != nil && t.Spec.Learn.Net.LoRA.Rank > 0 {
		rec.Base = t.Spec.Model
	}
	return nil
}

// attributionCommit records the attribution of a model. Errors: ObjUnknown for
// the model, ObjOwner, PoaNoMethod, PoaRuleInactive, PoaJobUnknown, PoaSumMismatch, ObjExists,
// StkBondLow for the bond, TxFunds, ObjDeposit. Spec: FLW-01.
func (m *machine) attributionCommit(p *tx.AttributionCommit) error {
	model, ok := load[state.Model](m, state.ModelKey(p.Model))
	k := state.AttributionKey(p.Model)
	switch {
	case !ok:
		return tx.Errorf(tx.ObjUnknown, "no model %v", p.Model)
	case model.Owner != m.sender():
		return tx.Errorf(tx.ObjOwner, "the model belongs to %v", model.Owner)
	case model.AttrMethod == tx.NoAttribution:
		return tx.Errorf(tx.PoaNoMethod, "model %v names no attribution", p.Model)
	case p.Rule != receipt.Rule:
		return tx.Errorf(tx.PoaRuleInactive, "rule %q, active is %q", p.Rule, receipt.Rule)
	case m.has(k):
		return tx.Errorf(tx.ObjExists, "model %v has an attribution", p.Model)
	case p.Bond < m.p.AttrBond:
		return tx.Errorf(tx.StkBondLow, "bond %d, at least %d", p.Bond, m.p.AttrBond)
	}
	if err := m.fitJob(p, model); err != nil {
		return err
	}
	rec := state.Attribution{Job: p.Job, Rule: p.Rule, WeightRoot: p.WeightRoot, W: p.W, Owners: p.Owners,
		ResultRoot: p.ResultRoot, Leaves: p.Leaves, Params: p.Params, Bond: p.Bond, CreatedMS: m.now()}
	var err error
	if rec.Deposit, err = m.deposit(k, rec); err != nil {
		return err
	}
	if err := m.move(m.sender(), state.Items, p.Bond, tx.TxFunds); err != nil {
		return err
	}
	store(m, k, rec)
	m.done([]ID{p.Model, ID(m.sender()), p.Job, p.WeightRoot}, p.W, p.Owners, uint64(p.Bond), uint64(rec.Deposit))
	return nil
}

// fitJob checks that the job is a settled attribution of the model's own data and
// that the committed figures are its result.
func (m *machine) fitJob(p *tx.AttributionCommit, model state.Model) error {
	job, ok := load[task.Task](m, state.TaskKey(p.Job))
	switch {
	case !ok:
		return tx.Errorf(tx.PoaJobUnknown, "no task %v", p.Job)
	case job.Spec.Kind != task.Attribute || job.State != task.Settled:
		return tx.Errorf(tx.PoaJobUnknown, "an attribution needs a settled attribute task, this one is a %v task and %v", job.Spec.Kind, job.State)
	case job.Spec.Requester != m.sender():
		return tx.Errorf(tx.PoaJobUnknown, "the job was posted by %v", job.Spec.Requester)
	case !slices.Equal(job.Spec.Datasets, model.Datasets) || job.Spec.Validation != model.Validation:
		return tx.Errorf(tx.PoaJobUnknown, "the job is over other datasets than the model")
	case p.ResultRoot != job.Output.Verdict.OutputRoot || p.Leaves != job.Spec.Segments:
		return tx.Errorf(tx.PoaSumMismatch, "result root or leaf count differ from the job's")
	case p.W != weightTotal && p.W != 0, (p.W == 0) != (p.Owners == 0):
		return tx.Errorf(tx.PoaSumMismatch, "W %d over %d owners, want 2^40 or 0 over none", p.W, p.Owners)
	}
	return nil
}
