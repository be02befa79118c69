// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"
	"errors"
	"time"

	"sync"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/internal/enc"
)

// Protocols of the driver (P2P-08).
const (
	ProtocolBatch = "batch/1" // BatchRequest → batches
	ProtocolCerts = "certs/1" // CertsRequest → certificates or a proposal
	askTimeout    = 2 * time.Second
	grace         = 150 * time.Millisecond // a pushed batch may be on its way
	maxDigests    = 64
)

// BatchRequest asks for batches by digest.
type BatchRequest struct {
	_       struct{} `cbor:",toarray"`
	Digests [][32]byte
}

// CertsRequest asks for the certificates of the views From to To, or, if Block
// is 32 bytes, for that proposal.
type CertsRequest struct {
	_        struct{} `cbor:",toarray"`
	From, To uint64
	Block    []byte
}

// fetcher pulls what the core misses, each thing by one goroutine at a time.
type fetcher struct {
	d       *Driver
	mu      sync.Mutex
	running map[any]bool
	arrived chan struct{} // closed and replaced when a batch arrives
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

// once runs work unless the same key is at work already.
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
	f.once(r.Block, func() { f.pull(ctx, r) })
}

// pull gets the missing batches of a block: first it waits a moment for a push
// under way, then it asks one holder after another.
func (f *fetcher) pull(ctx context.Context, r consensus.Fetch) {
	f.await(ctx, r.Digests)
	for round := 0; ctx.Err() == nil; round++ {
		missing := f.d.batches.missing(r.Digests)
		if len(missing) == 0 {
			f.d.batches.note(r.Block, r.Header, r.Digests)
			f.d.input(ctx, consensus.Available{Block: r.Block, Valid: f.d.batches.valid(r.Header, r.Digests)})
			return
		}
		if round >= 4*len(r.Holders)+4 {
			return // the core asks again if the block still matters
		}
		to, ok := f.holder(r.Holders, round)
		if !ok {
			return
		}
		req := enc.Encode(BatchRequest{Digests: missing[:min(len(missing), maxDigests)]})
		f.ask(ctx, to, ProtocolBatch, req)
	}
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
		if !ok || ctx.Err() != nil {
			return
		}
		if f.ask(ctx, to, ProtocolCerts, req) {
			return
		}
	}
}

func (f *fetcher) certs(ctx context.Context, r consensus.FetchCert) {
	f.once(r, func() {
		req := enc.Encode(CertsRequest{From: r.From, To: r.To})
		for round := range f.d.cfg.Core.Set.Len() {
			to, ok := f.holder(nil, int(r.From)+round)
			if !ok || ctx.Err() != nil || f.ask(ctx, to, ProtocolCerts, req) {
				return
			}
		}
	})
}

// ask sends one request and takes every message of the answer; false if there
// was none.
func (f *fetcher) ask(ctx context.Context, to int, protocol string, req []byte) bool {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	n := 0
	err := f.d.cfg.Net.Ask(ctx, to, protocol, req, func(frame []byte) error {
		m, err := msg.Decode(frame)
		if err != nil {
			return err
		}
		n++
		if m.Batch != nil {
			err := f.d.batches.add(m.Batch)
			f.batchArrived()
			return err
		}
		v, err := msg.Verify(f.d.cfg.Core.Set, f.d.cfg.Core.ChainID, m)
		if err != nil {
			return err
		}
		f.d.input(ctx, consensus.Message{Verified: v})
		return nil
	})
	if err != nil {
		f.d.log.Debug("pull failed", "validator", to, "protocol", protocol, "err", err)
		if !errors.Is(err, context.Canceled) && n == 0 {
			f.pause(ctx)
		}
	}
	return n > 0
}

// pause waits a little after a failed pull so that a dead peer costs no CPU.
func (f *fetcher) pause(ctx context.Context) {
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// sync lets the node's sync catch up, on the executor, which owns the chain.
func (f *fetcher) sync(ctx context.Context, r consensus.Sync) {
	f.once("sync", func() {
		done := make(chan struct{})
		f.d.exec.push(job{call: func() {
			defer close(done)
			root, err := f.d.cfg.Catchup(ctx)
			if err != nil {
				f.d.log.Warn("sync", "target_view", r.Target.View, "err", err)
				return
			}
			f.d.input(ctx, consensus.Synced{Root: root})
		}})
		select {
		case <-done:
		case <-ctx.Done():
		}
	})
}

// ServeBatches answers ProtocolBatch. Errors: enc's for a bad request.
func (d *Driver) ServeBatches(req []byte, send func([]byte) error) error {
	var q BatchRequest
	if err := enc.Decode(req, &q); err != nil || len(q.Digests) > maxDigests {
		return errors.Join(errBatch, err)
	}
	for _, digest := range q.Digests {
		if raw := d.batches.raw(digest); raw != nil {
			if err := send(raw); err != nil {
				return err
			}
		}
	}
	return nil
}

// ServeCerts answers ProtocolCerts. Errors: enc's for a bad request.
func (d *Driver) ServeCerts(ctx context.Context, req []byte, send func([]byte) error) error {
	var q CertsRequest
	if err := enc.Decode(req, &q); err != nil || (len(q.Block) != 0 && len(q.Block) != 32) {
		return errors.Join(errBatch, err)
	}
	var out [][]byte
	ok := d.Query(ctx, func(c *consensus.Core) {
		if len(q.Block) == 32 {
			if p := c.Proposal(header.Hash(q.Block)); p != nil {
				out = [][]byte{p}
			}
			return
		}
		out = c.Certificates(q.From, q.To, 1<<20)
	})
	if !ok {
		return ctx.Err()
	}
	for _, b := range out {
		if err := send(b); err != nil {
			return err
		}
	}
	return nil
}
