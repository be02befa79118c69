// SPDX-License-Identifier: Apache-2.0

package consensus

import (
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
)

// parent finds the block to build on in the current view (CONS-20), and the
// leaves that justify it. Without a certificate of every view since, it
// returns nil and the view whose certificate is missing; that is 0 if only a
// body or a result is.
func (c *Core) parent() (*block, [][]byte, uint64) {
	var gap [][]byte
	for v := c.cur - 1; v > c.root.view; v-- {
		w := c.views[v]
		if w == nil {
			return nil, nil, v
		}
		if q := w.certificate(); q != nil {
			if b := c.blocks[q.Hash()]; b != nil && c.ready(b) {
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
	first := append([]byte{}, c.cfg.Start.Proof...)
	if c.root.view > 0 {
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
	leader := c.sched.Leader(c.cur)
	if broken(mutLeaderOff) {
		leader = c.sched.Leader(c.cur + 1)
	}
	if !c.signs(c.cur) || leader != c.self || c.building == c.cur || !c.wanted() {
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
	p, just, missing := c.parent()
	if p == nil {
		if missing != 0 && c.certsFor != c.cur {
			c.certsFor = c.cur
			c.ask(FetchCert{From: c.root.view + 1, To: missing})
		}
		return
	}
	c.building = c.cur
	if c.rules.Kind(&p.head, c.cur, c.timeOn(p)) != header.KindNormal {
		c.offer(p, just, nil, 0) // a seal or carrier holds nothing
		return
	}
	c.ask(Build{View: c.cur, Parent: p.hash, ParentHeader: p.head})
}

// timeOn is the time of an own block on p.
func (c *Core) timeOn(p *block) uint64 { return max(c.wall, p.head.TimeMS+1) }

// onBuilt offers the block of the current view.
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
	c.offer(p, just, e.Digests, e.Txs)
}

// offer makes the header, signs the proposal and sends it; the vote for it
// follows (CONS-31).
func (c *Core) offer(p *block, just [][]byte, digests [][32]byte, txs uint64) {
	h := c.header(p, just, digests, txs)
	if h.Kind != header.KindNormal || h.Check() != nil {
		digests = nil // the epoch ended meanwhile, or the driver broke a bound
		h = c.header(p, just, nil, 0)
	}
	c.draw(&h, p)
	prop := msg.SignProposal(h, digests, just, c.cfg.Key)
	b := c.learn(prop, prop.Encode(), h.Hash(), decodeLeaves(just))
	b.held = true
	w := c.at(c.cur)
	w.first = b
	w.own.proposal = prop.Push()
	c.recordBlock(b)
	c.record(RecordPropose, c.cur, b.hash[:])
	c.out.Sync = !broken(mutNoSync)
	c.out.Send = append(c.out.Send, w.own.proposal)
}

// header is the block of the current view on p, but for its VRF.
func (c *Core) header(p *block, just [][]byte, digests [][32]byte, txs uint64) header.Header {
	h := header.Header{
		Version: header.Version, ChainID: c.cfg.ChainID, Epoch: c.cfg.Set.Epoch(), View: c.cur,
		Height: p.head.Height + 1, TimeMS: c.timeOn(p), Parent: p.hash, ParentView: p.view,
		Justification: justification(just), Leader: uint64(c.self), PayloadRoot: header.PayloadRoot(digests),
		Batches: uint64(len(digests)), Txs: txs, StateRoot: p.state, ReceiptsRoot: p.receipts,
		SetHash: c.cfg.Set.Hash(), Beacon: p.head.Beacon, CertifiedMS: p.head.CertifiedMS,
	}
	switch h.Kind = c.rules.Kind(&p.head, h.View, h.TimeMS); h.Kind {
	case header.KindSeal:
		h.NextSet = append([]byte{}, p.next[:]...)
	case header.KindCarrier:
		h.Height, h.StateRoot, h.ReceiptsRoot = p.head.Height, p.head.StateRoot, p.head.ReceiptsRoot
	}
	if h.Certify = c.rules.Certify(&p.head, &h); h.Certify == 1 {
		h.CertifiedMS = h.TimeMS
	}
	return h
}
