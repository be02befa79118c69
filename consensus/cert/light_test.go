// SPDX-License-Identifier: Apache-2.0

package cert

import (
	"bytes"
	"errors"
	"testing"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/bls"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
)

// era is one epoch of a made chain: its validators, a block in it and its seal.
type era struct {
	set    *valset.Set
	keys   []keys.PrivateKey
	normal header.Header
	seal   header.Header
}

// setOf makes the set of an epoch from the validators with these numbers; number i
// has power i+1.
func setOf(t testing.TB, epoch uint64, aggregates bool, numbers ...int) (*valset.Set, []keys.PrivateKey) {
	t.Helper()
	var entries []valset.Entry
	byKey := map[keys.PublicKey]keys.PrivateKey{}
	for _, i := range numbers {
		k := keys.FromSeed([32]byte{9, byte(i)})
		byKey[k.Public()] = k
		e := valset.Entry{Address: keys.Address{byte(i)}, Key: k.Public(), Power: uint64(i + 1)}
		if aggregates {
			b := bls.Derive(k).Public()
			e.BLS = b[:]
		}
		entries = append(entries, e)
	}
	set, err := valset.New(epoch, entries)
	if err != nil {
		t.Fatal(err)
	}
	list := make([]keys.PrivateKey, set.Len())
	for i := range list {
		list[i] = byKey[set.Key(i)]
	}
	return set, list
}

// history makes epochs 0 to 6: in each one validator leaves and another joins.
func history(t testing.TB, aggregates bool, root [32]byte) []era {
	t.Helper()
	var out []era
	parent := header.Hash{1}
	for e := range uint64(7) {
		n := int(e)
		x := era{}
		x.set, x.keys = setOf(t, e, aggregates, n, n+1, n+2, n+3)
		next, _ := setOf(t, e+1, aggregates, n+1, n+2, n+3, n+4)
		hash := next.Hash()
		x.normal = header.Header{Version: header.Version, ChainID: chainID, Epoch: e, View: 1, Height: 2*e + 1, TimeMS: 1_000 * (2*e + 1), Parent: parent,
			SetHash: x.set.Hash(), StateRoot: root}
		x.seal = header.Header{Version: header.Version, ChainID: chainID, Epoch: e, View: 2, Height: 2*e + 2, TimeMS: 1_000 * (2*e + 2), Kind: header.KindSeal,
			Parent: x.normal.Hash(), ParentView: 1, SetHash: x.set.Hash(), NextSet: hash[:], StateRoot: root}
		parent = x.seal.Hash()
		out = append(out, x)
	}
	return out
}

// final proves a header by all validators of its epoch but the weakest.
func (x *era) final(h *header.Header) *FinalityProof { return x.finalBy(h, 0, 1, 2) }

func (x *era) finalBy(h *header.Header, signers ...int) *FinalityProof {
	hash := h.Hash()
	if x.set.Aggregates() {
		return &FinalityProof{Finalization: *add(x.set, x.keys, h.View, hash[:], signers...)}
	}
	return &FinalityProof{Finalization: *sign(x.set, x.keys, Finalization, h.View, hash[:], signers...)}
}

// statement is a state of one key and the proof of it.
func statement(t testing.TB) ([32]byte, merkle.StateProof) {
	t.Helper()
	key, value := []byte("key"), []byte("value")
	root, nodes, _, err := merkle.Update(nodesOf{}, merkle.StateRoot{}, 1, []merkle.KV{{Key: key, Value: value}})
	if err != nil {
		t.Fatal(err)
	}
	tree := nodesOf{}
	for _, kv := range nodes {
		tree[string(kv.Key)] = kv.Value
	}
	p, err := merkle.ProveState(tree, root, key, value)
	if err != nil {
		t.Fatal(err)
	}
	return root.Hash, p
}

type nodesOf map[string][]byte

func (n nodesOf) Node(key []byte) ([]byte, error) {
	if v, ok := n[string(key)]; ok {
		return v, nil
	}
	return nil, errors.New("no such node")
}

func TestCONS49ALightReaderFollowsChangingSets(t *testing.T) {
	root, proof := statement(t)
	for _, aggregates := range []bool{false, true} {
		h := history(t, aggregates, root)
		l, err := NewLight(header.Genesis(chainID, h[0].set.Hash(), 0, 500), h[0].set)
		if err != nil {
			t.Fatal(err)
		}
		for i := range h[:6] {
			x := &h[i]
			if err := l.Check(x.final(&x.normal), &x.normal, &proof); err != nil {
				t.Fatalf("epoch %d: %v", i, err)
			}
			if i > 0 {
				if err := l.CheckHeader(h[i-1].final(&h[i-1].normal), &h[i-1].normal); !errors.Is(err, ErrEpoch) {
					t.Errorf("epoch %d believes the validators of the one before: %v", i, err)
				}
			}
			if err := l.Advance(&x.seal, x.final(&x.seal), h[i+1].set); err != nil {
				t.Fatalf("seal of epoch %d: %v", i, err)
			}
			if at := l.At(); at.Hash() != x.seal.Hash() || l.Set().Hash() != h[i+1].set.Hash() {
				t.Fatalf("after epoch %d: at height %d with the set of epoch %d", i, at.Height, l.Set().Epoch())
			}
		}
	}
}

func TestCONS49TrustStartsAnywhere(t *testing.T) {
	root, proof := statement(t)
	h := history(t, false, root)
	for name, start := range map[string]func() (*Light, error){
		"a normal block":                func() (*Light, error) { return NewLight(h[3].normal, h[3].set) },
		"a seal with its own set":       func() (*Light, error) { return NewLight(h[3].seal, h[3].set) },
		"the seal before, the next set": func() (*Light, error) { return NewLight(h[2].seal, h[3].set) },
	} {
		l, err := start()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i := 3; i < 5; i++ {
			if err := l.Check(h[i].final(&h[i].normal), &h[i].normal, &proof); err != nil {
				t.Errorf("%s, epoch %d: %v", name, i, err)
			}
			if err := l.Advance(&h[i].seal, h[i].final(&h[i].seal), h[i+1].set); err != nil {
				t.Errorf("%s, seal %d: %v", name, i, err)
			}
		}
	}
	if _, err := NewLight(h[3].normal, h[4].set); !errors.Is(err, ErrLight) {
		t.Errorf("a normal block does not name the next set: %v", err)
	}
	if _, err := NewLight(h[3].seal, h[5].set); !errors.Is(err, ErrLight) {
		t.Errorf("a set of two epochs later: %v", err)
	}
}

// TestCONS49LiesAreNoticed changes one thing of a true step at a time. The reader
// stands in epoch 3.
func TestCONS49LiesAreNoticed(t *testing.T) {
	root, proof := statement(t)
	for _, aggregates := range []bool{false, true} {
		h := history(t, aggregates, root)
		x := &h[3]
		sealWith := func(f func(*header.Header)) *header.Header {
			s := x.seal
			s.NextSet = bytes.Clone(s.NextSet)
			f(&s)
			return &s
		}
		stranger, strangers := setOf(t, 3, aggregates, 20, 21, 22, 23)
		theirs := era{set: stranger, keys: strangers}
		named := stranger.Hash()
		other := era{set: x.set, keys: strangers} // the true names, the wrong keys
		forged := sealWith(func(s *header.Header) { s.NextSet = named[:] })
		early := sealWith(func(s *header.Header) { s.Height = x.normal.Height; s.View = 9 })
		carrier := header.Header{Version: header.Version, ChainID: chainID, Epoch: 3, View: 3, Height: x.seal.Height, Kind: header.KindCarrier, Parent: x.seal.Hash(), ParentView: 2}
		above := x.final(&carrier)
		above.Headers = []header.Header{carrier}
		torn := x.final(&carrier)
		for _, c := range []struct {
			name string
			want error
			step func(l *Light) error
		}{
			{"the truth", nil, func(l *Light) error { return l.Advance(&x.seal, x.final(&x.seal), h[4].set) }},
			{"the truth by a carrier", nil, func(l *Light) error { return l.Advance(&x.seal, above, h[4].set) }},
			{"a carrier without its header", ErrProof, func(l *Light) error { return l.Advance(&x.seal, torn, h[4].set) }},
			{"signers below a quorum", ErrQuorum, func(l *Light) error { return l.Advance(&x.seal, x.finalBy(&x.seal, 2, 3), h[4].set) }},
			{"signatures of strangers", ErrSignature, func(l *Light) error { return l.Advance(&x.seal, other.final(&x.seal), h[4].set) }},
			{"a set of strangers that finalizes itself", nil, func(l *Light) error {
				s := sealWith(func(s *header.Header) { s.SetHash = stranger.Hash(); s.NextSet = named[:] })
				if err := l.Advance(s, theirs.final(s), stranger); err == nil {
					return nil
				}
				return l.Advance(&x.seal, x.final(&x.seal), h[4].set) // and nothing has changed
			}},
			{"the set of the epoch before", ErrEpoch, func(l *Light) error { return l.Advance(&x.seal, h[2].final(&x.seal), h[4].set) }},
			{"another next set", ErrLight, func(l *Light) error { return l.Advance(&x.seal, x.final(&x.seal), stranger) }},
			{"a next set of the same epoch", ErrLight, func(l *Light) error { return l.Advance(forged, x.final(forged), stranger) }},
			{"the set after the next", ErrLight, func(l *Light) error { return l.Advance(&x.seal, x.final(&x.seal), h[5].set) }},
			{"an epoch left out", ErrLight, func(l *Light) error { return l.Advance(&h[4].seal, h[4].final(&h[4].seal), h[5].set) }},
			{"an epoch a second time", ErrLight, func(l *Light) error { return l.Advance(&h[2].seal, h[2].final(&h[2].seal), h[3].set) }},
			{"a block that is no seal", ErrLight, func(l *Light) error { return l.Advance(&x.normal, x.final(&x.normal), h[4].set) }},
			{"a seal below the trusted block", ErrLight, func(l *Light) error { return l.Advance(early, x.final(early), h[4].set) }},
			{"the certificate of another block", ErrProof, func(l *Light) error { return l.Advance(&x.seal, x.final(&x.normal), h[4].set) }},
			{"a seal of another chain", ErrProof, func(l *Light) error {
				s := sealWith(func(s *header.Header) { s.ChainID[0] ^= 1 })
				return l.Advance(s, x.final(s), h[4].set)
			}},
			{"a seal with transactions", header.ErrField, func(l *Light) error {
				s := sealWith(func(s *header.Header) { s.Txs, s.Batches = 1, 1 })
				return l.Advance(s, x.final(s), h[4].set)
			}},
			{"a state of another root", merkle.ErrRoot, func(l *Light) error {
				n := x.normal
				n.StateRoot[0] ^= 1
				return l.Check(x.final(&n), &n, &proof)
			}},
			{"a value that is not there", merkle.ErrShape, func(l *Light) error {
				p, lie := proof, []byte("lie")
				p.Value = &lie
				return l.Check(x.final(&x.normal), &x.normal, &p)
			}},
			{"a header that nobody signed", ErrProof, func(l *Light) error {
				n := x.normal
				n.TimeMS++
				return l.Check(x.final(&x.normal), &n, &proof)
			}},
			{"a header of the next epoch", ErrEpoch, func(l *Light) error { return l.Check(h[4].final(&h[4].normal), &h[4].normal, &proof) }},
		} {
			l, err := NewLight(x.normal, x.set)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.step(l); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("%s (aggregates %v): %v, want %v", c.name, aggregates, err, c.want)
			}
			if at := l.At(); c.want != nil && (at.Hash() != x.normal.Hash() || l.Set().Hash() != x.set.Hash()) {
				t.Errorf("%s: the reader has moved", c.name)
			}
		}
	}
	h := history(t, true, root)
	l, err := NewLight(h[3].normal, h[3].set)
	if err != nil {
		t.Fatal(err)
	}
	hash := h[3].seal.Hash()
	list := &FinalityProof{Finalization: *sign(h[3].set, h[3].keys, Finalization, 2, hash[:], 0, 1, 2, 3)}
	if err := l.Advance(&h[3].seal, list, h[4].set); !errors.Is(err, ErrProof) {
		t.Errorf("a seal without an aggregate: %v", err)
	}
}

func TestCONS49TrustRunsOut(t *testing.T) {
	root, _ := statement(t)
	h := history(t, false, root)
	l, err := NewLight(h[2].normal, h[2].set) // at 5,000 ms
	if err != nil {
		t.Fatal(err)
	}
	for wall, want := range map[uint64]error{0: nil, 5_000: nil, 8_000: nil, 8_001: ErrTrustExpired, 1 << 60: ErrTrustExpired} {
		if err := l.Expired(wall, 3_000); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("at %d ms: %v", wall, err)
		}
	}
	if err := l.Advance(&h[2].seal, h[2].final(&h[2].seal), h[3].set); err != nil {
		t.Fatal(err)
	}
	if err := l.Expired(8_001, 3_000); err != nil {
		t.Errorf("a newer header does not renew trust: %v", err)
	}
}

func BenchmarkLightAdvance(b *testing.B) {
	root, _ := statement(b)
	h := history(b, true, root)
	p := h[2].final(&h[2].seal)
	for b.Loop() {
		l, err := NewLight(h[2].normal, h[2].set)
		if err == nil {
			err = l.Advance(&h[2].seal, p, h[3].set)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzDecodeSeal(f *testing.F) {
	root, _ := statement(f)
	h := history(f, false, root)
	s := Seal{Header: h[0].seal, Proof: *h[0].final(&h[0].seal), Next: h[1].set.Encode()}
	f.Add(s.Encode())
	f.Add([]byte{0x83})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeSeal(b)
		if err != nil {
			return
		}
		if !bytes.Equal(s.Encode(), b) {
			t.Errorf("%x decodes and encodes to %x", b, s.Encode())
		}
		l, err := NewLight(h[0].normal, h[0].set)
		if err != nil {
			t.Fatal(err)
		}
		hash := h[0].seal.Hash()
		if l.Take(s) == nil && s.Header.Hash() != hash {
			t.Errorf("%x is taken", b)
		}
	})
}
