// SPDX-License-Identifier: Apache-2.0

package msg

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/bls"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
)

var chainID = [32]byte{0xc0}

const epoch = 2

// network is a set of four with power 4, 3, 2, 1 and its keys in set order; the
// seed of key i is 32 bytes of i+1.
func network(t testing.TB) (*valset.Set, []keys.PrivateKey) {
	t.Helper()
	var entries []valset.Entry
	var ks []keys.PrivateKey
	for i, p := range []uint64{4, 3, 2, 1} {
		k := keys.FromSeed([32]byte(bytes.Repeat([]byte{byte(i + 1)}, 32)))
		ks = append(ks, k)
		b := bls.Derive(k).Public()
		entries = append(entries, valset.Entry{Address: keys.Address{byte(i)}, Key: k.Public(), BLS: b[:], Power: p})
	}
	set, err := valset.New(epoch, entries)
	if err != nil {
		t.Fatal(err)
	}
	return set, ks
}

// join makes a certificate from the votes of the given validators.
func join(set *valset.Set, ks []keys.PrivateKey, kind cert.Kind, view uint64, block []byte, signers ...int) *cert.Certificate {
	var tally Tally
	var last *Vote
	for _, i := range signers {
		last = SignVote(chainID, kind, set.Epoch(), view, block, i, ks[i])
		tally.Add(last, set.Len(), set.Power(i))
	}
	return tally.Certificate(last)
}

func blockOf(s string) []byte {
	h := sha256.Sum256([]byte(s))
	return h[:]
}

// proposal is the block of validator 2 for view 5 on view 3, with the
// notarization of the parent and the nullification of view 4.
func proposal(t testing.TB, change func(*header.Header, *[][]byte)) *Proposal {
	set, ks := network(t)
	parent := blockOf("parent")
	leaves := [][]byte{
		join(set, ks, cert.Notarize, 3, parent, 0, 1).Encode(),
		join(set, ks, cert.Nullify, 4, nil, 0, 1, 3).Encode(),
	}
	digests := [][32]byte{{1}, {2}}
	h := header.Header{
		Version: header.Version, ChainID: chainID, Epoch: epoch, View: 5, Height: 3, TimeMS: 9, Parent: [32]byte(parent), ParentView: 3,
		Leader: 2, PayloadRoot: header.PayloadRoot(digests), Batches: 2, Txs: 7, SetHash: set.Hash(), NextSet: []byte{}, VRF: []byte{},
	}
	h.Justification = merkle.Root(leaves)
	if change != nil {
		change(&h, &leaves)
	}
	return SignProposal(h, digests, leaves, ks[2])
}

// frameCase is a frame and the error that Decode or Verify gives.
type frameCase struct {
	name  string
	want  error
	frame []byte
}

func frameCases(t testing.TB) []frameCase {
	set, ks := network(t)
	b := blockOf("b")
	vote := func(f func(*Vote)) []byte {
		v := SignVote(chainID, cert.Notarize, epoch, 5, b, 1, ks[1])
		f(v)
		return v.Encode()
	}
	prop := func(f func(*header.Header, *[][]byte)) []byte { return proposal(t, f).Encode() }
	after := func(f func(*Proposal)) []byte {
		p := proposal(t, nil)
		f(p)
		return p.Encode()
	}
	batch := func(f func(*Batch)) []byte {
		x := NewBatch(chainID, epoch, 1, 4, [][]byte{{1}, {2, 3}}, ks[1])
		f(x)
		return x.Encode()
	}
	share := func(f func(*Vote)) []byte {
		v := SignShare(chainID, epoch, 5, b, 1, ks[1], bls.Derive(ks[1]))
		f(v)
		return v.Encode()
	}
	good := vote(func(*Vote) {})
	return []frameCase{
		{"a notarize", nil, good},
		{"a nullify", nil, SignVote(chainID, cert.Nullify, epoch, 5, nil, 0, ks[0]).Encode()},
		{"a finalize", nil, SignVote(chainID, cert.Finalize, epoch, 5, b, 3, ks[3]).Encode()},
		{"a finalize with a share", nil, share(func(*Vote) {})},
		{"a proposal", nil, prop(nil)},
		{"a proposal on an epoch's root", nil, prop(func(h *header.Header, l *[][]byte) {
			h.View, h.ParentView = 1, 0
			*l = [][]byte{{1, 2, 3}}
			h.Justification = merkle.Root(*l)
		})},
		{"a proposal without its leaves", nil, after(func(p *Proposal) { p.Leaves = nil })},
		{"a certificate", nil, join(set, ks, cert.Finalize, 5, b, 0, 1).Encode()},
		{"a batch", nil, batch(func(*Batch) {})},

		{"nothing", ErrMalformed, nil},
		{"one byte", ErrMalformed, good[:1]},
		{"a map", ErrMalformed, []byte{0xa1, 1, 2}},
		{"an unknown kind", ErrMalformed, append([]byte{good[0], 10}, good[2:]...)},
		{"a kind in two bytes", ErrMalformed, append([]byte{good[0], 0x18, 2}, good[2:]...)},
		{"a frame cut short", ErrMalformed, good[:len(good)-1]},
		{"a byte after the frame", ErrMalformed, append(bytes.Clone(good), 0)},

		{"a vote of view 0", ErrMalformed, vote(func(v *Vote) { v.View = 0 })},
		{"a notarize without a block", ErrMalformed, vote(func(v *Vote) { v.Block = nil })},
		{"a nullify with a block", ErrMalformed, vote(func(v *Vote) { v.Kind = cert.Nullify })},
		{"a vote of another epoch", ErrEpoch, vote(func(v *Vote) { v.Epoch++ })},
		{"a vote by a stranger", ErrNotMember, vote(func(v *Vote) { v.Signer = 4 })},
		{"a vote by nobody's index", ErrNotMember, vote(func(v *Vote) { v.Signer = 1 << 63 })},
		{"a vote in another's name", ErrSignature, vote(func(v *Vote) { v.Signer = 0 })},
		{"a vote for another block", ErrSignature, vote(func(v *Vote) { v.Block = blockOf("x") })},
		{"a vote for another view", ErrSignature, vote(func(v *Vote) { v.View++ })},
		{"a finalize with a notarize's signature", ErrSignature, vote(func(v *Vote) { v.Kind = cert.Finalize })},

		{"a finalize with a share cut short", ErrMalformed, share(func(v *Vote) { v.Share = v.Share[:47] })},
		{"a notarize with a share", ErrMalformed, share(func(v *Vote) { v.Kind = cert.Notarize })},
		{"a finalize without its share", ErrSignature, share(func(v *Vote) { v.Share = nil })},
		{"a finalize with another share", ErrSignature, share(func(v *Vote) { v.Share[0] ^= 1 })},

		{"a header out of rule", ErrMalformed, prop(func(h *header.Header, _ *[][]byte) { h.Certify = 2 })},
		{"a proposal of another chain", ErrMalformed, prop(func(h *header.Header, _ *[][]byte) { h.ChainID[0] ^= 1 })},
		{"a proposal of another set", ErrMalformed, prop(func(h *header.Header, _ *[][]byte) { h.SetHash[0] ^= 1 })},
		{"a proposal of another epoch", ErrEpoch, prop(func(h *header.Header, _ *[][]byte) { h.Epoch++ })},
		{"a leader outside the set", ErrNotMember, prop(func(h *header.Header, _ *[][]byte) { h.Leader = 4 })},
		{"a leader who did not sign", ErrSignature, prop(func(h *header.Header, _ *[][]byte) { h.Leader = 1 })},
		{"a digest left out", ErrMalformed, after(func(p *Proposal) { p.Digests = p.Digests[:1] })},
		{"other digests than the header's", ErrMalformed, after(func(p *Proposal) { p.Digests[1][0] ^= 1 })},
		{"one leaf of two", ErrMalformed, after(func(p *Proposal) { p.Leaves = p.Leaves[:1] })},
		{"other leaves than the header's", ErrMalformed, after(func(p *Proposal) { p.Leaves[1] = p.Leaves[0] })},
		{"a leaf that is no certificate", ErrMalformed, prop(func(h *header.Header, l *[][]byte) {
			(*l)[1] = []byte{1}
			h.Justification = merkle.Root(*l)
		})},
		{"a leaf of another view", ErrMalformed, prop(func(h *header.Header, l *[][]byte) {
			(*l)[1] = (*l)[0]
			h.Justification = merkle.Root(*l)
		})},
		{"a leaf without a quorum", cert.ErrQuorum, prop(func(h *header.Header, l *[][]byte) {
			(*l)[1] = join(set, ks, cert.Nullify, 4, nil, 2, 3).Encode()
			h.Justification = merkle.Root(*l)
		})},
		{"a leaf with a wrong signature", ErrSignature, prop(func(h *header.Header, l *[][]byte) {
			c := join(set, ks, cert.Nullify, 4, nil, 0, 1)
			c.Sigs[0] ^= 1
			(*l)[1] = c.Encode()
			h.Justification = merkle.Root(*l)
		})},

		{"a batch without transactions", ErrMalformed, batch(func(x *Batch) { x.Txs = nil })},
		{"a batch above the limit", ErrMalformed, batch(func(x *Batch) { x.Txs = [][]byte{make([]byte, MaxBatch+1)} })},
		{"a batch of another epoch", ErrEpoch, batch(func(x *Batch) { x.Epoch++ })},
		{"a batch by a stranger", ErrNotMember, batch(func(x *Batch) { x.Author = 4 })},
		{"a batch in another's name", ErrSignature, batch(func(x *Batch) { x.Author = 0 })},
		{"a batch with another transaction", ErrSignature, batch(func(x *Batch) { x.Txs[0] = []byte{9} })},
		{"a batch with another sequence number", ErrSignature, batch(func(x *Batch) { x.Seq++ })},
	}
}

// open is Decode and Verify.
func open(set *valset.Set, b []byte) (Verified, error) {
	m, err := Decode(b)
	if err != nil {
		return Verified{}, err
	}
	return Verify(set, chainID, m)
}

func TestFrames(t *testing.T) {
	set, _ := network(t)
	for _, c := range frameCases(t) {
		v, err := open(set, c.frame)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if v.IsZero() != (c.want != nil) {
			t.Errorf("%s: a refused message is verified, or a good one is not", c.name)
		}
		if err == nil && !bytes.Equal(v.Message().Bytes(), c.frame) {
			t.Errorf("%s: other bytes", c.name)
		}
	}
}

func TestVerifyRefusesWhatDecodeDidNotMake(t *testing.T) {
	set, _ := network(t)
	for name, m := range map[string]*Message{"nothing": nil, "an empty message": {}} {
		if _, err := Verify(set, chainID, m); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAVerifiedProposalCarriesItsJustification(t *testing.T) {
	set, _ := network(t)
	p := proposal(t, nil)
	v, err := open(set, p.Encode())
	if err != nil {
		t.Fatal(err)
	}
	l := v.Leaves()
	if len(l) != 2 || l[0].Kind != cert.Notarization || l[1].Kind != cert.Nullification || v.Hash() != p.Header.Hash() {
		t.Errorf("leaves %v", l)
	}
	p.Leaves = nil
	if v, err = open(set, p.Encode()); err != nil || len(v.Leaves()) != 0 {
		t.Errorf("without leaves: %v", err)
	}
}

func TestPushLeavesOutALongJustification(t *testing.T) {
	_, ks := network(t)
	p := proposal(t, nil)
	if !bytes.Equal(p.Push(), p.Encode()) {
		t.Error("a short proposal is not pushed whole")
	}
	h := p.Header
	h.View, h.ParentView = 2_000, 1
	leaves := make([][]byte, 1_999)
	for i := range leaves {
		leaves[i] = make([]byte, 300)
	}
	h.Justification = merkle.Root(leaves)
	long := SignProposal(h, p.Digests, leaves, ks[2])
	m, err := Decode(long.Push())
	if err != nil || len(m.Proposal.Leaves) != 0 || len(long.Push()) > MaxPush {
		t.Errorf("pushed %d bytes: %v", len(long.Push()), err)
	}
	if len(long.Leaves) != 1_999 {
		t.Error("Push changed the proposal")
	}
}

// TestTallyCountsLikeItsTwin compares with a list of all votes.
func TestTallyCountsLikeItsTwin(t *testing.T) {
	set, _ := network(t)
	rapid.Check(t, func(t *rapid.T) {
		var tally Tally
		kept := map[uint64][]byte{} // signer → blocks, at most two
		for range rapid.IntRange(1, 30).Draw(t, "votes") {
			v := &Vote{Kind: cert.Notarize, View: 1, Signer: rapid.Uint64Range(0, 3).Draw(t, "signer"), Block: make([]byte, 32)}
			v.Block[0] = rapid.ByteRange(1, 4).Draw(t, "block")
			mine := kept[v.Signer]
			if known := slices.Contains(mine, v.Block[0]); tally.Has(v) != known {
				t.Fatalf("Has is %v for signer %d, block %d", !known, v.Signer, v.Block[0])
			} else if known {
				continue
			}
			power, other := tally.Add(v, set.Len(), set.Power(int(v.Signer)))
			if len(mine) == 2 {
				if power != 0 || other != nil {
					t.Fatal("a third vote is counted")
				}
				continue
			}
			if (other != nil) != (len(mine) == 1) {
				t.Fatal("a conflict is missed or invented")
			}
			kept[v.Signer] = append(mine, v.Block[0])
			want := uint64(0)
			for i := range uint64(4) {
				if slices.Contains(kept[i], v.Block[0]) {
					want += set.Power(int(i))
				}
			}
			if power != want {
				t.Fatalf("power %d, want %d", power, want)
			}
		}
	})
}

func TestAClosedTallyKeepsNothing(t *testing.T) {
	set, ks := network(t)
	var tally Tally
	v := SignVote(chainID, cert.Nullify, epoch, 5, nil, 0, ks[0])
	if p, _ := tally.Add(v, 4, 4); p != 4 || tally.Count() != 1 || tally.Most() != 4 {
		t.Errorf("power %d", p)
	}
	c := tally.Certificate(v)
	if c.Kind != cert.Nullification || c.Count() != 1 || !tally.Closed() || tally.Count() != 0 {
		t.Errorf("%+v", c)
	}
	if err := c.Verify(set, chainID); !errors.Is(err, cert.ErrQuorum) {
		t.Errorf("one vote of four makes a certificate: %v", err)
	}
	if p, _ := tally.Add(v, 4, 4); p != 0 || tally.Count() != 0 {
		t.Error("a vote was added")
	}
}

// TestSharesAreCountedApart: no certificate holds votes with and without share.
func TestSharesAreCountedApart(t *testing.T) {
	set, ks := network(t)
	b := blockOf("b")
	var tally Tally
	plain := SignVote(chainID, cert.Finalize, epoch, 5, b, 3, ks[3])
	tally.Add(plain, 4, 1)
	var last *Vote
	for i, want := range []uint64{4, 7, 9} {
		last = SignShare(chainID, epoch, 5, b, i, ks[i], bls.Derive(ks[i]))
		if p, other := tally.Add(last, 4, set.Power(i)); p != want || other != nil {
			t.Errorf("power %d, want %d", p, want)
		}
	}
	again := SignShare(chainID, epoch, 5, b, 3, ks[3], bls.Derive(ks[3]))
	if !tally.Has(again) {
		t.Error("a vote is new because of its share")
	}
	if out := tally.Drop(last, 1, 3); out == nil || out.Signer != 1 {
		t.Errorf("dropped %+v", out)
	}
	shares := tally.Shares(last)
	if len(shares) != 2 || shares[0].Member != 0 || shares[1].Member != 2 {
		t.Fatalf("shares of %+v", shares)
	}
	k, err := set.BLS()
	if err != nil {
		t.Fatal(err)
	}
	sig, bad, err := k.Combine(cert.FinalBytes(chainID, epoch, 5, b), shares)
	if err != nil || len(bad) > 0 {
		t.Fatal(bad, err)
	}
	c := tally.Aggregate(last, shares, sig)
	if !tally.Closed() || c.Count() != 2 || !c.Has(0) || c.Has(1) || !c.Has(2) || c.Has(3) {
		t.Errorf("%+v", c)
	}
	if err := c.Verify(set, chainID); !errors.Is(err, cert.ErrQuorum) { // 6 of 10
		t.Error(err)
	}
}

func TestASetWithoutBLSKeysTakesNoShares(t *testing.T) {
	set, ks := network(t)
	var bare []valset.Entry
	for i := range set.Len() {
		e := set.Entry(i)
		e.BLS = nil
		bare = append(bare, e)
	}
	plain, err := valset.New(epoch, bare)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(plain, SignShare(chainID, epoch, 5, blockOf("b"), 1, ks[1], bls.Derive(ks[1])).Encode()); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}

func FuzzVerify(f *testing.F) {
	set, _ := network(f)
	for _, c := range frameCases(f) {
		if len(c.frame) < 4_096 {
			f.Add(c.frame)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil {
			return
		}
		if got := enc.Encode(content(m)); !bytes.Equal(got, b) {
			t.Errorf("%x decodes and encodes to %x", b, got)
		}
		_, _ = Verify(set, chainID, m)
	})
}

func content(m *Message) any {
	switch {
	case m.Vote != nil:
		return m.Vote
	case m.Proposal != nil:
		return m.Proposal
	case m.Cert != nil:
		return m.Cert
	}
	return m.Batch
}

func BenchmarkVerifyVote(b *testing.B) {
	set, ks := network(b)
	m, _ := Decode(SignVote(chainID, cert.Notarize, epoch, 5, blockOf("b"), 1, ks[1]).Encode())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Verify(set, chainID, m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeVote(b *testing.B) {
	_, ks := network(b)
	raw := SignVote(chainID, cert.Notarize, epoch, 5, blockOf("b"), 1, ks[1]).Encode()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(raw); err != nil {
			b.Fatal(err)
		}
	}
}
