// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"errors"
	"maps"
	"testing"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
)

// evCase is evidence and what Check says of it.
type evCase struct {
	name string
	ev   Evidence
	want error
}

// cases are evidence of each kind, and ways to spoil it.
func cases(t testing.TB) (*net, []evCase) {
	n := four(t)
	pair := func(a, b *msg.Message) Evidence {
		list := Pair(n.set, a, b)
		if len(list) != 1 {
			t.Fatalf("%d pieces", len(list))
		}
		return list[0]
	}
	doubleNote := func() Evidence { return pair(n.vote(cert.Notarize, 5, "a", 2), n.vote(cert.Notarize, 5, "b", 2)) }
	nullFinal := pair(&msg.Message{Cert: n.nullification(5, 0, 1)}, &msg.Message{Cert: n.cert(cert.Finalization, 5, blockOf("a"), 0, 1, 2)})
	spoil := func(e Evidence, f func(c *Conflict)) Evidence {
		c := *e.Conflict
		f(&c)
		return Evidence{Conflict: &c}
	}
	out := []evCase{
		{"one key notarizes two blocks", doubleNote(), nil},
		{"one key finalizes two blocks", pair(n.vote(cert.Finalize, 5, "a", 1), n.vote(cert.Finalize, 5, "b", 1)), nil},
		{"two certificates convict all common signers", nullFinal, nil},
		{"a vote meets a certificate", pair(n.vote(cert.Notarize, 5, "a", 3), &msg.Message{Cert: n.cert(cert.Finalization, 5, blockOf("b"), 0, 1, 3)}), nil},
		{"one key proposes two blocks", pair(n.propose(5, 0), n.propose(5, 1)), nil},
		{"a signature of another view", spoil(doubleNote(), func(c *Conflict) { c.View++ }), ErrSignature},
		{"a signature of another epoch", spoil(doubleNote(), func(c *Conflict) { c.Epoch++ }), ErrEpoch},
		{"a broken first half", spoil(nullFinal, func(c *Conflict) { c.A.Sigs = flip(c.A.Sigs, 70) }), ErrSignature},
		{"a broken second half", spoil(nullFinal, func(c *Conflict) { c.B.Sigs = flip(c.B.Sigs, 70) }), ErrSignature},
		{"twice the same vote", spoil(doubleNote(), func(c *Conflict) { c.B = c.A }), ErrMalformed},
		{"halves in the wrong order", spoil(doubleNote(), func(c *Conflict) { c.A, c.B = c.B, c.A }), ErrMalformed},
		{"another kind than shown", spoil(doubleNote(), func(c *Conflict) { c.Kind = DoubleFinalize }), ErrMalformed},
		{"halves of different signers", spoil(doubleNote(), func(c *Conflict) { c.A.Signers = []byte{1} }), ErrMalformed},
		{"a signer who is not in the set", spoil(doubleNote(), func(c *Conflict) { c.A.Signers, c.B.Signers = []byte{16}, []byte{16} }), ErrMalformed},
		{"a longer bitmap than the set", spoil(doubleNote(), func(c *Conflict) { c.A.Signers, c.B.Signers = []byte{4, 0}, []byte{4, 0} }), ErrMalformed},
		{"nobody", spoil(doubleNote(), func(c *Conflict) {
			c.A.Signers, c.B.Signers, c.A.Sigs, c.B.Sigs = []byte{0}, []byte{0}, nil, nil
		}), ErrMalformed},
		{"another signer's bit", spoil(doubleNote(), func(c *Conflict) { c.A.Signers, c.B.Signers = []byte{1}, []byte{1} }), ErrSignature},
	}
	return n, append(append(out, unjustCases(n)...), batchCases(n)...)
}

func flip(b []byte, i int) []byte {
	out := append([]byte{}, b...)
	out[i] ^= 1
	return out
}

// propose signs an empty block of the view on genesis; x makes it another one.
func (n *net) propose(view, x uint64) *msg.Message {
	g := n.genesis()
	leaves := [][]byte{{}}
	for v := uint64(1); v < view; v++ {
		leaves = append(leaves, n.nullification(v, 0, 1, 2).Encode())
	}
	h := n.child(&g, view, leaves...)
	h.TimeMS += x
	return &msg.Message{Proposal: msg.SignProposal(h, nil, leaves, n.keys[h.Leader])}
}

// unjustCases are votes on a block in view 3 whose parent stands in view 1.
func unjustCases(n *net) []evCase {
	g := n.genesis()
	p := n.child(&g, 1, []byte{})
	good := [][]byte{n.notarization(&p, 0, 1).Encode(), n.nullification(2, 0, 1).Encode()}
	h := n.child(&p, 3, good...)
	votes := func(h *header.Header, view uint64) *Half {
		hash := h.Hash()
		v := ofCert(n.cert(cert.Notarization, view, hash[:], 0, 3))
		return &v
	}
	with := func(f func(h *header.Header), leaves ...[]byte) header.Header {
		x := h
		if len(leaves) > 0 {
			x.Justification = merkle.Root(leaves)
		}
		f(&x)
		return x
	}
	same := func(*header.Header) {}
	make1 := func(h header.Header, fault Fault, view uint64) *Unjustified {
		return &Unjustified{Kind: UnjustifiedVote, Epoch: epoch, View: view, Votes: *votes(&h, view), Header: h, Fault: fault}
	}
	leaf := func(i int, leaves ...[]byte) Evidence {
		u := make1(with(same, leaves...), BadLeaf, 3)
		u.Index, u.Leaf = uint64(i), leaves[i]
		u.Path, _ = merkle.Prove(leaves, uint64(i))
		return Evidence{Unjust: u}
	}
	face := func(f func(h *header.Header), view uint64) Evidence {
		return Evidence{Unjust: make1(with(f), BadFace, view)}
	}
	link := func(f func(h *header.Header)) Evidence {
		u := make1(with(f), BadLink, 3)
		u.Parent = &p
		return Evidence{Unjust: u}
	}
	lead := Evidence{Unjust: make1(with(func(h *header.Header) { h.Leader = (h.Leader + 1) % 4 }), BadLeader, 3)}
	badSig := n.nullification(2, 0, 1)
	badSig.Sigs = flip(badSig.Sigs, 3)
	other := leaf(1, good[0], n.nullification(2, 1, 2).Encode())
	other.Unjust.Header, other.Unjust.Votes = h, *votes(&h, 3)
	null := make1(h, BadFace, 3)
	null.Votes = ofCert(n.nullification(3, 0))
	return []evCase{
		{"the nullification of a view between has no quorum", leaf(1, good[0], n.nullification(2, 1, 2).Encode()), nil},
		{"its signature is broken", leaf(1, good[0], badSig.Encode()), nil},
		{"it is of another view", leaf(1, good[0], n.nullification(1, 0, 1).Encode()), nil},
		{"it is a notarization", leaf(1, good[0], n.cert(cert.Notarization, 2, blockOf("x"), 0, 1).Encode()), nil},
		{"it is no certificate at all", leaf(1, good[0], []byte("certificate")), nil},
		{"there is none", leaf(1, good[0], []byte{}), nil},
		{"the parent was not notarized but another block", leaf(0, n.cert(cert.Notarization, 1, blockOf("x"), 0, 1).Encode(), good[1]), nil},
		{"the parent's view was nullified", leaf(0, n.nullification(1, 0, 1).Encode(), good[1]), nil},
		{"a lawful leaf", leaf(1, good...), ErrNoFault},
		{"a lawful finalization as leaf 0", leaf(0, n.finalization(&p, 0, 1).Encode(), good[1]), ErrNoFault},
		{"a leaf that is not in the justification", other, ErrMalformed},
		{"a block of another view than the vote", face(same, 4), nil},
		{"a block of another chain", face(func(h *header.Header) { h.ChainID[1]++ }, 3), nil},
		{"a block of another set", face(func(h *header.Header) { h.SetHash[1]++ }, 3), nil},
		{"a leader who is not in the set", face(func(h *header.Header) { h.Leader = 4 }, 3), nil},
		{"a header that breaks a bound", face(func(h *header.Header) { h.ParentView = 3 }, 3), nil},
		{"a lawful face", face(same, 3), ErrNoFault},
		{"a vote that needs no justification", Evidence{Unjust: null}, ErrMalformed},
		{"a block that is older than its parent", link(func(h *header.Header) { h.TimeMS = p.TimeMS }), nil},
		{"a block that leaves a height out", link(func(h *header.Header) { h.Height++ }), nil},
		{"a lawful link", link(same), ErrNoFault},
		{"not the parent", link(func(h *header.Header) { h.Parent[0]++ }), ErrMalformed},
		{"another leader than the schedule", lead, nil},
		{"the leader of the schedule", Evidence{Unjust: make1(h, BadLeader, 3)}, ErrNoFault},
	}
}

func batchCases(n *net) []evCase {
	b := msg.NewBatch(chainID, epoch, 2, 7, [][]byte{[]byte("fine"), []byte("bad"), []byte("fine too")}, n.keys[2])
	bad := OfBatch(b, 1)[0]
	with := func(f func(b *Batch)) Evidence {
		x := *bad.Batch
		f(&x)
		return Evidence{Batch: &x}
	}
	return []evCase{
		{"a signed batch holds an invalid transaction", bad, nil},
		{"a valid transaction", OfBatch(b, 0)[0], ErrNoFault},
		{"a transaction that is not in the batch", with(func(b *Batch) { b.Index = 0 }), ErrMalformed},
		{"a batch of another author", with(func(b *Batch) { b.Author = 1 }), ErrSignature},
		{"an author who is not in the set", with(func(b *Batch) { b.Author = 4 }), ErrMalformed},
		{"a transaction beyond the batch", with(func(b *Batch) { b.Index = 3 }), ErrMalformed},
		{"a batch of another size", with(func(b *Batch) { b.Count = 4 }), ErrSignature},
	}
}

func TestCheck(t *testing.T) {
	n, list := cases(t)
	seen := map[Kind]bool{}
	for _, c := range list {
		e := &c.ev
		offences, err := n.court().Check(e)
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if c.want != nil {
			continue
		}
		seen[e.Kind()] = true
		if len(offences) != len(e.Signers()) {
			t.Errorf("%s: %d offences for %v", c.name, len(offences), e.Signers())
		}
		for _, o := range offences {
			if o.Address != n.set.Entry(o.Index).Address || o.Class != e.Kind().Class() || o.Epoch != epoch || o.View != e.View() {
				t.Errorf("%s: %+v", c.name, o)
			}
		}
		again, err := Decode(e.Encode())
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if string(again.Encode()) != string(e.Encode()) {
			t.Errorf("%s: round trip", c.name)
		}
	}
	for k := DoubleNotarize; k <= BadBatch; k++ {
		if !seen[k] && k != BadShare {
			t.Errorf("no case convicts for %v", k)
		}
	}
}

func TestCheckNeedsWhatItJudgesBy(t *testing.T) {
	n, list := cases(t)
	for _, c := range list {
		needs := c.ev.Batch != nil || c.ev.Unjust != nil && c.ev.Unjust.Fault == BadLeader
		if _, err := Check(n.set, chainID, &c.ev); c.want == nil && errors.Is(err, ErrJudge) != needs {
			t.Errorf("%s: %v", c.name, err)
		}
		if _, err := Check(n.set, [32]byte{1}, &c.ev); err == nil {
			t.Errorf("%s: convicts on another chain", c.name)
		}
	}
	if _, err := Check(n.set, chainID, nil); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
	if _, err := Check(n.set, chainID, &Evidence{}); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}

func TestPairMakesNoEvidenceOfWhatMayStandTogether(t *testing.T) {
	n := four(t)
	for _, c := range []struct {
		name string
		a, b *msg.Message
	}{
		{"notarize and finalize one block", n.vote(cert.Notarize, 5, "a", 1), n.vote(cert.Finalize, 5, "a", 1)},
		{"notarize, then nullify", n.vote(cert.Notarize, 5, "a", 1), n.vote(cert.Nullify, 5, "", 1)},
		{"two views", n.vote(cert.Finalize, 5, "a", 1), n.vote(cert.Finalize, 6, "b", 1)},
		{"two validators", n.vote(cert.Finalize, 5, "a", 1), n.vote(cert.Finalize, 5, "b", 2)},
		{"twice the same", n.vote(cert.Nullify, 5, "", 1), n.vote(cert.Nullify, 5, "", 1)},
		{"propose and nullify", n.propose(1, 0), n.vote(cert.Nullify, 1, "", int(n.propose(1, 0).Proposal.Header.Leader))},
		{"a batch", &msg.Message{Batch: &msg.Batch{}}, n.vote(cert.Nullify, 5, "", 1)},
	} {
		for _, list := range [][]Evidence{Pair(n.set, c.a, c.b), Pair(n.set, c.b, c.a)} {
			if len(list) != 0 {
				t.Errorf("%s: %v", c.name, list[0].Kind())
			}
		}
	}
}

// TestCertificatesOfTheLargestSetFit: 256 signatures on both sides are more than
// MaxBytes, so that they make two pieces; 254 make one.
func TestCertificatesOfTheLargestSetFit(t *testing.T) {
	for _, c := range []struct{ n, pieces int }{{4, 1}, {254, 1}, {256, 2}} {
		n := network(t, equal(c.n)...)
		list := Pair(n.set, &msg.Message{Cert: n.nullification(9, n.all()...)}, &msg.Message{Cert: n.cert(cert.Finalization, 9, blockOf("a"), n.all()...)})
		if len(list) != c.pieces {
			t.Errorf("%d validators: %d pieces, want %d", c.n, len(list), c.pieces)
		}
		if got := n.convict(list); len(got) != c.n {
			t.Errorf("%d validators: %d convicted", c.n, len(got))
		}
	}
}

// TestLongLeafOfTheLargestSetFits: a leaf is shown whole, so that the votes
// beside it are cut to several pieces.
func TestLongLeafOfTheLargestSetFits(t *testing.T) {
	n := network(t, equal(256)...)
	g := n.genesis()
	p := n.child(&g, 1, []byte{})
	leaves := [][]byte{n.notarization(&p, n.all()...).Encode(), n.cert(cert.Notarization, 2, blockOf("x"), n.all()...).Encode()}
	h := n.child(&p, 3, leaves...)
	u := fault(n.set, chainID, 3, &h, leaves, nil)
	if u == nil || u.Fault != BadLeaf || u.Index != 1 {
		t.Fatalf("fault %+v", u)
	}
	votes := ofCert(n.notarization(&h, n.all()...))
	if got := n.convict(u.accuse(&votes, votes.list())); len(got) != 256 {
		t.Errorf("%d convicted", len(got))
	}
}

func TestClasses(t *testing.T) {
	got := map[string]string{}
	for k := DoubleNotarize; k <= BadBatch; k++ {
		got[k.String()] = k.Class().String()
	}
	want := map[string]string{
		"DoubleNotarize": "slash", "DoubleFinalize": "slash", "NullifyFinalize": "slash", "NotarizeFinalize": "slash",
		"DoublePropose": "slash", "UnjustifiedVote": "slash", "BadShare": "jail", "BadBatch": "jail",
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// FuzzDecode: no panic, one encoding, and Check of anything decoded is total.
func FuzzDecode(f *testing.F) {
	n, list := cases(f)
	for _, c := range list {
		f.Add(c.ev.Encode())
	}
	sums, secrets := summing(f)
	f.Add(Pair(sums.set, sums.share(5, "a", 2, secrets[1]), nil)[0].Encode())
	f.Add(Pair(sums.set, &msg.Message{Cert: sums.aggregate(secrets, 5, blockOf("a"), 0, 1)}, sums.vote(cert.Nullify, 5, "", 1))[0].Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Decode(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if string(e.Encode()) != string(b) {
			t.Fatal("two encodings")
		}
		offences, err := n.court().Check(e)
		if (err == nil) != (len(offences) > 0) {
			t.Fatalf("%d offences, %v", len(offences), err)
		}
		var zero keys.Address
		for _, o := range offences {
			if o.Address == zero && o.Index != 0 {
				t.Fatalf("%+v", o)
			}
		}
	})
}
