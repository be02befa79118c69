// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
)

// trainDescriptor posts a task and puts price and check fee into escrow. Errors:
// ObjUnknown for a dataset or model, LicPurpose, EncField if they do not fit the
// program, TskEscrow, ObjDeposit. Spec: TASK-02.
func (m *machine) trainDescriptor(p *tx.TrainDescriptor) error {
	segments, err := m.fit(p)
	if err != nil {
		return err
	}
	spec := task.Spec{Requester: m.sender(), Kind: task.Kind(p.TaskKind), Train: p.Train, Attribute: p.Attribute,
		Learn: p.Learn, Ask: p.Ask, Model: p.Model, Datasets: p.Datasets, Validation: p.Validation, Segments: segments, Price: p.Price, CheckFee: p.CheckFee,
		ClaimMS: p.ClaimMS, WorkMS: p.WorkMS, CheckMS: p.CheckMS, RevealMS: p.RevealMS}
	id := m.newID(0)
	t := task.Post(spec, m.now())
	k := state.TaskKey(id)
	if t.Deposit, err = m.deposit(k, t); err != nil {
		return err
	}
	if err := m.move(m.sender(), state.Tasks, p.Price+p.CheckFee, tx.TskEscrow); err != nil {
		return err
	}
	store(m, k, t)
	m.addDue(state.DueCTime, t.DueMS, state.DueTask, id[:])
	m.done([]ID{id, ID(m.sender())}, uint64(p.Price), uint64(p.CheckFee), uint64(t.Deposit))
	return nil
}

// taskCode maps the errors of the table to codes.
func taskCode(err error) error {
	for _, c := range []struct {
		err  error
		code tx.Code
	}{
		{task.ErrPhase, tx.TskPhase},
		{task.ErrClosed, tx.ObjWindowClosed},
		{task.ErrParty, tx.ObjOwner},
		{task.ErrNotDrawn, tx.TskNotDrawn},
		{task.ErrCommitHash, tx.TskCommitHash},
		{task.ErrCheckers, tx.ObjLimit},
		{task.ErrSegments, tx.TskProof},
	} {
		if errors.Is(err, c.err) {
			return tx.Errorf(c.code, "%v", err)
		}
	}
	return err
}

// task reads a task. Errors: ObjUnknown.
func (m *machine) task(id ID) (task.Task, error) {
	t, ok := load[task.Task](m, state.TaskKey(id))
	if !ok {
		return t, tx.Errorf(tx.ObjUnknown, "no task %v", id)
	}
	return t, nil
}

// saveTask writes a task that was different before and moves its due-queue
// entries if their times changed.
func (m *machine) saveTask(id ID, before, t task.Task) {
	store(m, state.TaskKey(id), t)
	m.moveDue(state.DueCTime, before.DueMS, t.DueMS, state.DueTask, id[:])
	m.moveDue(state.DueHeight, before.SeedAfter, t.SeedAfter, state.DueTask, id[:])
}

// taskClaim gives a posted task to the first operator that asks. Errors: TskBond
// for a sender that is no operator, ObjUnknown, TskPhase, ObjWindowClosed,
// ObjOwner for the requester.
func (m *machine) taskClaim(p *tx.TaskClaim) error {
	if !m.has(state.OperatorKey(m.sender())) {
		return tx.Errorf(tx.TskBond, "%v is no registered operator", m.sender())
	}
	t, err := m.task(p.Task)
	if err != nil {
		return err
	}
	next, err := t.Claim(m.sender(), m.now())
	if err != nil {
		return taskCode(err)
	}
	m.saveTask(p.Task, t, next)
	m.done([]ID{p.Task, ID(m.sender())}, next.DueMS)
	return nil
}

// taskCommit records a result; its checkers are drawn as soon as there is a seed
// for it. Errors: ObjUnknown,
// TskPhase, ObjWindowClosed, ObjOwner, TskProof for a wrong number of segments,
// ObjLimit if nobody can check.
func (m *machine) taskCommit(p *tx.TaskCommit) error {
	t, err := m.task(p.Task)
	if err != nil {
		return err
	}
	if err := t.CanCommit(m.sender(), p.Segments, m.now()); err != nil {
		return taskCode(err)
	}
	out := task.Output{ID: m.newID(0), Verdict: task.Verdict{Root: p.Root, OutputRoot: p.OutputRoot},
		Content: p.Output, Bytes: p.OutputBytes}
	could, err := m.drawCheckers(t, out.ID, [32]byte{})
	if err != nil {
		return err
	}
	if len(could) == 0 {
		return taskCode(task.ErrCheckers)
	}
	m.done([]ID{p.Task, ID(m.sender()), p.Root, p.OutputRoot}, p.Segments, p.OutputBytes)
	return m.awaitDraw(p.Task, t, t.Commit(out, m.now(), m.clock.Height))
}

// awaitDraw saves a task, before as the state has it, that waits for a seed; where
// no beacon runs it draws at once.
func (m *machine) awaitDraw(id ID, before, t task.Task) error {
	if m.beaconRuns() {
		m.saveTask(id, before, t)
		return nil
	}
	return m.draw(id, before, t, m.block.Beacon)
}

// draw draws the checkers of a task by the randomness r.
func (m *machine) draw(id ID, before, t task.Task, r [32]byte) error {
	drawn, err := m.drawCheckers(t, t.Output.ID, r)
	if err != nil {
		return err
	}
	next, what, pay, err := t.Drawn(drawn, m.now())
	if err != nil {
		return err
	}
	if what == task.Moved {
		m.emitDrawn(id, next)
	} else if err := m.payTask(id, next, pay); err != nil {
		return err
	}
	m.saveTask(id, before, next)
	return nil
}

// drawCheckers draws among all operators by bond (EXE-05). o is the object that
// the seed is for, r the randomness.
func (m *machine) drawCheckers(t task.Task, o ID, r [32]byte) ([]keys.Address, error) {
	ops, err := state.ListOperators(m.o, nil, int(m.p.MaxOperators))
	if err != nil {
		return nil, err
	}
	candidates := make([]task.Candidate, len(ops))
	for i, e := range ops {
		candidates[i] = task.Candidate{Account: keys.Address(e.ID), Bond: e.Value.Bond}
	}
	return t.Draw(keys.Sum(keys.DomainSeed, r, o), o, candidates), nil
}

func (m *machine) emitDrawn(id ID, t task.Task) {
	ids := []ID{id}
	for _, c := range t.Checkers {
		ids = append(ids, ID(c.Account))
	}
	m.emit(tx.KindTrainDescriptor, ledger.SubTaskDrawn, ids, t.Attempt, t.DueMS)
}

// checkCommit records a checker's commitment. Errors: ObjUnknown, TskPhase,
// ObjWindowClosed, TskNotDrawn.
func (m *machine) checkCommit(p *tx.CheckCommit) error {
	t, err := m.task(p.Task)
	if err != nil {
		return err
	}
	next, err := t.CommitCheck(m.sender(), p.Hash, m.now())
	if err != nil {
		return taskCode(err)
	}
	m.saveTask(p.Task, t, next)
	m.done([]ID{p.Task, ID(m.sender())}, next.Attempt)
	if next.State == task.Revealing {
		m.emit(tx.KindTrainDescriptor, ledger.SubTaskReveal, []ID{p.Task}, next.Attempt, next.DueMS)
	}
	return nil
}

// checkReveal records a verdict; the last one decides. Errors: ObjUnknown,
// TskPhase, ObjWindowClosed, TskNotDrawn, TskCommitHash.
func (m *machine) checkReveal(p *tx.CheckReveal) error {
	t, err := m.task(p.Task)
	if err != nil {
		return err
	}
	v := task.Verdict{Root: p.Root, OutputRoot: p.OutputRoot}
	next, err := t.Reveal(p.Task, m.sender(), v, p.Salt, m.now())
	if err != nil {
		return taskCode(err)
	}
	m.done([]ID{p.Task, ID(m.sender()), p.Root, p.OutputRoot}, next.Attempt)
	if !next.Complete() {
		m.saveTask(p.Task, t, next)
		return nil
	}
	last, what, pay, err := next.Decide()
	if err != nil {
		return err
	}
	return m.advance(p.Task, t, last, what, pay)
}

// taskDue runs a task whose window has ended.
func (m *machine) taskDue(id []byte) error {
	tid := ID(id)
	t, err := m.task(tid)
	if err != nil {
		return err
	}
	next, what, pay, err := t.Timeout(m.now())
	if err != nil {
		return err
	}
	return m.advance(tid, t, next, what, pay)
}

// advance writes what a decision or the end of a window led to: a new draw, a new
// window, or the payments of the end.
func (m *machine) advance(id ID, before, t task.Task, what task.Outcome, pay task.Payout) error {
	switch what {
	case task.Redraw:
		return m.awaitDraw(id, before, t.Await(m.clock.Height))
	case task.Moved:
		m.emit(tx.KindTrainDescriptor, ledger.SubTaskReveal, []ID{id}, t.Attempt, t.DueMS)
	case task.Ended:
		if err := m.payTask(id, t, pay); err != nil {
			return err
		}
	}
	m.saveTask(id, before, t)
	return nil
}

// payTask divides the escrow of an ended task.
func (m *machine) payTask(id ID, t task.Task, pay task.Payout) error {
	ids, amounts := []ID{id}, []uint64{}
	var sum fixed.Amount
	for _, p := range pay {
		if err := m.move(state.Tasks, p.To, p.Amount, tx.TxInvariant); err != nil {
			return err
		}
		sum += p.Amount
		ids, amounts = append(ids, ID(p.To)), append(amounts, uint64(p.Amount))
	}
	if sum != t.Spec.Price+t.Spec.CheckFee {
		return fmt.Errorf("task %v pays %d of %d", id, sum, t.Spec.Price+t.Spec.CheckFee)
	}
	sub := ledger.SubTaskExpired
	switch t.State {
	case task.Settled:
		sub = ledger.SubTaskSettled
	case task.Void:
		sub = ledger.SubTaskVoid
	}
	m.emit(tx.KindTrainDescriptor, sub, ids, amounts...)
	return nil
}
