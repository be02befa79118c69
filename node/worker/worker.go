// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/publish"
	"github.com/openledger/openledger/node/store"
)

// Services is what work needs of the node.
type Services interface {
	// Operator is the account that works.
	Operator() keys.Address
	View() (state.View, error)
	// Content returns verified bytes, from disk or peers.
	Content(ctx context.Context, object tx.ID, id content.ID, size uint64) ([]byte, error)
	// Keep stores bytes so that peers can fetch them.
	Keep(b []byte) (content.ID, error)
	// Send submits a transaction of the operator and waits until it is final; a
	// refusal is a *tx.Error.
	Send(ctx context.Context, payload tx.Payload) error
	Local() *store.Local
	// Card lends a device for a task; nil if there is none.
	Card(task tx.ID) Card
}

// Worker claims and computes tasks one after another.
type Worker struct {
	s   Services
	log *slog.Logger
	lie bool
}

// New returns a worker. lie makes its first task a lie.
func New(s Services, lie bool, log *slog.Logger) *Worker { return &Worker{s: s, log: log, lie: lie} }

// Turn looks for work once: tasks of its own that a crash interrupted, then
// posted ones. It returns when there is nothing to do now, with the errors of
// tasks that may go better at the next turn.
func (w *Worker) Turn(ctx context.Context) error {
	tried := map[tx.ID]bool{}
	var failed error
	for ctx.Err() == nil {
		id, t, err := w.next(tried)
		if err != nil || t == nil {
			return errors.Join(failed, err)
		}
		tried[id] = true
		err = w.do(ctx, id, *t)
		switch {
		case err == nil:
		case errors.Is(err, train.ErrStopped) || ctx.Err() != nil:
			return nil
		case lasting(err):
			w.log.Warn("task given up", "id", id, "err", err)
			w.skip(id)
		default:
			failed = errors.Join(failed, fmt.Errorf("task %v: %w", id, err))
		}
	}
	return nil
}

// lasting reports an error that the same task will give again: it cannot be
// computed, or the ledger refused what we sent for a reason that time does not
// mend. Fees, funds and nonces may be better at the next turn.
func lasting(err error) bool {
	var refused *tx.Error
	switch {
	case errors.Is(err, ErrTask):
		return true
	case !errors.As(err, &refused):
		return false
	}
	switch refused.Code {
	case tx.TxFunds, tx.TxFeeLow, tx.TxExpired, tx.TxNonceLow, tx.TxNonceGap, tx.TxNotYet:
		return false
	}
	return true
}

func skipKey(id tx.ID) []byte { return append([]byte("worker/skip/"), id[:]...) }

// skip remembers a task that failed here, so that it is not tried for ever.
func (w *Worker) skip(id tx.ID) {
	if err := w.s.Local().Put(skipKey(id), nil, false); err != nil {
		w.log.Warn("local record", "err", err)
	}
}

// next returns the task to go on with, nil if none is left besides those tried.
func (w *Worker) next(tried map[tx.ID]bool) (id tx.ID, best *task.Task, err error) {
	v, err := w.s.View()
	if err != nil {
		return id, nil, err
	}
	me := w.s.Operator()
	err = EachTask(v, func(at tx.ID, t task.Task) bool {
		mine := t.State == task.Assigned && *t.Operator == me
		if tried[at] || !mine && (t.State != task.Posted || t.Spec.Requester == me || best != nil) {
			return true
		}
		if _, err := w.s.Local().Get(skipKey(at)); err == nil {
			return true
		}
		id, best = at, &t
		return !mine
	})
	return id, best, err
}

// EachTask visits all tasks by id until visit says false.
func EachTask(v state.View, visit func(tx.ID, task.Task) bool) error {
	const page = 256
	var after *tx.ID
	for {
		list, err := state.ListTasks(v, after, page)
		if err != nil {
			return err
		}
		for _, e := range list {
			if !visit(e.ID, e.Value) {
				return nil
			}
		}
		if len(list) < page {
			return nil
		}
		after = &list[len(list)-1].ID
	}
}

// do computes one task. The data comes before the claim: who claims and cannot
// compute holds the task up until its deadline.
func (w *Worker) do(ctx context.Context, id tx.ID, t task.Task) error {
	in, err := Load(ctx, w.s, id, t.Spec)
	if err != nil {
		return err
	}
	if t.State == task.Posted {
		if err := w.s.Send(ctx, &tx.TaskClaim{Task: id}); err != nil {
			return fmt.Errorf("claim: %w", err)
		}
		w.log.Info("task claimed", "id", id, "kind", t.Spec.Kind)
	}
	in.Operator = w.s.Operator()
	lie := w.lie && t.Spec.Kind == task.Train
	out, err := Execute(in, w.options(ctx, id, lie))
	if err != nil {
		return err
	}
	if _, err := w.s.Keep(out.Blob); err != nil {
		return err
	}
	commit := &tx.TaskCommit{Task: id, Root: out.Verdict.Root, Segments: out.Segments, OutputRoot: out.Verdict.OutputRoot,
		Output: out.Content, OutputBytes: uint64(len(out.Blob))}
	if err := w.s.Send(ctx, commit); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	w.lie = w.lie && !lie
	w.log.Info("task committed", "id", id, "root", out.Verdict.Root)
	return w.s.Local().Delete(savedKey(id), false)
}

func savedKey(id tx.ID) []byte { return append([]byte("worker/state/"), id[:]...) }

// options save the state of a run after each segment, so that a restart goes on
// where it was.
func (w *Worker) options(ctx context.Context, id tx.ID, lie bool) Options {
	o := Options{Stop: func() bool { return ctx.Err() != nil }, Lie: lie, Cards: func() Card { return w.s.Card(id) }}
	if saved, err := w.s.Local().Get(savedKey(id)); err == nil {
		o.Resume = saved
	}
	o.Save = func(saved []byte) error {
		if saved == nil {
			return w.s.Local().Delete(savedKey(id), false)
		}
		if len(saved) > store.MaxLocalValue {
			return nil // too large to keep: a restart computes it again
		}
		return w.s.Local().Put(savedKey(id), saved, false)
	}
	return o
}

// Load fetches and verifies the datasets of a task.
func Load(ctx context.Context, s Services, id tx.ID, spec task.Spec) (Inputs, error) {
	v, err := s.View()
	if err != nil {
		return Inputs{}, err
	}
	in := Inputs{ID: id, Spec: spec}
	for _, d := range spec.Datasets {
		set, err := loadDataset(ctx, s, v, d)
		if err != nil {
			return Inputs{}, err
		}
		in.Datasets = append(in.Datasets, set)
	}
	in.Validation, err = loadDataset(ctx, s, v, spec.Validation)
	return in, err
}

// LoadModel fetches and verifies the datasets of a served model.
func LoadModel(ctx context.Context, s Services, m state.Model) (list []Dataset, validation Dataset, err error) {
	in, err := Load(ctx, s, m.Task, task.Spec{Datasets: m.Datasets, Validation: m.Validation})
	return in.Datasets, in.Validation, err
}

func loadDataset(ctx context.Context, s Services, v state.View, id tx.ID) (Dataset, error) {
	rec, err := state.GetDataset(v, id)
	if err != nil {
		return Dataset{}, err
	}
	b, err := s.Content(ctx, id, rec.Content, rec.Bytes)
	if err != nil {
		return Dataset{}, err
	}
	t, err := publish.Load(rec.Content, rec.RowRoot, b)
	if err != nil {
		return Dataset{}, fmt.Errorf("dataset %v: %w", id, err)
	}
	return Dataset{ID: id, Record: rec, Table: t}, nil
}
