// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"slices"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/merkle"
)

// Bounds of a Finder.
const (
	// Window is how many views a Finder remembers below, and takes above, the
	// one it was told of.
	Window = 256
	// suspects is how many unlawful blocks of a view are remembered, of its
	// leader and of others.
	suspects = 2
)

// Finder looks for faults in everything that a node hears in one epoch. Feed it
// verified messages in any order, repeated or not; it names a validator once per
// view. It belongs to one goroutine. Memory: per view and validator at most one
// vote of each kind, for 2·Window views; a certificate takes the place of the
// votes that it holds.
type Finder struct {
	set     *valset.Set
	chainID [32]byte
	sched   *valset.Schedule
	at      uint64 // view
	low     uint64 // views from here on may be in views
	views   map[uint64]*watch
}

// watch is what was heard of one view.
type watch struct {
	heard  [cert.Finalize + 1][]*Half // by kind and validator; nil row: nobody yet
	guilty []bool                     // by validator
	bad    []suspect                  // unlawful blocks of the leader
	alien  []suspect                  // blocks of others
	looked int                        // refused blocks of the leader whose leaves were checked
}

type suspect struct {
	block header.Hash
	why   *Unjustified
}

// NewFinder watches an epoch from a view on. seed orders its leaders (CONS-41).
func NewFinder(set *valset.Set, chainID, seed [32]byte, view uint64) *Finder {
	return &Finder{
		set: set, chainID: chainID, sched: valset.NewSchedule(set, seed), at: view, low: floor(view), views: map[uint64]*watch{},
	}
}

func floor(view uint64) uint64 { return view - min(view, Window) }

// Advance tells the view that the node is in, and forgets what is Window views
// older. It never goes back.
func (f *Finder) Advance(view uint64) {
	if view <= f.at {
		return
	}
	f.at = view
	to := floor(view)
	if to-f.low > 2*Window { // nothing above at+Window was ever taken in
		f.views, f.low = map[uint64]*watch{}, to
	}
	for ; f.low < to; f.low++ {
		delete(f.views, f.low)
	}
}

// view returns what was heard of a view, nil outside the window.
func (f *Finder) view(v uint64) *watch {
	if v == 0 || v < f.low || v > f.at+Window {
		return nil
	}
	w := f.views[v]
	if w == nil {
		w = &watch{guilty: make([]bool, f.set.Len())}
		f.views[v] = w
	}
	return w
}

// Add takes in a verified message or certificate and returns what it shows
// together with earlier ones. Batches show nothing here: see OfBatch. What is
// handed in is kept and must not change. Cost: O(n),
// without signature checks.
func (f *Finder) Add(v msg.Verified) []Evidence {
	if v.IsZero() {
		return nil
	}
	m := v.Message()
	var out []Evidence
	if p := m.Proposal; p != nil {
		out = f.examine(p, v.Leaves())
		for _, q := range v.Leaves() {
			if q != nil {
				h := ofCert(q)
				out = append(out, f.hear(q.View, &h)...)
			}
		}
	}
	if view, h, ok := half(f.set.Len(), m); ok {
		out = append(out, f.hear(view, &h)...)
	}
	return out
}

// hear compares a half with what its signers said before.
func (f *Finder) hear(view uint64, h *Half) []Evidence {
	w := f.view(view)
	if w == nil {
		return nil
	}
	var out []Evidence
	for _, list := range [][]suspect{w.bad, w.alien} {
		for _, s := range list {
			if bytes.Equal(h.Block, s.block[:]) && (h.Kind == cert.Notarize || h.Kind == cert.Finalize) {
				out = append(out, s.why.accuse(h, w.convict(h.list()))...)
			}
		}
	}
	who := h.list()
	for k := cert.Proposal; k <= cert.Finalize; k++ {
		row := w.heard[k]
		for j := 0; row != nil && j < len(who); j++ {
			other := row[who[j]]
			if other == nil || other == h || w.guilty[who[j]] {
				continue
			}
			if kind, _ := excludes(h, other); kind == 0 {
				continue
			}
			// Everybody who signed these two is convicted by one piece.
			out = append(out, conflict(f.set.Epoch(), view, h, other, w.convict(common(h, other)))...)
		}
	}
	w.keep(h, who, f.set.Len())
	return out
}

// convict marks those of who that were not guilty before, and returns them.
func (w *watch) convict(who []int) []int {
	var out []int
	for _, i := range who {
		if !w.guilty[i] {
			w.guilty[i] = true
			out = append(out, i)
		}
	}
	return out
}

// keep remembers h for each signer of whom no such vote is known, or known from
// a smaller half of the same block.
func (w *watch) keep(h *Half, who []int, n int) {
	if w.heard[h.Kind] == nil {
		w.heard[h.Kind] = make([]*Half, n)
	}
	row := w.heard[h.Kind]
	for _, i := range who {
		if old := row[i]; old == nil || len(who) > 1 && old.count() < len(who) && bytes.Equal(old.Block, h.Block) {
			row[i] = h
		}
	}
}

// Suspect takes in a proposal that msg.Verify may have refused for its leaves.
// If the leader that it names signed it and the block is unlawful, every vote
// for it is a fault, earlier ones and later ones. Cost: one signature, and one
// certificate per leaf for a few blocks of each view that its own leader signed.
func (f *Finder) Suspect(p *msg.Proposal) []Evidence {
	h := &p.Header
	w := f.view(h.View)
	if w == nil || !whole(p) {
		return nil
	}
	return f.suspect(p, func() *Unjustified {
		if w.looked == 2*suspects {
			return nil
		}
		w.looked++
		return fault(f.set, f.chainID, h.View, h, p.Leaves, nil)
	})
}

// whole reports whether the leaves of p are there and are those of its header.
func whole(p *msg.Proposal) bool {
	h := &p.Header
	return len(p.Leaves) > 0 && h.ParentView < h.View && uint64(len(p.Leaves)) == h.View-h.ParentView &&
		merkle.Root(p.Leaves) == h.Justification
}

// examine is Suspect for a proposal whose leaves hold as certificates: only
// their places are looked at.
func (f *Finder) examine(p *msg.Proposal, leaves []*cert.Certificate) []Evidence {
	if f.view(p.Header.View) == nil {
		return nil
	}
	for i, q := range leaves {
		if !fits(&p.Header, uint64(i), q, len(p.Leaves[i]) == 0) {
			return f.suspect(p, func() *Unjustified { return leafFault(f.set, &p.Header, p.Leaves, i) })
		}
	}
	if p.Header.Leader != uint64(f.sched.Leader(p.Header.View)) {
		return f.suspect(p, nil) // the leader is the fault
	}
	return nil
}

// suspect remembers an unlawful block and returns the votes for it. find looks
// for what is wrong with a block that the scheduled leader has signed.
func (f *Finder) suspect(p *msg.Proposal, find func() *Unjustified) []Evidence {
	h, w, n := &p.Header, f.views[p.Header.View], f.set.Len()
	if h.Leader >= uint64(n) {
		return nil
	}
	list := &w.bad
	if h.Leader != uint64(f.sched.Leader(h.View)) {
		// Any validator can sign such blocks: they have places of their own.
		list, find = &w.alien, func() *Unjustified {
			return &Unjustified{Kind: UnjustifiedVote, Epoch: f.set.Epoch(), View: h.View, Header: *h, Fault: BadLeader}
		}
	}
	hash := h.Hash()
	if len(*list) >= suspects || slices.ContainsFunc(*list, func(s suspect) bool { return s.block == hash }) {
		return nil
	}
	vote := one(n, cert.Proposal, hash[:], h.Leader, &p.Sig)
	if vote.verify(f.set, f.chainID, h.View) != nil {
		return nil
	}
	why := find()
	if why == nil || len(why.accuse(&vote, []int{int(h.Leader)})) == 0 {
		return nil // lawful as far as it shows, or too long to be shown
	}
	*list = append(*list, suspect{hash, why})
	var out []Evidence
	for _, k := range []cert.Kind{cert.Notarize, cert.Finalize} {
		for _, votes := range w.heard[k] {
			if votes != nil && bytes.Equal(votes.Block, hash[:]) {
				out = append(out, why.accuse(votes, w.convict(votes.list()))...)
			}
		}
	}
	return out
}
