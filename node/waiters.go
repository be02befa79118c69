// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"sync"

	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/rpc/api"
)

// waiters wakes those who wait for a transaction to be final, with its outcome.
type waiters struct {
	mu   sync.Mutex
	byID map[tx.ID][]chan api.TxStatus
}

func newWaiters() *waiters { return &waiters{byID: map[tx.ID][]chan api.TxStatus{}} }

// add returns a channel that holds the outcome once the transaction is executed,
// and a function that gives the wait up.
func (w *waiters) add(id tx.ID) (done <-chan api.TxStatus, cancel func()) {
	c := make(chan api.TxStatus, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.byID[id] = append(w.byID[id], c)
	return c, func() { w.remove(id, c) }
}

func (w *waiters) remove(id tx.ID, c chan api.TxStatus) {
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

// committed wakes who waits for a transaction of the block. One that was refused
// and, by waits, may still come is not done.
func (w *waiters) committed(b *chain.Block, waits func(tx.ID) bool) {
	txs := b.Verified.Txs()
	receipts := b.Receipts[len(b.Receipts)-len(txs):]
	open := map[tx.ID]bool{}
	for i, t := range txs {
		if receipts[i].Refused() && waits(t.ID()) {
			open[t.ID()] = true
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.byID) == 0 {
		return
	}
	for i, t := range txs {
		list := w.byID[t.ID()]
		if len(list) == 0 || open[t.ID()] {
			continue
		}
		out := statusOf(t, b.Header().Height, i, receipts[i])
		for _, c := range list {
			c <- out // has room: a channel is sent to once
		}
		delete(w.byID, t.ID())
	}
}

func statusOf(t tx.Verified, height uint64, index int, r ledger.Receipt) api.TxStatus {
	view := receiptView(height, r)
	return api.TxStatus{TxID: t.ID(), Status: "final", Height: height, Index: uint64(index), Receipt: &view, Bytes: t.Bytes()}
}

// wait returns what comes from the channel, or ctx's error.
func wait[T any](ctx context.Context, done <-chan T) (out T, err error) {
	select {
	case out = <-done:
		return out, nil
	case <-ctx.Done():
		return out, ctx.Err()
	}
}
