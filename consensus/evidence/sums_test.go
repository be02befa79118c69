// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"errors"
	"testing"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/bls"
)

// summing is four with BLS keys.
func summing(t testing.TB) (*net, []bls.PrivateKey) {
	t.Helper()
	plain := four(t)
	var entries []valset.Entry
	var secrets []bls.PrivateKey
	for i := range plain.set.Len() {
		e := plain.set.Entry(i)
		k := bls.NewKey([32]byte{byte(i + 1)})
		pk := k.Public()
		e.BLS = pk[:]
		entries, secrets = append(entries, e), append(secrets, k)
	}
	set, err := valset.New(epoch, entries)
	if err != nil {
		t.Fatal(err)
	}
	if set, err = set.Prepared(); err != nil {
		t.Fatal(err)
	}
	return &net{t: t, set: set, keys: plain.keys}, secrets
}

func (n *net) share(view uint64, block string, i int, secret bls.PrivateKey) *msg.Message {
	return &msg.Message{Vote: msg.SignShare(chainID, epoch, view, blockOf(block), i, n.keys[i], secret)}
}

func (n *net) aggregate(secrets []bls.PrivateKey, view uint64, block []byte, signers ...int) *cert.Certificate {
	c := n.cert(cert.Finalization, view, block, signers...)
	var list []bls.Signature
	for _, i := range signers {
		list = append(list, secrets[i].Sign(cert.FinalBytes(chainID, epoch, view, block)))
	}
	sum, err := bls.Aggregate(list)
	if err != nil {
		n.t.Fatal(err)
	}
	c.Kind, c.Sigs = cert.Aggregate, sum[:]
	return c
}

// TestAggregatesConvict: an aggregate proves each of its signers, whole.
func TestAggregatesConvict(t *testing.T) {
	n, secrets := summing(t)
	a, b := n.aggregate(secrets, 5, blockOf("a"), 0, 1, 3), n.aggregate(secrets, 5, blockOf("b"), 0, 1, 2)
	m := func(c *cert.Certificate) *msg.Message { return &msg.Message{Cert: c} }
	for _, c := range []struct {
		name string
		list []Evidence
		kind Kind
		who  []int
	}{
		{"a nullification", Pair(n.set, m(a), m(n.nullification(5, 0, 1, 2))), NullifyFinalize, []int{0, 1}},
		{"a vote", Pair(n.set, n.vote(cert.Notarize, 5, "b", 3), m(a)), NotarizeFinalize, []int{3}},
		{"another aggregate", Pair(n.set, m(a), m(b)), DoubleFinalize, []int{0, 1}},
		{"a share", Pair(n.set, n.share(5, "b", 1, secrets[1]), m(a)), DoubleFinalize, []int{1}},
	} {
		got := n.convict(c.list)
		for _, i := range c.who {
			if got[i] != c.kind {
				t.Errorf("an aggregate and %s: convicted %v, want %v of %v", c.name, got, c.who, c.kind)
			}
		}
		if len(got) != len(c.who) {
			t.Errorf("an aggregate and %s: convicted %v", c.name, got)
		}
	}
	for _, c := range []struct {
		name  string
		spoil func(c *Conflict)
		want  error
	}{
		{"a signer too many", func(c *Conflict) { c.B.Signers = []byte{0b1111} }, ErrSignature},
		{"a signer too few", func(c *Conflict) { c.B.Signers = []byte{0b0011} }, ErrSignature},
		{"no common signer", func(c *Conflict) { c.B.Signers = []byte{0b1100} }, ErrMalformed},
		{"another point", func(c *Conflict) { c.B.Sigs = b.Sigs }, ErrSignature},
		{"an aggregate of Nullify", func(c *Conflict) { c.A.Sigs = c.B.Sigs }, ErrMalformed},
		{"an aggregate with a share", func(c *Conflict) { c.B.Share = c.B.Sigs }, ErrMalformed},
	} {
		e := *Pair(n.set, m(a), m(n.nullification(5, 0, 1)))[0].Conflict
		c.spoil(&e)
		if _, err := Check(n.set, chainID, &Evidence{Conflict: &e}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	// Whoever has no BLS keys has signed no aggregate.
	e := Pair(n.set, m(a), m(b))[0]
	if _, err := Check(four(t).set, chainID, &e); !errors.Is(err, ErrMalformed) {
		t.Errorf("a set without keys: %v", err)
	}
}

func TestBadShare(t *testing.T) {
	n, secrets := summing(t)
	bad := Pair(n.set, n.share(5, "a", 2, secrets[1]), nil)
	if got := n.convict(bad); len(got) != 1 || got[2] != BadShare {
		t.Errorf("convicted %v", got)
	}
	good := Pair(n.set, n.share(5, "a", 2, secrets[2]), nil)[0]
	if _, err := Check(n.set, chainID, &good); !errors.Is(err, ErrNoFault) {
		t.Errorf("a share that holds: %v", err)
	}
	forged := *bad[0].Share
	forged.Vote.Sigs = flip(forged.Vote.Sigs, 9)
	if _, err := Check(n.set, chainID, &Evidence{Share: &forged}); !errors.Is(err, ErrSignature) {
		t.Errorf("a share that was not signed: %v", err)
	}
	// The envelope covers the share: nobody can put another one in.
	swapped := *Pair(n.set, n.share(5, "a", 2, secrets[2]), nil)[0].Share
	swapped.Vote.Share = forged.Vote.Share
	if _, err := Check(n.set, chainID, &Evidence{Share: &swapped}); !errors.Is(err, ErrSignature) {
		t.Errorf("another share in the envelope: %v", err)
	}
	if list := Pair(n.set, n.vote(cert.Finalize, 5, "a", 2), nil); len(list) > 0 {
		t.Error("evidence of a vote without a share")
	}
	if list := Pair(n.set, &msg.Message{Batch: &msg.Batch{}}, nil); len(list) > 0 {
		t.Error("evidence of a batch")
	}
}

// TestForkOfAggregates: seals and carriers of a set with BLS keys.
func TestForkOfAggregates(t *testing.T) {
	n, secrets := summing(t)
	g := n.genesis()
	seal := func(view uint64, leaves ...*cert.Certificate) Block {
		b := n.on(&g, view, leaves...)
		b.Header.Kind, b.Header.NextSet, b.Header.Certify, b.Header.CertifiedMS = header.KindSeal, make([]byte, 32), 1, b.Header.TimeMS
		return b
	}
	branch := func(blocks ...Block) Branch {
		h := &blocks[len(blocks)-1].Header
		return Branch{blocks, n.aggregate(secrets, h.View, hashOf(h), 0, 1, 3)}
	}
	a := seal(1, nil)
	b := seal(2, nil, n.nullification(1, 0, 1))
	up := n.on(&b.Header, 3, n.notarization(&b.Header, 0, 1, 2))
	up.Header.Kind, up.Header.Height, up.Header.Certify, up.Header.CertifiedMS = header.KindCarrier, b.Header.Height, 1, up.Header.TimeMS
	for _, c := range []struct {
		name string
		b    Branch
	}{{"two seals", branch(b)}, {"a seal and a carrier of another", branch(b, up)}} {
		list, err := Fork(n.set, chainID, branch(a), c.b)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := n.convict(list); len(got) != 2 || got[0] != NullifyFinalize || got[1] != NullifyFinalize {
			t.Errorf("%s: convicted %v", c.name, got)
		}
	}
}

// TestFaceOfSetsWithKeys: what such a set's blocks must carry.
func TestFaceOfSetsWithKeys(t *testing.T) {
	n, _ := summing(t)
	g := n.genesis()
	for _, c := range []struct {
		name   string
		lawful bool
		change func(h *header.Header)
	}{
		{"a normal block", true, func(*header.Header) {}},
		{"a certified block", true, func(h *header.Header) { h.Certify = 1 }},
		{"a seal", true, func(h *header.Header) { h.Kind, h.NextSet, h.Certify = header.KindSeal, make([]byte, 32), 1 }},
		{"a seal that is not certified", false, func(h *header.Header) { h.Kind, h.NextSet = header.KindSeal, make([]byte, 32) }},
		{"a VRF of a set without such keys", false, func(h *header.Header) { h.VRF = make([]byte, 96) }},
	} {
		h := n.child(&g, 1, []byte{})
		c.change(&h)
		if got := face(n.set, chainID, 1, &h); got != c.lawful {
			t.Errorf("%s: lawful %v", c.name, got)
		}
	}
	h := n.child(&g, 1, []byte{})
	if h.Certify = 1; face(four(t).set, chainID, 1, &h) {
		t.Error("a certified block of a set without BLS keys is lawful")
	}
}
