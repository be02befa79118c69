// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/chain"
)

// job is one thing for the executor: exactly one field is set.
type job struct {
	execute *consensus.Execute
	decide  *consensus.Decision
	discard []header.Hash
	call    func()
}

// executor runs blocks and commits decisions in order, on one goroutine, which
// alone touches the chain.
type executor struct {
	d      *Driver
	failed chan error

	mu    sync.Mutex
	jobs  []job
	ready chan struct{}

	lastSync uint64 // monotonic ms
	unsynced int    // blocks since then
	blocks   int    // since the last log segment was started
	segment  uint64 // first log segment to keep once the head's view reaches keepView; 0: none planned
	keepView uint64
}

func newExecutor(d *Driver) *executor {
	return &executor{d: d, failed: make(chan error, 1), ready: make(chan struct{}, 1)}
}

// push queues a job. The core bounds how many there can be: its window of
// undecided views.
func (e *executor) push(j job) {
	e.mu.Lock()
	e.jobs = append(e.jobs, j)
	e.mu.Unlock()
	select {
	case e.ready <- struct{}{}:
	default:
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
			if err := e.do(ctx, j); err != nil {
				e.failed <- err
				return
			}
		}
	}
}

func (e *executor) do(ctx context.Context, j job) error {
	switch {
	case j.execute != nil:
		return e.execute(ctx, j.execute)
	case j.decide != nil:
		return e.commit(j.decide)
	case j.call != nil:
		j.call()
	default:
		e.d.cfg.Chain.Discard(j.discard)
	}
	return nil
}

func (e *executor) block(hash header.Hash, h *header.Header, digests [][32]byte) (*chain.Block, error) {
	batches, txs, ok := e.d.batches.body(digests)
	if !ok {
		return nil, fmt.Errorf("block %s at height %d: its batches are gone", blockName(hash), h.Height)
	}
	known := make(verified, len(txs))
	for _, t := range txs {
		known[string(t.Bytes())] = t
	}
	v, err := ledger.Verify(e.d.cfg.Core.ChainID, ledger.Block{Header: *h, Batches: batches}, known)
	return &chain.Block{Hash: hash, Verified: v}, err
}

// verified implements ledger.Cache over transactions that were checked when
// their batch arrived.
type verified map[string]tx.Verified

// Lookup implements ledger.Cache.
func (m verified) Lookup(raw []byte) (tx.Verified, bool) { v, ok := m[string(raw)]; return v, ok }

func (e *executor) execute(ctx context.Context, r *consensus.Execute) error {
	b, err := e.block(r.Block, r.Header, r.Digests)
	if err != nil {
		return err
	}
	roots, err := e.d.cfg.Chain.Execute(b)
	if errors.Is(err, chain.ErrStale) {
		return nil // sync was faster; nobody waits for this branch
	}
	if err != nil {
		return fmt.Errorf("execute height %d: %w", r.Header.Height, err)
	}
	e.d.input(ctx, consensus.Executed{Block: r.Block, StateRoot: roots.State, ReceiptsRoot: roots.Receipts})
	return nil
}

// commit makes a decision durable in the ledger (ARCHITECTURE journey A.9) and
// releases the log behind it.
func (e *executor) commit(dec *consensus.Decision) error {
	b, err := e.block(dec.Block, &dec.Header, dec.Digests)
	if err != nil {
		return err
	}
	b.Finalization = dec.Finalization
	done, err := e.d.cfg.Chain.Commit(b)
	if err != nil {
		return fmt.Errorf("commit height %d: %w", dec.Header.Height, err)
	}
	e.d.batches.decide(dec.Block)
	if done && e.d.cfg.Committed != nil {
		e.d.cfg.Committed(b)
	}
	e.d.Wake()
	return e.release(dec.Header.View)
}

// release syncs the database from time to time and lets go of old log segments:
// one may go when a final block of at least the views it speaks of is on stable
// storage. Batches are logged anew in the next segment.
func (e *executor) release(view uint64) error {
	now := e.d.cfg.Clock.Now()
	e.blocks++
	if e.unsynced++; e.unsynced < syncEvery && now < e.lastSync+syncAfter {
		return nil
	}
	if err := e.d.cfg.Chain.Sync(); err != nil {
		return err
	}
	e.unsynced, e.lastSync = 0, now
	if e.segment != 0 && view >= e.keepView {
		if err := e.d.cfg.WAL.Release(e.segment); err != nil {
			return fmt.Errorf("release write-ahead log: %w", err)
		}
		e.segment = 0
	}
	if e.segment == 0 && e.blocks >= segmentBlocks {
		next, err := e.d.cfg.WAL.Segment()
		if err != nil {
			return fmt.Errorf("start log segment: %w", err)
		}
		e.blocks, e.segment, e.keepView = 0, next, e.d.logged.Load()
		e.d.batches.relog()
	}
	return nil
}
