// SPDX-License-Identifier: Apache-2.0

package checker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/store"
	"github.com/openledger/openledger/node/worker"
)

// Checker does the checks that its operator is drawn for.
type Checker struct {
	s     worker.Services
	log   *slog.Logger
	given map[string]bool // checks that were given up, by verdictKey
}

// New returns a checker.
func New(s worker.Services, log *slog.Logger) *Checker {
	return &Checker{s: s, log: log, given: map[string]bool{}}
}

// verdict is what is kept on disk from commitment to reveal.
type verdict struct {
	_    struct{} `cbor:",toarray"`
	Said task.Verdict
	Salt tx.ID
}

func verdictKey(id tx.ID, attempt uint64) []byte {
	return fmt.Appendf(nil, "checker/%x/%d", id[:], attempt)
}

// Turn does the checks that are due now.
func (c *Checker) Turn(ctx context.Context) error {
	v, err := c.s.View()
	if err == nil {
		err = worker.Sweep(c.s)
	}
	if err != nil {
		return err
	}
	type duty struct {
		id tx.ID
		t  task.Task
	}
	var due []duty
	err = worker.EachTask(v, func(id tx.ID, t task.Task) bool {
		if c.due(t) {
			due = append(due, duty{id, t})
		}
		return true
	})
	for _, d := range due {
		if ctx.Err() != nil {
			return nil
		}
		key := string(verdictKey(d.id, d.t.Attempt))
		if c.given[key] {
			continue
		}
		if e := c.do(ctx, d.id, d.t); e != nil && !errors.Is(e, train.ErrStopped) && ctx.Err() == nil {
			err = errors.Join(err, fmt.Errorf("check of task %v: %w", d.id, e)) // tried again at the next turn, but
			c.given[key] = errors.Is(e, worker.ErrTask) || errors.Is(e, gpu.ErrMemory)
		}
	}
	return err
}

// due reports whether the task waits for this operator.
func (c *Checker) due(t task.Task) bool {
	for _, k := range t.Checkers {
		if k.Account == c.s.Operator() {
			return (t.State == task.Committed && k.Hash == nil) || (t.State == task.Revealing && k.Hash != nil && k.Verdict == nil)
		}
	}
	return false
}

func (c *Checker) do(ctx context.Context, id tx.ID, t task.Task) error {
	said, err := c.verdict(ctx, id, t)
	if err != nil {
		return err
	}
	if t.State == task.Committed {
		hash := tx.CheckHash(id, c.s.Operator(), said.Said.Root, said.Said.OutputRoot, said.Salt)
		if err := c.s.Send(ctx, &tx.CheckCommit{Task: id, Hash: hash}); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		c.log.Info("task replayed", "id", id, "equal", said.Said == t.Output.Verdict)
		return nil
	}
	return c.s.Send(ctx, &tx.CheckReveal{Task: id, Root: said.Said.Root, OutputRoot: said.Said.OutputRoot, Salt: said.Salt})
}

// verdict returns the kept verdict, or replays the task and keeps what it found
// before anything is sent.
func (c *Checker) verdict(ctx context.Context, id tx.ID, t task.Task) (verdict, error) {
	key := verdictKey(id, t.Attempt)
	b, err := c.s.Local().Get(key)
	if err == nil {
		var v verdict
		return v, enc.Decode(b, &v)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return verdict{}, err
	}
	in, err := worker.Load(ctx, c.s, id, t.Spec)
	if err == nil {
		err = worker.Fits(in, worker.Memory())
	}
	if err != nil {
		return verdict{}, err
	}
	in.Operator = *t.Operator
	file, err := worker.File(c.s, id)
	if err != nil {
		return verdict{}, err
	}
	out, err := worker.Execute(in, worker.Options{Stop: worker.Stop(ctx, c.s, id), File: file, Memory: worker.Memory(),
		Cards: func() worker.Card { return c.s.Card(id) }})
	if err != nil {
		return verdict{}, err
	}
	v := verdict{Said: out.Verdict}
	if _, err := rand.Read(v.Salt[:]); err != nil {
		return verdict{}, err
	}
	return v, c.s.Local().Put(key, enc.Encode(v), true)
}
