// SPDX-License-Identifier: Apache-2.0

package consensus

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
)

func (c *Core) onMessage(v msg.Verified) {
	if v.IsZero() {
		return
	}
	switch m := v.Message(); {
	case m.Epoch() != c.cfg.Set.Epoch(): // checked under another core's set
	case m.Vote != nil:
		c.onVote(m)
	case m.Cert != nil:
		c.adopt(m.Cert, false)
	case m.Proposal != nil:
		c.onProposal(v)
	}
}

func (c *Core) onVote(m *msg.Message) {
	v := m.Vote
	if v.View <= c.root.view || v.View > c.cur+futureViews && !broken(mutNoWindow) {
		return
	}
	w := c.at(v.View)
	if int(v.Signer) == c.self && c.signs(v.View) {
		if !bytes.Equal(*w.signed(v.Kind), m.Bytes()) {
			c.fail(fmt.Errorf("%w: %v of view %d", ErrTwin, v.Kind, v.View))
		}
		return
	}
	w.shown = w.shown || int(v.Signer) == c.self && v.Kind == cert.Finalize
	c.hear(int(v.Signer), v.View)
	c.count(v)
}

// count adds a vote and forms the certificate when it completes a quorum.
func (c *Core) count(v *msg.Vote) {
	w := c.at(v.View)
	t := w.votes(v.Kind)
	if t.Has(v) && !broken(mutCountTwice) {
		return
	}
	power, other := t.Add(v, c.n, c.cfg.Set.Power(int(v.Signer)))
	if other != nil {
		c.conflict(&msg.Message{Vote: other}, &msg.Message{Vote: v})
	}
	if power >= c.quorum {
		if q := c.join(t, v); q != nil {
			c.adopt(q, true)
		}
		return
	}
	// A third of the power that gives the view up wakes the timers, and we join it.
	if v.Kind == cert.Nullify && v.View == c.cur && power > c.cfg.Set.Faulty() {
		c.dirty = true
	}
}

func (c *Core) conflict(a, b *msg.Message) {
	if !c.restoring {
		c.out.Evidence = append(c.out.Evidence, Conflict{a, b})
	}
}

func (c *Core) hear(i int, view uint64) { c.heard[i] = max(c.heard[i], view) }

// adopt takes in a certificate: formed here from votes, or checked by Verify,
// or from an own record.
func (c *Core) adopt(q *cert.Certificate, formed bool) {
	if q.View <= c.root.view {
		return
	}
	w := c.at(q.View)
	slot := w.slot(q.Kind)
	if *slot != nil {
		return
	}
	if !formed && !c.restoring && q.Has(c.self) && c.signs(q.View) && *w.signed(q.Kind.Vote()) == nil {
		c.fail(fmt.Errorf("%w: %v of view %d", ErrTwin, q.Kind, q.View))
		return
	}
	*slot = q
	c.dirty = true
	w.votes(q.Kind.Vote()).Close()
	for i := range c.n {
		if q.Has(i) {
			c.hear(i, q.View)
		}
	}
	raw := q.Encode()
	if !broken(mutNoCertRecord) {
		c.record(RecordCert, q.View, raw)
	}
	if formed {
		c.spread(q, raw)
	}
	if q.Kind != cert.Nullification {
		if i, found := slices.BinarySearch(c.chosen, q.View); !found {
			c.chosen = slices.Insert(c.chosen, i, q.View)
		}
		if q.View >= c.cur {
			c.beat = c.now
		}
	}
	if q.Kind.Final() && (c.newest == nil || q.View > c.newest.View) {
		c.newest = q
	}
	if q.View >= c.cur {
		c.enter(q.View+1, q.Kind == cert.Nullification || w.own.nullify != nil)
	}
}

// spread sends a certificate once, after the disk if it holds our signature.
func (c *Core) spread(q *cert.Certificate, raw []byte) {
	if c.restoring || c.self < 0 {
		return
	}
	if q.Has(c.self) && !broken(mutCertEarly) {
		c.out.Send = append(c.out.Send, raw)
	} else {
		c.out.Relay = append(c.out.Relay, raw)
	}
}

// enter moves to view v. Δ grows if the view before failed: it was nullified, or
// its Notarization came after our own Nullify. Without the second, a network
// slower than 3Δ would notarize every view, finalize none and never slow down;
// for the same reason Δ falls with decisions only (CONS-53).
func (c *Core) enter(v uint64, failed bool) {
	if v > c.cur+1 { // nobody can be called silent for views that we skipped
		for i := range c.heard {
			c.hear(i, v-1)
		}
	}
	if failed && !broken(mutNoGrowth) {
		c.delta = min(c.cfg.Params.DeltaCapMS, c.delta*3/2)
	}
	c.cur, c.entered, c.woke = v, c.now, 0
	c.record(RecordEnter, v, nil)
}

func (c *Core) record(k RecordKind, view uint64, data []byte) {
	if !c.restoring && c.self >= 0 {
		c.out.Append = append(c.out.Append, Record{Kind: k, Epoch: c.cfg.Set.Epoch(), View: view, Data: data})
	}
}

func (c *Core) onProposal(v msg.Verified) {
	m := v.Message()
	h, hash := &m.Proposal.Header, v.Hash()
	known, asked := c.blocks[hash], c.chose(h.View, hash)
	// The window comes before the schedule, which walks view by view.
	if h.View <= c.root.view || h.View > c.cur+futureViews && !asked || int(h.Leader) != c.sched.Leader(h.View) {
		return
	}
	switch {
	case known == nil && int(h.Leader) == c.self && c.signs(h.View):
		c.fail(fmt.Errorf("%w: Proposal of view %d", ErrTwin, h.View))
		return
	case known != nil && (known.full || len(v.Leaves()) == 0):
		return
	case known == nil && !asked && len(c.at(h.View).blocks) >= viewBlocks:
		return
	}
	for _, q := range v.Leaves() {
		if q != nil {
			c.adopt(q, false)
		}
	}
	c.learn(m.Proposal, m.Bytes(), hash, v.Leaves())
}

// chose reports whether a certificate of the view names the block.
func (c *Core) chose(view uint64, hash header.Hash) bool {
	w := c.views[view]
	if w == nil {
		return false
	}
	return w.notarization != nil && w.notarization.Hash() == hash || w.finalization != nil && w.finalization.Hash() == hash
}

// learn keeps a proposal, or fills in the leaves of one that came without.
func (c *Core) learn(p *msg.Proposal, raw []byte, hash header.Hash, leaves []*cert.Certificate) *block {
	c.dirty = true
	b, w := c.blocks[hash], c.at(p.Header.View)
	if b == nil {
		b = &block{hash: hash, head: p.Header, view: p.Header.View}
		c.blocks[hash] = b
		if len(w.blocks) > 0 && int(p.Header.Leader) != c.self { // our own may have been recorded and never sent
			c.conflict(&msg.Message{Proposal: w.blocks[0].prop}, &msg.Message{Proposal: p})
		}
		w.blocks = append(w.blocks, b)
		if p.Header.View >= c.cur {
			c.start = c.now
			if w.first == nil && (int(p.Header.Leader) != c.self || !c.signs(p.Header.View)) {
				w.first = b
			}
		}
	}
	b.prop, b.raw, b.leaves, b.full = p, raw, leaves, len(p.Leaves) > 0
	return b
}

// Want reports whether m may still matter, before its signatures are checked:
// false for what is stale, too far ahead, or already known (CONS-13). Call it
// on the goroutine that calls Step. Batches are always wanted.
func (c *Core) Want(m *msg.Message) bool {
	root := c.root.view
	switch {
	case c.done || m.Epoch() != c.cfg.Set.Epoch():
		return m.Batch != nil
	case m.Vote != nil:
		v := m.Vote
		if v.View <= root || v.View > c.cur+futureViews || int(v.Signer) >= c.n {
			return false
		}
		if c.heard[v.Signer]+silentViews/2 < v.View {
			return true // late, but it shows who is alive
		}
		w := c.views[v.View]
		return w == nil || !w.votes(v.Kind).Closed() && !w.votes(v.Kind).Has(v)
	case m.Cert != nil:
		if m.Cert.View <= root {
			return false
		}
		w := c.views[m.Cert.View]
		return w == nil || *w.slot(m.Cert.Kind) == nil
	case m.Proposal != nil:
		h := &m.Proposal.Header
		hash := h.Hash()
		if h.View <= root || h.View > c.cur+futureViews && !c.chose(h.View, hash) {
			return false
		}
		b := c.blocks[hash]
		return b == nil || !b.full && len(m.Proposal.Leaves) > 0
	}
	return true
}
