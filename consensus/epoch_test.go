// SPDX-License-Identifier: Apache-2.0

package consensus

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/bls"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/internal/vrf"
)

const epochMS = 10_000

// later is the set of epoch 1: the same validators with other powers.
func (r *rig) later() *valset.Set {
	var entries []valset.Entry
	for i := range r.cfg.Set.Len() {
		e := r.cfg.Set.Entry(i)
		e.Power = 3
		entries = append(entries, e)
	}
	set, err := valset.New(r.cfg.Set.Epoch()+1, entries)
	if err != nil {
		r.t.Fatal(err)
	}
	return set
}

// newEpochRig makes a core of an epoch of ten seconds, with BLS and VRF keys if
// keyed. The state after genesis elects later.
func newEpochRig(t testing.TB, self int, keyed bool, change func(*Config), records ...Record) *rig {
	r := newRig(t, self)
	if keyed {
		var entries []valset.Entry
		for i := range 4 {
			e := r.cfg.Set.Entry(i)
			b, v := bls.Derive(r.keys[i]).Public(), vrf.Derive(r.keys[i]).Public()
			e.BLS, e.VRF = b[:], v[:]
			entries = append(entries, e)
		}
		var err error
		if r.cfg.Set, err = valset.New(0, entries); err != nil {
			t.Fatal(err)
		}
		r.cfg.Root.Header = header.Genesis(r.cfg.ChainID, r.cfg.Set.Hash(), 0, wall-1)
		if self >= 0 {
			r.cfg.BLS, r.cfg.VRF = bls.Derive(r.keys[self]), vrf.Derive(r.keys[self])
		}
	}
	r.cfg.Params.EpochMS, r.cfg.Root.NextSet = epochMS, r.later().Hash()
	if change != nil {
		change(&r.cfg)
	}
	r.start(records...)
	return r
}

// start makes the core anew from cfg.
func (r *rig) start(records ...Record) Output {
	r.t.Helper()
	var err error
	if r.core, err = New(r.cfg); err != nil {
		r.t.Fatal(err)
	}
	return r.step(Restored{Records: records})
}

// block is the lawful block of a view at the rig's time, by its leader: kind,
// certificate and beacon as the rules want them.
func (r *rig) block(view uint64, parent *header.Header, waiting bool, leaves [][]byte, change func(*header.Header)) *msg.Proposal {
	c := r.core
	h := header.Header{
		Version: header.Version, ChainID: r.cfg.ChainID, Epoch: r.cfg.Set.Epoch(), View: view, Height: parent.Height + 1,
		TimeMS: max(wall+r.now, parent.TimeMS+1), Parent: parent.Hash(), ParentView: parent.View, Justification: merkle.Root(leaves),
		Leader: uint64(c.Leader(view)), PayloadRoot: header.PayloadRoot(nil), StateRoot: [32]byte{1}, ReceiptsRoot: [32]byte{2},
		SetHash: r.cfg.Set.Hash(), NextSet: []byte{}, VRF: []byte{}, Beacon: parent.Beacon, CertifiedMS: parent.CertifiedMS,
	}
	if parent.Epoch != h.Epoch {
		h.ParentView = 0
	}
	switch h.Kind = c.rules.Kind(parent, view, h.TimeMS); h.Kind {
	case header.KindSeal:
		next := r.later().Hash()
		h.NextSet = next[:]
	case header.KindCarrier:
		h.Height = parent.Height
	}
	if h.Certify = c.rules.Certify(parent, &h); h.Certify == 1 {
		h.CertifiedMS = h.TimeMS
	}
	if c.rules.Draw(&h, waiting) {
		proof, beta := vrf.Derive(r.keys[h.Leader]).Prove(header.Alpha(h.ChainID, h.Epoch, h.View, parent.Beacon))
		h.VRF, h.Beacon = proof[:], header.Mix(parent.Beacon, beta)
	}
	if change != nil {
		change(&h)
	}
	return msg.SignProposal(h, nil, leaves, r.keys[h.Leader])
}

// share is a Finalize of a certified block.
func (r *rig) share(i int, view uint64, block []byte) *msg.Vote {
	return msg.SignShare(r.cfg.ChainID, r.cfg.Set.Epoch(), view, block, i, r.keys[i], bls.Derive(r.keys[i]))
}

// aggregate is the Aggregate of the given validators.
func (r *rig) aggregate(view uint64, block []byte, signers ...int) *cert.Certificate {
	var t msg.Tally
	var last *msg.Vote
	for _, i := range signers {
		last = r.share(i, view, block)
		t.Add(last, 4, 1)
	}
	shares := t.Shares(last)
	var sigs []bls.Signature
	for _, s := range shares {
		sigs = append(sigs, s.Sig)
	}
	sum, err := bls.Aggregate(sigs)
	if err != nil {
		r.t.Fatal(err)
	}
	return t.Aggregate(last, shares, sum)
}

// notarized brings the votes of others for a block of the current view.
func (r *rig) notarized(view uint64, block []byte, signers ...int) (out Output) {
	for _, i := range signers {
		next := r.say(r.vote(i, cert.Notarize, view, block))
		out.Join(next)
	}
	return out
}

// follower is a validator who leads neither of the first two views.
func follower(t testing.TB, keyed bool) int {
	c := newEpochRig(t, 0, keyed, nil).core
	return other(c.Leader(1), c.Leader(2))
}

func executes(out Output) (n int) {
	for _, q := range out.Requests {
		if _, ok := q.(Execute); ok {
			n++
		}
	}
	return n
}

// TestAnEpochEndsWithItsSeal plays the end of an epoch and the start of the next
// for one follower, with and without keys, the seal being final by itself or by a
// carrier only.
func TestAnEpochEndsWithItsSeal(t *testing.T) {
	for _, keyed := range []bool{false, true} {
		for _, carried := range []bool{false, true} {
			self := follower(t, keyed)
			r := newEpochRig(t, self, keyed, nil)
			same(t, "sleeps until the heartbeat", r.step(Timer{}).Deadline, 5_001)
			r.now = epochMS
			seal := r.block(1, &r.cfg.Root.Header, false, [][]byte{{}}, nil)
			hash := seal.Header.Hash()
			out := r.say(seal.Encode())
			same(t, "sent", kinds(out.Send), []string{"Notarize"})
			same(t, "executes the seal", executes(out), 1)
			if out = r.step(Executed{Block: hash, StateRoot: [32]byte{7}}); len(out.Decide) > 0 {
				t.Fatal("decided before it is final")
			}
			peers := others(r)
			r.notarized(1, hash[:], peers[0], peers[1])
			view, final := uint64(1), hash
			if carried {
				view = 2
				carrier := r.block(2, &seal.Header, false, [][]byte{r.cert(cert.Notarize, 1, hash[:], peers...).Encode()}, nil)
				final = carrier.Header.Hash()
				out = r.say(carrier.Encode())
				same(t, "sent", kinds(out.Send), []string{"Notarize"})
				same(t, "executes the carrier", executes(out), 0)
				out = r.notarized(2, final[:], peers[0], peers[1])
			}
			fin := r.cert(cert.Finalize, view, final[:], peers...)
			if keyed {
				fin = r.aggregate(view, final[:], peers...)
			}
			out = r.say(fin.Encode())
			if len(out.Decide) != 1 || out.Decide[0].Block != hash || out.Decide[0].Proof == nil || !r.core.Sealed() {
				t.Fatalf("keyed %v, carried %v: decide %+v", keyed, carried, out.Decide)
			}
			p := out.Decide[0].Proof
			if err := p.Verify(r.cfg.Set, r.cfg.ChainID, &seal.Header); err != nil || len(p.Headers) != int(view-1) {
				t.Errorf("keyed %v, carried %v: proof with %d headers: %v", keyed, carried, len(p.Headers), err)
			}
			r.now += 60_000
			if out = r.step(Timer{}); len(out.Send)+len(out.Requests) > 0 || out.Deadline != 0 {
				t.Errorf("a sealed core goes on: %+v", out)
			}
			nextEpoch(t, r, seal.Header, p)
		}
	}
}

// TestASealFarBelowItsFinalCarrierStopsTheNode: 512 carriers are a proof, one more
// is none, and the core says so instead of deciding what no epoch can start from.
func TestASealFarBelowItsFinalCarrierStopsTheNode(t *testing.T) {
	for _, far := range []int{cert.MaxProofHeaders, cert.MaxProofHeaders + 1} {
		r := newEpochRig(t, -1, false, nil)
		r.now = epochMS
		b := r.block(1, &r.cfg.Root.Header, false, [][]byte{{}}, nil)
		r.say(b.Encode())
		r.step(Executed{Block: b.Header.Hash(), StateRoot: [32]byte{7}})
		for v := uint64(1); v <= uint64(far); v++ {
			hash := b.Header.Hash()
			b = r.block(v+1, &b.Header, false, [][]byte{r.cert(cert.Notarize, v, hash[:], 0, 1, 2).Encode()}, nil)
			r.say(b.Encode())
		}
		hash := b.Header.Hash()
		out := r.say(r.cert(cert.Finalize, uint64(far)+1, hash[:], 0, 1, 2).Encode())
		if far <= cert.MaxProofHeaders {
			if out.Err != nil || len(out.Decide) != 1 || len(out.Decide[0].Proof.Headers) != far {
				t.Errorf("%d carriers: %v, decides %d", far, out.Err, len(out.Decide))
			} else if _, err := cert.DecodeProof(out.Decide[0].Proof.Encode()); err != nil {
				t.Error(err)
			}
		} else if !errors.Is(out.Err, ErrFar) || len(out.Decide) > 0 {
			t.Errorf("%d carriers: %v", far, out.Err)
		}
	}
}

// nextEpoch starts the core after a seal and offers it blocks of view 1.
func nextEpoch(t *testing.T, old *rig, seal header.Header, p *cert.FinalityProof) {
	r := *old
	r.now = epochMS + 20
	r.cfg.Set, r.cfg.Seed = old.later(), seal.Beacon
	r.cfg.Start = EpochStart{Header: seal, Proof: p.Encode(), Set: old.cfg.Set}
	r.cfg.Root = Root{Header: seal, StateRoot: [32]byte{1}, ReceiptsRoot: [32]byte{2}}
	other := old.cert(cert.Finalize, p.Finalization.View, p.Finalization.Block, 0, 1, 2)
	if old.cfg.Set.Aggregates() {
		other = old.aggregate(p.Finalization.View, p.Finalization.Block, 0, 1, 2)
	}
	signedByOthers := cert.FinalityProof{Finalization: *other, Headers: p.Headers}
	for _, c := range []struct {
		name string
		want string
		leaf []byte
	}{
		{"the own proof", "[Notarize]", r.cfg.Start.Proof},
		{"a proof by other signers", "[Notarize]", signedByOthers.Encode()},
		{"no proof", "[]", []byte{}},
		{"a certificate as proof", "[]", p.Finalization.Encode()},
		{"a proof cut short", "[]", r.cfg.Start.Proof[:40]},
	} {
		r.start()
		if out := r.core.Certificates(0, 9, 1<<16); len(out) != 1 || !bytes.Equal(out[0], p.Finalization.Encode()) || len(r.core.Certificates(1, 9, 1<<16)) != 0 {
			t.Errorf("of view 0 it serves %v", kinds(out))
		}
		if r.core.View() != 1 || r.core.Leader(1) == r.core.Self() {
			return // this validator leads: nothing to vote on
		}
		b := r.block(1, &seal, false, [][]byte{c.leaf}, nil)
		same(t, c.name, kinds(r.say(b.Encode()).Send), c.want)
	}
}

func TestALeaderSealsAndCarriesWithoutAsking(t *testing.T) {
	for _, keyed := range []bool{false, true} {
		r := newEpochRig(t, 0, keyed, nil)
		r = newEpochRig(t, r.core.Leader(1), keyed, nil)
		r.now = epochMS
		out := r.step(Timer{})
		same(t, "sent", kinds(out.Send), []string{"Proposal", "Notarize"})
		m, err := msg.Decode(out.Send[0])
		if err != nil {
			t.Fatal(err)
		}
		h, next := &m.Proposal.Header, r.later().Hash()
		if h.Kind != header.KindSeal || !bytes.Equal(h.NextSet, next[:]) || (h.Certify == 1) != keyed || (len(h.VRF) > 0) != keyed {
			t.Errorf("seal %+v", h)
		}
		seal, hash := *h, h.Hash()

		r = newEpochRig(t, r.core.Leader(2), keyed, nil)
		r.now = epochMS
		p := m.Proposal
		r.say(p.Encode())
		r.step(Executed{Block: hash, StateRoot: [32]byte{7}, ReceiptsRoot: [32]byte{8}})
		out = r.notarized(1, hash[:], others(r)[0], others(r)[1])
		r.now += r.cfg.Params.PaceMS
		out.Join(r.step(Timer{}))
		if m, err = msg.Decode(out.Send[len(out.Send)-2]); err != nil || m.Proposal == nil {
			t.Fatalf("sent %v", kinds(out.Send))
		}
		h = &m.Proposal.Header
		if h.Kind != header.KindCarrier || h.Height != seal.Height || h.StateRoot != seal.StateRoot || h.Beacon != seal.Beacon {
			t.Errorf("carrier %+v", h)
		}
		if err := seal.CheckChild(hash, h); err != nil || h.Check() != nil {
			t.Error(err, h.Check())
		}
	}
}

// TestVotesKeepToTheEpoch offers a block of view 1 to a validator.
func TestVotesKeepToTheEpoch(t *testing.T) {
	for _, c := range []struct {
		name    string
		want    string
		at      uint64
		waiting bool
		change  func(r *rig, h *header.Header)
	}{
		{"a block in time", "[Notarize]", 900, false, nil},
		{"a seal in time", "[Notarize]", epochMS, false, nil},
		{"another next set", "[]", epochMS, false, func(_ *rig, h *header.Header) { h.NextSet[0] ^= 1 }},
		{"a normal block after the end", "[]", epochMS, false, func(_ *rig, h *header.Header) { h.Kind, h.NextSet = 0, []byte{} }},
		{"a seal before the end", "[]", 900, false, func(r *rig, h *header.Header) {
			next := r.later().Hash()
			h.Kind, h.NextSet = header.KindSeal, next[:]
		}},
		{"a carrier on genesis", "[]", 900, false, func(_ *rig, h *header.Header) { h.Kind = header.KindCarrier }},
		{"a certified block too early", "[]", 900, false, func(_ *rig, h *header.Header) { h.Certify, h.CertifiedMS = 1, h.TimeMS }},
		{"a block that is due to be certified", "[Notarize]", 1_000, false, nil},
		{"... and is not", "[]", 1_000, false, func(r *rig, h *header.Header) { h.Certify, h.CertifiedMS = 0, r.cfg.Root.Header.CertifiedMS }},
		{"a VRF that is due", "[Notarize]", 900, true, nil},
		{"... and is missing", "[]", 900, true, func(r *rig, h *header.Header) { h.VRF, h.Beacon = []byte{}, r.cfg.Root.Header.Beacon }},
		{"... and is another's", "[]", 900, true, func(r *rig, h *header.Header) {
			p, b := vrf.NewKey([32]byte{1}).Prove(header.Alpha(h.ChainID, 0, h.View, r.cfg.Root.Header.Beacon))
			h.VRF, h.Beacon = p[:], header.Mix(r.cfg.Root.Header.Beacon, b)
		}},
		{"... and gives another beacon", "[]", 900, true, func(_ *rig, h *header.Header) { h.Beacon[0] ^= 1 }},
		{"a VRF that is not due", "[]", 900, false, func(r *rig, h *header.Header) {
			p, b := vrf.Derive(r.keys[h.Leader]).Prove(header.Alpha(h.ChainID, 0, h.View, r.cfg.Root.Header.Beacon))
			h.VRF, h.Beacon = p[:], header.Mix(r.cfg.Root.Header.Beacon, b)
		}},
	} {
		r := newEpochRig(t, follower(t, true), true, func(cfg *Config) { cfg.Root.Waiting = c.waiting })
		r.now = c.at
		b := r.block(1, &r.cfg.Root.Header, c.waiting, [][]byte{{}}, func(h *header.Header) {
			if c.change != nil {
				c.change(r, h)
			}
		})
		same(t, c.name, kinds(r.say(b.Encode()).Send), c.want)
	}
}

// TestSharesOfACertifiedBlock: the Finalize carries a share, shares are added
// up, and a bad one is dropped and shown.
func TestSharesOfACertifiedBlock(t *testing.T) {
	self := follower(t, true)
	r := newEpochRig(t, self, true, nil)
	r.now = 1_000
	b := r.block(1, &r.cfg.Root.Header, false, [][]byte{{}}, nil)
	hash := b.Header.Hash()
	r.say(b.Encode())
	r.step(Executed{Block: hash})
	peers := others(r)
	out := r.notarized(1, hash[:], peers[0], peers[1])
	m, err := msg.Decode(out.Send[len(out.Send)-1])
	if err != nil || m.Vote == nil || m.Vote.Kind != cert.Finalize || len(m.Vote.Share) != 48 {
		t.Fatalf("sent %v", kinds(out.Send))
	}
	if err := bls.Verify(bls.Derive(r.keys[self]).Public(), cert.FinalBytes(r.cfg.ChainID, 0, 1, hash[:]), bls.Signature(m.Vote.Share)); err != nil {
		t.Error(err)
	}
	bad := r.share(peers[0], 2, hash[:]) // a share of another view
	bad.View = 1
	bad.Sig = r.keys[peers[0]].Sign(bad.SignBytes(r.cfg.ChainID))
	r.say(bad.Encode())
	out = r.say(r.share(peers[1], 1, hash[:]).Encode())
	if len(out.Evidence) != 1 || out.Evidence[0].B != nil || out.Evidence[0].A.Vote.Signer != bad.Signer || len(out.Decide) > 0 {
		t.Errorf("evidence %+v, decide %+v", out.Evidence, out.Decide)
	}
	if out = r.say(r.share(peers[0], 1, hash[:]).Encode()); len(out.Decide) > 0 || len(out.Evidence) > 0 {
		t.Error("a second share of the same validator counts")
	}
	out = r.say(r.share(peers[2], 1, hash[:]).Encode())
	if len(out.Decide) != 1 || out.Decide[0].Finalization.Kind != cert.Aggregate || out.Decide[0].Finalization.Has(peers[0]) {
		t.Fatalf("decide %+v", out.Decide)
	}
	if err := cert.VerifyFinalization(r.cfg.Set, r.cfg.ChainID, out.Decide[0].Finalization); err != nil {
		t.Error(err)
	}
}

func TestVotesWithoutAShareDoNotFinalizeACertifiedBlock(t *testing.T) {
	r := newEpochRig(t, follower(t, true), true, nil)
	r.now = 1_000
	b := r.block(1, &r.cfg.Root.Header, false, [][]byte{{}}, nil)
	hash := b.Header.Hash()
	r.say(b.Encode())
	r.step(Executed{Block: hash})
	peers := others(r)
	r.notarized(1, hash[:], peers[0], peers[1])
	r.say(r.vote(peers[0], cert.Finalize, 1, hash[:]))
	if out := r.say(r.share(peers[1], 1, hash[:]).Encode()); len(out.Decide) > 0 {
		t.Error("two shares and a bare vote made a quorum")
	}
	if out := r.say(r.share(peers[2], 1, hash[:]).Encode()); len(out.Decide) != 1 {
		t.Error("three shares made none")
	}
}

// TestCONS45NullifyAloneMayBeSignedUpToB, from the view on of which the log or the
// operator says so, and at once: nothing else can be done there.
func TestCONS45NullifyAloneMayBeSignedUpToB(t *testing.T) {
	leader := newEpochRig(t, 0, false, nil).core.Leader(2)
	r := newEpochRig(t, leader, false, func(c *Config) { c.NoSignUpTo, c.NullifyFrom = 4, 2 })
	out := r.step(Work{true})
	r.now += 5_000
	out.Join(r.step(Timer{}))
	if len(out.Send) > 0 {
		t.Errorf("view 1 is before the word: sent %v", kinds(out.Send))
	}
	out = r.say(r.cert(cert.Nullify, 1, nil, 0, 1, 2).Encode())
	if got := fmt.Sprint(kinds(out.Send)); got != "[Nullify]" || !out.Sync {
		t.Errorf("view 2, which is its own to lead: sent %s", got)
	}
	b := r.block(2, &r.cfg.Root.Header, false, [][]byte{{}, r.cert(cert.Nullify, 1, nil, 0, 1, 2).Encode()}, nil)
	hash := b.Header.Hash()
	if out = r.say(r.cert(cert.Notarize, 2, hash[:], 0, 1, 2).Encode()); fmt.Sprint(kinds(out.Send)) != "[Nullify]" {
		t.Errorf("view 3: sent %v", kinds(out.Send))
	}
	// A Finalize that only others remember excludes Nullify.
	r.say(r.vote(leader, cert.Finalize, 4, hash[:]))
	if out = r.say(r.cert(cert.Nullify, 3, nil, 0, 1, 2).Encode()); len(out.Send) > 0 {
		t.Errorf("view 4 was finalized: sent %v", kinds(out.Send))
	}
	if w := r.core.views[2]; w.own.notarize != nil || w.own.finalize != nil {
		t.Error("something else is signed in view 2")
	}
}

// TestCONS23MoreThanFHaveNullified: nobody waits for its own timer then.
func TestCONS23MoreThanFHaveNullified(t *testing.T) {
	r := newEpochRig(t, 3, false, nil)
	r.step(Work{true})
	if out := r.say(r.vote(0, cert.Nullify, 1, nil)); len(out.Send) > 0 {
		t.Errorf("after one: sent %v", kinds(out.Send))
	}
	if out := r.say(r.vote(1, cert.Nullify, 1, nil)); fmt.Sprint(kinds(out.Send)) != "[Nullify Nullification]" {
		t.Errorf("after two: sent %v", kinds(out.Send))
	}
}

func TestNothingIsSignedUpToB(t *testing.T) {
	leader := newEpochRig(t, 0, false, nil).core.Leader(1)
	r := newEpochRig(t, leader, false, func(c *Config) { c.NoSignUpTo = 2 })
	out := r.step(Work{true})
	r.now += 5_000
	out.Join(r.step(Timer{}))
	if len(out.Send) > 0 {
		t.Errorf("sent %v", kinds(out.Send))
	}
	// What the key has said before its log was lost is another's word now.
	b := r.block(1, &r.cfg.Root.Header, false, [][]byte{{}}, nil)
	hash := b.Header.Hash()
	for _, raw := range [][]byte{b.Encode(), r.vote(leader, cert.Notarize, 1, hash[:]), r.cert(cert.Notarize, 1, hash[:], 0, 1, 2).Encode()} {
		if out = r.say(raw); out.Err != nil || len(out.Send) > 0 {
			t.Errorf("%v, sent %v", out.Err, kinds(out.Send))
		}
	}
	out = r.say(r.cert(cert.Nullify, 2, nil, 0, 1, 2).Encode())
	same(t, "view", r.core.View(), 3)
	r.now += 5_000
	r.step(Timer{})
	r.now += 5_000
	out = r.step(Timer{})
	if w := r.core.views[3]; w.own.nullify == nil {
		t.Errorf("view 3 is not signed: sent %v", kinds(out.Send))
	}
	if w := r.core.views[1]; w.own.notarize != nil || w.own.finalize != nil || w.own.nullify != nil {
		t.Error("a late vote at or below B")
	}
}

func TestMessagesAndRecordsOfAnotherEpochAreIgnored(t *testing.T) {
	self := other(newEpochRig(t, 0, false, nil).core.Leader(1))
	r := newEpochRig(t, self, false, nil)
	set := r.later()
	i := set.Index(r.keys[other(self)].Public())
	v := msg.SignVote(r.cfg.ChainID, cert.Nullify, 1, 1, nil, i, r.keys[other(self)])
	m, err := msg.Decode(v.Encode())
	if err != nil {
		t.Fatal(err)
	}
	ok, err := msg.Verify(set, r.cfg.ChainID, m)
	if err != nil {
		t.Fatal(err)
	}
	r.step(Message{ok})
	if r.core.Want(m) || r.core.Stats().Votes > 0 {
		t.Error("a vote of the next epoch is taken")
	}
	own := msg.SignVote(r.cfg.ChainID, cert.Nullify, 1, 1, nil, self, r.keys[self])
	r.start(Record{Kind: RecordNullify, Epoch: 1, View: 1, Data: own.Encode()}, Record{Kind: RecordEnter, Epoch: 1, View: 9})
	if r.core.View() != 1 || len(r.core.views) > 0 && r.core.views[1].own.nullify != nil {
		t.Error("a record of the next epoch is taken")
	}
}

// TestARestartWithinTheEpochKeepsItsStart: the root stands above the epoch's.
func TestARestartWithinTheEpochKeepsItsStart(t *testing.T) {
	r := newEpochRig(t, follower(t, false), false, nil)
	r.now = 900
	b := r.block(1, &r.cfg.Root.Header, false, [][]byte{{}}, nil)
	hash := b.Header.Hash()
	start := EpochStart{Header: r.cfg.Root.Header}
	r.cfg.Root = Root{Header: b.Header, Finalization: r.cert(cert.Finalize, 1, hash[:], 0, 1, 2), StateRoot: [32]byte{1}, ReceiptsRoot: [32]byte{2}, NextSet: r.later().Hash()}
	if _, err := New(r.cfg); !errors.Is(err, ErrConfig) {
		t.Errorf("without the start: %v", err)
	}
	r.cfg.Start = start
	r.cfg.Key = r.keys[other(r.core.Leader(2))]
	r.start()
	r.now = epochMS
	seal := r.block(2, &b.Header, false, [][]byte{r.cfg.Root.Finalization.Encode()}, nil)
	if seal.Header.Kind != header.KindSeal {
		t.Fatal("no seal")
	}
	same(t, "sent", kinds(r.say(seal.Encode()).Send), []string{"Notarize"})
	h := seal.Header.Hash()
	out := r.step(Synced{Root{Header: seal.Header}})
	if _, root := r.core.Root(); !r.core.Sealed() || root.Hash() != h || len(out.Decide) > 0 {
		t.Error("a synced seal does not end the core")
	}
	r.cfg.Root = Root{Header: seal.Header, Finalization: r.cert(cert.Finalize, 2, h[:], 0, 1, 2)}
	if _, err := New(r.cfg); !errors.Is(err, ErrConfig) {
		t.Errorf("a core of the epoch that its root seals: %v", err)
	}
}

func TestNewRefusesAStartThatContradictsItself(t *testing.T) {
	r := newEpochRig(t, 0, true, nil)
	r.now = epochMS
	seal := r.block(1, &r.cfg.Root.Header, false, [][]byte{{}}, nil).Header
	hash := seal.Hash()
	proof := cert.FinalityProof{Finalization: *r.aggregate(1, hash[:], 0, 1, 2)}
	list := cert.FinalityProof{Finalization: *r.cert(cert.Finalize, 1, hash[:], 0, 1, 2)}
	good := r.cfg
	good.Set = r.later()
	good.Start, good.Root = EpochStart{Header: seal, Proof: proof.Encode(), Set: r.cfg.Set}, Root{Header: seal}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"no start":                func(c *Config) { c.Start = EpochStart{} },
		"no set of before":        func(c *Config) { c.Start.Set = nil },
		"no proof":                func(c *Config) { c.Start.Proof = nil },
		"a proof by a list":       func(c *Config) { c.Start.Proof = list.Encode() },
		"another set":             func(c *Config) { c.Set = r.cfg.Set },
		"a seal of another chain": func(c *Config) { c.Start.Header.ChainID[0] ^= 1 },
		"a normal block":          func(c *Config) { c.Start.Header.Kind = 0 },
		"another root":            func(c *Config) { c.Root.Header.TimeMS++ },
		"no BLS key":              func(c *Config) { c.BLS = bls.PrivateKey{} },
		"another BLS key":         func(c *Config) { c.BLS = bls.Derive(r.keys[1]) },
		"no VRF key":              func(c *Config) { c.VRF = vrf.PrivateKey{} },
		"another VRF key":         func(c *Config) { c.VRF = vrf.Derive(r.keys[1]) },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	good.Key, good.BLS, good.VRF = keys.PrivateKey{}, bls.PrivateKey{}, vrf.PrivateKey{}
	if _, err := New(good); err != nil {
		t.Errorf("an observer: %v", err)
	}
}
