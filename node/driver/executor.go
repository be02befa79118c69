// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/chain"
)

// executor runs blocks and commits decisions in order, on one goroutine, which
// alone writes to the chain.
type executor struct {
	d      *Driver
	failed chan error    // one error, after which run has ended
	sealed chan struct{} // closed when the seal of the epoch is committed and durable

	mu    sync.Mutex
	jobs  []func(context.Context) error
	ready chan struct{}

	// Of the goroutine of run.
	lastSync uint64 // monotonic ms
	unsynced int    // blocks since then
	rooted   uint64 // view of the newest committed block with its own finalization
	over     bool   // sealed is closed
}

func newExecutor(d *Driver) *executor {
	return &executor{d: d, failed: make(chan error, 1), sealed: make(chan struct{}), ready: make(chan struct{}, 1)}
}

// push queues a job. The core bounds how many there can be: its window of
// undecided views.
func (e *executor) push(j func(context.Context) error) {
	e.mu.Lock()
	e.jobs = append(e.jobs, j)
	e.mu.Unlock()
	select {
	case e.ready <- struct{}{}:
	default:
	}
}

// do runs a job on the executor and waits for it. Errors: those of ctx only; an
// error of the job stops the driver.
func (e *executor) do(ctx context.Context, j func() error) error {
	done := make(chan struct{})
	e.push(func(context.Context) error { defer close(done); return j() })
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *executor) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.ready:
		}
		e.mu.Lock()
		jobs := e.jobs
		e.jobs = nil
		e.mu.Unlock()
		for _, j := range jobs {
			if ctx.Err() != nil {
				return
			}
			if err := j(ctx); err != nil {
				e.failed <- err
				return
			}
		}
	}
}

// verified implements ledger.Cache over transactions that were checked when
// their batch arrived: they are asked for in their order.
type verified struct{ rest []tx.Verified }

// Lookup implements ledger.Cache.
func (m *verified) Lookup(raw []byte) (tx.Verified, bool) {
	if len(m.rest) == 0 || !bytes.Equal(m.rest[0].Bytes(), raw) {
		return tx.Verified{}, false
	}
	v := m.rest[0]
	m.rest = m.rest[1:]
	return v, true
}

// execute runs a block. A block whose branch lost meanwhile, because sync was
// faster, has no result, and nobody waits for it.
func (e *executor) execute(ctx context.Context, r *consensus.Execute, batches []msg.Batch, txs []tx.Verified) error {
	v, err := ledger.Verify(e.d.cfg.Core.ChainID, ledger.Block{Header: *r.Header, Batches: batches}, &verified{txs})
	if err != nil {
		return fmt.Errorf("block of height %d: %w", r.Header.Height, err)
	}
	out, err := e.d.cfg.Chain.Execute(&chain.Block{Hash: r.Block, Verified: v})
	if errors.Is(err, chain.ErrStale) {
		e.d.log.Debug("block not executed", "height", r.Header.Height, "err", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("execute height %d: %w", r.Header.Height, err)
	}
	e.d.input(ctx, consensus.Executed{Block: r.Block, StateRoot: out.State, ReceiptsRoot: out.Receipts, NextSet: out.NextSet, Waiting: out.Waiting})
	return nil
}

// decide commits a decision (ARCHITECTURE journey A.9). The pool hears of it
// before the batches stop counting as undecided, so that no transaction is
// selected twice.
func (e *executor) decide(dec *consensus.Decision) error {
	fin, carriers := dec.Finalization, []header.Header(nil)
	if dec.Proof != nil {
		fin, carriers = &dec.Proof.Finalization, dec.Proof.Headers
	}
	b, err := e.d.cfg.Chain.Decide(dec.Block, dec.Header.Height, fin, carriers, dec.Leaves...)
	if err != nil {
		return fmt.Errorf("commit height %d: %w", dec.Header.Height, err)
	}
	if b != nil {
		e.committed(b)
	}
	e.d.batches.decide(dec.Block)
	if dec.Header.Kind == header.KindSeal {
		return e.seal()
	}
	e.d.Wake()
	if f := dec.Finalization; f != nil && f.View == dec.Header.View {
		e.rooted = max(e.rooted, f.View)
	}
	now := e.d.cfg.Clock.Now()
	if e.unsynced++; e.unsynced < syncEvery && now < e.lastSync+syncAfter {
		return nil
	}
	return e.sync()
}

// seal makes the end of the epoch durable and ends the driver. The log is needed
// no more: no signature of this epoch can follow, and the next one starts from the
// database (CONS-40).
func (e *executor) seal() error {
	if err := e.sync(); err != nil {
		return err
	}
	if e.over {
		return nil
	}
	e.over = true
	close(e.sealed)
	return nil
}

func (e *executor) committed(b *chain.Block) {
	if e.d.cfg.Committed != nil {
		e.d.cfg.Committed(b)
	}
}

// sync puts what was committed on stable storage and says up to which view the
// log is now spare.
func (e *executor) sync() error {
	if err := e.d.cfg.Chain.Sync(); err != nil {
		return err
	}
	e.unsynced, e.lastSync = 0, e.d.cfg.Clock.Now()
	e.d.stable.Store(e.rooted)
	return nil
}

// catchUp lets the node's sync fetch what is missing, commits it here, and tells
// the core where it stands now. An error of a peer ends it early.
func (e *executor) catchUp(ctx context.Context) error {
	fetchErr := e.d.cfg.Catchup(ctx, func(ctx context.Context, blocks []*chain.Block) error {
		return e.do(ctx, func() error { return e.commitSynced(blocks) })
	})
	var root consensus.Root
	err := e.do(ctx, func() (err error) {
		if e.d.cfg.Chain.Set().Epoch() != e.d.cfg.Core.Set.Epoch() {
			return e.seal()
		}
		if root, err = e.d.cfg.Chain.Root(); err != nil {
			return err
		}
		if root.Header.Epoch == e.d.cfg.Core.Set.Epoch() { // views of another epoch say nothing of this log's
			e.rooted = max(e.rooted, root.Header.View)
		}
		return e.sync()
	})
	if err == nil && root.Finalization != nil && root.Header.Epoch == e.d.cfg.Core.Set.Epoch() {
		e.d.batches.decide(root.Header.Hash())
		e.d.input(ctx, consensus.Synced{Root: root})
	}
	return errors.Join(fetchErr, err)
}

func (e *executor) commitSynced(blocks []*chain.Block) error {
	for _, b := range blocks {
		done, err := e.d.cfg.Chain.Commit(b)
		if err != nil {
			return fmt.Errorf("commit synced height %d: %w", b.Header().Height, err)
		}
		if done {
			e.committed(b)
		}
	}
	e.d.Wake()
	return nil
}
