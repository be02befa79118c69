// SPDX-License-Identifier: Apache-2.0

package consensus

import (
	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
)

// lawful checks b against its parent: CONS-31 as far as the parent shows it,
// and its leaves as CONS-21 demands. It is open while a piece is missing.
func (c *Core) lawful(b *block) verdict {
	if b.law != open {
		return b.law
	}
	if b.head.ParentView < c.root.head.View {
		b.law = bad // it leaves the final chain
		return bad
	}
	p := c.find(b.head.Parent)
	if p == nil || !b.full {
		return open
	}
	switch v := c.lawful(p); {
	case v != good:
		b.law = v
	case p.head.CheckChild(p.hash, &b.head) != nil || c.rules.Check(&p.head, &b.head) != nil || !justified(b):
		b.law = bad
	default:
		b.law = good
	}
	return b.law
}

// justified checks that the leaves are exactly the parent's certificate and a
// Nullification of each view between (field 9 of CONS-31).
func justified(b *block) bool {
	h := &b.head
	if q := b.leaves[0]; h.ParentView == 0 {
		if q != nil || len(b.prop.Leaves[0]) != 0 {
			return false
		}
	} else if !broken(mutNoParentCheck) &&
		(q == nil || q.Kind == cert.Nullification || q.View != h.ParentView || q.Hash() != h.Parent) {
		return false
	}
	for i, q := range b.leaves[1:] {
		if broken(mutNoGapCheck) {
			break
		}
		if q == nil || q.Kind != cert.Nullification || q.View != h.ParentView+1+uint64(i) {
			return false
		}
	}
	return true
}

// rooted reports whether both roots in b's header are our own result of the
// parent (CONS-21). It is open until the parent was executed.
func (c *Core) rooted(b *block) verdict {
	p := c.find(b.head.Parent)
	switch {
	case p == nil || !p.executed:
		return open
	case broken(mutNoRootCheck) || p.state == b.head.StateRoot && p.receipts == b.head.ReceiptsRoot:
		return good
	}
	return bad
}

// voteNotarize is CONS-21 for the current view.
func (c *Core) voteNotarize() {
	w := c.views[c.cur]
	if c.self < 0 || w == nil || w.first == nil || w.own.notarize != nil || w.own.nullify != nil || w.own.finalize != nil {
		return
	}
	b := w.first
	if !b.held || c.lawful(b) != good || c.rooted(b) != good {
		return
	}
	if p := &c.cfg.Params; b.head.TimeMS > c.wall+p.DriftMS {
		c.wait(c.now + b.head.TimeMS - c.wall - p.DriftMS)
		return
	} else if b.head.TimeMS+p.LagMS < c.wall {
		return
	}
	c.recordBlock(b)
	w.own.notarized = b.hash
	c.cast(cert.Notarize, c.cur, b.hash[:])
}

// voteFinalize is CONS-22 for every undecided view with a Notarization.
func (c *Core) voteFinalize() {
	if c.self < 0 {
		return
	}
	for _, v := range c.chosen {
		w := c.views[v]
		if w.notarization == nil || w.own.finalize != nil ||
			w.own.nullify != nil && !broken(mutFinalizeNull) ||
			w.own.notarize != nil && w.own.notarized != w.notarization.Hash() && !broken(mutFinalizeOther) {
			continue
		}
		b := c.blocks[w.notarization.Hash()]
		if b == nil {
			continue
		}
		if c.recordChain(b) {
			c.cast(cert.Finalize, v, b.hash[:])
		}
	}
}

// recordChain records b and its undecided ancestors, if all are lawful and
// their bodies held; else it does nothing and reports false.
func (c *Core) recordChain(b *block) bool {
	path := []*block{}
	for x := b; x != c.root; x = c.find(x.head.Parent) {
		if x == nil || c.lawful(x) != good || !x.held && !broken(mutNoBody) {
			return false
		}
		path = append(path, x)
	}
	if c.rooted(b) == bad {
		return false
	}
	for i := len(path) - 1; i >= 0; i-- {
		c.recordBlock(path[i])
	}
	return true
}

// recordBlock appends a block once. The driver puts its batches before it.
func (c *Core) recordBlock(b *block) {
	if !b.recorded && b.held {
		b.recorded = true
		c.record(RecordBlock, b.head.View, b.raw)
	}
}

// cast signs, records, sends and counts an own vote. Callers have checked that
// the rules allow it and that the view has none of that kind.
func (c *Core) cast(k cert.Kind, v uint64, block []byte) {
	vote := msg.SignVote(c.cfg.ChainID, k, c.cfg.Set.Epoch(), v, block, c.self, c.cfg.Key)
	raw := vote.Encode()
	*c.at(v).signed(k) = raw
	c.record(voteRecord(k), v, raw)
	c.out.Sync = !broken(mutNoSync)
	c.out.Send = append(c.out.Send, raw)
	c.hear(c.self, v)
	c.resendAt = max(c.resendAt, c.now+c.resendEvery())
	c.dirty = true
	c.count(vote)
}

func voteRecord(k cert.Kind) RecordKind {
	switch k {
	case cert.Notarize:
		return RecordNotarize
	case cert.Nullify:
		return RecordNullify
	}
	return RecordFinalize
}

// parent finds the block to build on in the current view (CONS-20), and the
// leaves that justify it. Without a certificate of every view since, it
// returns nil and the view whose certificate is missing; that is 0 if only a
// body or a result is.
func (c *Core) parent() (*block, [][]byte, uint64) {
	var gap [][]byte
	for v := c.cur - 1; v > c.root.head.View; v-- {
		w := c.views[v]
		if w == nil {
			return nil, nil, v
		}
		if q := w.certificate(); q != nil {
			b := c.blocks[q.Hash()]
			if b != nil && b.held && b.executed && c.lawful(b) == good {
				return b, leaves(q.Encode(), gap), 0
			}
		}
		if w.nullification == nil {
			if w.certificate() == nil {
				return nil, nil, v
			}
			return nil, nil, 0
		}
		gap = append(gap, w.nullification.Encode())
	}
	first := []byte{}
	if c.rootCert != nil {
		first = c.rootCert.Encode()
	}
	return c.root, leaves(first, gap), 0
}

// leaves puts the parent's certificate before the gap, which is given newest
// view first.
func leaves(first []byte, gap [][]byte) [][]byte {
	out := [][]byte{first}
	for i := len(gap) - 1; i >= 0; i-- {
		out = append(out, gap[i])
	}
	return out
}

// propose asks the driver for batches when the current view is ours and the
// network wants a block (CONS-20, CONS-33, CONS-53).
func (c *Core) propose() {
	if c.self < 0 || c.sched.Leader(c.cur) != c.self || c.building == c.cur || !c.wanted() {
		return
	}
	w := c.at(c.cur)
	if w.own.proposal != nil || w.own.nullify != nil {
		return
	}
	if at := c.start + c.cfg.Params.PaceMS; c.start != 0 && c.now < at {
		c.wait(at)
		return
	}
	p, _, missing := c.parent()
	if p == nil {
		if missing != 0 && c.certsFor != c.cur {
			c.certsFor = c.cur
			c.ask(FetchCert{From: c.root.head.View + 1, To: missing})
		}
		return
	}
	c.building = c.cur
	c.ask(Build{View: c.cur, Parent: p.hash, ParentHeader: p.head})
}

// onBuilt makes the header, signs the proposal and votes for it (CONS-31).
func (c *Core) onBuilt(e Built) {
	w := c.at(c.cur)
	if e.View != c.cur || c.building != c.cur || w.own.proposal != nil || w.own.nullify != nil {
		return
	}
	p, just, _ := c.parent()
	if p == nil || p.hash != e.Parent {
		c.building = 0 // a better parent came meanwhile: ask again
		c.dirty = true
		return
	}
	h := header.Header{
		Version: header.Version, ChainID: c.cfg.ChainID, Epoch: c.cfg.Set.Epoch(), View: c.cur,
		Height: p.head.Height + 1, TimeMS: max(c.wall, p.head.TimeMS+1), Parent: p.hash, ParentView: p.head.View,
		Justification: justification(just), Leader: uint64(c.self), PayloadRoot: header.PayloadRoot(e.Digests),
		Batches: uint64(len(e.Digests)), Txs: e.Txs, StateRoot: p.state, ReceiptsRoot: p.receipts,
		SetHash: c.cfg.Set.Hash(), Beacon: p.head.Beacon, CertifiedMS: p.head.CertifiedMS,
	}
	if h.Check() != nil {
		e.Digests, e.Txs = nil, 0 // the driver broke a bound: an empty block
		h.Batches, h.Txs, h.PayloadRoot = 0, 0, header.PayloadRoot(nil)
	}
	prop := msg.SignProposal(h, e.Digests, just, c.cfg.Key)
	b := c.learn(prop, prop.Encode(), h.Hash(), decodeLeaves(just))
	b.held = true
	w.first = b
	w.own.proposal = prop.Push()
	c.recordBlock(b)
	c.record(RecordPropose, c.cur, b.hash[:])
	c.out.Sync = !broken(mutNoSync)
	c.out.Send = append(c.out.Send, w.own.proposal)
}
