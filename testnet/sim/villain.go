// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/msg"
)

// outgoing is a frame and who gets it: nil for everybody.
type outgoing struct {
	frame []byte
	keep  func(to *machine) bool
}

// twist is what a machine really sends when its driver sends a frame.
func (m *machine) twist(p *process, frame []byte, own bool) []outgoing {
	d, err := msg.Decode(frame)
	honest := []outgoing{{frame: frame}}
	switch {
	case err != nil:
		return honest
	case m.fault == Withhold && d.Batch != nil:
		return []outgoing{{frame, func(to *machine) bool { return m.s.dice("withhold", frame, uint64(to.id)).IntN(2) == 0 }}}
	case m.fault == Equivocate && own:
		m.s.count("lie")
		return append(honest, m.lie(p, d, frame)...)
	}
	return honest
}

// lie adds to an own word what it excludes: another proposal for half of the
// others, votes for it, and a Nullify of what was finalized.
func (m *machine) lie(p *process, d *msg.Message, frame []byte) (out []outgoing) {
	set := p.chain.Set()
	self := set.Index(m.vote.Public())
	if self < 0 || d.Epoch() != set.Epoch() {
		return nil
	}
	vote := func(kind cert.Kind, view uint64, block []byte) {
		v := msg.SignVote(m.s.w.ID, kind, set.Epoch(), view, block, self, m.vote)
		out = append(out, outgoing{v.Encode(), func(to *machine) bool {
			return m.s.dice("lie", frame, uint64(to.id), uint64(kind)).IntN(3) > 0
		}})
	}
	switch {
	case d.Proposal != nil && int(d.Proposal.Header.Leader) == self:
		a := *d.Proposal
		h := a.Header
		h.TimeMS++
		b := msg.SignProposal(h, a.Digests, a.Leaves, m.vote)
		out = append(out, outgoing{b.Encode(), func(to *machine) bool { return to.id%2 == 0 }})
		hash := h.Hash()
		vote(cert.Notarize, h.View, hash[:])
		vote(cert.Finalize, h.View, hash[:])
	case d.Vote != nil && d.Vote.Kind == cert.Notarize:
		vote(cert.Finalize, d.Vote.View, d.Vote.Block)
	case d.Vote != nil && d.Vote.Kind == cert.Finalize:
		vote(cert.Nullify, d.Vote.View, nil)
	}
	return out
}
