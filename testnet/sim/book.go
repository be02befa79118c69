// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"bytes"
	"sync"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/evidence"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/exec"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/chain"
)

// book is what an all-knowing witness writes down.
type book struct {
	s  *Sim
	mu sync.Mutex

	final    map[uint64]result
	top      uint64
	reported map[tx.ID]uint64 // height at which a node said that it is final
	said     map[word][]byte  // of honest keys, ever
	seen     map[[32]byte]bool
	epochs   map[uint64]*epoch
	offences int
}

// result is a final block and what every node must have after it.
type result struct {
	block           header.Hash
	state, receipts [32]byte
}

// word is something that a key signs at most once.
type word struct {
	key         keys.PublicKey
	kind        cert.Kind
	epoch, view uint64
}

// epoch is who decides in it, and a finder of everything sent in it.
type epoch struct {
	set    *valset.Set
	finder *evidence.Finder
}

func newBook(s *Sim) *book {
	return &book{s: s, final: map[uint64]result{}, reported: map[tx.ID]uint64{}, said: map[word][]byte{}, seen: map[[32]byte]bool{},
		epochs: map[uint64]*epoch{}}
}

// heard takes in a frame that leaves a machine: its own words if it is honest, and
// whatever it shows together with what anybody said before (I10).
func (b *book) heard(m *machine, p *process, frame []byte) {
	d, err := msg.Decode(frame)
	if err != nil {
		b.s.fail("malformed", "machine %d sends %x: %v", m.id, frame, err)
		return
	}
	e := b.epoch(p, d.Epoch())
	if d.Batch != nil || e == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if self := e.set.Index(m.vote.Public()); m.honest() && self >= 0 {
		b.own(m, d, uint64(self))
	}
	id := ledgerHash(frame)
	if b.seen[id] {
		return
	}
	b.seen[id] = true
	v, err := msg.Verify(e.set, b.s.w.ID, d)
	if err != nil {
		if m.honest() {
			b.s.fail("I9-quorum", "machine %d sends what does not hold: %v", m.id, err)
		}
		return
	}
	b.find(e, v)
}

// epoch returns what is known of an epoch; nil of one that the process has left.
func (b *book) epoch(p *process, number uint64) *epoch {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.epochs[number]; e != nil {
		return e
	}
	start, err := p.chain.EpochStart()
	set := p.chain.Set()
	if err != nil || set.Epoch() != number {
		return nil
	}
	e := &epoch{set: set, finder: evidence.NewFinder(set, b.s.w.ID, start.Header.Beacon, 0)}
	b.epochs[number] = e
	return e
}

// find asserts that evidence names the faulty only; the lock is held.
func (b *book) find(e *epoch, v msg.Verified) {
	view := viewOf(v.Message())
	e.finder.Advance(view)
	for _, ev := range e.finder.Add(v) {
		list, err := evidence.Check(e.set, b.s.w.ID, &ev)
		if err != nil {
			b.s.fail("evidence", "view %d: %v", view, err)
		}
		for _, o := range list {
			b.offences++
			b.s.count(o.Kind.String())
			for _, m := range b.s.machines {
				if m.vote.Public() == e.set.Key(o.Index) && m.honest() {
					b.s.fail("I10-no-self-evidence", "machine %d is honest and guilty of %v in view %d of epoch %d", m.id, o.Kind, o.View, o.Epoch)
				}
			}
		}
	}
}

func viewOf(d *msg.Message) uint64 {
	switch {
	case d.Vote != nil:
		return d.Vote.View
	case d.Cert != nil:
		return d.Cert.View
	case d.Proposal != nil:
		return d.Proposal.Header.View
	}
	return 0
}

// own notes the words of a machine's own key in a message; the lock is held.
func (b *book) own(m *machine, d *msg.Message, self uint64) {
	switch {
	case d.Vote != nil && d.Vote.Signer == self:
		b.say(m, d.Vote.Kind, d.Epoch(), d.Vote.View, d.Vote.Block)
	case d.Cert != nil && d.Cert.Has(int(self)):
		b.say(m, d.Cert.Kind.Vote(), d.Epoch(), d.Cert.View, d.Cert.Block)
	case d.Proposal != nil && d.Proposal.Header.Leader == self:
		h := d.Proposal.Header.Hash()
		b.say(m, cert.Proposal, d.Epoch(), d.Proposal.Header.View, h[:])
	}
}

func (b *book) say(m *machine, kind cert.Kind, epoch, view uint64, block []byte) {
	w := word{m.vote.Public(), kind, epoch, view}
	if old, ok := b.said[w]; ok && !bytes.Equal(old, block) {
		b.s.fail("I2-one-word", "machine %d signs %v of view %d of epoch %d twice: %x and %x", m.id, kind, view, epoch, old, block)
	}
	b.said[w] = bytes.Clone(block)
	with := func(k cert.Kind) ([]byte, bool) { x, ok := b.said[word{w.key, k, epoch, view}]; return x, ok }
	note, noted := with(cert.Notarize)
	_, null := with(cert.Nullify)
	fin, finalized := with(cert.Finalize)
	switch {
	case null && finalized:
		b.s.fail("I3-null-xor-final", "machine %d nullifies and finalizes view %d", m.id, view)
	case noted && finalized && !bytes.Equal(note, fin):
		b.s.fail("I4-note-final", "machine %d notarizes one block of view %d and finalizes another", m.id, view)
	}
}

// committed compares a commit with those of the others (I1, I11) and remembers
// what the node now reports as final.
func (b *book) committed(p *process, blk *chain.Block) {
	h := blk.Header()
	got := result{blk.Hash, p.chain.Head().Root.Hash, ledger.ReceiptsRoot(blk.Receipts)}
	b.mu.Lock()
	want, ok := b.final[h.Height]
	if !ok {
		b.final[h.Height] = got
		b.top = max(b.top, h.Height)
	}
	txs := blk.Verified.Txs()
	for i, v := range txs {
		r := blk.Receipts[len(blk.Receipts)-len(txs)+i]
		if r.Code != 0 && r.Fee == 0 { // refused: it may come again
			b.s.count("stale")
			continue
		}
		if _, ok := b.reported[v.ID()]; !ok {
			b.reported[v.ID()] = h.Height
			b.s.count("transaction")
		}
	}
	b.mu.Unlock()
	if !ok {
		b.s.count("block")
	}
	if !ok && h.Kind == header.KindSeal {
		b.s.count("seal")
		b.audit(p)
	}
	if ok && want != got {
		b.s.fail("I1-agree", "machine %d commits %x at height %d with state %x and receipts %x, others %x, %x, %x", p.m.id,
			got.block[:4], h.Height, got.state[:4], got.receipts[:4], want.block[:4], want.state[:4], want.receipts[:4])
	}
}

// audit recounts the state, the supply first.
func (b *book) audit(p *process) {
	v, err := p.chain.View()
	if err == nil {
		err = exec.Audit(v)
	}
	if err != nil && !b.s.crashed(err) {
		b.s.fail("supply", "machine %d at height %d: %v", p.m.id, p.chain.Head().Height, err)
	}
}

// isFinal reports whether some node has said that a transaction is final.
func (b *book) isFinal(id tx.ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.reported[id]
	return ok
}

// atEnd asserts that a chain holds all that was ever reported (CONS-03).
func (b *book) atEnd(p *process, top uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if got := p.chain.Head().Height; got < top {
		b.s.fail("I14-live", "machine %d ends at height %d, height %d was final", p.m.id, got, top)
		return
	}
	for height := uint64(1); height <= top; height++ {
		h, _, err := p.chain.Header(height)
		if err != nil {
			b.s.fail("store", "machine %d, height %d: %v", p.m.id, height, err)
			return
		}
		f, ok := b.final[height] // not if the only node that had it died before it could say so
		if got, want := h.Hash(), f.block; ok && got != want {
			b.s.fail("I1-agree", "machine %d has %x at height %d, which was final as %x", p.m.id, got[:4], height, want[:4])
			return
		}
	}
	for id, height := range b.reported {
		if at, _, err := p.chain.Store().TxLocation([32]byte(id)); err != nil || at > height {
			b.s.fail("lost", "machine %d has transaction %x at height %d, %v; it was final at %d", p.m.id, id[:4], at, err, height)
		}
	}
}
