// SPDX-License-Identifier: Apache-2.0

package coretest

import (
	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/internal/merkle"
)

// villain is a faulty validator that follows no protocol. It sees everything
// that anybody sends, at once, and knows every result.
type villain struct {
	s     *Sim
	who   int
	fault Fault
	led   map[place]bool
	voted map[header.Hash]bool
}

func newVillain(s *Sim, who int) *villain {
	return &villain{s: s, who: who, fault: s.people[who].fault, led: map[place]bool{}, voted: map[header.Hash]bool{}}
}

// see reacts to a message of somebody else: a vote of each kind for each block,
// to whom it may harm.
func (x *villain) see(v msg.Verified) {
	if x.fault == Collude {
		x.echo(v)
		return
	}
	p := v.Message().Proposal
	if p == nil || x.voted[v.Hash()] || x.s.rng.Below(4) == 0 {
		return
	}
	e := x.s.epochs[p.Header.Epoch]
	x.support(e, v.Hash(), &p.Header)
	if x.fault == Flood {
		for range 4 {
			far := p.Header.View + x.s.rng.Below(2_000)
			var junk header.Hash
			junk[0], junk[1] = byte(x.s.rng.Next()), byte(far)
			x.say(e, cert.Notarize, far, junk[:])
			x.say(e, cert.Finalize, far, junk[:])
		}
	}
}

// support votes for a block in every way.
func (x *villain) support(e *epoch, hash header.Hash, h *header.Header) {
	x.voted[hash] = true
	x.say(e, cert.Notarize, h.View, hash[:])
	if i := e.index(x.who); i >= 0 && h.Certify == 1 && x.s.rng.Below(4) > 0 {
		signed := h.View
		if x.fault == BadShare {
			signed++
		}
		p := &x.s.people[x.who]
		v := msg.SignShare(x.s.chainID, e.number, signed, hash[:], i, p.key, p.bls)
		v.View = h.View
		v.Sig = p.key.Sign(v.SignBytes(x.s.chainID))
		x.tell(e, v.Encode(), x.s.rng.Below(2) == 0)
	} else {
		x.say(e, cert.Finalize, h.View, hash[:])
	}
	if x.s.rng.Below(3) == 0 {
		x.say(e, cert.Nullify, h.View, nil)
	}
}

// say sends a vote to a random half, or to all.
func (x *villain) say(e *epoch, k cert.Kind, view uint64, block []byte) {
	if i := e.index(x.who); i >= 0 {
		raw := msg.SignVote(x.s.chainID, k, e.number, view, block, i, x.s.people[x.who].key).Encode()
		x.tell(e, raw, x.s.rng.Below(2) == 0)
	}
}

func (x *villain) tell(e *epoch, raw []byte, all bool) {
	x.s.seen(x.who, raw)
	x.send(e, raw, all)
}

func (x *villain) send(e *epoch, raw []byte, all bool) {
	for _, n := range x.s.nodes {
		if e.index(n.who) >= 0 && (all || x.s.rng.Below(2) == 0) {
			x.s.link(x.who, n.who, func() { n.receive(raw) })
		}
	}
}

// lead proposes when the schedule says so, each fault in its way.
func (x *villain) lead(e *epoch, view uint64) {
	at := place{e.number, view}
	if x.led[at] || e.who[e.sched.Leader(view)] != x.who {
		return
	}
	x.led[at] = true
	parent, leaves, ok := x.place(e, view, x.fault == Unjustify)
	if !ok {
		return
	}
	h := x.child(e, view, parent, 0, 0)
	switch x.fault {
	case Equivocate, Collude:
		a := x.propose(e, h, leaves, nil)
		b := x.propose(e, x.child(e, view, parent, 1, 0), leaves, nil)
		for _, n := range x.s.nodes {
			raw := a
			if x.s.rng.Below(2) == 0 {
				raw = b
			}
			if e.index(n.who) >= 0 {
				x.s.link(x.who, n.who, func() { n.receive(raw) })
			}
		}
	case BadRoot:
		switch draws := e.rules.Draw(&h, x.s.book.result(parent).waiting); {
		case draws && x.s.rng.Below(2) == 0: // propose draws another beacon
		case h.Kind == header.KindSeal:
			h.NextSet[0] ^= 1
		default:
			h.StateRoot[0] ^= 1
		}
		x.send(e, x.propose(e, h, leaves, nil), true)
	case Withhold:
		body := [][32]byte{x.s.tx()}
		if x.s.rng.Below(3) == 0 {
			body[0][0] |= 0x80 // breaks a rule
		}
		if h = x.child(e, view, parent, 0, 1); h.Txs == 0 {
			body = nil
		}
		raw := x.propose(e, h, leaves, body)
		x.send(e, raw, true)
		for _, n := range x.s.nodes {
			if e.index(n.who) >= 0 && x.s.rng.Below(2) == 0 {
				x.s.link(x.who, n.who, func() { n.hold(body) })
			}
		}
	case Unjustify:
		x.send(e, x.propose(e, h, leaves, nil), x.s.rng.Below(2) == 0) // half of them cannot notarize it
	default:
		x.send(e, x.propose(e, h, leaves, nil), true)
	}
}

// propose signs a block and tells the witness.
func (x *villain) propose(e *epoch, h header.Header, leaves [][]byte, body [][32]byte) []byte {
	h.Justification, h.PayloadRoot = merkle.Root(leaves), header.PayloadRoot(body)
	if p, b := &x.s.people[x.who], &x.s.book; e.rules.Draw(&h, b.result(h.Parent).waiting) {
		proof, beta := p.vrf.Prove(header.Alpha(h.ChainID, h.Epoch, h.View, h.Beacon))
		h.VRF, h.Beacon = proof[:], header.Mix(h.Beacon, beta)
		if x.fault == BadRoot {
			h.Beacon[0] ^= 1
		}
	}
	p := msg.SignProposal(h, body, leaves, x.s.people[x.who].key)
	raw := p.Encode()
	x.s.seen(x.who, raw)
	x.s.book.execute(x.s, h.Hash(), &h, body)
	x.support(e, h.Hash(), &h)
	return raw
}

// place finds a parent and its leaves. An unlawful one leaves out a
// Nullification, or stands on any block of the newest views.
func (x *villain) place(e *epoch, view uint64, unlawful bool) (header.Hash, [][]byte, bool) {
	b := &x.s.book
	var gap [][]byte
	for v := view - 1; ; v-- {
		if v == 0 {
			proof := append([]byte{}, e.proof...)
			if unlawful && e.number > 0 && x.s.rng.Below(2) == 0 {
				proof = proof[:0]
			}
			return e.root.Hash(), order(proof, gap), true
		}
		c := b.certs[place{e.number, v}]
		if c == nil {
			return header.Hash{}, nil, false
		}
		if list := b.proposed[place{e.number, v}]; unlawful && len(list) > 0 && x.s.rng.Below(2) == 0 {
			q := c[0] // perhaps nobody notarized the last block of the view
			if q == nil {
				q = c[1]
			}
			if last := list[len(list)-1]; q != nil {
				return last, order(q.Encode(), gap), true
			}
		}
		if q := c[0]; q != nil && b.blocks[q.Hash()] != nil && (!unlawful || len(gap) > 0 || x.s.rng.Below(2) == 0) {
			return q.Hash(), order(q.Encode(), gap), true
		}
		switch {
		case c[1] != nil:
			gap = append(gap, c[1].Encode())
		case unlawful && c[0] != nil:
			gap = append(gap, c[0].Encode()) // no Nullification, but some certificate
		default:
			return header.Hash{}, nil, false
		}
	}
}

func order(first []byte, gap [][]byte) [][]byte {
	out := [][]byte{first}
	for i := len(gap) - 1; i >= 0; i-- {
		out = append(out, gap[i])
	}
	return out
}

// child is the lawful block of a view on a parent, shift ms later than need be.
func (x *villain) child(e *epoch, view uint64, parent header.Hash, shift, txs uint64) header.Header {
	p, r := &e.root, x.s.book.result(parent)
	if parent != e.root.Hash() {
		p = &x.s.book.blocks[parent].Header
	}
	return e.child(view, parent, p, e.index(x.who), max(p.TimeMS+1, wallBase+x.s.now)+shift, txs, r)
}
