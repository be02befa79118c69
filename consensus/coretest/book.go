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
	proposed map[uint64][]header.Hash         // blocks by view
	certs    map[uint64]*[3]*cert.Certificate // by view: any of each kind
	fins     map[header.Hash]*cert.Certificate
	results  map[header.Hash][2][32]byte // roots after a block
	votes    map[ballot]map[int]bool     // who has said what, anywhere
	words    map[word][]byte             // what each honest key has said
	chain    map[uint64]header.Hash      // final blocks
	views    map[uint64]uint64           // their views
	tellers  map[[32]byte]uint64         // transaction → view that made it final
	blamed   map[int]bool

	goal     [32]byte // the transaction of I14-live
	goalView uint64
}

type ballot struct {
	kind  cert.Kind
	view  uint64
	block header.Hash
}

type word struct {
	signer int
	kind   cert.Kind
	view   uint64
}

func newBook() book {
	return book{
		blocks: map[header.Hash]*msg.Proposal{}, proposed: map[uint64][]header.Hash{}, certs: map[uint64]*[3]*cert.Certificate{}, fins: map[header.Hash]*cert.Certificate{},
		results: map[header.Hash][2][32]byte{}, votes: map[ballot]map[int]bool{}, words: map[word][]byte{},
		chain: map[uint64]header.Hash{}, views: map[uint64]uint64{}, tellers: map[[32]byte]uint64{}, blamed: map[int]bool{},
	}
}

func (b *book) learnGenesis(r *consensus.Root) {
	b.genesis = r.Header.Hash()
	b.chain[0] = b.genesis
	b.results[b.genesis] = [2][32]byte{r.StateRoot, r.ReceiptsRoot}
}

// learn writes down a message that left somebody.
func (b *book) learn(s *Sim, v msg.Verified) {
	switch m := v.Message(); {
	case m.Vote != nil:
		b.count(ballot{m.Vote.Kind, m.Vote.View, m.Vote.Hash()}, int(m.Vote.Signer))
	case m.Proposal != nil:
		p, view := b.blocks[v.Hash()], m.Proposal.Header.View
		if p == nil {
			b.proposed[view] = append(b.proposed[view], v.Hash())
		}
		if p == nil || len(p.Leaves) == 0 {
			b.blocks[v.Hash()] = m.Proposal
		}
	case m.Cert != nil:
		c := b.certs[m.Cert.View]
		if c == nil {
			c = new([3]*cert.Certificate)
			b.certs[m.Cert.View] = c
		}
		for i := range s.set.Len() {
			if m.Cert.Has(i) {
				b.count(ballot{m.Cert.Kind.Vote(), m.Cert.View, m.Cert.Hash()}, i)
			}
		}
		c[m.Cert.Kind-cert.Notarization] = m.Cert
		if m.Cert.Kind == cert.Finalization {
			b.fins[m.Cert.Hash()] = m.Cert
		}
	}
}

func (b *book) count(k ballot, signer int) {
	if b.votes[k] == nil {
		b.votes[k] = map[int]bool{}
	}
	b.votes[k][signer] = true
}

// execute is the ledger of the simulation: roots after a block depend on its
// batches and the roots after its parent.
func (b *book) execute(block header.Hash, h *header.Header, digests [][32]byte) ([32]byte, [32]byte) {
	parent := b.results[h.Parent]
	state, receipts := sha256.New(), sha256.New()
	state.Write(parent[0][:])
	receipts.Write([]byte("receipts"))
	for _, d := range digests {
		state.Write(d[:])
		receipts.Write(d[:])
	}
	var r [2][32]byte
	state.Sum(r[0][:0])
	receipts.Sum(r[1][:0])
	b.results[block] = r
	return r[0], r[1]
}

func (b *book) result(block header.Hash) ([32]byte, [32]byte) {
	r := b.results[block]
	return r[0], r[1]
}

// finalization returns the Finalization of a block itself if anybody formed
// one, else the given one of a descendant.
func (b *book) finalization(block header.Hash, other *cert.Certificate) *cert.Certificate {
	if f := b.fins[block]; f != nil {
		return f
	}
	return other
}
