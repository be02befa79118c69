// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/tx"
)

// When own batches are closed, and how many may be open (CONS-26, CONS-27).
const (
	batchBytes  = msg.MaxBatch - 4<<10 // of transactions, so that the envelope fits
	closeSoon   = 4                    // milliseconds from the first transaction
	closeAfter  = 20                   // milliseconds from the batch before
	maxOwnOpen  = 32
	gapPatience = 2_000 // milliseconds that a batch may wait for an earlier transaction
	homeTurn    = 2_000 // milliseconds after which the next owner batches a gossiped transaction
	maxProposed = 512   // batches of a block: their digests are 17 KiB of the proposal
)

// author closes own batches soon after the first transaction came, but not more
// often than every closeAfter: alone it does not wait, in a stream it has company.
func (d *Driver) author(waiting bool) {
	now := d.cfg.Clock.Now()
	switch {
	case !waiting:
		d.closeAt = 0
	case d.closeAt == 0:
		d.closeAt = max(now+closeSoon, d.closed+closeAfter)
	case now >= d.closeAt:
		d.closeAt = now + closeAfter // for what comes meanwhile, or is left
		d.closeOwn()
	}
}

// closeOwn puts what waits into own batches and pushes them. It ends with too
// many open: the pool keeps the rest, and refuses more when it is full.
func (d *Driver) closeOwn() {
	height := d.cfg.Chain.Head().Height + 1
	for d.batches.opened(uint64(d.self)) < maxOwnOpen {
		txs := d.cfg.Pool.Select(batchBytes, height, d.mine)
		if len(txs) == 0 {
			return
		}
		d.closed = d.cfg.Clock.Now()
		h := d.closeBatch(txs)
		d.batches.keep(h)
		d.cfg.Net.Broadcast(h.raw, d.core.View(), false)
	}
}

// closeBatch signs a batch. Its number never repeats, across restarts neither.
func (d *Driver) closeBatch(txs []tx.Verified) *held {
	raw := make([][]byte, len(txs))
	for i, t := range txs {
		raw[i] = t.Bytes()
	}
	d.seq = max(d.seq+1, d.cfg.Clock.Wall())
	b := msg.NewBatch(d.cfg.Core.ChainID, d.cfg.Core.Set.Epoch(), d.self, d.seq, raw, d.cfg.Core.Key)
	return &held{digest: b.Digest(d.cfg.Core.ChainID), batch: b, raw: b.Encode(), txs: txs}
}

// mine says whether this validator batches a gossiped transaction: its sender has
// a home on the line of powers, and when that is silent the next one takes over.
func (d *Driver) mine(sender keys.Address, waited uint64) bool {
	set := d.cfg.Core.Set
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(slices.Clone(sender[:]), set.Epoch()))
	at, home := binary.BigEndian.Uint64(sum[:])%set.Total(), 0
	for at >= set.Power(home) {
		at -= set.Power(home)
		home++
	}
	return (home+int(waited/homeTurn))%set.Len() == d.self
}

// build closes what waits here, takes open batches, the oldest first, and
// answers.
func (d *Driver) build(ctx context.Context, r consensus.Build) {
	d.closeOwn()
	digests, txs, err := d.batches.propose(r.Parent, d.cfg.Clock.Now())
	if err != nil {
		d.log.Error("choose batches", "view", r.View, "err", err) // an empty block is lawful
	}
	d.answer(ctx, consensus.Built{View: r.View, Parent: r.Parent, Digests: digests, Txs: txs})
}

// propose picks batches for a block on parent: open ones that no undecided
// ancestor has, by arrival, each sender's transactions in order; what waits for
// an earlier transaction stays, for a while. It keeps them until the next
// proposal, or a block that names them, is known. Batches of which nothing waits
// any more, or that no block can hold, are given up.
func (s *batchStore) propose(parent header.Hash, now uint64) (digests [][32]byte, txs uint64, err error) {
	taken, list := s.fresh(parent)
	var dead []*held
	list = slices.DeleteFunc(list, func(h *held) bool {
		w, most := s.pool.Weight(h.txs)
		h.weight = w
		gone := w > most || !s.pool.Alive(h.txs)
		if gone {
			dead = append(dead, h)
		}
		return gone
	})
	open := make([][]tx.Verified, len(list))
	for i, h := range list {
		open[i] = h.txs
	}
	order, err := s.pool.Order(taken, open)
	for i, h := range list {
		if now >= h.since+gapPatience && !slices.Contains(order, i) {
			order = append(order, i)
		}
	}
	size, weight := 0, uint64(0)
	for _, i := range order {
		h := list[i]
		_, most := s.pool.Weight(nil)
		if size += len(h.raw); size > s.most || weight+h.weight > most || len(digests) == maxProposed {
			break // not a later one: it may follow on this one
		}
		weight, txs = weight+h.weight, txs+uint64(len(h.txs))
		digests = append(digests, h.digest)
	}
	s.mu.Lock()
	defer s.flush()
	for _, h := range dead {
		s.shut(h)
	}
	old := s.building
	s.building = digests
	for _, d := range digests {
		s.need[d]++
	}
	s.release(old, false)
	return digests, txs, err
}

// fresh lists the open batches, by arrival, that neither parent nor one of its
// undecided ancestors has, and what these have.
func (s *batchStore) fresh(parent header.Hash) (taken [][]tx.Verified, list []*held) {
	s.mu.Lock()
	defer s.mu.Unlock()
	named := map[[32]byte]bool{}
	for k := s.blocks[parent]; k != nil && !k.decided; k = s.blocks[k.parent] {
		for _, d := range k.digests {
			named[d] = true
			if h := s.batches[d]; h != nil {
				taken = append(taken, h.txs)
			}
		}
	}
	for e := s.arrival.Front(); e != nil; e = e.Next() {
		if h := e.Value.(*held); h.open && !named[h.digest] {
			list = append(list, h)
		}
	}
	return taken, list
}

// abandon gives up every open batch: what this validator put into one waits again.
func (s *batchStore) abandon() {
	s.mu.Lock()
	defer s.flush()
	for e := s.arrival.Front(); e != nil; e = e.Next() {
		s.shut(e.Value.(*held))
	}
}

// candidates reports whether a batch waits for a block.
func (s *batchStore) candidates() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.open {
		if n > 0 {
			return true
		}
	}
	return false
}

// opened counts the open batches of an author.
func (s *batchStore) opened(author uint64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[author]
}
