// SPDX-License-Identifier: Apache-2.0

package cert

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/bls"
	"github.com/openledger/openledger/internal/keys"
)

var chainID = [32]byte{0xc0}

const epoch = 2

// network is a set with its keys in set order. Seed i is 32 bytes of i+1.
func network(t testing.TB, powers ...uint64) (*valset.Set, []keys.PrivateKey) {
	t.Helper()
	var entries []valset.Entry
	byKey := map[keys.PublicKey]keys.PrivateKey{}
	for i, p := range powers {
		k := keys.FromSeed([32]byte(bytes.Repeat([]byte{byte(i + 1)}, 32)))
		byKey[k.Public()] = k
		b := bls.Derive(k).Public()
		entries = append(entries, valset.Entry{Address: keys.Address{byte(i)}, Key: k.Public(), BLS: b[:], Power: p})
	}
	set, err := valset.New(epoch, entries)
	if err != nil {
		t.Fatal(err)
	}
	var list []keys.PrivateKey
	for i := range set.Len() {
		list = append(list, byKey[set.Key(i)])
	}
	return set, list
}

// add makes an aggregate of the given validators' shares.
func add(set *valset.Set, ks []keys.PrivateKey, view uint64, block []byte, signers ...int) *Certificate {
	c := &Certificate{Kind: Aggregate, Epoch: set.Epoch(), View: view, Block: block, Signers: make([]byte, (set.Len()+7)/8)}
	var shares []bls.Signature
	for _, i := range signers {
		c.Signers[i/8] |= 1 << (i % 8)
		shares = append(shares, bls.Derive(ks[i]).Sign(FinalBytes(chainID, c.Epoch, view, block)))
	}
	sum, err := bls.Aggregate(shares)
	if err != nil {
		panic(err)
	}
	c.Sigs = sum[:]
	return c
}

// sign makes a certificate by the given validators, lawful or not.
func sign(set *valset.Set, ks []keys.PrivateKey, kind Kind, view uint64, block []byte, signers ...int) *Certificate {
	c := &Certificate{Kind: kind, Epoch: set.Epoch(), View: view, Block: block, Signers: make([]byte, (set.Len()+7)/8)}
	for _, i := range signers {
		c.Signers[i/8] |= 1 << (i % 8)
		s := ks[i].Sign(SignBytes(chainID, kind.Vote(), c.Epoch, view, block))
		c.Sigs = append(c.Sigs, s[:]...)
	}
	return c
}

func blockOf(s string) []byte {
	h := sha256.Sum256([]byte(s))
	return h[:]
}

// certCase is a certificate and the error that Decode or Verify gives.
type certCase struct {
	name string
	want error
	c    *Certificate
}

func certCases(t testing.TB) []certCase {
	set, ks := network(t, 4, 3, 2, 1) // W 10, q 7
	b := blockOf("b")
	with := func(f func(*Certificate)) *Certificate {
		c := sign(set, ks, Notarization, 5, b, 0, 1)
		f(c)
		return c
	}
	sum := func(f func(*Certificate)) *Certificate {
		c := add(set, ks, 5, b, 0, 1, 2)
		f(c)
		return c
	}
	return []certCase{
		{"a notarization by exactly a quorum", nil, sign(set, ks, Notarization, 5, b, 0, 1)},
		{"a nullification by all", nil, sign(set, ks, Nullification, 5, nil, 0, 1, 2, 3)},
		{"a finalization", nil, sign(set, ks, Finalization, 5, b, 0, 2, 3)},
		{"one short of a quorum", ErrQuorum, sign(set, ks, Finalization, 5, b, 1, 2, 3)},
		{"nobody", ErrQuorum, sign(set, ks, Notarization, 5, b)},
		{"signatures of another kind of vote", ErrSignature, with(func(c *Certificate) { c.Kind = Finalization })},
		{"signatures of another view", ErrSignature, with(func(c *Certificate) { c.View++ })},
		{"signatures of another block", ErrSignature, with(func(c *Certificate) { c.Block = blockOf("x") })},
		{"signatures in another order", ErrSignature, with(func(c *Certificate) {
			c.Sigs = append(bytes.Clone(c.Sigs[64:]), c.Sigs[:64]...)
		})},
		{"one bit of a signature", ErrSignature, with(func(c *Certificate) { c.Sigs[64] ^= 1 })},
		{"another epoch", ErrEpoch, with(func(c *Certificate) { c.Epoch++ })},
		{"a bit past the last validator", ErrNotMember, with(func(c *Certificate) {
			c.Signers[0] |= 1 << 4
			c.Sigs = append(c.Sigs, c.Sigs[:64]...)
		})},
		{"a bitmap of two bytes", ErrMalformed, with(func(c *Certificate) { c.Signers = append(c.Signers, 0) })},
		{"no bitmap", ErrMalformed, with(func(c *Certificate) { c.Signers, c.Sigs = nil, nil })},
		{"a signature too few", ErrMalformed, with(func(c *Certificate) { c.Sigs = c.Sigs[:64] })},
		{"a signature too many", ErrMalformed, with(func(c *Certificate) { c.Sigs = append(c.Sigs, c.Sigs[:64]...) })},
		{"a byte too many", ErrMalformed, with(func(c *Certificate) { c.Sigs = append(c.Sigs, 0) })},
		{"view 0", ErrMalformed, with(func(c *Certificate) { c.View = 0 })},
		{"a block of 31 bytes", ErrMalformed, with(func(c *Certificate) { c.Block = c.Block[:31] })},
		{"a notarization without a block", ErrMalformed, with(func(c *Certificate) { c.Block = nil })},
		{"a nullification with a block", ErrMalformed, with(func(c *Certificate) { c.Kind = Nullification })},
		{"a vote's kind", ErrMalformed, with(func(c *Certificate) { c.Kind = Notarize })},
		{"kind 9", ErrMalformed, with(func(c *Certificate) { c.Kind = 9 })},

		{"an aggregate by exactly a quorum", nil, add(set, ks, 5, b, 0, 1)},
		{"an aggregate by all", nil, add(set, ks, 5, b, 0, 1, 2, 3)},
		{"an aggregate one short of a quorum", ErrQuorum, add(set, ks, 5, b, 1, 2, 3)},
		{"an aggregate of another view", ErrSignature, sum(func(c *Certificate) { c.View++ })},
		{"an aggregate of another block", ErrSignature, sum(func(c *Certificate) { c.Block = blockOf("x") })},
		{"an aggregate with a signer too many", ErrSignature, sum(func(c *Certificate) { c.Signers[0] |= 1 << 3 })},
		{"an aggregate with another signer", ErrSignature, sum(func(c *Certificate) { c.Signers[0] = 0b1101 })},
		{"one bit of an aggregate", ErrSignature, sum(func(c *Certificate) { c.Sigs[20] ^= 1 })},
		{"an aggregate of another epoch", ErrEpoch, sum(func(c *Certificate) { c.Epoch++ })},
		{"an aggregate of 47 bytes", ErrMalformed, sum(func(c *Certificate) { c.Sigs = c.Sigs[:47] })},
		{"an aggregate without a block", ErrMalformed, sum(func(c *Certificate) { c.Block = nil })},
		{"a list as an aggregate", ErrMalformed, with(func(c *Certificate) { c.Kind = Aggregate })},
		{"an aggregate as a list", ErrMalformed, sum(func(c *Certificate) { c.Kind = Finalization })},
	}
}

// open is Decode and Verify.
func open(set *valset.Set, b []byte) (*Certificate, error) {
	c, err := Decode(b)
	if err != nil {
		return nil, err
	}
	return c, c.Verify(set, chainID)
}

func TestCertificates(t *testing.T) {
	set, _ := network(t, 4, 3, 2, 1)
	for _, c := range certCases(t) {
		got, err := open(set, c.c.Encode())
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if err == nil && !bytes.Equal(got.Encode(), c.c.Encode()) {
			t.Errorf("%s: another encoding", c.name)
		}
	}
}

func TestACertificateIsBoundToItsChainAndSet(t *testing.T) {
	set, ks := network(t, 4, 3, 2, 1)
	c := sign(set, ks, Finalization, 5, blockOf("b"), 0, 1)
	if err := VerifyFinalization(set, [32]byte{1}, c); !errors.Is(err, ErrSignature) {
		t.Errorf("another chain: %v", err)
	}
	other, _ := network(t, 4, 3, 2, 2)
	if err := VerifyFinalization(other, chainID, c); err == nil {
		t.Error("another set passes")
	}
	if err := VerifyFinalization(set, chainID, sign(set, ks, Notarization, 5, blockOf("b"), 0, 1)); !errors.Is(err, ErrMalformed) {
		t.Errorf("a notarization as a finalization: %v", err)
	}
	if err := VerifyFinalization(set, chainID, nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("nothing as a finalization: %v", err)
	}
	if !c.Has(1) || c.Has(2) || c.Has(-1) || c.Has(99) || c.Count() != 2 {
		t.Error("signers are misread")
	}
}

// chain returns n headers from a genesis on, the genesis first.
func chain(set *valset.Set, n int) []header.Header {
	out := []header.Header{header.Genesis(chainID, set.Hash(), set.Epoch(), 1)}
	for i := 1; i <= n; i++ {
		h := out[i-1]
		h.Parent, h.ParentView = h.Hash(), h.View
		h.View, h.Height, h.TimeMS = uint64(2*i), uint64(i), uint64(i+1)
		h.NextSet, h.VRF = []byte{}, []byte{}
		out = append(out, h)
	}
	return out
}

type proofCase struct {
	name string
	want error
	p    FinalityProof
	x    header.Header
}

func proofCases(t testing.TB) []proofCase {
	set, ks := network(t, 4, 3, 2, 1)
	hs := chain(set, 4)
	tip := hs[4].Hash()
	fin := *sign(set, ks, Finalization, hs[4].View, tip[:], 0, 1)
	weak := *sign(set, ks, Finalization, hs[4].View, tip[:], 1, 2, 3)
	seal, carrier := hs[3], hs[4]
	seal.Kind, seal.NextSet = header.KindSeal, make([]byte, 32)
	carrier.Kind, carrier.Height, carrier.Parent = header.KindCarrier, seal.Height, seal.Hash()
	top, on := seal.Hash(), carrier.Hash()
	above := []header.Header{carrier}
	return []proofCase{
		{"the finalized block itself", nil, FinalityProof{Finalization: fin, Headers: []header.Header{}}, hs[4]},
		{"its parent", nil, FinalityProof{Finalization: fin, Headers: hs[4:]}, hs[3]},
		{"an ancestor", nil, FinalityProof{Finalization: fin, Headers: hs[2:]}, hs[1]},
		{"a header left out", ErrProof, FinalityProof{Finalization: fin, Headers: hs[3:]}, hs[1]},
		{"headers in another order", ErrProof, FinalityProof{Finalization: fin, Headers: []header.Header{hs[3], hs[2], hs[4]}}, hs[1]},
		{"headers that end early", ErrProof, FinalityProof{Finalization: fin, Headers: hs[2:4]}, hs[1]},
		{"a descendant of the finalized block", ErrProof, FinalityProof{Finalization: *sign(set, ks, Finalization, 2, blockOf("b"), 0, 1)}, hs[2]},
		{"a seal", nil, FinalityProof{Finalization: *add(set, ks, seal.View, top[:], 0, 1), Headers: []header.Header{}}, seal},
		{"a seal by its carrier", nil, FinalityProof{Finalization: *add(set, ks, carrier.View, on[:], 0, 2, 3), Headers: above}, seal},
		{"a seal by a list", ErrProof, FinalityProof{Finalization: *sign(set, ks, Finalization, seal.View, top[:], 0, 1), Headers: []header.Header{}}, seal},
		{"a seal by half an aggregate", ErrQuorum, FinalityProof{Finalization: *add(set, ks, seal.View, top[:], 1, 2, 3), Headers: []header.Header{}}, seal},
		{"no quorum", ErrQuorum, FinalityProof{Finalization: weak, Headers: hs[4:]}, hs[3]},
	}
}

func TestFinalityProofs(t *testing.T) {
	set, _ := network(t, 4, 3, 2, 1)
	for _, c := range proofCases(t) {
		p, err := DecodeProof(c.p.Encode())
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if err := p.Verify(set, chainID, &c.x); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	hs := chain(set, 1)
	other := hs[1]
	other.Epoch++
	p := proofCases(t)[0].p
	if err := p.Verify(set, chainID, &other); !errors.Is(err, ErrProof) {
		t.Errorf("a header of another epoch: %v", err)
	}
	for name, b := range map[string][]byte{"nothing": nil, "too many headers": (&FinalityProof{Finalization: p.Finalization, Headers: make([]header.Header, MaxProofHeaders+1)}).Encode(),
		"a certificate without shape": (&FinalityProof{Headers: hs}).Encode()} {
		if _, err := DecodeProof(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestASetWithoutBLSKeysKnowsNoAggregates(t *testing.T) {
	set, ks := network(t, 4, 3, 2, 1)
	var plain []valset.Entry
	for i := range set.Len() {
		e := set.Entry(i)
		e.BLS = nil
		plain = append(plain, e)
	}
	bare, err := valset.New(epoch, plain)
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyFinalization(bare, chainID, add(set, ks, 5, blockOf("b"), 0, 1)); !errors.Is(err, ErrMalformed) {
		t.Errorf("%v", err)
	}
	seal := chain(bare, 1)[1]
	seal.Kind, seal.NextSet = header.KindSeal, make([]byte, 32)
	h := seal.Hash()
	p := FinalityProof{Finalization: *sign(bare, ks, Finalization, seal.View, h[:], 0, 1)}
	if err := p.Verify(bare, chainID, &seal); err != nil {
		t.Errorf("a seal by a list: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	set, _ := network(f, 4, 3, 2, 1)
	for _, c := range certCases(f) {
		f.Add(c.c.Encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Decode(b)
		if err != nil {
			return
		}
		if !bytes.Equal(c.Encode(), b) {
			t.Errorf("%x decodes and encodes to %x", b, c.Encode())
		}
		_ = c.Verify(set, chainID)
	})
}

func FuzzDecodeProof(f *testing.F) {
	set, _ := network(f, 4, 3, 2, 1)
	for _, c := range proofCases(f) {
		f.Add(c.p.Encode())
	}
	x := chain(set, 1)[1]
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodeProof(b)
		if err != nil {
			return
		}
		if !bytes.Equal(p.Encode(), b) {
			t.Errorf("%x decodes and encodes to %x", b, p.Encode())
		}
		_ = p.Verify(set, chainID, &x)
	})
}

func benchmarkVerify(b *testing.B, n int) {
	powers := make([]uint64, n)
	for i := range powers {
		powers[i] = 1
	}
	set, ks := network(b, powers...)
	var signers []int
	for i := range int(set.Quorum()) {
		signers = append(signers, i)
	}
	c := sign(set, ks, Finalization, 5, blockOf("b"), signers...)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Verify(set, chainID); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyAggregate100(b *testing.B) {
	set, ks := network(b, slices.Repeat([]uint64{1}, 100)...)
	set, err := set.Prepared()
	if err != nil {
		b.Fatal(err)
	}
	var signers []int
	for i := range int(set.Quorum()) {
		signers = append(signers, i)
	}
	c := add(set, ks, 5, blockOf("b"), signers...)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Verify(set, chainID); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify4(b *testing.B)   { benchmarkVerify(b, 4) }
func BenchmarkVerify100(b *testing.B) { benchmarkVerify(b, 100) }
