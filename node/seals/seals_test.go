// SPDX-License-Identifier: Apache-2.0

package seals_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/node/seals"
	"github.com/openledger/openledger/node/store"
	"github.com/openledger/openledger/p2p/peers"
)

var (
	chainID = [32]byte{7}
	quiet   = slog.New(slog.DiscardHandler)
)

func setOf(t testing.TB, epoch uint64, first int) (*valset.Set, []keys.PrivateKey) {
	t.Helper()
	var entries []valset.Entry
	byKey := map[keys.PublicKey]keys.PrivateKey{}
	for i := first; i < first+4; i++ {
		k := keys.FromSeed([32]byte{3, byte(i)})
		byKey[k.Public()] = k
		entries = append(entries, valset.Entry{Address: keys.Address{byte(i)}, Key: k.Public(), Power: 1})
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

// chainOf makes the seals of epochs 0 to n−1; in each one validator leaves and one
// joins. It returns the genesis header and set too.
func chainOf(t testing.TB, n int) (header.Header, *valset.Set, []cert.Seal) {
	t.Helper()
	first, _ := setOf(t, 0, 0)
	var out []cert.Seal
	for e := range n {
		set, ks := setOf(t, uint64(e), e)
		next, _ := setOf(t, uint64(e+1), e+1)
		hash := next.Hash()
		h := header.Header{Version: header.Version, ChainID: chainID, Epoch: uint64(e), View: 5, Height: uint64(10 * (e + 1)), Kind: header.KindSeal,
			TimeMS: uint64(e+1) * 1_000, SetHash: set.Hash(), NextSet: hash[:]}
		name := h.Hash()
		fin := cert.Certificate{Kind: cert.Finalization, Epoch: uint64(e), View: 5, Block: name[:], Signers: []byte{7}}
		for i := range 3 {
			s := ks[i].Sign(cert.SignBytes(chainID, cert.Finalize, uint64(e), 5, name[:]))
			fin.Sigs = append(fin.Sigs, s[:]...)
		}
		out = append(out, cert.Seal{Header: h, Proof: cert.FinalityProof{Finalization: fin}, Next: next.Encode()})
	}
	return header.Genesis(chainID, first.Hash(), 0, 1), first, out
}

// peer answers from a book. change, if set, falsifies frames.
type peer struct {
	book   *seals.Book
	heads  map[uint64]header.Header
	change func(frame []byte) []byte
	down   bool
}

func serving(t testing.TB, list []cert.Seal) *peer {
	t.Helper()
	p := &peer{book: seals.NewBook(store.OpenMemory().Local()), heads: map[uint64]header.Header{}}
	for i := range list {
		if err := p.book.Put(&list[i]); err != nil {
			t.Fatal(err)
		}
		p.heads[list[i].Header.Height] = list[i].Header
	}
	return p
}

// network implements seals.Source over peers named "0", "1", …
type network struct {
	list     []*peer
	punished map[peers.ID]float64
}

func among(list ...*peer) *network { return &network{list, map[peers.ID]float64{}} }

func (n *network) Peers() (out []peers.ID) {
	for i := range n.list {
		out = append(out, peers.ID(rune('0'+i)))
	}
	return out
}

func (n *network) Punish(id peers.ID, points float64) { n.punished[id] += points }

func (n *network) Ask(_ context.Context, id peers.ID, protocol string, req []byte, each func([]byte) error) error {
	p := n.list[id[0]-'0']
	if p.down || protocol != seals.Protocol {
		return errors.New("not there")
	}
	header := func(height uint64) (*header.Header, error) {
		if h, ok := p.heads[height]; ok {
			return &h, nil
		}
		return nil, store.ErrNotFound
	}
	return p.book.Serve(req, header, func(b []byte) error {
		if p.change != nil {
			b = p.change(b)
		}
		return each(b)
	})
}

func TestCONS49EpochsAreFollowedFromPeers(t *testing.T) {
	start, first, list := chainOf(t, 100) // more than one answer
	l, err := cert.NewLight(start, first)
	if err != nil {
		t.Fatal(err)
	}
	own := seals.NewBook(store.OpenMemory().Local())
	net := among(&peer{down: true}, serving(t, list[:30]), serving(t, list))
	if err := seals.Follow(t.Context(), net, l, own, quiet); err != nil {
		t.Fatal(err)
	}
	if l.Set().Epoch() != 100 {
		t.Errorf("followed to epoch %d", l.Set().Epoch())
	}
	if got, err := own.Get(99); err != nil || got.Header.Hash() != list[99].Header.Hash() {
		t.Errorf("%v", err)
	}
	if len(net.punished) != 0 {
		t.Errorf("punished %v", net.punished)
	}
	if err := seals.Follow(t.Context(), among(&peer{down: true}), l, own, quiet); !errors.Is(err, seals.ErrPeers) {
		t.Errorf("nobody answers: %v", err)
	}
}

func TestCONS49ALyingPeerDoesNotHoldUpTheOthers(t *testing.T) {
	start, first, list := chainOf(t, 8)
	for name, lie := range map[string]func(s *cert.Seal){
		"a changed seal":            func(s *cert.Seal) { s.Header.StateRoot[0] ^= 1 },
		"another next set":          func(s *cert.Seal) { s.Next = first.Encode() },
		"no next set":               func(s *cert.Seal) { s.Next = nil },
		"signers below a quorum":    func(s *cert.Seal) { f := &s.Proof.Finalization; f.Signers, f.Sigs = []byte{3}, f.Sigs[:128] },
		"a seal of another epoch":   func(s *cert.Seal) { *s = list[(s.Header.Epoch+3)%8] },
		"a header that leads away":  func(s *cert.Seal) { s.Proof.Headers = []header.Header{s.Header} },
		"signatures of another one": func(s *cert.Seal) { s.Proof = list[(s.Header.Epoch+1)%8].Proof },
	} {
		bad := serving(t, list)
		n := 0
		bad.change = func(b []byte) []byte {
			if n++; n != 3 {
				return b
			}
			s, err := cert.DecodeSeal(b)
			if err != nil {
				t.Fatal(err)
			}
			lie(s)
			return s.Encode()
		}
		l, err := cert.NewLight(start, first)
		if err != nil {
			t.Fatal(err)
		}
		net := among(bad, serving(t, list))
		own := seals.NewBook(store.OpenMemory().Local())
		if err := seals.Follow(t.Context(), net, l, own, quiet); err != nil || l.Set().Epoch() != 8 {
			t.Errorf("%s: epoch %d, %v", name, l.Set().Epoch(), err)
		}
		if net.punished["0"] != -200 || net.punished["1"] != 0 {
			t.Errorf("%s: punished %v", name, net.punished)
		}
		for e := range uint64(8) {
			if got, err := own.Get(e); err != nil || string(got.Encode()) != string(list[e].Encode()) {
				t.Errorf("%s: record %d: %v", name, e, err)
			}
		}
	}
}

func TestCONS49ACheckpointIsProvedByItsHash(t *testing.T) {
	_, first, list := chainOf(t, 6)
	at := seals.Checkpoint{Height: list[3].Header.Height, Hash: list[3].Header.Hash()}
	fork := serving(t, list)
	other := list[3].Header
	other.StateRoot[5] ^= 1
	fork.heads[at.Height] = other
	wrong := serving(t, list)
	wrong.change = func(b []byte) []byte {
		if s, err := cert.DecodeSeal(b); err == nil {
			s.Next = first.Encode()
			return s.Encode()
		}
		return b
	}
	l, err := seals.Start(t.Context(), among(&peer{down: true}, fork, wrong, serving(t, list)), at, first)
	if err != nil {
		t.Fatal(err)
	}
	if got := l.At(); got.Hash() != at.Hash || l.Set().Epoch() != 3 {
		t.Errorf("at height %d, epoch %d", got.Height, l.Set().Epoch())
	}
	early := seals.Checkpoint{Height: list[0].Header.Height, Hash: list[0].Header.Hash()}
	if l, err := seals.Start(t.Context(), among(serving(t, list)), early, first); err != nil || l.Set().Epoch() != 0 {
		t.Errorf("in epoch 0: %v", err)
	}
	at.Hash[0] ^= 1
	if _, err := seals.Start(t.Context(), among(serving(t, list)), at, first); !errors.Is(err, seals.ErrPeers) {
		t.Errorf("a hash that no block has: %v", err)
	}
}

func TestServeRefuses(t *testing.T) {
	b := seals.NewBook(store.OpenMemory().Local())
	for name, req := range map[string][]byte{"nothing": nil, "too many": enc.Encode(seals.Request{Count: seals.MaxCount + 1}), "another type": enc.Encode("x")} {
		if err := b.Serve(req, nil, nil); !errors.Is(err, seals.ErrRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.Get(3); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func FuzzServe(f *testing.F) {
	_, _, list := chainOf(f, 2)
	p := serving(f, list)
	f.Add(enc.Encode(seals.Request{Count: 2}))
	f.Add(enc.Encode(seals.Request{From: 1, Count: 64}))
	f.Fuzz(func(t *testing.T, b []byte) {
		header := func(uint64) (*header.Header, error) { return nil, store.ErrNotFound }
		_ = p.book.Serve(b, header, func(frame []byte) error {
			if _, err := cert.DecodeSeal(frame); err != nil {
				t.Error(err)
			}
			return nil
		})
	})
}
