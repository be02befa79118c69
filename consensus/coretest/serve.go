// SPDX-License-Identifier: Apache-2.0

package coretest

import (
	"slices"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
)

// serve starts what the core asks for.
func (n *Node) serve(r consensus.Request) {
	switch r := r.(type) {
	case consensus.Build:
		n.build(r)
	case consensus.Fetch:
		if r.Proposal {
			n.pullProposal(r)
		} else {
			n.pullBody(r)
		}
	case consensus.FetchCert:
		n.pullCerts(r)
	case consensus.Sync:
		n.sync()
	case consensus.Execute:
		if r.Header.Kind == header.KindCarrier {
			n.s.fail("I11-root", "node %s executes a carrier", n.name)
		}
		answer := n.s.book.execute(n.s, r.Block, r.Header, r.Digests).executed(r.Block)
		n.later(n.s.rng.Below(n.s.execTime()), func() { n.step(answer) })
	case consensus.Discard:
		n.waiting = slices.DeleteFunc(n.waiting, func(f consensus.Fetch) bool { return slices.Contains(r.Blocks, f.Block) })
	}
}

func (s *Sim) execTime() uint64 {
	if s.healed {
		return min(s.ExecMax, 30)
	}
	return s.ExecMax
}

// build takes every transaction that no ancestor holds and pushes the bodies.
func (n *Node) build(r consensus.Build) {
	var used [][32]byte
	for h := r.Parent; ; {
		p := n.s.book.blocks[h]
		if p == nil {
			break
		}
		used = append(used, p.Digests...)
		h = p.Header.Parent
	}
	var digests [][32]byte
	for _, tx := range n.pool {
		if !slices.Contains(used, tx) {
			digests = append(digests, tx)
		}
	}
	n.pushBodies(digests)
	n.later(n.s.rng.Below(5), func() {
		n.step(consensus.Built{View: r.View, Parent: r.Parent, Digests: digests, Txs: uint64(len(digests))})
	})
}

func (n *Node) pushBodies(digests [][32]byte) {
	for _, o := range n.s.nodes {
		if o.who != n.who && n.ep.index(o.who) >= 0 {
			n.s.link(n.who, o.who, func() { o.hold(digests) })
		}
	}
}

// hold takes in bodies and answers what waited for them.
func (n *Node) hold(digests [][32]byte) {
	if n.core == nil {
		return
	}
	for _, d := range digests {
		n.bodies[d] = true
	}
	for _, f := range slices.Clone(n.waiting) {
		n.answer(f)
	}
}

// answer gives Available if every body is there.
func (n *Node) answer(f consensus.Fetch) bool {
	valid := true
	for _, d := range f.Digests {
		if !n.bodies[d] {
			return false
		}
		valid = valid && d[0] < 0x80
	}
	n.waiting = slices.DeleteFunc(n.waiting, func(w consensus.Fetch) bool { return w.Block == f.Block })
	n.later(n.s.rng.Below(3), func() { n.step(consensus.Available{Block: f.Block, Valid: valid}) })
	return true
}

// peer picks a node to ask: one of the holders, or any other validator.
func (n *Node) peer(holders []int) *Node {
	var list []*Node
	for _, o := range n.s.nodes {
		i := n.ep.index(o.who)
		if i < 0 && holders == nil {
			i = o.index // a validator of a later epoch
		}
		if i >= 0 && o.who != n.who && (holders == nil || slices.Contains(holders, i)) {
			list = append(list, o)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list[n.s.rng.Below(uint64(len(list)))]
}

// ask sends a request to a peer and its answer back, both over the network.
func (n *Node) ask(o *Node, question func() func()) {
	if o == nil {
		return
	}
	life := n.life
	n.s.link(n.who, o.who, func() {
		if o.core == nil {
			return
		}
		if reply := question(); reply != nil {
			n.s.link(o.who, n.who, func() {
				if n.core != nil && n.life == life {
					reply()
				}
			})
		}
	})
}

func (n *Node) pullProposal(f consensus.Fetch) {
	o := n.peer(f.Holders)
	n.ask(o, func() func() {
		raw := o.core.Proposal(f.Block)
		if raw == nil {
			return nil
		}
		return func() { n.receive(raw) }
	})
}

func (n *Node) pullBody(f consensus.Fetch) {
	if n.answer(f) {
		return
	}
	if !slices.ContainsFunc(n.waiting, func(w consensus.Fetch) bool { return w.Block == f.Block }) {
		n.waiting = append(n.waiting, f)
	}
	o := n.peer(f.Holders)
	n.ask(o, func() func() {
		for _, d := range f.Digests {
			if !o.bodies[d] {
				return nil
			}
		}
		return func() { n.hold(f.Digests) }
	})
}

func (n *Node) pullCerts(f consensus.FetchCert) {
	o := n.peer(nil)
	n.ask(o, func() func() {
		list := o.core.Certificates(f.From, f.To, 64<<10)
		return func() {
			for _, raw := range list {
				n.receive(raw)
			}
		}
	})
}

// sync copies final blocks from a peer, checks their finality, and tells the
// core, as node/sync does.
func (n *Node) sync() {
	if n.syncing {
		return
	}
	n.syncing = true
	n.later(2_000, func() { n.syncing = false })
	o := n.source()
	n.ask(o, func() func() {
		blocks := slices.Clone(o.db)
		return func() { n.adopt(blocks) }
	})
}

// source picks whom to sync from: any node once sets change, since those who know
// the next set may not be in it.
func (n *Node) source() *Node {
	if n.s.Params.EpochMS == 0 {
		return n.peer(nil)
	}
	list := slices.DeleteFunc(slices.Clone(n.s.nodes), func(o *Node) bool { return o == n || o.twin })
	if len(list) == 0 {
		return nil
	}
	return list[n.s.rng.Below(uint64(len(list)))]
}

// poll lets a follower ask for what it may have missed every 5 s.
func (n *Node) poll() {
	if n.s.Params.EpochMS > 0 && n.index < 0 {
		n.later(5_000, func() {
			n.sync()
			n.poll()
		})
	}
}

// adopt commits the blocks above the own height up to the last one that is
// proved, epoch by epoch.
func (n *Node) adopt(blocks []commit) {
	n.syncing = false
	for n.core != nil && n.s.failure == nil {
		take, proof := n.segment(blocks)
		if len(take) == 0 {
			return
		}
		first, last := take[0].root.Header, &take[len(take)-1]
		if err := proof.Link(first.Parent); err != nil || first.Parent != n.last().root.Header.Hash() {
			n.s.fail("I1-agree", "node %s syncs at height %d: %v", n.name, n.Height(), err)
			return
		}
		if _, err := n.s.verify(proof.Finalization.Encode()); err != nil {
			n.s.fail("I9-quorum", "node %s syncs: %v", n.name, err)
			return
		}
		for _, b := range take {
			n.s.book.final(n, b.root.Header.Hash(), &b.root.Header)
			for _, d := range b.digests {
				n.bodies[d] = true
			}
			n.commit(b)
		}
		if last.proof != nil {
			n.sealed(last)
		}
		n.persist()
		n.s.trace("%d ms: %s: syncs to height=%d", n.s.now, n.name, n.Height())
		n.step(consensus.Synced{Root: n.last().root})
		n.nextEpoch()
		n.work()
	}
}

// segment returns the blocks of the own epoch above the own height up to the
// last one that is proved, and their proof.
func (n *Node) segment(blocks []commit) ([]commit, cert.FinalityProof) {
	end := -1
	for i, b := range blocks {
		if h := &b.root.Header; h.Epoch != n.ep.number || h.Height <= n.Height() {
			continue
		}
		if fin := b.root.Finalization; b.proof != nil || fin != nil && fin.Hash() == b.root.Header.Hash() {
			end = i
		}
	}
	if end < 0 {
		return nil, cert.FinalityProof{}
	}
	var proof cert.FinalityProof
	var take []commit
	for _, b := range blocks[:end+1] {
		if b.root.Header.Height > n.Height() {
			take = append(take, b)
			proof.Headers = append(proof.Headers, b.root.Header)
		}
	}
	last := take[len(take)-1]
	if last.proof != nil {
		proof.Headers = append(proof.Headers, last.proof.Headers...)
		proof.Finalization = last.proof.Finalization
	} else {
		proof.Finalization = *last.root.Finalization
	}
	return take, proof
}
