// SPDX-License-Identifier: Apache-2.0

package coretest

import (
	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/msg"
)

// echo is how a colluding validator reacts: it signs whatever anybody signs, so
// that each side of a partition gets its quorum.
func (x *villain) echo(v msg.Verified) {
	switch m := v.Message(); {
	case m.Proposal != nil:
		hash := v.Hash()
		x.repeat(cert.Notarize, placeOf(&m.Proposal.Header), hash[:])
	case m.Vote != nil && x.s.person(m.Vote.Epoch, m.Vote.Signer).fault != Collude:
		x.repeat(m.Vote.Kind, place{m.Vote.Epoch, m.Vote.View}, m.Vote.Block)
	}
}

// repeat signs a vote once and sends it to all.
func (x *villain) repeat(k cert.Kind, at place, block []byte) {
	e := x.s.epochs[at.epoch]
	b, i := ballot{kind: k, place: at}, e.index(x.who)
	copy(b.block[:], block)
	if i < 0 || x.s.book.votes[b][i] || x.s.rng.Below(20) == 0 {
		return
	}
	x.tell(e, msg.SignVote(x.s.chainID, k, at.epoch, at.view, block, i, x.s.people[x.who].key).Encode(), true)
}

// person returns who holds a place in the set of an epoch.
func (s *Sim) person(epoch uint64, index uint64) *person {
	return &s.people[s.epochs[epoch].who[index]]
}

// everywhere reports whether no partition holds a validator.
func (s *Sim) everywhere(i int) bool { return s.Over && s.people[i].fault == Collude }

// tolerated reports whether an invariant may fail with power above f faulty:
// final chains may fork, the network may stand still. What an honest key says
// stays bound by all others.
func (s *Sim) tolerated(invariant string) bool {
	return s.Over && (invariant == "I1-agree" || invariant == "I11-root" || invariant == "I14-live")
}
