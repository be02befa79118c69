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
	index int
	fault Fault
	led   map[uint64]bool
	voted map[header.Hash]bool
}

func newVillain(s *Sim, index int) *villain {
	return &villain{s: s, index: index, fault: s.faults[index], led: map[uint64]bool{}, voted: map[header.Hash]bool{}}
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
	x.support(v.Hash(), p.Header.View)
	if x.fault == Flood {
		for range 4 {
			far := p.Header.View + x.s.rng.Below(2_000)
			var junk header.Hash
			junk[0], junk[1] = byte(x.s.rng.Next()), byte(far)
			x.say(cert.Notarize, far, junk[:])
			x.say(cert.Finalize, far, junk[:])
		}
	}
}

// support votes for a block in every way.
func (x *villain) support(h header.Hash, view uint64) {
	x.voted[h] = true
	x.say(cert.Notarize, view, h[:])
	x.say(cert.Finalize, view, h[:])
	if x.s.rng.Below(3) == 0 {
		x.say(cert.Nullify, view, nil)
	}
}

// say sends a vote to a random half, or to all.
func (x *villain) say(k cert.Kind, view uint64, block []byte) {
	raw := msg.SignVote(x.s.chainID, k, x.s.set.Epoch(), view, block, x.index, x.s.keys[x.index]).Encode()
	x.s.seen(x.index, raw)
	x.send(raw, x.s.rng.Below(2) == 0)
}

func (x *villain) send(raw []byte, all bool) {
	for _, n := range x.s.nodes {
		if n.index >= 0 && (all || x.s.rng.Below(2) == 0) {
			x.s.link(x.index, n.index, func() { n.receive(raw) })
		}
	}
}

// lead proposes when the schedule says so, each fault in its way.
func (x *villain) lead(view uint64) {
	if x.led[view] || x.s.sched.Leader(view) != x.index {
		return
	}
	x.led[view] = true
	h, leaves, ok := x.place(view, x.fault == Unjustify)
	if !ok {
		return
	}
	switch x.fault {
	case Equivocate, Collude:
		a := x.propose(h, leaves, nil)
		h.TimeMS++
		b := x.propose(h, leaves, nil)
		for _, n := range x.s.nodes {
			raw := a
			if x.s.rng.Below(2) == 0 {
				raw = b
			}
			if n.index >= 0 {
				x.s.link(x.index, n.index, func() { n.receive(raw) })
			}
		}
	case BadRoot:
		h.StateRoot[0] ^= 1
		x.send(x.propose(h, leaves, nil), true)
	case Withhold:
		body := [][32]byte{x.s.tx()}
		if x.s.rng.Below(3) == 0 {
			body[0][0] |= 0x80 // breaks a rule
		}
		raw := x.propose(h, leaves, body)
		x.send(raw, true)
		for _, n := range x.s.nodes {
			if n.index >= 0 && x.s.rng.Below(2) == 0 {
				x.s.link(x.index, n.index, func() { n.hold(body) })
			}
		}
	case Unjustify:
		x.send(x.propose(h, leaves, nil), x.s.rng.Below(2) == 0) // half of them cannot notarize it
	default:
		x.send(x.propose(h, leaves, nil), true)
	}
}

// propose signs a block and tells the witness.
func (x *villain) propose(h header.Header, leaves [][]byte, body [][32]byte) []byte {
	h.Justification = merkle.Root(leaves)
	h.PayloadRoot, h.Batches, h.Txs = header.PayloadRoot(body), uint64(len(body)), uint64(len(body))
	p := msg.SignProposal(h, body, leaves, x.s.keys[x.index])
	raw := p.Encode()
	x.s.seen(x.index, raw)
	x.s.book.execute(h.Hash(), &h, body)
	x.support(h.Hash(), h.View)
	return raw
}

// place finds a parent and its leaves. An unlawful one leaves out a
// Nullification, or stands on any block of the newest views.
func (x *villain) place(view uint64, unlawful bool) (header.Header, [][]byte, bool) {
	b := &x.s.book
	var gap [][]byte
	for v := view - 1; ; v-- {
		if v == 0 {
			g := x.s.genesis.Header
			return x.child(view, b.genesis, &g), order([]byte{}, gap), true
		}
		c := b.certs[v]
		if c == nil {
			return header.Header{}, nil, false
		}
		if list := b.proposed[v]; unlawful && len(list) > 0 && x.s.rng.Below(2) == 0 {
			q := c[0] // perhaps nobody notarized the last block of the view
			if q == nil {
				q = c[1]
			}
			if last := list[len(list)-1]; q != nil {
				return x.child(view, last, &b.blocks[last].Header), order(q.Encode(), gap), true
			}
		}
		if q := c[0]; q != nil && b.blocks[q.Hash()] != nil && (!unlawful || len(gap) > 0 || x.s.rng.Below(2) == 0) {
			return x.child(view, q.Hash(), &b.blocks[q.Hash()].Header), order(q.Encode(), gap), true
		}
		switch {
		case c[1] != nil:
			gap = append(gap, c[1].Encode())
		case unlawful && c[0] != nil:
			gap = append(gap, c[0].Encode()) // no Nullification, but some certificate
		default:
			return header.Header{}, nil, false
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

func (x *villain) child(view uint64, parent header.Hash, p *header.Header) header.Header {
	state, receipts := x.s.book.result(parent)
	return header.Header{
		Version: header.Version, ChainID: x.s.chainID, Epoch: x.s.set.Epoch(), View: view, Height: p.Height + 1,
		TimeMS: max(p.TimeMS+1, wallBase+x.s.now), Parent: parent, ParentView: p.View, Leader: uint64(x.index),
		StateRoot: state, ReceiptsRoot: receipts, SetHash: x.s.set.Hash(), Beacon: p.Beacon, CertifiedMS: p.CertifiedMS,
	}
}
