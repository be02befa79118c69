// SPDX-License-Identifier: Apache-2.0

package coretest

import (
	"crypto/sha256"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
)

// book is what an all-seeing witness writes down: every message that left a
// node, every result, every decision. The invariants are checked against it.
type book struct {
	genesis  header.Hash
	blocks   map[header.Hash]*msg.Proposal
	proposed map[place][]header.Hash
	certs    map[place]*[3]*cert.Certificate // any of each kind; an Aggregate is a Finalization
	fins     map[header.Hash]*cert.Certificate
	results  map[header.Hash]*result // of blocks
	votes    map[ballot]map[int]bool // who has said what, anywhere, by set index
	words    map[word][]byte         // what each honest key has said
	chain    map[uint64]header.Hash  // final blocks
	tellers  map[[32]byte]place      // transaction → place whose finality made it final
	blamed   map[int]bool

	goal   [32]byte // the transaction of I14-live
	goalAt place
}

// result is what executing a block gives.
type result struct {
	state, receipts [32]byte
	next            *election // nil if epochs never end
	waiting         bool      // an object awaits a seed
}

type ballot struct {
	kind cert.Kind
	place
	block header.Hash
}

type word struct {
	who  int // person
	kind cert.Kind
	place
}

func newBook() book {
	return book{
		blocks: map[header.Hash]*msg.Proposal{}, proposed: map[place][]header.Hash{}, certs: map[place]*[3]*cert.Certificate{}, fins: map[header.Hash]*cert.Certificate{},
		results: map[header.Hash]*result{}, votes: map[ballot]map[int]bool{}, words: map[word][]byte{},
		chain: map[uint64]header.Hash{}, tellers: map[[32]byte]place{}, blamed: map[int]bool{},
	}
}

func (b *book) learnGenesis(s *Sim, r *consensus.Root) {
	b.genesis = r.Header.Hash()
	b.chain[0] = b.genesis
	b.results[b.genesis] = &result{state: r.StateRoot, receipts: r.ReceiptsRoot}
	if s.Params.EpochMS > 0 {
		b.results[b.genesis].next = s.elect(s.epochs[0].election, r.StateRoot)
	}
}

// learn writes down a message that left somebody.
func (b *book) learn(s *Sim, v msg.Verified) {
	switch m := v.Message(); {
	case m.Vote != nil:
		b.count(ballot{m.Vote.Kind, place{m.Vote.Epoch, m.Vote.View}, m.Vote.Hash()}, int(m.Vote.Signer))
	case m.Proposal != nil:
		p, at := b.blocks[v.Hash()], placeOf(&m.Proposal.Header)
		if p == nil {
			b.proposed[at] = append(b.proposed[at], v.Hash())
		}
		if p == nil || len(p.Leaves) == 0 {
			b.blocks[v.Hash()] = m.Proposal
		}
	case m.Cert != nil:
		b.learnCert(s, m.Cert)
	}
}

func (b *book) learnCert(s *Sim, q *cert.Certificate) {
	at, kind := place{q.Epoch, q.View}, q.Kind
	c := b.certs[at]
	if c == nil {
		c = new([3]*cert.Certificate)
		b.certs[at] = c
	}
	for i := range s.epochs[q.Epoch].set.Len() {
		if q.Has(i) {
			b.count(ballot{kind.Vote(), at, q.Hash()}, i)
		}
	}
	if kind.Final() {
		kind = cert.Finalization
		b.fins[q.Hash()] = q
	}
	c[kind-cert.Notarization] = q
}

func (b *book) count(k ballot, signer int) {
	if b.votes[k] == nil {
		b.votes[k] = map[int]bool{}
	}
	b.votes[k][signer] = true
}

// execute is the ledger of the simulation: roots after a block depend on its
// batches and the roots after its parent; the state elects the next set, and
// now and then holds an object that awaits a seed.
func (b *book) execute(s *Sim, block header.Hash, h *header.Header, digests [][32]byte) *result {
	if r := b.results[block]; r != nil {
		return r
	}
	parent := b.result(h.Parent)
	state, receipts := sha256.New(), sha256.New()
	state.Write(parent.state[:])
	receipts.Write([]byte("receipts"))
	for _, d := range digests {
		state.Write(d[:])
		receipts.Write(d[:])
	}
	r := new(result)
	state.Sum(r.state[:0])
	receipts.Sum(r.receipts[:0])
	if s.Params.EpochMS > 0 {
		current := s.epochs[h.Epoch].election
		if h.Kind == header.KindSeal {
			current = s.elect(current, h.StateRoot)
		}
		r.next, r.waiting = s.elect(current, r.state), s.Keys && r.state[0]&3 == 0
	}
	b.results[block] = r
	return r
}

// result is that of a block, empty if nobody has executed it.
func (b *book) result(block header.Hash) *result {
	if r := b.results[block]; r != nil {
		return r
	}
	return &result{}
}

// executed is the answer to an Execute.
func (r *result) executed(block header.Hash) consensus.Executed {
	e := consensus.Executed{Block: block, StateRoot: r.state, ReceiptsRoot: r.receipts, Waiting: r.waiting}
	if r.next != nil {
		e.NextSet = r.next.set.Hash()
	}
	return e
}

// root is the block of a result as a root.
func (b *book) root(h header.Header, fin *cert.Certificate) consensus.Root {
	e := b.results[h.Hash()].executed(h.Hash())
	return consensus.Root{
		Header: h, Finalization: fin, StateRoot: e.StateRoot, ReceiptsRoot: e.ReceiptsRoot, NextSet: e.NextSet, Waiting: e.Waiting,
	}
}

// finalization returns the Finalization of a block itself if anybody formed
// one, else the given one of a descendant.
func (b *book) finalization(block header.Hash, other *cert.Certificate) *cert.Certificate {
	if f := b.fins[block]; f != nil {
		return f
	}
	return other
}
