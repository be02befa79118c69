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
	span := view - root.View + 257
	if uint64(st.Views) > span || uint64(st.Votes) > 6*span*uint64(s.set.Len()) || uint64(st.Blocks) > 4*span {
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
	} else if !n.twin && signedBy(v, n.index) {
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
		b.say(n, cert.Proposal, m.Proposal.Header.View, hashBytes(v.Hash()))
		if !b.onDisk(n, consensus.RecordPropose, m.Proposal.Header.View, nil) {
			n.s.fail("I6-durable", "node %s sends before the disk: %s", n.name, n.s.describe(v))
		}
	case m.Cert != nil && m.Cert.Has(n.index) && m.Cert.View > n.last().root.Header.View:
		if !b.onDisk(n, recordOf(m.Cert.Kind.Vote()), m.Cert.View, nil) {
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

// say writes down an own word and asserts that it was never another.
func (b *book) say(n *Node, k cert.Kind, view uint64, block []byte) {
	w := word{n.index, k, view}
	if old, ok := b.words[w]; ok && !bytes.Equal(old, block) {
		n.s.fail("I2-one-notarize", "node %s says two things as %v of view %d", n.name, k, view)
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
	b.say(n, v.Kind, v.View, v.Block)
	note, noted := b.words[word{n.index, cert.Notarize, v.View}]
	_, nulled := b.words[word{n.index, cert.Nullify, v.View}]
	final, finaled := b.words[word{n.index, cert.Finalize, v.View}]
	switch {
	case nulled && finaled:
		s.fail("I3-null-xor-final", "node %s nullifies and finalizes view %d", n.name, v.View)
	case noted && finaled && !bytes.Equal(note, final):
		s.fail("I4-note-final", "node %s notarizes %s and finalizes %s in view %d", n.name,
			s.Name(header.Hash(note)), s.Name(header.Hash(final)), v.View)
	case !b.onDisk(n, recordOf(v.Kind), v.View, m.Bytes()):
		s.fail("I6-durable", "node %s sends before the disk: %v of view %d", n.name, v.Kind, v.View)
	}
	if v.Kind != cert.Finalize {
		n.lowest = max(n.lowest, v.View)
	}
	switch v.Kind {
	case cert.Notarize:
		b.justified(n, v)
	case cert.Finalize:
		b.count(ballot{v.Kind, v.View, v.Hash()}, n.index)
		b.quorum(n, ballot{cert.Notarize, v.View, v.Hash()}, "I5-justified")
		b.durable(n, v.Hash())
	}
}

// onDisk looks for a synced record of a kind and view, with data if not nil.
func (b *book) onDisk(n *Node, k consensus.RecordKind, view uint64, data []byte) bool {
	for i := len(n.log) - 1; i >= 0; i-- {
		r, err := consensus.DecodeRecord(n.log[i])
		if err == nil && r.Kind == k && r.View == view && (data == nil || bytes.Equal(r.Data, data)) {
			return true
		}
	}
	return false
}

// quorum asserts that votes of power q were really cast.
func (b *book) quorum(n *Node, k ballot, invariant string) {
	power := uint64(0)
	for i := range n.s.set.Len() {
		if b.votes[k][i] {
			power += n.s.set.Power(i)
		}
	}
	if power < n.s.set.Quorum() {
		n.s.fail(invariant, "node %s relies on %v of view %d for %s with power %d of %d", n.name, k.kind, k.view,
			n.s.Name(k.block), power, n.s.set.Quorum())
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
		b.quorum(n, ballot{cert.Notarize, h.ParentView, h.Parent}, "I5-justified")
	} else if h.Parent != b.genesis {
		n.s.fail("I5-justified", "node %s notarizes %s on an unknown root", n.name, n.s.Name(v.Hash()))
	}
	for w := h.ParentView + 1; w < h.View; w++ {
		b.quorum(n, ballot{cert.Nullify, w, header.Hash{}}, "I5-justified")
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
			if err != nil || r.Kind != consensus.RecordBlock || r.View != p.Header.View {
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
			b.tellers[tx] = d.Finalization.View
		}
	}
	b.final(n, d.Block, &d.Header)
}

// final asserts that a height has one block and that its header carries the
// roots of its parent.
func (b *book) final(n *Node, block header.Hash, h *header.Header) {
	if old, ok := b.chain[h.Height]; ok && old != block && !n.twin {
		n.s.fail("I1-agree", "height %d is %s and, for node %s, %s", h.Height, n.s.Name(old), n.name, n.s.Name(block))
	}
	if !n.twin {
		b.chain[h.Height], b.views[h.Height] = block, h.View
	}
	if r := b.results[h.Parent]; r != [2][32]byte{h.StateRoot, h.ReceiptsRoot} {
		n.s.fail("I11-root", "height %d is final with roots that its parent does not have", h.Height)
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
	if !b.blamed[who] {
		b.blamed[who] = true
		n.s.trace("%d ms: %s: evidence against %d", n.s.now, n.name, who)
	}
	if n.s.faults[who] == Honest {
		n.s.fail("I10-no-self-evidence", "node %s has evidence against honest %d", n.name, who)
	}
	for _, e := range evidence.Pair(n.s.set, c.A, c.B) {
		n.s.accuse(&e)
	}
}

// atEnd asserts liveness: the last transaction is final everywhere, soon
// enough, and then the network rests.
func (s *Sim) atEnd() {
	b := &s.book
	view, ok := b.tellers[b.goal]
	if !ok {
		s.fail("I14-live", "a transaction after healing never became final; heights %v", s.Heights())
		return
	}
	led := 0
	for v := b.goalView + 1; v < view; v++ {
		if s.faults[s.sched.Leader(v)] == Honest {
			led++
		}
	}
	if led > liveViews {
		s.fail("I14-live", "%d honest leaders between view %d and finality in view %d", led, b.goalView, view)
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

// Heights lists the heights of all nodes.
func (s *Sim) Heights() []uint64 {
	var out []uint64
	for _, n := range s.nodes {
		out = append(out, n.Height())
	}
	return out
}
