// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/cpu"
	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
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
	// Folder is where states of runs are saved; "" is nowhere.
	Folder() string
	// Card lends a device for a task; nil if there is none.
	Card(task tx.ID) Card
}

// Worker claims and computes tasks one after another.
type Worker struct {
	s     Services
	log   *slog.Logger
	lie   bool
	large map[tx.ID]bool // tasks that are too large for this machine
}

// New returns a worker. lie makes its first task a lie.
func New(s Services, lie bool, log *slog.Logger) *Worker {
	return &Worker{s: s, log: log, lie: lie, large: map[tx.ID]bool{}}
}

// Turn looks for work once: tasks of its own that a crash interrupted, then
// posted ones. It returns when there is nothing to do now, with the errors of
// tasks that may go better at the next turn.
func (w *Worker) Turn(ctx context.Context) error {
	tried := maps.Clone(w.large)
	failed := Sweep(w.s)
	for ctx.Err() == nil {
		id, t, err := w.next(tried)
		if err != nil || t == nil {
			return errors.Join(failed, err)
		}
		tried[id] = true
		err = w.do(ctx, id, *t)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, train.ErrStopped):
			w.log.Warn("task ended before it was done", "id", id)
		case errors.Is(err, gpu.ErrMemory) && !errors.Is(err, ErrTask): // before it was claimed
			w.log.Warn("task left to others", "id", id, "err", err)
			w.large[id] = true
		case lasting(err):
			w.log.Warn("task given up", "id", id, "err", err)
			w.skip(id)
			if file, err := File(w.s, id); err == nil {
				failed = errors.Join(failed, forget(file))
			}
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
	if err == nil {
		err = Fits(in, Memory())
	}
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
	opt, err := w.options(ctx, id, lie)
	if err != nil {
		return err
	}
	if _, err := os.Stat(opt.File); opt.File != "" && err == nil {
		w.log.Info("task goes on from what was saved", "id", id)
	}
	out, err := Execute(in, opt)
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
	return forget(opt.File)
}

// options save the state of a run after each segment, so that a restart goes on
// where it was.
func (w *Worker) options(ctx context.Context, id tx.ID, lie bool) (Options, error) {
	file, err := File(w.s, id)
	return Options{Stop: Stop(ctx, w.s, id), Lie: lie, File: file, Memory: Memory(),
		Cards: func() Card { return w.s.Card(id) }}, err
}

// Memory is what a task may take of this machine's memory: half of what is free,
// because a node works and checks at the same time.
func Memory() uint64 { return cpu.Available() / 2 }
