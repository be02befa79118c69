// SPDX-License-Identifier: Apache-2.0

package consensus

import (
	"fmt"
	"slices"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
)

// decide makes final whatever a Finalization covers and is complete, in chain
// order (CONS-24).
func (c *Core) decide() {
	hole := false
	c.far = false
	for i := 0; i < len(c.chosen) && c.out.Err == nil && !c.done; i++ {
		fin := c.views[c.chosen[i]].finalization
		if broken(mutNotarizedSeal) && fin == nil {
			if b := c.blocks[c.views[c.chosen[i]].notarization.Hash()]; b != nil && b.head.Kind == header.KindSeal {
				fin = c.views[c.chosen[i]].notarization
			}
		}
		if fin == nil {
			continue
		}
		path, whole := c.path(fin)
		hole = hole || !whole || slices.ContainsFunc(path, func(b *block) bool { return !b.held })
		if !whole {
			if n := len(path); n > 0 && path[n-1].head.Height > c.root.head.Height+syncGap {
				c.far = true
			}
			continue
		}
		before := c.root
		for j := len(path) - 1; j >= 0 && !c.done && c.final(path, j, fin); j-- {
		}
		if c.root != before {
			c.behind = 0
			c.delta = max(c.cfg.Params.DeltaMS, c.delta*7/8)
			i = -1 // the list was pruned
		}
	}
	switch {
	case !hole:
		c.behind = 0
	case c.behind == 0:
		c.behind = max(c.now, 1)
	}
}

// path lists the undecided blocks from the finalized one downwards, as far as
// they are known. It is whole if it ends above the root.
func (c *Core) path(fin *cert.Certificate) ([]*block, bool) {
	var path []*block
	for h := fin.Hash(); h != c.root.hash; {
		b := c.blocks[h]
		if b == nil || !b.full {
			return path, false
		}
		if b.head.ParentView < c.root.view || b.head.Height <= c.root.head.Height {
			c.fail(fmt.Errorf("%w: view %d is final at height %d, view %d at height %d",
				ErrFork, fin.View, b.head.Height, c.root.view, c.root.head.Height))
			return nil, false
		}
		path = append(path, b)
		h = b.head.Parent
	}
	return path, true
}

// final decides path[i], a child of the root, if it was executed. fin finalizes
// path[0]. A seal ends the epoch: what stands on it is never decided.
func (c *Core) final(path []*block, i int, fin *cert.Certificate) bool {
	b := path[i]
	if c.rooted(b) == bad {
		c.fail(fmt.Errorf("%w: height %d has state root %x and receipts root %x, ours are %x and %x", ErrStateMismatch,
			b.head.Height, b.head.StateRoot, b.head.ReceiptsRoot, c.root.state, c.root.receipts))
		return false
	}
	if b.invalid || c.lawful(b) == bad {
		c.fail(fmt.Errorf("%w: a quorum finalized height %d, which breaks our rules", ErrStateMismatch, b.head.Height))
		return false
	}
	if !b.executed {
		return false
	}
	if own := c.views[b.head.View].finalization; own != nil {
		fin = own
	}
	if b.head.Kind == header.KindSeal && i > cert.MaxProofHeaders && fin.Hash() != b.hash {
		c.fail(fmt.Errorf("%w: %d carriers, a proof holds %d; validators must run a program that takes longer proofs",
			ErrFar, i, cert.MaxProofHeaders))
		return false
	}
	c.recordBlock(b)
	d := Decision{Block: b.hash, Header: b.head, Digests: b.prop.Digests, Leaves: b.prop.Leaves, Finalization: fin}
	if b.head.Kind == header.KindSeal {
		d.Proof, c.done = c.sealProof(path, i, fin), true
		d.Leaves = slices.Clone(d.Leaves)
		for up := range d.Proof.Headers {
			d.Leaves = append(d.Leaves, path[i-1-up].prop.Leaves...)
		}
	}
	c.out.Decide = append(c.out.Decide, d)
	if len(c.decided) == keepDecided {
		c.decided = c.decided[1:]
	}
	c.decided = append(c.decided, b)
	c.setRoot(b, c.views[b.head.View].certificate())
	return true
}

// setRoot makes b the root and forgets every view up to it.
func (c *Core) setRoot(b *block, q *cert.Certificate) {
	low := c.root.view + 1
	c.root, c.rootCert = b, q
	var dropped []header.Hash
	for v := low; v <= b.view; v++ {
		w := c.views[v]
		if w == nil {
			continue
		}
		for _, x := range w.blocks {
			if x != b && (x.asked || x.running) {
				dropped = append(dropped, x.hash)
			}
			delete(c.blocks, x.hash)
		}
		delete(c.views, v)
	}
	if len(dropped) > 0 {
		c.ask(Discard{dropped})
	}
	n, _ := slices.BinarySearch(c.chosen, b.view+1)
	c.chosen = slices.Delete(c.chosen, 0, n)
	c.dirty = true
}

// onSynced moves the root to a block of the epoch that the driver has committed
// itself.
func (c *Core) onSynced(r *Root) {
	seal := r.Header.Kind == header.KindSeal
	if r.Header.Height <= c.root.head.Height || r.Header.Epoch != c.cfg.Set.Epoch() || r.Finalization == nil && !seal {
		return
	}
	b := rootBlock(r)
	if known := c.blocks[b.hash]; known != nil {
		b.prop, b.raw = known.prop, known.raw
		known.asked = false // it is the root, nothing to discard
	}
	c.setRoot(b, r.Finalization)
	c.behind = 0
	if c.done = seal; seal {
		return
	}
	if c.newest == nil || r.Finalization.View > c.newest.View {
		c.newest = r.Finalization
	}
	c.beat = c.now
	if c.cur <= b.view {
		c.enter(b.view+1, false)
	}
}

func (c *Core) ask(r Request) { c.out.Requests = append(c.out.Requests, r) }

// request asks for what the rules lack: proposals, bodies, results, or a sync
// when too much is missing. What is not answered is asked for again.
func (c *Core) request() {
	again := c.retryAt != 0 && c.now >= c.retryAt && !broken(mutAskOnce)
	missing := c.catchUp(again)
	for _, v := range c.chosen {
		if broken(mutNoAncestor) && v != c.chosen[len(c.chosen)-1] {
			continue
		}
		w := c.views[v]
		q := w.certificate()
		missing = c.obtain(w, q.Hash(), q, again) || missing
	}
	if w := c.views[c.cur]; w != nil && w.first != nil {
		missing = c.obtain(w, w.first.hash, nil, again) || missing
	}
	switch {
	case !missing:
		c.retryAt = 0
		return
	case c.retryAt == 0 || again:
		c.retryAt = c.now + c.resendEvery()
	}
	c.wait(c.retryAt)
}

// catchUp asks for a sync if a Finalization waits for too many blocks, or for
// too long: peers give single proposals and bodies of recent blocks only. It
// reports whether one is under way.
func (c *Core) catchUp(again bool) bool {
	if c.behind == 0 {
		c.syncing = false
		return false
	}
	at := c.behind + 3*c.cfg.Params.DeltaMS
	if !c.far && c.self >= 0 && c.now < at {
		c.wait(at)
		return false
	}
	if !c.syncing || again {
		c.syncing = true
		c.ask(Sync{Target: c.newest})
	}
	return true
}

// obtain asks for a block of the view: for its proposal, then its body, then its
// result. q is its certificate, nil if it has none yet. It reports whether a
// peer has to answer.
func (c *Core) obtain(w *view, hash header.Hash, q *cert.Certificate, again bool) bool {
	b := c.blocks[hash]
	if b == nil || !b.full {
		if c.far || c.self < 0 {
			return false // sync brings it
		}
		if !w.fetched || again {
			w.fetched = true
			v := c.cur
			if q != nil {
				v = q.View
			}
			c.ask(Fetch{Block: hash, View: v, Proposal: true, Holders: c.holders(q, v)})
		}
		return true
	}
	if b.invalid || c.lawful(b) == bad {
		return false
	}
	if b.head.Kind == header.KindCarrier && !broken(mutRunCarriers) { // nothing to fetch or execute
		c.dirty, b.held = c.dirty || !b.held, true
		return false
	}
	if len(b.prop.Digests) == 0 && !b.held {
		b.held, c.dirty = true, true // nothing to wait for
	}
	if !b.asked || !b.held && again {
		b.asked = true
		c.ask(Fetch{
			Block: b.hash, View: b.head.View, Header: &b.head, Digests: b.prop.Digests, Holders: c.holders(q, b.head.View),
		})
	}
	if b.held && !b.running && c.lawful(b) == good && c.rooted(b) == good {
		b.running = true
		c.ask(Execute{Block: b.hash, Header: &b.head, Digests: b.prop.Digests})
	}
	return !b.held
}

// holders lists who should have a block: its leader, then who signed for it.
func (c *Core) holders(q *cert.Certificate, v uint64) []int {
	l := c.sched.Leader(v)
	var out []int
	if l != c.self {
		out = append(out, l)
	}
	for i := range c.n {
		if i != l && i != c.self && q != nil && q.Has(i) {
			out = append(out, i)
		}
	}
	return out
}

// Proposal returns the proposal of a block, with leaves, for a peer that asks
// for it by hash; nil if it is not held. Undecided and the last 64 decided
// blocks are.
func (c *Core) Proposal(h header.Hash) []byte {
	if b := c.blocks[h]; b != nil && b.full {
		return b.raw
	}
	for _, b := range c.decided {
		if b.hash == h {
			return b.raw
		}
	}
	return nil
}

// Certificates returns, for a peer that asks, the newest Finalization and the
// certificates of the views from to to, as far as held: encoded, at most limit
// bytes together. That of view 0, at the end, is in the proof of the epoch's root: it
// tells who asks that this node has left the epoch before. Cost: one look-up per
// view, at most 4,096.
func (c *Core) Certificates(from, to uint64, limit int) [][]byte {
	var out [][]byte
	add := func(q *cert.Certificate) bool {
		if q == nil {
			return true
		}
		b := q.Encode()
		if limit -= len(b); limit < 0 {
			return false
		}
		out = append(out, b)
		return true
	}
	if !add(c.newest) {
		return out
	}
	start := from == 0
	from, to = max(from, c.root.view+1), min(to, c.cur)
	for v := from; v <= to && v < from+4096; v++ {
		if w := c.views[v]; w != nil && !(add(w.notarization) && add(w.nullification)) {
			break
		}
	}
	if start {
		add(c.startCert())
	}
	return out
}
