// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"
	"fmt"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/evidence"
	"github.com/openledger/openledger/consensus/msg"
)

// RecordBatch is the driver's own kind of record in the log: one batch, before
// the RecordBlock of a block that holds it.
const RecordBatch = 64

// act carries out one output, field by field in order (CONS-04).
func (d *Driver) act(ctx context.Context, out consensus.Output) error {
	if out.Err != nil {
		return out.Err
	}
	view := d.core.View()
	for _, b := range out.Relay {
		d.cfg.Net.Broadcast(b, view, false)
	}
	for _, r := range out.Append {
		if err := d.append(r); err != nil {
			return fmt.Errorf("write-ahead log: %w", err)
		}
	}
	if out.Sync {
		if err := d.cfg.WAL.Sync(); err != nil {
			return fmt.Errorf("sync write-ahead log: %w", err)
		}
	}
	for _, b := range out.Send {
		d.votes.own(b)
		d.cfg.Net.Broadcast(b, view, true)
	}
	d.deadline = out.Deadline
	for _, e := range out.Evidence {
		d.accuse(evidence.Pair(d.cfg.Core.Set, e.A, e.B))
	}
	for _, r := range out.Requests {
		d.request(ctx, r)
	}
	for _, dec := range out.Decide {
		d.exec.push(func(ctx context.Context) error { return d.exec.decide(&dec) })
	}
	return nil
}

// accuse logs and hands on what shows that validators broke the rules.
func (d *Driver) accuse(list []evidence.Evidence) {
	for _, e := range list {
		d.log.Warn("validators broke the rules", "kind", e.Kind(), "epoch", e.Epoch(), "view", e.View(), "validators", e.Signers())
	}
	if len(list) > 0 && d.cfg.Accuse != nil {
		d.cfg.Accuse(list)
	}
}

// append writes a record, and before a block its batches.
func (d *Driver) append(r consensus.Record) error {
	d.logged = max(d.logged, r.View)
	if r.Kind == consensus.RecordBlock {
		if err := d.appendBatches(r.Data); err != nil {
			return err
		}
	}
	b := r.Encode()
	d.appended += len(b)
	if err := d.cfg.WAL.Append(uint8(r.Kind), b); err != nil || r.Kind != consensus.RecordBlock || !d.alone() {
		return err
	}
	return d.cfg.WAL.Sync()
}

// alone reports whether this validator is a quorum by itself. What it says is
// final at once, and nobody could give back a body that a power loss took while
// the words on it survived: it is durable before the first of them.
func (d *Driver) alone() bool {
	set, self := d.cfg.Core.Set, d.core.Self()
	return self >= 0 && set.Power(self) >= set.Quorum()
}

func (d *Driver) appendBatches(proposal []byte) error {
	m, err := msg.Decode(proposal)
	if err != nil || m.Proposal == nil {
		return fmt.Errorf("own block record: %w", err)
	}
	h := &m.Proposal.Header
	d.batches.note(h.Hash(), h, m.Proposal.Digests) // an own block is heard of here first
	for _, digest := range m.Proposal.Digests {
		raw, ok := d.batches.toLog(digest)
		switch {
		case !ok: // a vote for it would promise a body that a power loss takes
			return fmt.Errorf("block of view %d without its batch %x", h.View, digest[:4])
		case raw == nil:
			continue
		}
		d.appended += len(raw)
		if err := d.cfg.WAL.Append(RecordBatch, raw); err != nil {
			return err
		}
	}
	return nil
}

// trim lets go of log segments: one may go when a final block from which a core
// can be rooted, of at least the views that the segment speaks of, is on stable
// storage. A new segment is started from time to time; batches that later blocks
// name are logged anew in it.
func (d *Driver) trim() error {
	if d.keep != 0 && d.stable.Load() >= d.keepView {
		if err := d.cfg.WAL.Release(d.keep); err != nil {
			return fmt.Errorf("release write-ahead log: %w", err)
		}
		d.keep = 0
	}
	if d.keep == 0 && d.appended >= d.cfg.Segment {
		next, err := d.cfg.WAL.Segment()
		if err != nil {
			return fmt.Errorf("start log segment: %w", err)
		}
		d.appended, d.keep, d.keepView = 0, next, d.logged
		d.batches.relog()
	}
	return nil
}

func (d *Driver) request(ctx context.Context, r consensus.Request) {
	switch r := r.(type) {
	case consensus.Build:
		d.build(ctx, r)
	case consensus.Fetch:
		d.fetches.block(ctx, r)
	case consensus.FetchCert:
		d.fetches.certs(ctx, r)
	case consensus.Sync:
		d.fetches.sync(ctx)
	case consensus.Execute:
		d.execute(ctx, r)
	case consensus.Discard:
		d.batches.discard(r.Blocks)
		d.exec.push(func(context.Context) error { d.cfg.Chain.Discard(r.Blocks); return nil })
	}
}

// execute hands a block with its body to the executor. The body is held: the
// core asks only for blocks that are Available. Should it be gone all the same,
// it is pulled again.
func (d *Driver) execute(ctx context.Context, r consensus.Execute) {
	d.batches.note(r.Block, r.Header, r.Digests)
	batches, txs, ok := d.batches.body(r.Digests)
	if !ok {
		d.log.Error("batches of a checked block are gone; pulling them again", "height", r.Header.Height)
		d.fetches.again(ctx, r)
		return
	}
	d.exec.push(func(ctx context.Context) error { return d.exec.execute(ctx, &r, batches, txs) })
}

// answer feeds an event that the loop itself produced; the inbox may be full,
// so it must not wait for room.
func (d *Driver) answer(ctx context.Context, ev consensus.Event) {
	select {
	case d.inbox <- ev:
	default:
		d.spawn(func() { d.input(ctx, ev) })
	}
}
