// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"sync"

	"github.com/openledger/openledger/ledger/tx"
)

// waiters wakes those who wait for a transaction to be final.
type waiters struct {
	mu   sync.Mutex
	byID map[tx.ID][]chan struct{}
}

func newWaiters() *waiters { return &waiters{byID: map[tx.ID][]chan struct{}{}} }

// add returns a channel that is closed when the transaction is committed, and a
// function that gives the wait up.
func (w *waiters) add(id tx.ID) (done <-chan struct{}, cancel func()) {
	c := make(chan struct{})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.byID[id] = append(w.byID[id], c)
	return c, func() { w.remove(id, c) }
}

func (w *waiters) remove(id tx.ID, c chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.byID[id]
	for i := range list {
		if list[i] == c {
			list = append(list[:i], list[i+1:]...)
			break
		}
	}
	if w.byID[id] = list; len(list) == 0 {
		delete(w.byID, id)
	}
}

func (w *waiters) committed(txs []tx.Verified) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.byID) == 0 {
		return
	}
	for _, t := range txs {
		for _, c := range w.byID[t.ID()] {
			close(c)
		}
		delete(w.byID, t.ID())
	}
}

// wait returns nil when the channel closes, or ctx's error.
func wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
