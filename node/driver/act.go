// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"
	"fmt"

	"github.com/openledger/openledger/consensus"
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
		d.cfg.Net.Broadcast(b, view, true)
	}
	d.deadline = out.Deadline
	for _, e := range out.Evidence {
		d.log.Warn("a validator contradicted itself", "kind", e.A.Kind(), "a", fmt.Sprintf("%x", e.A.Bytes()), "b", fmt.Sprintf("%x", e.B.Bytes()))
	}
	for _, r := range out.Requests {
		d.request(ctx, r)
	}
	for _, dec := range out.Decide {
		d.exec.push(job{decide: &dec})
	}
	return nil
}

// append writes a record, and before a block its batches.
func (d *Driver) append(r consensus.Record) error {
	d.logged.Store(max(d.logged.Load(), r.View))
	if r.Kind == consensus.RecordBlock {
		m, err := msg.Decode(r.Data)
		if err != nil || m.Proposal == nil {
			return fmt.Errorf("own block record: %w", err)
		}
		for _, digest := range m.Proposal.Digests {
			raw := d.batches.toLog(digest)
			if raw == nil {
				continue
			}
			if err := d.cfg.WAL.Append(RecordBatch, raw); err != nil {
				return err
			}
		}
	}
	return d.cfg.WAL.Append(uint8(r.Kind), r.Encode())
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
		d.fetches.sync(ctx, r)
	case consensus.Execute:
		d.exec.push(job{execute: &r})
	case consensus.Discard:
		d.batches.drop(r.Blocks)
		d.exec.push(job{discard: r.Blocks})
	}
}

// build closes own batches over pending transactions, pushes them and answers.
func (d *Driver) build(ctx context.Context, r consensus.Build) {
	taken := d.batches.takenBy(r.Parent)
	txs := d.cfg.Pool.Select(maxBlockBytes, func(id [32]byte) bool { _, ok := taken[id]; return ok })
	ev := consensus.Built{View: r.View, Parent: r.Parent, Txs: uint64(len(txs))}
	for len(txs) > 0 {
		n := batchLen(txs)
		d.seq = max(d.seq+1, d.cfg.Clock.Wall())
		b := msg.NewBatch(d.cfg.Core.ChainID, d.cfg.Core.Set.Epoch(), d.self, d.seq, txs[:n], d.cfg.Core.Key)
		txs = txs[n:]
		raw := b.Encode()
		digest := d.batches.own(b, raw)
		d.cfg.Net.Broadcast(raw, r.View, false)
		ev.Digests = append(ev.Digests, digest)
	}
	d.answer(ctx, ev)
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

// maxBlockBytes bounds the transactions of a block: with its header it is one
// frame of blocks/1 (CONS-53, P2P-08).
const maxBlockBytes = 768 << 10

// batchLen is how many transactions fit into the next batch.
func batchLen(txs [][]byte) int {
	size := 0
	for i, t := range txs {
		if size += len(t); size > msg.MaxBatch-1024 && i > 0 {
			return i
		}
	}
	return len(txs)
}
