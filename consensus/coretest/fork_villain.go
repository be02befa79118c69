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
		x.repeat(cert.Notarize, m.Proposal.Header.View, hash[:])
	case m.Vote != nil && x.s.faults[m.Vote.Signer] != Collude:
		x.repeat(m.Vote.Kind, m.Vote.View, m.Vote.Block)
	}
}

// repeat signs a vote once and sends it to all.
func (x *villain) repeat(k cert.Kind, view uint64, block []byte) {
	b := ballot{kind: k, view: view}
	copy(b.block[:], block)
	if x.s.book.votes[b][x.index] || x.s.rng.Below(20) == 0 {
		return
	}
	raw := msg.SignVote(x.s.chainID, k, x.s.set.Epoch(), view, block, x.index, x.s.keys[x.index]).Encode()
	x.s.seen(x.index, raw)
	x.send(raw, true)
}

// everywhere reports whether no partition holds a validator.
func (s *Sim) everywhere(i int) bool { return s.Over && s.faults[i] == Collude }

// tolerated reports whether an invariant may fail with power above f faulty:
// final chains may fork, the network may stand still. What an honest key says
// stays bound by all others.
func (s *Sim) tolerated(invariant string) bool {
	return s.Over && (invariant == "I1-agree" || invariant == "I11-root" || invariant == "I14-live")
}
