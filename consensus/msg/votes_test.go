// SPDX-License-Identifier: Apache-2.0

package msg

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/valset"
)

// remember returns a memory of verified votes of all four validators for the
// views, kinds and blocks that the tests speak of.
func remember(t testing.TB, set *valset.Set) *Votes {
	_, ks := network(t)
	r := NewVotes(set, chainID)
	for _, v := range []*Vote{
		SignVote(chainID, cert.Notarize, epoch, 3, blockOf("parent"), 0, ks[0]),
		SignVote(chainID, cert.Notarize, epoch, 3, blockOf("parent"), 1, ks[1]),
		SignVote(chainID, cert.Nullify, epoch, 4, nil, 0, ks[0]),
		SignVote(chainID, cert.Nullify, epoch, 4, nil, 3, ks[3]),
		SignVote(chainID, cert.Finalize, epoch, 3, blockOf("parent"), 2, ks[2]),
	} {
		ok, err := Verify(set, chainID, &Message{Vote: v})
		if err != nil {
			t.Fatal(err)
		}
		r.Add(ok)
	}
	return r
}

func TestVotesKnowWhatWasCheckedAndNothingElse(t *testing.T) {
	set, ks := network(t)
	parent, other := blockOf("parent"), blockOf("other")
	for _, c := range []struct {
		name string
		cert *cert.Certificate
		want byte
	}{
		{"all", join(set, ks, cert.Notarize, 3, parent, 0, 1), 0b0011},
		{"one of three", join(set, ks, cert.Notarize, 3, parent, 1, 2, 3), 0b0010},
		{"no block", join(set, ks, cert.Nullify, 4, nil, 0, 1, 3), 0b1001},
		{"another block", join(set, ks, cert.Notarize, 3, other, 0, 1), 0},
		{"another kind", join(set, ks, cert.Finalize, 3, parent, 0, 1, 2), 0b0100},
		{"another view", join(set, ks, cert.Notarize, 4, parent, 0, 1), 0},
		{"a view of the same place", join(set, ks, cert.Notarize, 3+votesViews, parent, 0, 1), 0},
	} {
		r := remember(t, set)
		k := r.Known(c.cert)
		if got := append(slices.Clone(k.signers), 0)[0]; got != c.want {
			t.Errorf("%s: knows %04b, want %04b", c.name, got, c.want)
		}
		if c.want != 0 { // the bit of a changed signature goes out
			for i := range c.cert.Count() {
				bad := *c.cert
				bad.Sigs = slices.Clone(bad.Sigs)
				bad.Sigs[64*i+9] ^= 4
				if _, err := VerifyWith(r, set, chainID, &Message{Cert: &bad}); err == nil {
					t.Errorf("%s: signature %d may be any", c.name, i)
				}
			}
		}
	}
}

func TestVotesForgetTheOldestAndTakeNothingOfAnotherSet(t *testing.T) {
	set, ks := network(t)
	twin, _ := network(t)
	r := remember(t, set)
	q := join(set, ks, cert.Notarize, 3, blockOf("parent"), 0, 1)
	if k := remember(t, twin).Known(q); k.rest(q, set, chainID) != nil || k.set == set {
		t.Error("what another set knows is used, or the certificate refused")
	}
	ok, err := Verify(twin, chainID, &Message{Cert: join(set, ks, cert.Notarize, 7, blockOf("x"), 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	r.Add(ok)
	r.Add(Verified{})
	if r.views[7].kinds[0] != nil {
		t.Error("what was verified under another set is taken in")
	}
	r.AddOwn(SignVote(chainID, cert.Notarize, epoch, 3+votesViews, blockOf("x"), 2, ks[2]))
	if k := r.Known(q); k.signers != nil {
		t.Errorf("view 3 gave way and is known: %b", k.signers)
	}
	r.AddOwn(SignVote(chainID, cert.Notarize, epoch, 3, blockOf("parent"), 0, ks[0]))
	if own := join(set, ks, cert.Notarize, 3+votesViews, blockOf("x"), 0, 2); r.Known(own).signers[0] != 0b100 {
		t.Error("an older view pushed out a newer one, or the own vote is not known")
	}
}

// TestWhoVotesFarAheadMakesNobodyForget sends votes of views that never come.
func TestWhoVotesFarAheadMakesNobodyForget(t *testing.T) {
	set, ks := network(t)
	r := remember(t, set)
	far := func(v uint64) {
		ok, err := Verify(set, chainID, &Message{Vote: SignVote(chainID, cert.Nullify, epoch, v, nil, 3, ks[3])})
		if err != nil {
			t.Fatal(err)
		}
		r.Add(ok)
	}
	q := join(set, ks, cert.Notarize, 3, blockOf("parent"), 0, 1, 2)
	for i := range uint64(votesViews) {
		far(math.MaxUint64 - i)
		far(votesAhead + 1 + i)
	}
	if r.Known(q).signers[0] != 0b11 {
		t.Error("votes far ahead pushed out those of view 3")
	}
	ok, err := VerifyWith(r, set, chainID, &Message{Cert: q})
	if err != nil {
		t.Fatal(err)
	}
	r.Add(ok)
	far(3 + votesAhead) // now it is near
	if near := join(set, ks, cert.Nullify, 3+votesAhead, nil, 1, 2, 3); r.Known(near).signers[0] != 0b1000 {
		t.Error("a vote of a near view is not remembered")
	}
	if r.Known(q).signers[0] != 0b111 {
		t.Error("view 3 was forgotten")
	}
}

// TestVerifyWithGivesTheVerdictOfVerify damages certificates and proposals at
// random, with memories that know some of what is in them.
func TestVerifyWithGivesTheVerdictOfVerify(t *testing.T) {
	set, ks := network(t)
	ready, err := set.Prepared()
	if err != nil {
		t.Fatal(err)
	}
	frames := [][]byte{
		proposal(t, nil).Encode(),
		join(set, ks, cert.Notarize, 3, blockOf("parent"), 0, 1).Encode(),
		join(set, ks, cert.Nullify, 4, nil, 0, 1, 3).Encode(),
		join(set, ks, cert.Finalize, 3, blockOf("parent"), 0, 1, 2).Encode(),
	}
	good := 0
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom([]*valset.Set{set, ready}).Draw(t, "set")
		r := NewVotes(s, chainID)
		for _, f := range rapid.SliceOf(rapid.SampledFrom(frames)).Draw(t, "seen") {
			m, _ := Decode(f)
			ok, err := VerifyWith(r, s, chainID, m)
			if err != nil {
				t.Fatal(err)
			}
			r.Add(ok)
		}
		f := slices.Clone(rapid.SampledFrom(frames).Draw(t, "frame"))
		if rapid.Bool().Draw(t, "damage") {
			f[rapid.IntRange(0, len(f)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		}
		m, err := Decode(f)
		if err != nil {
			return
		}
		_, plain := Verify(set, chainID, m)
		_, with := VerifyWith(r, s, chainID, m)
		if (plain == nil) != (with == nil) {
			t.Fatalf("%x: %v without memory, %v with", f, plain, with)
		}
		if plain == nil {
			good++
		}
	})
	if good == 0 {
		t.Error("nothing held")
	}
}

func BenchmarkVerifyKnownProposal(b *testing.B) {
	plain, _ := network(b)
	set, _ := plain.Prepared()
	m, _ := Decode(proposal(b, nil).Encode())
	r := NewVotes(set, chainID)
	for name, mem := range map[string]Memory{"checked": nil, "known": r} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				ok, err := VerifyWith(mem, set, chainID, m)
				if err != nil {
					b.Fatal(err)
				}
				r.Add(ok)
			}
		})
	}
}
