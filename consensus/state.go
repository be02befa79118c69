// SPDX-License-Identifier: Apache-2.0

package consensus

import (
	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
)

// block is a proposal that the core knows, and what is known about its body.
type block struct {
	hash   header.Hash
	head   header.Header
	view   uint64 // head.View; 0 for the root of the epoch
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
	next     [32]byte // set that the state after it elects
	waiting  bool     // an object awaits a seed after it
	recorded bool     // its RecordBlock was appended
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

	notarize, nullify, finalize               msg.Tally
	notarization, nullification, finalization *cert.Certificate

	own struct { // what our key has signed, as sent; nil if not
		proposal, notarize, nullify, finalize []byte
		notarized                             header.Hash // what notarize is for
	}
	fetched bool // certified block requested
	shown   bool // a peer has shown a Finalize of our key that our log does not hold
}

// newViews makes k empty views for n validators in two pieces of memory.
func newViews(k, n int) []view {
	out, tallies := make([]view, k), msg.NewTallies(3*k, n)
	for i := range out {
		out[i].notarize, out[i].nullify, out[i].finalize = tallies[3*i], tallies[3*i+1], tallies[3*i+2]
	}
	return out
}

// certificate returns the proof that a block of the view may be built on.
func (w *view) certificate() *cert.Certificate {
	if w.notarization != nil {
		return w.notarization
	}
	return w.finalization
}

// votes returns the tally of a kind of vote.
func (w *view) votes(k cert.Kind) *msg.Tally {
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
