// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/internal/enc"
)

const (
	askTimeout = 2 * time.Second
	grace      = 150 * time.Millisecond // a pushed batch may be on its way
)

// fetcher pulls what the core misses, each thing by one goroutine at a time.
type fetcher struct {
	d       *Driver
	mu      sync.Mutex
	running map[any]bool
	arrived chan struct{} // closed and replaced when a batch arrives
	turn    int           // whom to ask first for certificates
}

func newFetcher(d *Driver) *fetcher {
	return &fetcher{d: d, running: map[any]bool{}, arrived: make(chan struct{})}
}

func (f *fetcher) batchArrived() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.arrived)
	f.arrived = make(chan struct{})
}

// once runs work unless the same key is at work already. Only the loop calls it.
func (f *fetcher) once(key any, work func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.running[key] {
		return
	}
	f.running[key] = true
	f.d.spawn(func() {
		defer func() {
			f.mu.Lock()
			delete(f.running, key)
			f.mu.Unlock()
		}()
		work()
	})
}

// block answers a Fetch.
func (f *fetcher) block(ctx context.Context, r consensus.Fetch) {
	if r.Proposal {
		f.once("p"+string(r.Block[:]), func() { f.proposal(ctx, r) })
		return
	}
	f.d.batches.note(r.Block, r.Header, r.Digests)
	if len(f.d.batches.missing(r.Digests)) == 0 {
		f.d.answer(ctx, consensus.Available{Block: r.Block, Valid: f.d.batches.valid(r.Header, r.Digests)})
		return
	}
	f.once(r.Block, func() {
		if f.pull(ctx, r.Digests, r.Holders) {
			f.d.input(ctx, consensus.Available{Block: r.Block, Valid: f.d.batches.valid(r.Header, r.Digests)})
		} // else the core asks again if the block still matters
	})
}

// again pulls the body of a block that was held before, then executes it.
func (f *fetcher) again(ctx context.Context, r consensus.Execute) {
	f.once("x"+string(r.Block[:]), func() {
		for ctx.Err() == nil {
			if f.pull(ctx, r.Digests, nil) {
				f.d.call(ctx, func() { f.d.execute(ctx, r) })
				return
			}
			f.pause(ctx)
		}
	})
}

// pull gets the missing batches of a block: first it waits a moment for a push
// under way, then it asks one holder after another. It reports whether all are
// held.
func (f *fetcher) pull(ctx context.Context, digests [][32]byte, holders []int) bool {
	f.await(ctx, digests)
	for round := range 4*len(holders) + 4 {
		missing := f.d.batches.missing(digests)
		if len(missing) == 0 {
			return true
		}
		to, ok := f.holder(holders, round)
		if !ok || ctx.Err() != nil {
			return false
		}
		req := enc.Encode(BatchRequest{Digests: missing[:min(len(missing), maxDigests)]})
		f.ask(ctx, to, ProtocolBatch, req)
	}
	return len(f.d.batches.missing(digests)) == 0
}

// await returns when the batches are there or the grace has passed.
func (f *fetcher) await(ctx context.Context, digests [][32]byte) {
	t := time.NewTimer(grace)
	defer t.Stop()
	for {
		f.mu.Lock()
		arrived := f.arrived
		f.mu.Unlock()
		if len(f.d.batches.missing(digests)) == 0 {
			return
		}
		select {
		case <-arrived:
		case <-t.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// holder picks whom to ask in a round: the named holders, then everybody.
func (f *fetcher) holder(holders []int, round int) (int, bool) {
	if len(holders) > 0 && round < 2*len(holders) {
		if h := holders[round%len(holders)]; h != f.d.self {
			return h, true
		}
	}
	n := f.d.cfg.Core.Set.Len()
	for i := range n {
		if h := (round + i) % n; h != f.d.self {
			return h, true
		}
	}
	return 0, false
}

func (f *fetcher) proposal(ctx context.Context, r consensus.Fetch) {
	req := enc.Encode(CertsRequest{Block: r.Block[:]})
	for round := range len(r.Holders) + 1 {
		to, ok := f.holder(r.Holders, round)
		if !ok || ctx.Err() != nil || f.ask(ctx, to, ProtocolCerts, req) {
			return
		}
	}
}

// certs asks validators for certificates until one gives any; the next request
// begins with another one, because a stale one gives some too.
func (f *fetcher) certs(ctx context.Context, r consensus.FetchCert) {
	f.turn++
	first := f.turn
	f.once(r, func() {
		req := enc.Encode(CertsRequest{From: r.From, To: r.To})
		for round := range f.d.cfg.Core.Set.Len() {
			to, ok := f.holder(nil, first+round)
			if !ok || ctx.Err() != nil || f.ask(ctx, to, ProtocolCerts, req) {
				return
			}
		}
	})
}

// ask sends one request and takes every message of the answer; false if there
// was none. Without an answer it takes a moment, so that a dead peer costs no CPU.
func (f *fetcher) ask(ctx context.Context, to int, protocol string, req []byte) bool {
	askCtx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	n := 0
	err := f.d.cfg.Net.Ask(askCtx, f.d.cfg.Core.Set.Key(to), protocol, req, func(frame []byte) error {
		m, err := msg.Decode(frame)
		if err != nil {
			return err
		}
		n++
		if m.Batch != nil {
			err := f.d.batches.add(m)
			f.batchArrived()
			return err
		}
		v, err := f.d.verify(m)
		if err != nil {
			f.d.suspect(ctx, m)
			return err
		}
		f.d.input(ctx, consensus.Message{Verified: v})
		return nil
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		f.d.log.Debug("pull failed", "validator", to, "protocol", protocol, "err", err)
	}
	if n == 0 {
		f.pause(ctx)
	}
	return n > 0
}

func (f *fetcher) pause(ctx context.Context) {
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// sync catches up beside the voting; only commits run on the executor.
func (f *fetcher) sync(ctx context.Context) {
	f.once("sync", func() {
		if err := f.d.exec.catchUp(ctx); err != nil && ctx.Err() == nil {
			f.d.log.Info("sync", "err", err)
		}
	})
}
