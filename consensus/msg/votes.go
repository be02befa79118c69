// SPDX-License-Identifier: Apache-2.0

package msg

import (
	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/keys"
)

// A Votes remembers signatures of votesViews views, and of single votes only up to
// votesAhead views above the newest certificate.
const (
	votesViews = 16
	votesAhead = votesViews / 2
)

// Votes remembers signatures of votes that were checked under one set, so that
// a certificate of them is not checked again: only a vote of the same kind, view,
// block and signer with the same signature bytes counts as known. It keeps one
// signature per signer, kind and view, of at most 16 views: at most 5 KiB per
// validator. A newer view takes the place of an older one; a vote far above all
// certificates is left out, or one validator could fill all places with views that
// never come. It is not safe for concurrent use.
type Votes struct {
	set     *valset.Set
	chainID [32]byte
	views   [votesViews]votesView
	top     uint64 // highest view of a certificate
}

type votesView struct {
	view  uint64
	kinds [3][]checkedVote // Notarize, Nullify, Finalize; by signer
}

type checkedVote struct {
	held  bool
	block header.Hash
	sig   keys.Signature
}

// NewVotes returns an empty memory for messages of the set on the chain.
func NewVotes(set *valset.Set, chainID [32]byte) *Votes {
	return &Votes{set: set, chainID: chainID}
}

// Known is which signatures of one certificate were checked before, under which
// set. Only a Votes makes one that knows any.
type Known struct {
	of      *cert.Certificate
	set     *valset.Set
	chainID [32]byte
	signers []byte
}

// Memory tells what is known of a certificate: a Votes, or a Votes behind a lock.
type Memory interface {
	Known(c *cert.Certificate) Known
}

// Known implements Memory. c must not change while the result is used.
func (r *Votes) Known(c *cert.Certificate) Known {
	k := Known{of: c, set: r.set, chainID: r.chainID}
	s := &r.views[c.View%votesViews]
	if c.Kind == cert.Aggregate || c.Kind.Vote() == 0 || c.Epoch != r.set.Epoch() || s.view != c.View {
		return k
	}
	list, block := s.kinds[c.Kind.Vote()-cert.Notarize], c.Hash()
	if list == nil {
		return k
	}
	k.signers = make([]byte, len(c.Signers))
	for i, sig := range c.Each {
		if i < len(list) && list[i].held && list[i].block == block && list[i].sig == sig {
			k.signers[i/8] |= 1 << (i % 8)
		}
	}
	return k
}

// rest checks what k does not know of c.
func (k Known) rest(c *cert.Certificate, set *valset.Set, chainID [32]byte) error {
	if k.of != c || k.set != set || k.chainID != chainID {
		return c.Verify(set, chainID)
	}
	return c.VerifyRest(set, chainID, k.signers)
}

// Add remembers the signatures of a verified vote without a share, certificate,
// or proposal with leaves. What was verified under another set is left out.
func (r *Votes) Add(v Verified) {
	if v.IsZero() || v.v.set != r.set || v.v.chainID != r.chainID {
		return
	}
	switch m := v.v.m; {
	case m.Vote != nil:
		if len(m.Vote.Share) > 0 || m.Vote.View > r.top && m.Vote.View-r.top > votesAhead {
			return
		}
		r.put(m.Vote.Kind, m.Vote.View, m.Vote.Hash(), int(m.Vote.Signer), m.Vote.Sig)
	case m.Cert != nil:
		r.addCert(m.Cert)
	case m.Proposal != nil:
		for _, q := range v.v.leaves {
			if q != nil {
				r.addCert(q)
			}
		}
	}
}

// AddOwn remembers a vote without a share that SignVote has made here, which is as
// good as checked.
func (r *Votes) AddOwn(v *Vote) {
	if v.Epoch == r.set.Epoch() && len(v.Share) == 0 && v.Signer < uint64(r.set.Len()) {
		r.put(v.Kind, v.View, v.Hash(), int(v.Signer), v.Sig)
	}
}

func (r *Votes) addCert(c *cert.Certificate) {
	r.top = max(r.top, c.View)
	for i, sig := range c.Each {
		r.put(c.Kind.Vote(), c.View, c.Hash(), i, sig)
	}
}

func (r *Votes) put(k cert.Kind, view uint64, block header.Hash, signer int, sig keys.Signature) {
	s := &r.views[view%votesViews]
	switch {
	case view < s.view:
		return
	case view > s.view:
		*s = votesView{view: view}
	}
	list := &s.kinds[k-cert.Notarize]
	if *list == nil {
		*list = make([]checkedVote, r.set.Len())
	}
	(*list)[signer] = checkedVote{held: true, block: block, sig: sig}
}
