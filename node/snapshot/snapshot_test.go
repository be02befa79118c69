// SPDX-License-Identifier: Apache-2.0

package snapshot_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/merkle"
	lsnap "github.com/openledger/openledger/ledger/snapshot"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/node/snapshot"
	"github.com/openledger/openledger/node/store"
	"github.com/openledger/openledger/p2p/peers"
)

// ledger is a store with headers that link and carry the root after their parent,
// as a chain's do, around any state.
type ledger struct {
	t    testing.TB
	s    *store.Store
	last header.Header
}

func newLedger(t testing.TB) *ledger {
	l := &ledger{t: t, s: store.OpenMemory()}
	l.commit(merkle.KV{Key: []byte("\x01genesis"), Value: []byte{1}})
	return l
}

func (l *ledger) Store() *store.Store { return l.s }

func (l *ledger) Header(height uint64) (*header.Header, *cert.Certificate, error) {
	b, err := l.s.HeaderCert(height)
	if err != nil {
		return nil, nil, err
	}
	h, fin, _, err := chain.DecodeHeaderCert(b)
	return h, fin, err
}

func (l *ledger) commit(writes ...merkle.KV) {
	l.t.Helper()
	var nodes merkle.NodeReader
	var old merkle.StateRoot
	b := store.Batch{Writes: writes}
	h := header.Header{Version: 1, View: 1}
	if head, ok := l.s.Head(); ok {
		v, err := l.s.View(head.Height)
		if err != nil {
			l.t.Fatal(err)
		}
		b.Height, nodes, old = head.Height+1, v, head.Root
		h = header.Header{Version: 1, Height: b.Height, View: b.Height + 1, Parent: l.last.Hash(), StateRoot: head.Root.Hash, ReceiptsRoot: [32]byte{byte(b.Height)}}
	}
	var err error
	if b.Root, b.Nodes, b.Stale, err = merkle.Update(nodes, old, b.Height, writes); err != nil {
		l.t.Fatal(err)
	}
	b.HeaderHash, b.HeaderAndCert, b.Body = h.Hash(), chain.EncodeHeaderCert(&h, nil, nil), []byte{0x80}
	if err := l.s.Commit(b); err != nil {
		l.t.Fatal(err)
	}
	l.last = h
}

// grow commits blocks with n entries of size bytes together.
func (l *ledger) grow(blocks, n, size int) {
	for b := range blocks {
		var w []merkle.KV
		for i := range n / blocks {
			w = append(w, merkle.KV{Key: fmt.Appendf(nil, "\x02%d/%d", b, i), Value: bytes.Repeat([]byte{byte(i + 1)}, size)})
		}
		l.commit(w...)
	}
}

func (l *ledger) shelf(dir string) *snapshot.Shelf {
	l.t.Helper()
	s, err := snapshot.Open(dir, l, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

// peer answers from a shelf. change, if set, falsifies answers.
type peer struct {
	shelf  *snapshot.Shelf
	change func(q snapshot.Request, answer []byte) ([]byte, error)
}

// network implements snapshot.Source over peers named "0", "1", …
type network struct {
	list     []*peer
	mu       sync.Mutex
	asked    map[peers.ID]int // parts
	punished map[peers.ID]float64
}

func among(list ...*peer) *network {
	return &network{list: list, asked: map[peers.ID]int{}, punished: map[peers.ID]float64{}}
}

func (n *network) Peers() (out []peers.ID) {
	for i := range n.list {
		out = append(out, peers.ID(rune('0'+i)))
	}
	return out
}

func (n *network) Punish(id peers.ID, points float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.punished[id] += points
}

func (n *network) Ask(ctx context.Context, id peers.ID, protocol string, req []byte, each func([]byte) error) error {
	var q snapshot.Request
	if err := enc.Decode(req, &q); err != nil || protocol != snapshot.Protocol {
		return errors.Join(errors.New("no such request"), err)
	}
	if q.Height > 0 {
		n.mu.Lock()
		n.asked[id]++
		n.mu.Unlock()
	}
	p := n.list[id[0]-'0']
	return p.shelf.Serve(ctx, req, func(b []byte) error {
		if p.change != nil {
			var err error
			if b, err = p.change(q, b); err != nil {
				return err
			}
		}
		return each(b)
	})
}

// served is a ledger of about 6 MiB, its shelf with the snapshot of the head, and
// the header of that head.
func served(t testing.TB) (*ledger, *snapshot.Shelf, header.Header) {
	t.Helper()
	l := newLedger(t)
	l.grow(4, 100, 60_000)
	l.commit()
	s := l.shelf(t.TempDir())
	if err := s.Make(t.Context(), l.last.Height); err != nil {
		t.Fatal(err)
	}
	return l, s, l.last
}

func state(t testing.TB, s *store.Store, height uint64) string {
	t.Helper()
	v, err := s.View(height)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	if err := v.Iterate(func(k, val []byte) bool { fmt.Fprintf(h, "%x=%x\n", k, val); return true }); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x %x", v.Head().Root.Hash, h.Sum(nil))
}

func TestCONS48AFreshHomeTakesTheStateFromPeers(t *testing.T) {
	l, shelf, seal := served(t)
	net := among(&peer{shelf: shelf}, &peer{shelf: shelf}, &peer{shelf: shelf})
	home := t.TempDir()
	got, err := snapshot.Fetch(t.Context(), snapshot.FetchConfig{Dir: filepath.Join(home, "snapshots"), Source: net}, seal)
	if err != nil {
		t.Fatal(err)
	}
	if got.Offer.Depth != 1 || got.Offer.Bytes < 6_000_000 {
		t.Errorf("offer %+v", got.Offer)
	}
	if len(net.asked) < 2 {
		t.Errorf("one peer sent everything: %v", net.asked)
	}
	first, err := l.s.HeaderCert(0)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Import(home, store.Options{CacheMiB: 8}, first, nil); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(home, store.Options{CacheMiB: 8})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if head, _ := s.Head(); head.Height != seal.Height-1 || head.Root.Hash != seal.StateRoot || head.HeaderHash != seal.Parent {
		t.Errorf("head %+v", head)
	}
	if s.Base().ReceiptsRoot != seal.ReceiptsRoot {
		t.Errorf("base %+v", s.Base())
	}
	if a, b := state(t, s, seal.Height-1), state(t, l.s, seal.Height-1); a != b {
		t.Error("the states differ")
	}
	if err := s.Check(true); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(home, "snapshots", "*")); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
}

// part rewrites a part of a chunk; offers rewrites the list of offers.
func part(f func(p *snapshot.Part)) func(snapshot.Request, []byte) ([]byte, error) {
	return func(q snapshot.Request, b []byte) ([]byte, error) {
		var p snapshot.Part
		if q.Height == 0 || enc.Decode(b, &p) != nil {
			return b, nil
		}
		f(&p)
		return enc.Encode(p), nil
	}
}

func offers(f func(o *snapshot.Offer)) func(snapshot.Request, []byte) ([]byte, error) {
	return func(q snapshot.Request, b []byte) ([]byte, error) {
		var list []snapshot.Offer
		if q.Height > 0 || enc.Decode(b, &list) != nil {
			return b, nil
		}
		for i := range list {
			f(&list[i])
		}
		return enc.Encode(list), nil
	}
}

func TestCONS48APeerThatLiesIsLeftAndPunished(t *testing.T) {
	_, shelf, seal := served(t)
	for name, lie := range map[string]func(snapshot.Request, []byte) ([]byte, error){
		"a changed value": part(func(p *snapshot.Part) {
			p.Data[len(p.Data)-1] ^= 1
			if uint64(len(p.Data)) == p.Size {
				p.Name = lsnap.Name(p.Data)
			}
		}),
		"bytes of another name":     part(func(p *snapshot.Part) { p.Data[0] ^= 1 }),
		"a short part":              part(func(p *snapshot.Part) { p.Data = p.Data[:len(p.Data)-1] }),
		"an empty chunk":            part(func(p *snapshot.Part) { p.Size, p.Data = 0, nil }),
		"a chunk above the bound":   part(func(p *snapshot.Part) { p.Size = lsnap.MaxChunk + 1 }),
		"no part at all":            func(snapshot.Request, []byte) ([]byte, error) { return []byte{0xff}, nil },
		"another parent":            offers(func(o *snapshot.Offer) { o.Parent.TimeMS++ }),
		"a depth that is too great": offers(func(o *snapshot.Offer) { o.Depth = 5 }),
		"another place": func(q snapshot.Request, b []byte) ([]byte, error) {
			if q.Height == 0 {
				return b, nil
			}
			q.Prefix.Index ^= 1
			var out []byte
			err := shelf.Serve(context.Background(), enc.Encode(q), func(b []byte) error { out = b; return nil })
			return out, err
		},
	} {
		net := among(&peer{shelf: shelf, change: lie}, &peer{shelf: shelf})
		if _, err := snapshot.Fetch(t.Context(), snapshot.FetchConfig{Dir: t.TempDir(), Source: net}, seal); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if net.punished["0"] != -200 || net.punished["1"] != 0 {
			t.Errorf("%s: punished %v", name, net.punished)
		}
		alone := among(&peer{shelf: shelf, change: lie})
		if _, err := snapshot.Fetch(t.Context(), snapshot.FetchConfig{Dir: t.TempDir(), Source: alone}, seal); !errors.Is(err, snapshot.ErrPeers) {
			t.Errorf("%s, nobody else: %v", name, err)
		}
	}
}

// TestCONS48AFetchGoesOnWhereItWas lets the only peer vanish after some chunks.
func TestCONS48AFetchGoesOnWhereItWas(t *testing.T) {
	_, shelf, seal := served(t)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	var mu sync.Mutex
	fails := among(&peer{shelf: shelf, change: func(q snapshot.Request, b []byte) ([]byte, error) {
		mu.Lock()
		defer mu.Unlock()
		if n++; n > 6 {
			cancel()
			return nil, context.Canceled
		}
		return b, nil
	}})
	if _, err := snapshot.Fetch(ctx, snapshot.FetchConfig{Dir: dir, Source: fails}, seal); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	kept, _ := filepath.Glob(filepath.Join(dir, "join-*", "*"))
	if len(kept) < 3 {
		t.Fatalf("%d chunks are kept", len(kept))
	}
	damage(t, kept[0])
	net := among(&peer{shelf: shelf})
	if _, err := snapshot.Fetch(t.Context(), snapshot.FetchConfig{Dir: dir, Source: net}, seal); err != nil {
		t.Fatal(err)
	}
	if want := 16 - len(kept) + 1; net.asked["0"] != want {
		t.Errorf("%d chunks were asked for, want %d", net.asked["0"], want)
	}
}

// damage flips the last byte of a file.
func damage(t *testing.T, name string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestCONS48ADiskThatLiesEndsInTheOldLedger(t *testing.T) {
	l, shelf, seal := served(t)
	home := t.TempDir()
	got, err := snapshot.Fetch(t.Context(), snapshot.FetchConfig{Dir: home, Source: among(&peer{shelf: shelf})}, seal)
	if err != nil {
		t.Fatal(err)
	}
	kept, _ := filepath.Glob(filepath.Join(home, "join-*", "*"))
	damage(t, kept[5])
	first, _ := l.s.HeaderCert(0)
	if err := got.Import(home, store.Options{CacheMiB: 8}, first, nil); !errors.Is(err, merkle.ErrRoot) {
		t.Errorf("%v", err)
	}
	s, err := store.Open(home, store.Options{CacheMiB: 8})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, ok := s.Head(); ok {
		t.Error("the false state was taken")
	}
}

func TestNODE08TheLastTwoSnapshotsAreKept(t *testing.T) {
	l := newLedger(t)
	dir := t.TempDir()
	s := l.shelf(dir)
	for h := uint64(1); h <= 4; h++ {
		l.grow(1, 3, 10)
		if err := s.Make(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
	want := func(s *snapshot.Shelf) {
		t.Helper()
		list := s.Offers()
		if len(list) != 2 || list[0].Height != 4 || list[1].Height != 3 {
			t.Errorf("offers %+v", list)
		}
	}
	want(s)
	if err := os.MkdirAll(filepath.Join(dir, "9.new"), 0o755); err != nil {
		t.Fatal(err)
	}
	want(l.shelf(dir))
	if left, _ := os.ReadDir(dir); len(left) != 2 {
		t.Errorf("%v", left)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "3", "0*"))
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	if list := l.shelf(dir).Offers(); len(list) != 1 || list[0].Height != 4 {
		t.Errorf("a snapshot that lacks a chunk: %+v", list)
	}
}

func TestNODE08MakeSaysWhyItCannot(t *testing.T) {
	l := newLedger(t)
	l.grow(3, 9, 10)
	s := l.shelf(t.TempDir())
	if err := s.Make(t.Context(), 9); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a height above the head: %v", err)
	}
	if err := l.s.Prune(1); err != nil {
		t.Fatal(err)
	}
	if err := s.Make(t.Context(), 2); !errors.Is(err, store.ErrPruned) {
		t.Errorf("a pruned height: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Make(ctx, 3); !errors.Is(err, context.Canceled) {
		t.Errorf("a stop: %v", err)
	}
	if len(s.Offers()) != 0 {
		t.Error("something is offered")
	}
}

// TestNODE08MakeHoldsUpNoCommit commits while a snapshot of an older height is
// written, and the snapshot is that of its height.
func TestNODE08MakeHoldsUpNoCommit(t *testing.T) {
	l := newLedger(t)
	l.grow(2, 2_000, 100)
	l.commit()
	at := l.last.Height
	s := l.shelf(t.TempDir())
	done := make(chan error, 1)
	go func() { done <- s.Make(t.Context(), at) }()
	l.grow(30, 300, 10)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if o := s.Offers(); len(o) != 1 || o[0].Height != at {
		t.Errorf("offers %+v", o)
	}
}

func TestServeRefuses(t *testing.T) {
	_, s, seal := served(t)
	for name, req := range map[string][]byte{
		"nothing":                nil,
		"another type":           enc.Encode(uint64(1)),
		"a depth above four":     enc.Encode(snapshot.Request{Height: seal.Height, Prefix: merkle.Prefix{Depth: 5}}),
		"a place that is none":   enc.Encode(snapshot.Request{Height: seal.Height, Prefix: merkle.Prefix{Depth: 1, Index: 16}}),
		"a part beyond any":      enc.Encode(snapshot.Request{Height: seal.Height, Prefix: merkle.Prefix{Depth: 1}, Part: 99}),
		"a part beyond this one": enc.Encode(snapshot.Request{Height: seal.Height, Prefix: merkle.Prefix{Depth: 1}, Part: 9}),
	} {
		err := s.Serve(t.Context(), req, func([]byte) error { t.Errorf("%s: answered", name); return nil })
		if !errors.Is(err, snapshot.ErrRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, q := range map[string]snapshot.Request{
		"another height": {Height: seal.Height + 1},
		"another depth":  {Height: seal.Height, Prefix: merkle.Prefix{Depth: 2}},
	} {
		if err := s.Serve(t.Context(), enc.Encode(q), nil); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzServe(f *testing.F) {
	_, s, seal := served(f)
	f.Add(enc.Encode(snapshot.Request{}))
	f.Add(enc.Encode(snapshot.Request{Height: seal.Height, Prefix: merkle.Prefix{Depth: 1, Index: 3}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = s.Serve(t.Context(), b, func(frame []byte) error {
			if len(frame) > 1<<20 {
				t.Errorf("a frame of %d bytes", len(frame))
			}
			return nil
		})
	})
}

// FuzzFetch lets a peer answer anything to everything: nothing but the true state
// is ever taken.
func FuzzFetch(f *testing.F) {
	_, s, seal := served(f)
	f.Add([]byte{}, []byte{})
	f.Add(enc.Encode(s.Offers()), enc.Encode(snapshot.Part{Size: 1, Data: []byte{1}}))
	f.Fuzz(func(t *testing.T, list, part []byte) {
		net := among(&peer{shelf: s, change: func(q snapshot.Request, _ []byte) ([]byte, error) {
			if q.Height == 0 {
				return list, nil
			}
			return part, nil
		}})
		if _, err := snapshot.Fetch(t.Context(), snapshot.FetchConfig{Dir: t.TempDir(), Source: net}, seal); err == nil {
			t.Error("accepted")
		}
	})
}

func TestChunkFilesAreNamedByTheirHash(t *testing.T) {
	dir := t.TempDir()
	l := newLedger(t)
	l.grow(2, 6, 10)
	if err := l.shelf(dir).Make(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "2", "0*"))
	if len(files) != 1 {
		t.Fatal(files)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if want := lsnap.Name(b).String(); !strings.HasSuffix(files[0], "-"+want) {
		t.Errorf("%s, want %s", files[0], want)
	}
}
