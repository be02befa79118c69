// SPDX-License-Identifier: Apache-2.0

package consensus

import (
	"slices"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/internal/keys"
)

// block is a proposal that the core knows, and what is known about its body.
type block struct {
	hash   header.Hash
	head   header.Header
	prop   *msg.Proposal
	raw    []byte              // the encoded proposal; with all leaves once full
	leaves []*cert.Certificate // decoded; nil element = empty leaf of an epoch root
	full   bool                // leaves are there

	law      verdict // of head and leaves against the parent
	asked    bool    // body requested
	held     bool    // body held and checked
	invalid  bool    // body breaks a rule
	running  bool    // execution requested
	executed bool
	state    [32]byte
	receipts [32]byte
	recorded bool // its RecordBlock was appended
}

// verdict is the outcome of a check that may have to wait.
type verdict uint8

const (
	open verdict = iota
	good
	bad
)

// view is what the core holds of one view above its root.
type view struct {
	first  *block   // the proposal that a vote is considered for
	blocks []*block // at most two, and certified ones

	notarize, nullify, finalize               tally
	notarization, nullification, finalization *cert.Certificate

	own struct { // what our key has signed, as sent; nil if not
		proposal, notarize, nullify, finalize []byte
		notarized, finalized                  header.Hash
	}
	fetched bool // certified block requested
}

// certificate returns the proof that a block of the view may be built on.
func (w *view) certificate() *cert.Certificate {
	if w.notarization != nil {
		return w.notarization
	}
	return w.finalization
}

// certified returns the hash that the view's quorum chose.
func (w *view) certified() (header.Hash, bool) {
	if c := w.certificate(); c != nil {
		return c.Hash(), true
	}
	return header.Hash{}, false
}

// votes returns the tally of a kind of vote.
func (w *view) votes(k cert.Kind) *tally {
	switch k {
	case cert.Notarize:
		return &w.notarize
	case cert.Nullify:
		return &w.nullify
	}
	return &w.finalize
}

// slot returns where the certificate of kind k is kept.
func (w *view) slot(k cert.Kind) **cert.Certificate {
	switch k {
	case cert.Notarization:
		return &w.notarization
	case cert.Nullification:
		return &w.nullification
	}
	return &w.finalization
}

// signed returns where our own vote of kind k is kept.
func (w *view) signed(k cert.Kind) *[]byte {
	switch k {
	case cert.Notarize:
		return &w.own.notarize
	case cert.Nullify:
		return &w.own.nullify
	}
	return &w.own.finalize
}

// tally counts the votes of one view and kind. At most two conflicting votes
// of a validator are kept and counted (CONS-13).
type tally struct {
	first, second []*msg.Vote // by validator; nil until the first vote
	sums          []sum
	closed        bool // certified: no more votes are kept
}

type sum struct {
	block header.Hash
	power uint64
}

// add counts a vote. It returns the power behind the vote's block, 0 if the
// vote changed nothing, and an earlier vote that it conflicts with.
func (t *tally) add(v *msg.Vote, n int, power uint64) (uint64, *msg.Vote) {
	if t.closed {
		return 0, nil
	}
	if t.first == nil {
		t.first = make([]*msg.Vote, n)
	}
	i := v.Signer
	var other *msg.Vote
	switch {
	case t.first[i] == nil:
		t.first[i] = v
	case slices.Equal(t.first[i].Block, v.Block):
		if !broken(mutCountTwice) {
			return 0, nil
		}
	default:
		if t.second == nil {
			t.second = make([]*msg.Vote, n)
		}
		if t.second[i] != nil {
			return 0, nil
		}
		t.second[i], other = v, t.first[i]
	}
	h := v.Hash()
	for j := range t.sums {
		if t.sums[j].block == h {
			t.sums[j].power += power
			return t.sums[j].power, other
		}
	}
	t.sums = append(t.sums, sum{h, power})
	return power, other
}

// has reports whether the same vote was counted.
func (t *tally) has(v *msg.Vote) bool {
	for _, list := range [2][]*msg.Vote{t.first, t.second} {
		if list != nil && list[v.Signer] != nil && slices.Equal(list[v.Signer].Block, v.Block) {
			return true
		}
	}
	return false
}

// most returns the largest power behind one block.
func (t *tally) most() (p uint64) {
	for _, s := range t.sums {
		p = max(p, s.power)
	}
	return p
}

// count returns how many votes are held.
func (t *tally) count() (n int) {
	for _, list := range [2][]*msg.Vote{t.first, t.second} {
		for _, v := range list {
			if v != nil {
				n++
			}
		}
	}
	return n
}

// certificate joins the votes for v's block, and closes the tally.
func (t *tally) certificate(v *msg.Vote) *cert.Certificate {
	c := &cert.Certificate{
		Kind: v.Kind + (cert.Notarization - cert.Notarize), Epoch: v.Epoch, View: v.View, Block: v.Block,
		Signers: make([]byte, (len(t.first)+7)/8),
	}
	for i := range t.first {
		if sig, ok := t.sig(i, v.Block); ok {
			c.Signers[i/8] |= 1 << (i % 8)
			c.Sigs = append(c.Sigs, sig[:]...)
		}
	}
	t.close()
	return c
}

// sig returns validator i's signature for a block.
func (t *tally) sig(i int, block []byte) (keys.Signature, bool) {
	for _, list := range [2][]*msg.Vote{t.first, t.second} {
		if list != nil && list[i] != nil && slices.Equal(list[i].Block, block) {
			return list[i].Sig, true
		}
	}
	return keys.Signature{}, false
}

// close forgets the votes; their certificate stands for them.
func (t *tally) close() { t.first, t.second, t.sums, t.closed = nil, nil, nil, true }
