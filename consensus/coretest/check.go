// SPDX-License-Identifier: Apache-2.0

package coretest

import (
	"bytes"
	"errors"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/evidence"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
)

// I14-live: honest-led views between the last transaction and its finality.
const liveViews = 6

// afterStep asserts what can be seen in the core (I8, I13).
func (b *book) afterStep(n *Node, before uint64) {
	s, view := n.s, n.core.View()
	if view < before || view < n.lowest {
		s.fail("I8-view-mono", "node %s went from view %d to %d, and had spoken in %d", n.name, before, view, n.lowest)
	}
	st := n.core.Stats()
	_, root := n.core.Root()
	span := view + 257
	if root.Epoch == n.ep.number {
		span -= root.View
	}
	if n.core.Sealed() {
		return
	}
	if uint64(st.Views) > span || uint64(st.Votes) > 6*span*uint64(n.ep.set.Len()) || uint64(st.Blocks) > 4*span {
		s.fail("I13-bounded", "node %s holds %+v in a span of %d views", n.name, st, span)
	}
	if st.Stray > 0 {
		s.fail("I13-bounded", "node %s holds %d views far ahead of view %d", n.name, st.Stray, view)
	}
}

// stopped reads the reason for which an honest core gave up.
func (b *book) stopped(n *Node, err error) {
	switch {
	case errors.Is(err, consensus.ErrStateMismatch):
		n.s.fail("I11-root", "node %s: %v", n.name, err)
	case errors.Is(err, consensus.ErrFork):
		n.s.fail("I1-agree", "node %s: %v", n.name, err)
	case errors.Is(err, consensus.ErrTwin):
		n.s.fail("I6-durable", "node %s: %v", n.name, err)
	default:
		n.s.fail("stopped", "node %s: %v", n.name, err)
	}
}

// relayed asserts that what may overtake the disk holds no own signature.
func (b *book) relayed(n *Node, raw []byte) {
	v, err := n.s.verify(raw)
	if err != nil {
		n.s.fail("I9-quorum", "node %s relays: %v", n.name, err)
	} else if !n.twin && signedBy(v, n.ep.index(n.who)) {
		n.s.fail("I6-durable", "node %s relays its own signature: %s", n.name, n.s.describe(v))
	}
}

// sent asserts everything about a message that may hold an own signature.
func (b *book) sent(n *Node, raw []byte) {
	if n.twin {
		return
	}
	v, err := n.s.verify(raw)
	if err != nil {
		n.s.fail("I9-quorum", "node %s sends: %v", n.name, err)
		return
	}
	switch m := v.Message(); {
	case m.Vote != nil:
		b.vote(n, m)
	case m.Proposal != nil:
		at := placeOf(&m.Proposal.Header)
		b.proved(n, at.epoch)
		b.say(n, cert.Proposal, at, hashBytes(v.Hash()))
		if !b.onDisk(n, consensus.RecordPropose, at, nil) {
			n.s.fail("I6-durable", "node %s sends before the disk: %s", n.name, n.s.describe(v))
		}
	case m.Cert != nil && m.Cert.Epoch == n.ep.number && m.Cert.Has(n.index):
		at := place{m.Cert.Epoch, m.Cert.View}
		if at.above(n.rootPlace()) && !n.muted(at) && !b.onDisk(n, recordOf(m.Cert.Kind.Vote()), at, nil) {
			n.s.fail("I6-durable", "node %s sends before the disk: %s", n.name, n.s.describe(v))
		}
	}
}

func hashBytes(h header.Hash) []byte { return h[:] }

func recordOf(k cert.Kind) consensus.RecordKind {
	switch k {
	case cert.Notarize:
		return consensus.RecordNotarize
	case cert.Nullify:
		return consensus.RecordNullify
	}
	return consensus.RecordFinalize
}

// rootPlace is where the last final block stands, view 0 for a root of the epoch.
func (n *Node) rootPlace() place {
	if h := &n.last().root.Header; h.Epoch == n.ep.number {
		return placeOf(h)
	}
	return place{n.ep.number, 0}
}

// safePlace is the last final block on stable storage. A restart begins above it,
// so the log may have let go of what stands there or below.
func (n *Node) safePlace() place { return placeOf(&n.db[n.safe-1].root.Header) }

// muted reports whether the node has lost what it said there.
func (n *Node) muted(at place) bool { return n.bound.view > 0 && !at.above(n.bound) }

// proved asserts I12 for a node that speaks in an epoch: the seal before was
// really finalized, itself or a carrier above it.
func (b *book) proved(n *Node, epoch uint64) {
	if epoch == 0 {
		return
	}
	p, err := cert.DecodeProof(n.s.epochs[epoch].proof)
	if err != nil {
		n.s.fail("I12-epoch", "epoch %d started without a proof: %v", epoch, err)
		return
	}
	q := &p.Finalization
	b.quorum(n, ballot{cert.Finalize, place{q.Epoch, q.View}, q.Hash()}, "I12-epoch")
}

// say writes down an own word and asserts that it was never another.
func (b *book) say(n *Node, k cert.Kind, at place, block []byte) {
	w := word{n.who, k, at}
	if old, ok := b.words[w]; ok && !bytes.Equal(old, block) {
		n.s.fail("I2-one-notarize", "node %s says two things as %v of view %d", n.name, k, at.view)
	}
	if n.muted(at) {
		n.s.fail("I10-no-self-evidence", "node %s says %v of view %d, and may not up to view %d", n.name, k, at.view, n.bound.view)
	}
	b.words[w] = append([]byte{}, block...)
}

// vote asserts I2 to I7 for an own vote that leaves.
func (b *book) vote(n *Node, m *msg.Message) {
	s, v := n.s, m.Vote
	if int(v.Signer) != n.index {
		s.fail("I10-no-self-evidence", "node %s signs as %d", n.name, v.Signer)
		return
	}
	at := place{v.Epoch, v.View}
	b.proved(n, v.Epoch)
	b.say(n, v.Kind, at, v.Block)
	note, noted := b.words[word{n.who, cert.Notarize, at}]
	_, nulled := b.words[word{n.who, cert.Nullify, at}]
	final, finaled := b.words[word{n.who, cert.Finalize, at}]
	switch {
	case nulled && finaled:
		s.fail("I3-null-xor-final", "node %s nullifies and finalizes view %d", n.name, v.View)
	case noted && finaled && !bytes.Equal(note, final):
		s.fail("I4-note-final", "node %s notarizes %s and finalizes %s in view %d", n.name,
			s.Name(header.Hash(note)), s.Name(header.Hash(final)), v.View)
	case at.above(n.safePlace()) && !b.onDisk(n, recordOf(v.Kind), at, m.Bytes()):
		s.fail("I6-durable", "node %s sends before the disk: %v of view %d", n.name, v.Kind, v.View)
	}
	if v.Kind != cert.Finalize {
		n.lowest = max(n.lowest, v.View)
	}
	switch v.Kind {
	case cert.Notarize:
		b.justified(n, v)
	case cert.Finalize:
		b.count(ballot{v.Kind, at, v.Hash()}, n.index)
		b.quorum(n, ballot{cert.Notarize, at, v.Hash()}, "I5-justified")
		b.durable(n, v.Hash())
	}
}

// onDisk looks for a synced record of a kind and place, with data if not nil.
func (b *book) onDisk(n *Node, k consensus.RecordKind, at place, data []byte) bool {
	for i := len(n.log) - 1; i >= 0; i-- {
		r, err := consensus.DecodeRecord(n.log[i])
		if err == nil && r.Kind == k && r.View == at.view && r.Epoch == at.epoch && (data == nil || bytes.Equal(r.Data, data)) {
			return true
		}
	}
	return false
}

// quorum asserts that votes of power q were really cast.
func (b *book) quorum(n *Node, k ballot, invariant string) {
	power, set := uint64(0), n.s.epochs[k.epoch].set
	for i := range set.Len() {
		if b.votes[k][i] {
			power += set.Power(i)
		}
	}
	if power < set.Quorum() {
		n.s.fail(invariant, "node %s relies on %v of view %d for %s with power %d of %d", n.name, k.kind, k.view,
			n.s.Name(k.block), power, set.Quorum())
	}
}

// justified asserts I5 for a Notarize by the words of CONS-21: the parent was
// notarized and every view between was nullified.
func (b *book) justified(n *Node, v *msg.Vote) {
	p := b.blocks[v.Hash()]
	if p == nil {
		n.s.fail("I5-justified", "node %s notarizes a block that nobody has proposed", n.name)
		return
	}
	h := &p.Header
	if h.ParentView > 0 {
		b.quorum(n, ballot{cert.Notarize, place{h.Epoch, h.ParentView}, h.Parent}, "I5-justified")
	} else if h.Parent != n.s.epochs[h.Epoch].root.Hash() {
		n.s.fail("I5-justified", "node %s notarizes %s on an unknown root", n.name, n.s.Name(v.Hash()))
	}
	if e := n.s.epochs[h.Epoch]; h.ParentView == 0 && e.number > 0 && len(p.Leaves) > 0 {
		q, err := cert.DecodeProof(p.Leaves[0])
		if err == nil {
			err = q.Verify(e.before, n.s.chainID, &e.root)
		}
		if err != nil {
			n.s.fail("I5-justified", "node %s notarizes %s on an epoch's root without its proof: %v", n.name, n.s.Name(v.Hash()), err)
		}
	}
	for w := h.ParentView + 1; w < h.View; w++ {
		b.quorum(n, ballot{cert.Nullify, place{h.Epoch, w}, header.Hash{}}, "I5-justified")
	}
}

// durable asserts I7: the block and its ancestors down to the database are on
// stable storage, with their bodies.
func (b *book) durable(n *Node, h header.Hash) {
	safe := n.db[n.safe-1].root.Header.Height
	for {
		p := b.blocks[h]
		if p == nil || p.Header.Height <= safe {
			return
		}
		found := false
		for i := len(n.log) - 1; i >= 0 && !found; i-- {
			r, err := consensus.DecodeRecord(n.log[i])
			if err != nil || r.Kind != consensus.RecordBlock || r.View != p.Header.View || r.Epoch != p.Header.Epoch {
				continue
			}
			m, err := msg.Decode(r.Data)
			found = err == nil && m.Proposal.Header.Hash() == h
		}
		if !found {
			n.s.fail("I7-body", "node %s finalizes on %s without its body on disk", n.name, n.s.Name(h))
			return
		}
		h = p.Header.Parent
	}
}

// decided asserts a decision: in order, proven, agreed (I1, I9, I11).
func (b *book) decided(n *Node, d *consensus.Decision) {
	s := n.s
	if d.Header.Parent != n.last().root.Header.Hash() || d.Header.Hash() != d.Block {
		s.fail("I1-agree", "node %s decides %s out of order", n.name, s.Name(d.Block))
		return
	}
	if _, err := s.verify(d.Finalization.Encode()); err != nil || d.Finalization.View < d.Header.View {
		s.fail("I9-quorum", "node %s decides %s: %v", n.name, s.Name(d.Block), err)
	}
	for _, tx := range d.Digests {
		if !n.bodies[tx] {
			s.fail("I7-body", "node %s decides %s without its body", n.name, s.Name(d.Block))
		}
		if _, ok := b.tellers[tx]; !ok {
			b.tellers[tx] = place{d.Finalization.Epoch, d.Finalization.View}
		}
	}
	if !withLeaves(d) {
		s.fail("CONS-47", "node %s decides %s without its justification", n.name, s.Name(d.Block))
	}
	switch d.Header.Kind {
	case header.KindCarrier:
		s.fail("I12-epoch", "node %s decides a carrier", n.name)
	case header.KindSeal:
		n.sealed(&commit{root: consensus.Root{Header: d.Header}, proof: d.Proof})
	}
	b.final(n, d.Block, &d.Header)
}

// withLeaves reports whether a decision brings what its header commits to, and then
// what those of the carriers do that prove it.
func withLeaves(d *consensus.Decision) bool {
	heads, leaves := []header.Header{d.Header}, d.Leaves
	if d.Proof != nil {
		heads = append(heads, d.Proof.Headers...)
	}
	for i := range heads {
		n := heads[i].View - heads[i].ParentView
		if n > uint64(len(leaves)) || merkle.Root(leaves[:n]) != heads[i].Justification {
			return false
		}
		leaves = leaves[n:]
	}
	return len(leaves) == 0
}

// sealed asserts that a node ends its epoch with a proof (I12).
func (n *Node) sealed(c *commit) {
	h := &c.root.Header
	if c.proof == nil {
		n.s.fail("I12-epoch", "node %s ends epoch %d without a proof", n.name, h.Epoch)
		return
	}
	q := &c.proof.Finalization
	if err := c.proof.Verify(n.ep.set, n.s.chainID, h); err != nil {
		n.s.fail("I12-epoch", "node %s ends epoch %d: %v", n.name, h.Epoch, err)
		return
	}
	n.s.book.quorum(n, ballot{cert.Finalize, place{q.Epoch, q.View}, q.Hash()}, "I12-epoch")
	n.ep.last = max(n.ep.last, q.View)
}

// final asserts that a height has one block, that its header carries the roots
// of its parent, that a seal names the set that its state elects, and that the
// beacon is what the leader draws.
func (b *book) final(n *Node, block header.Hash, h *header.Header) {
	if old, ok := b.chain[h.Height]; ok && old != block && !n.twin {
		n.s.fail("I1-agree", "height %d is %s and, for node %s, %s", h.Height, n.s.Name(old), n.name, n.s.Name(block))
	} else if ok && old == block {
		return
	}
	if !n.twin {
		b.chain[h.Height] = block
	}
	r, e := b.result(h.Parent), n.s.epochs[h.Epoch]
	if r.state != h.StateRoot || r.receipts != h.ReceiptsRoot {
		n.s.fail("I11-root", "height %d is final with roots that its parent does not have", h.Height)
	}
	if h.Kind == header.KindSeal && r.next.set.Hash() != [32]byte(h.NextSet) {
		n.s.fail("I12-epoch", "height %d is a seal with a set that its state does not elect", h.Height)
	}
	if h.Height > 0 {
		b.beacon(n, h, r.waiting, e)
	}
}

// beacon is CONS-35 by its words, with the secret of the leader.
func (b *book) beacon(n *Node, h *header.Header, waiting bool, e *epoch) {
	parent := &n.last().root.Header
	want := parent.Beacon
	if n.s.Keys && (waiting || h.Height%64 == 0 || h.Kind == header.KindSeal) {
		_, beta := n.s.people[e.who[h.Leader]].vrf.Prove(keys.Dom("beacon", h.ChainID, h.Epoch, h.View, parent.Beacon))
		want = keys.Sum("random", parent.Beacon, beta)
	}
	if h.Beacon != want {
		n.s.fail("beacon", "height %d has a beacon that its leader does not draw", h.Height)
	}
}

// accused asserts that evidence names a faulty validator.
func (b *book) accused(n *Node, c consensus.Conflict) {
	who := 0
	if c.A.Vote != nil {
		who = int(c.A.Vote.Signer)
	} else {
		who = int(c.A.Proposal.Header.Leader)
	}
	who = n.s.epochs[c.A.Epoch()].who[who]
	if !b.blamed[who] {
		b.blamed[who] = true
		n.s.trace("%d ms: %s: evidence against %d", n.s.now, n.name, who)
	}
	if n.s.people[who].fault == Honest {
		n.s.fail("I10-no-self-evidence", "node %s has evidence against honest %d", n.name, who)
	}
	e := n.s.epochs[c.A.Epoch()]
	for _, ev := range evidence.Pair(e.set, c.A, c.B) {
		n.s.accuse(e, &ev)
	}
}

// atEnd asserts liveness: the last transaction is final everywhere, soon
// enough, and then the network rests.
func (s *Sim) atEnd() {
	b := &s.book
	at, ok := b.tellers[b.goal]
	if !ok {
		s.fail("I14-live", "a transaction after healing never became final; heights %v", s.Heights())
		return
	}
	if led, most := s.ledByHonest(b.goalAt, at), liveViews*int(1+at.epoch-b.goalAt.epoch); led > most {
		s.fail("I14-live", "%d honest leaders, more than %d, between view %d of epoch %d and finality in view %d of epoch %d",
			led, most, b.goalAt.view, b.goalAt.epoch, at.view, at.epoch)
	}
	for _, n := range s.nodes {
		if n.twin {
			continue
		}
		for _, c := range n.db {
			for _, tx := range c.digests {
				ok = ok && tx != b.goal
			}
		}
		if ok {
			s.fail("I14-live", "node %s stands at height %d without the last transaction; heights %v", n.name, n.Height(), s.Heights())
			return
		}
		ok = true
	}
}

// ledByHonest counts the views between two places that are led by somebody who
// is neither faulty nor has lost its log.
func (s *Sim) ledByHonest(from, to place) (led int) {
	for e := from.epoch; e <= to.epoch; e++ {
		x, low, high := s.epochs[e], uint64(1), s.epochs[e].last+1
		if e == from.epoch {
			low = from.view + 1
		}
		if e == to.epoch {
			high = to.view
		}
		for v := low; v < high; v++ {
			if !s.people[x.who[x.sched.Leader(v)]].weak() {
				led++
			}
		}
	}
	return led
}

// Heights lists the heights of all nodes.
func (s *Sim) Heights() []uint64 {
	var out []uint64
	for _, n := range s.nodes {
		out = append(out, n.Height())
	}
	return out
}
