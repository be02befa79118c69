// SPDX-License-Identifier: Apache-2.0

package checker_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/ref"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/node/worker"
	"github.com/openledger/openledger/poa/program"
)

// card is a reference device that turns bits after some operations, if told so.
type card struct {
	gpu.Device
	after int // operations that go well; below 0: all
	done  func(error)
}

func (c *card) Run(n program.Node, in []gpu.Buffer, out gpu.Buffer) error {
	if err := c.Device.Run(n, in, out); err != nil || c.after < 0 {
		return err
	}
	if c.after > 0 {
		c.after--
		return nil
	}
	b := make([]byte, out.Region().Len)
	if err := c.Device.Download(b, out); err != nil {
		return err
	}
	b[0] ^= 1
	return c.Device.Upload(out, b)
}

// lent is a card as a task sees it.
type lent struct{ *card }

func (l lent) Device() gpu.Device { return l.card }
func (l lent) Rest() bool         { return false }
func (l lent) Done(err error)     { l.done(err) }

// TestGPU08WhatAWrongCardSavedIsGone stops the worker at the moment at which its card
// is found out: nothing of it is on disk, and the task that is done anew is confirmed
// by checkers who work on cards themselves.
func TestGPU08WhatAWrongCardSavedIsGone(t *testing.T) {
	w := newTown(t)
	id := w.train()
	ctx, stop := context.WithCancel(t.Context())
	var ended []error
	w.lends = func(i int) worker.Card {
		c := &card{ref.New(1 << 24), -1, func(err error) { ended = append(ended, err) }}
		if i == 1 { // one good segment is saved first
			c.after, c.done = 200, func(err error) { ended = append(ended, err); stop() }
		}
		return lent{c}
	}
	p := w.person(1)
	if err := worker.New(p, false, quiet).Turn(ctx); err != nil {
		t.Fatal(err)
	}
	if len(ended) != 1 || !errors.Is(ended[0], gpu.ErrWrong) {
		t.Fatalf("the card ended in %v", ended)
	}
	if list, err := os.ReadDir(p.dir); err != nil || len(list) > 0 {
		t.Fatalf("what the card computed is kept: %v, %v", list, err)
	}
	if got := w.task(id); got.State != task.Assigned {
		t.Fatalf("state %v", got.State)
	}
	w.lends = func(int) worker.Card {
		return lent{&card{ref.New(1 << 24), -1, func(err error) { ended = append(ended, err) }}}
	}
	if err := worker.New(p, false, quiet).Turn(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.check(t, 1)
	if got := w.task(id); got.State != task.Settled {
		t.Fatalf("state %v", got.State)
	}
	if len(ended) != 5 || errors.Join(ended[1:]...) != nil { // worker and three checkers
		t.Errorf("cards ended in %v", ended)
	}
}
