// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"pgregory.net/rapid"
)

// honest draws what a key that keeps the rules may sign in one view (CONS-20
// to CONS-23): at most one Notarize, then Nullify or Finalize, never both, and
// Finalize only of the block that it notarized if it notarized one.
func honest(t *rapid.T, n *net, view uint64, i int) []*msg.Message {
	var out []*msg.Message
	block := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "block")
	if rapid.Bool().Draw(t, "notarizes") {
		out = append(out, n.vote(cert.Notarize, view, block, i))
	}
	switch rapid.IntRange(0, 2).Draw(t, "ends") {
	case 1:
		out = append(out, n.vote(cert.Nullify, view, "", i))
	case 2:
		out = append(out, n.vote(cert.Finalize, view, block, i))
	}
	return out
}

// faulty draws anything.
func faulty(t *rapid.T, n *net, view uint64, i int) []*msg.Message {
	var out []*msg.Message
	for range rapid.IntRange(0, 5).Draw(t, "words") {
		k := rapid.SampledFrom([]cert.Kind{cert.Notarize, cert.Nullify, cert.Finalize}).Draw(t, "kind")
		out = append(out, n.vote(k, view, rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "block"), i))
	}
	return out
}

// joined makes certificates of votes that agree, by anybody who cast them.
func joined(t *rapid.T, n *net, votes []*msg.Message) []*msg.Message {
	by := map[string][]int{}
	sample := map[string]*msg.Vote{}
	for _, m := range votes {
		k := fmt.Sprint(m.Vote.Kind, m.Vote.View, m.Vote.Block)
		if !slices.Contains(by[k], int(m.Vote.Signer)) {
			by[k] = append(by[k], int(m.Vote.Signer))
		}
		sample[k] = m.Vote
	}
	var out []*msg.Message
	for _, k := range slices.Sorted(maps.Keys(by)) {
		v := sample[k]
		slices.Sort(by[k])
		c := n.cert(v.Kind+3, v.View, v.Block, by[k]...)
		if c.Verify(n.set, chainID) == nil && rapid.Bool().Draw(t, "joined") {
			out = append(out, &msg.Message{Cert: c})
		}
	}
	return out
}

// TestFinderConvictsTheGuiltyAlone: whatever order messages and certificates
// come in, who broke a rule is named once per view, and nobody else (I10). The
// naive twin compares every two votes.
func TestFinderConvictsTheGuiltyAlone(t *testing.T) {
	n := network(t, 1, 1, 1, 1)
	rapid.Check(t, func(rt *rapid.T) {
		var all []*msg.Message
		for view := uint64(1); view <= 2; view++ {
			for i := range 4 {
				if i < 2 {
					all = append(all, faulty(rt, n, view, i)...)
				} else {
					all = append(all, honest(rt, n, view, i)...)
				}
			}
		}
		type place struct {
			who  int
			view uint64
		}
		want := map[place]bool{}
		for _, a := range all {
			for _, b := range all {
				if a.Vote.Signer == b.Vote.Signer && len(Pair(n.set, a, b)) > 0 {
					want[place{int(a.Vote.Signer), a.Vote.View}] = true
				}
			}
		}
		all = append(all, joined(rt, n, all)...)
		f := NewFinder(n.set, chainID, seed, 1)
		got := map[place]bool{}
		for _, j := range rapid.Permutation(all).Draw(rt, "order") {
			for _, e := range f.Add(n.verified(j)) {
				offences, err := Check(n.set, chainID, &e)
				if err != nil {
					rt.Fatal(err)
				}
				for _, o := range offences {
					p := place{o.Index, o.View}
					if got[p] {
						rt.Errorf("%v is named twice", p)
					}
					got[p] = true
				}
			}
		}
		if !maps.Equal(got, want) {
			rt.Errorf("convicted %v, want %v", got, want)
		}
	})
}

// TestFinderFindsUnjustifiedVotes: votes before and after the block, whose
// leaves hold as certificates or not.
func TestFinderFindsUnjustifiedVotes(t *testing.T) {
	n := four(t)
	g := n.genesis()
	p := n.child(&g, 1, []byte{})
	for _, c := range []struct {
		name string
		leaf *cert.Certificate
		ok   bool // as a message
	}{
		{"a notarization for a nullification", n.cert(cert.Notarization, 2, blockOf("x"), 0, 1), true},
		{"less than a quorum", n.nullification(2, 1, 2), false},
	} {
		leaves := [][]byte{n.notarization(&p, 0, 1).Encode(), c.leaf.Encode()}
		h := n.child(&p, 3, leaves...)
		prop := msg.SignProposal(h, nil, leaves, n.keys[h.Leader])
		f := NewFinder(n.set, chainID, seed, 3)
		early, late := n.notarization(&h, 0, 1), n.finalization(&h, 0, 1, 2)
		list := f.Add(n.verified(&msg.Message{Cert: early}))
		if v, err := msg.Verify(n.set, chainID, &msg.Message{Proposal: prop}); (err == nil) != c.ok {
			t.Fatal(err)
		} else if c.ok {
			list = append(list, f.Add(v)...)
		} else {
			list = append(list, f.Suspect(prop)...)
		}
		list = append(list, f.Add(n.verified(&msg.Message{Cert: late}))...)
		if got := n.convict(list); len(got) != 3 || got[0] != UnjustifiedVote || got[2] != UnjustifiedVote {
			t.Errorf("%s: convicted %v", c.name, got)
		}
	}
}

func TestFinderTakesNoForgedSuspect(t *testing.T) {
	n := four(t)
	g := n.genesis()
	p := n.child(&g, 1, []byte{})
	leaves := [][]byte{n.notarization(&p, 0, 1).Encode(), {}}
	h := n.child(&p, 3, leaves...)
	f := NewFinder(n.set, chainID, seed, 3)
	for name, prop := range map[string]*msg.Proposal{
		"signed by another": msg.SignProposal(h, nil, leaves, n.keys[(h.Leader+1)%4]),
		"without leaves":    msg.SignProposal(h, nil, nil, n.keys[h.Leader]),
		"with other leaves": msg.SignProposal(h, nil, [][]byte{leaves[0], {1}}, n.keys[h.Leader]),
	} {
		if len(f.Suspect(prop)) > 0 || len(f.views[3].bad) > 0 {
			t.Error(name)
		}
	}
	lawful := n.propose(3, 0)
	if f.Suspect(lawful.Proposal); len(f.views[3].bad) > 0 {
		t.Error("a lawful block is a suspect")
	}
}

// TestOnlyTheLeaderOfAViewMakesTheFinderLook at leaves, which cost a check each,
// and not for long.
func TestOnlyTheLeaderOfAViewMakesTheFinderLook(t *testing.T) {
	n := four(t)
	g := n.genesis()
	p := n.child(&g, 1, []byte{})
	offer := func(leader int, i uint64) *msg.Proposal { // the leaf is too long to be shown
		leaves := [][]byte{n.notarization(&p, 0, 1).Encode(), make([]byte, MaxBytes)}
		h := n.child(&p, 3, leaves...)
		h.Leader, h.TimeMS = uint64(leader), h.TimeMS+i
		return msg.SignProposal(h, nil, leaves, n.keys[leader])
	}
	f := NewFinder(n.set, chainID, seed, 3)
	l := f.sched.Leader(3)
	forged := offer(l, 0)
	forged.Sig[0] ^= 1
	f.Suspect(forged)
	f.Suspect(offer((l+1)%4, 0))
	if w := f.views[3]; w.looked != 0 {
		t.Errorf("looked at %d blocks that the leader has not signed", w.looked)
	}
	for i := range uint64(10) {
		f.Suspect(offer(l, i))
	}
	if w := f.views[3]; w.looked != 2*suspects || len(w.bad) != 0 {
		t.Errorf("looked at %d blocks, keeps %d", w.looked, len(w.bad))
	}
}

func TestFinderNamesAWrongLeader(t *testing.T) {
	n := four(t)
	g := n.genesis()
	h := n.child(&g, 1, []byte{})
	h.Leader = (h.Leader + 1) % 4
	f := NewFinder(n.set, chainID, seed, 1)
	prop := &msg.Message{Proposal: msg.SignProposal(h, nil, [][]byte{{}}, n.keys[h.Leader])}
	list := f.Add(n.verified(prop))
	hash := h.Hash()
	list = append(list, f.Add(n.verified(&msg.Message{Vote: msg.SignVote(chainID, cert.Notarize, epoch, 1, hash[:], 2, n.keys[2])}))...)
	if got := n.convict(list); len(got) != 1 || got[2] != UnjustifiedVote {
		t.Errorf("convicted %v", got)
	}
}

// TestFinderForgets: views outside the window leave nothing, and a jump ahead
// costs nothing.
func TestFinderForgets(t *testing.T) {
	n := four(t)
	f := NewFinder(n.set, chainID, seed, 1)
	for view := uint64(1); view < 2_000; view++ {
		f.Advance(view)
		for i := range 4 {
			f.Add(n.verified(n.vote(cert.Nullify, view, "", i)))
			if i == 0 {
				f.Add(n.verified(n.vote(cert.Nullify, view+Window, "", i)))
				f.Add(n.verified(n.vote(cert.Nullify, view+Window+1, "", i)))
			}
		}
		if len(f.views) > 2*Window+1 {
			t.Fatalf("%d views in view %d", len(f.views), view)
		}
	}
	f.Advance(1 << 62)
	if len(f.views) != 0 || f.view(1<<62+Window+1) != nil || f.view(0) != nil {
		t.Errorf("%d views after a jump", len(f.views))
	}
	if f.Advance(5); f.at != 1<<62 {
		t.Error("it goes back")
	}
}

func TestFinderWatchesProposals(t *testing.T) {
	n := four(t)
	f := NewFinder(n.set, chainID, seed, 1)
	list := append(f.Add(n.verified(n.propose(2, 0))), f.Add(n.verified(n.propose(2, 1)))...)
	leader := int(n.propose(2, 0).Proposal.Header.Leader)
	if got := n.convict(list); len(got) != 1 || got[leader] != DoublePropose {
		t.Errorf("convicted %v", got)
	}
	// A proposal's leaves are certificates like any other.
	f = NewFinder(n.set, chainID, seed, 1)
	f.Add(n.verified(n.propose(3, 0)))
	x := header.Hash(blockOf("x"))
	list = f.Add(n.verified(&msg.Message{Vote: msg.SignVote(chainID, cert.Finalize, epoch, 2, x[:], 1, n.keys[1])}))
	if got := n.convict(list); len(got) != 1 || got[1] != NullifyFinalize {
		t.Errorf("convicted %v", got)
	}
}
