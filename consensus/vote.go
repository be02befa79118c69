// SPDX-License-Identifier: Apache-2.0

package consensus

import (
	"bytes"

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
	if b.head.ParentView < c.root.view {
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
	case p.head.CheckChild(p.hash, &b.head) != nil || c.rules.Check(&p.head, &b.head) != nil || !c.drawn(p, &b.head) || !c.justified(b):
		b.law = bad
	default:
		b.law = good
	}
	return b.law
}

// justified checks that the leaves are exactly the parent's certificate and a
// Nullification of each view between (field 9 of CONS-31).
func (c *Core) justified(b *block) bool {
	h := &b.head
	if q := b.leaves[0]; h.ParentView == 0 {
		if !c.startsWith(b.prop.Leaves[0]) {
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

// rooted reports whether what b's header says of the state after its parent is
// our own result: both roots (CONS-21), the next set in a seal (CONS-40), and
// whether a VRF is due (CONS-35). It is open until the parent was executed. A
// carrier repeats the roots of its seal.
func (c *Core) rooted(b *block) verdict {
	p, h := c.find(b.head.Parent), &b.head
	switch {
	case p == nil:
		return open
	case c.carries(p):
		return c.rooted(p)
	case !p.executed:
		return open
	case broken(mutNoRootCheck):
		return good
	case p.state == h.StateRoot && p.receipts == h.ReceiptsRoot && (len(h.VRF) > 0) == c.rules.Draw(h, p.waiting) &&
		(h.Kind != header.KindSeal || broken(mutNextSet) || bytes.Equal(h.NextSet, p.next[:])):
		return good
	}
	return bad
}

// signs reports whether this key may sign anything of a view (CONS-45).
func (c *Core) signs(v uint64) bool {
	return c.self >= 0 && (v > c.cfg.NoSignUpTo || broken(mutNoGuard))
}

// abandons reports whether Nullify alone may be signed of a view, which this key
// otherwise passes over in silence (CONS-45).
func (c *Core) abandons(v uint64) bool {
	return c.self >= 0 && !c.signs(v) && c.cfg.NullifyFrom > 0 && v >= c.cfg.NullifyFrom
}

// voteNotarize is CONS-21 for the current view.
func (c *Core) voteNotarize() {
	w := c.views[c.cur]
	if !c.signs(c.cur) || w == nil || w.first == nil || w.own.notarize != nil || w.own.nullify != nil || w.own.finalize != nil {
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
	c.cast(cert.Notarize, c.cur, b)
}

// voteFinalize is CONS-22 for every undecided view with a Notarization.
func (c *Core) voteFinalize() {
	if c.self < 0 {
		return
	}
	for _, v := range c.chosen {
		w := c.views[v]
		if !c.signs(v) && !broken(mutLateVote) || w.notarization == nil || w.own.finalize != nil ||
			w.own.nullify != nil && !broken(mutFinalizeNull) ||
			w.own.notarize != nil && w.own.notarized != w.notarization.Hash() && !broken(mutFinalizeOther) {
			continue
		}
		b := c.blocks[w.notarization.Hash()]
		if b == nil {
			continue
		}
		if c.recordChain(b) {
			c.cast(cert.Finalize, v, b)
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

// cast signs, records, sends and counts an own vote for b, nil in a Nullify.
// Callers have checked that the rules allow it and that the view has none of that
// kind. A Finalize of a certified block carries a share (CONS-32).
func (c *Core) cast(k cert.Kind, v uint64, b *block) {
	var hash []byte
	if b != nil {
		hash = b.hash[:]
	}
	epoch, vote := c.cfg.Set.Epoch(), (*msg.Vote)(nil)
	if k == cert.Finalize && b.head.Certify == 1 {
		vote = msg.SignShare(c.cfg.ChainID, epoch, v, hash, c.self, c.cfg.Key, c.cfg.BLS)
	} else {
		vote = msg.SignVote(c.cfg.ChainID, k, epoch, v, hash, c.self, c.cfg.Key)
	}
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
