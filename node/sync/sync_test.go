// SPDX-License-Identifier: Apache-2.0

package sync_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	stdsync "sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/evidence"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/store"
	"github.com/openledger/openledger/node/sync"
	"github.com/openledger/openledger/p2p/peers"
)

// server answers like one peer. change, if set, falsifies the frames of an answer.
type server struct {
	chain  *chain.Chain
	change func(req sync.Request, frames []sync.Block) []sync.Block
	err    error
}

func (s *server) answer(req []byte, each func([]byte) error) error {
	if s.err != nil {
		return s.err
	}
	var q sync.Request
	if err := enc.Decode(req, &q); err != nil {
		return err
	}
	var frames []sync.Block
	if err := sync.Serve(s.chain, req, func(b []byte) error {
		var blk sync.Block
		frames = append(frames, blk)
		return enc.Decode(b, &frames[len(frames)-1])
	}); err != nil {
		return err
	}
	if s.change != nil {
		frames = s.change(q, frames)
	}
	for i := range frames {
		if err := each(enc.Encode(frames[i])); err != nil {
			return err
		}
	}
	return nil
}

// peersOf implements sync.Source over servers named "0", "1", …
type peersOf struct {
	servers  []*server
	claim    uint64 // what some peer claims to have
	mu       stdsync.Mutex
	requests int
	punished map[peers.ID]float64
	short    map[peers.ID]uint64
}

func sources(claim uint64, servers ...*server) *peersOf {
	return &peersOf{servers: servers, claim: claim, punished: map[peers.ID]float64{}, short: map[peers.ID]uint64{}}
}

func (p *peersOf) Peers() (out []peers.ID) {
	for i := range p.servers {
		out = append(out, peers.ID(rune('0'+i)))
	}
	return out
}

func (p *peersOf) Ask(_ context.Context, id peers.ID, protocol string, req []byte, each func([]byte) error) error {
	i := int(id[0] - '0')
	p.mu.Lock()
	p.requests++
	p.mu.Unlock()
	if protocol != sync.Protocol {
		return errors.New("no such protocol")
	}
	return p.servers[i].answer(req, each)
}

// asked counts the requests so far.
func (p *peersOf) asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests
}

func (p *peersOf) Ahead(height uint64) bool           { return p.claim > height }
func (p *peersOf) Short(id peers.ID, h uint64)        { p.short[id] = h }
func (p *peersOf) Punish(id peers.ID, points float64) { p.punished[id] += points }

func never() bool { return false }

// grown returns a world and a chain of so many blocks.
func grown(t testing.TB, blocks int) (*chaintest.World, *chain.Chain) {
	w := chaintest.New(t, 4, 2)
	c := w.Open(store.OpenMemory())
	w.Grow(c, blocks)
	return w, c
}

// fetch lets a fresh chain catch up once and returns it.
func fetch(t testing.TB, w *chaintest.World, from *peersOf) (*chain.Chain, error) {
	c := w.Open(store.OpenMemory())
	var heights []uint64
	s := sync.New(sync.Config{Chain: c, Source: from})
	err := s.Catchup(t.Context(), func(_ context.Context, blocks []*chain.Block) error {
		for _, b := range blocks {
			done, err := c.Commit(b)
			if err != nil {
				return err
			}
			if !done {
				t.Errorf("height %d was fetched twice", b.Header().Height)
			}
			heights = append(heights, b.Header().Height)
		}
		return nil
	})
	if !slices.IsSorted(heights) {
		t.Errorf("committed in the order %v", heights)
	}
	return c, err
}

func TestAFreshNodeFetchesTheWholeChain(t *testing.T) {
	w, from := grown(t, 200)
	p := sources(200, &server{chain: from})
	c, err := fetch(t, w, p)
	if err != nil || c.Head() != from.Head() {
		t.Fatalf("height %d of %d, %v", c.Head().Height, from.Head().Height, err)
	}
	if p.asked() != 4 { // 64 + 64 + 64 + 8
		t.Errorf("%d requests", p.asked())
	}
	for h := uint64(1); h <= 200; h++ {
		leaves, err1 := c.Leaves(h)
		want, err2 := from.Leaves(h)
		if err1 != nil || err2 != nil || len(want) != 1 || !slices.EqualFunc(leaves, want, bytes.Equal) {
			t.Fatalf("height %d: justification %x, want %x, %v, %v", h, leaves, want, err1, err2)
		}
	}
	if r, err := c.Root(); err != nil || r.Header.Height != 200 {
		t.Fatalf("a core would start at %d, %v", r.Header.Height, err)
	}
}

func TestAPeerThatLiesIsPunishedAndAnotherOneIsAsked(t *testing.T) {
	w, from := grown(t, 80)
	const last = sync.MaxBlocks - 1 // whose certificate makes the whole answer final
	tests := map[string]func(b []sync.Block){
		"a certificate of another block":        func(b []sync.Block) { b[39].Final = b[38].Final; b[39].Final.View = b[39].Header.View },
		"a certificate with a forged signature": func(b []sync.Block) { b[last].Final.Sigs[0] ^= 1 },
		"a certificate without a quorum":        func(b []sync.Block) { b[last].Final = minority(b[last].Final) },
		"a certificate of another kind":         func(b []sync.Block) { b[last].Final.Kind = cert.Notarization },
		"a body without its transaction":        func(b []sync.Block) { b[40].Batches = nil },
		"a body with a changed transaction":     func(b []sync.Block) { b[40].Batches[0].Txs[0][20] ^= 1 },
		"a body with a batch more":              func(b []sync.Block) { b[39].Batches = b[40].Batches },
		"a block left out":                      func(b []sync.Block) { copy(b[20:], b[21:]) },
		"a block twice":                         func(b []sync.Block) { b[21] = b[20] },
		"a header with another state root":      func(b []sync.Block) { b[39].Header.StateRoot[0] ^= 1 },
		"a header of another chain":             func(b []sync.Block) { b[39].Header.ChainID[0] ^= 1 },
		"a header that breaks a rule":           func(b []sync.Block) { b[39].Header.Kind = 7 },
		"a justification with other leaves":     func(b []sync.Block) { b[39].Leaves = b[38].Leaves },
		"a block without its justification":     func(b []sync.Block) { b[39].Leaves = nil },
		"a justification with a leaf more":      func(b []sync.Block) { b[39].Leaves = append(b[39].Leaves, nil) },
		"blocks from another place than asked":  func(b []sync.Block) { copy(b, b[3:]) },
	}
	for name, falsify := range tests {
		t.Run(name, func(t *testing.T) {
			liar := &server{chain: from, change: func(q sync.Request, b []sync.Block) []sync.Block {
				if q.From == 1 {
					falsify(b)
				}
				return b
			}}
			p := sources(80, liar, &server{chain: from})
			c, err := fetch(t, w, p)
			if err != nil || c.Head() != from.Head() {
				t.Fatalf("height %d, %v", c.Head().Height, err)
			}
			if p.punished["0"] >= 0 || len(p.punished) != 1 {
				t.Fatalf("punished %v", p.punished)
			}
		})
	}
}

// TestALeafThatIsNoCertificateIsRefused: too long to be shown as evidence, it
// would make a fork on it unattributable.
func TestALeafThatIsNoCertificateIsRefused(t *testing.T) {
	for size, ok := range map[int]bool{evidence.MaxLeaf: true, evidence.MaxLeaf + 1: false} {
		w := chaintest.New(t, 4, 2)
		from := w.Open(store.OpenMemory())
		w.Grow(from, 1)
		b := w.ChildOf(w.Head(from), 2, [][]byte{make([]byte, size)})
		b.Finalization = w.Finalize(b)
		if _, err := from.Commit(b); err != nil {
			t.Fatal(err)
		}
		full := &server{chain: from, change: func(_ sync.Request, f []sync.Block) []sync.Block {
			if len(f) > 0 {
				f[len(f)-1].Leaves = b.Leaves
			}
			return f
		}}
		if c, err := fetch(t, w, sources(2, full)); errors.Is(err, sync.ErrLie) == ok || (c.Head().Height == 2) != ok {
			t.Errorf("%d bytes: height %d, %v", size, c.Head().Height, err)
		}
	}
}

// minority is c with the signatures of the first two validators only.
func minority(c *cert.Certificate) *cert.Certificate {
	out := *c
	out.Signers, out.Sigs = []byte{3}, c.Sigs[:128]
	return &out
}

// TestNothingOfALieIsCommitted ends with the liar alone.
func TestNothingOfALieIsCommitted(t *testing.T) {
	w, from := grown(t, 30)
	liar := &server{chain: from, change: func(_ sync.Request, b []sync.Block) []sync.Block {
		for i := range b {
			if b[i].Header.Height > 10 {
				b[i].Final.Sigs[5] ^= 1
			}
		}
		return b
	}}
	c, err := fetch(t, w, sources(30, liar))
	if !errors.Is(err, sync.ErrLie) || c.Head().Height != 0 {
		t.Fatalf("height %d, %v", c.Head().Height, err)
	}
}

// TestOneCertificateProvesAnAnswer and those below it are neither checked nor
// kept.
func TestOneCertificateProvesAnAnswer(t *testing.T) {
	w, from := grown(t, 30)
	c, err := fetch(t, w, sources(30, &server{chain: from, change: func(_ sync.Request, b []sync.Block) []sync.Block {
		for i := range b[:len(b)-1] {
			b[i].Final.Sigs[5] ^= 1
		}
		return b
	}}))
	if err != nil || c.Head() != from.Head() {
		t.Fatalf("height %d, %v", c.Head().Height, err)
	}
	for h := uint64(1); h <= 30; h++ {
		if _, got, err := c.Header(h); err != nil || got.View != 30 || cert.VerifyFinalization(w.Set, w.ID, got) != nil {
			t.Fatalf("height %d keeps a certificate that nobody checked: %v", h, err)
		}
	}
}

func TestAPeerWithLessThanItClaimsIsPassedOver(t *testing.T) {
	w, from := grown(t, 20)
	cut := &server{chain: from, change: func(_ sync.Request, b []sync.Block) []sync.Block { return nil }}
	dead := &server{err: errors.New("no answer")}
	p := sources(20, cut, dead, &server{chain: from})
	c, err := fetch(t, w, p)
	if err != nil || c.Head().Height != 20 {
		t.Fatalf("height %d, %v", c.Head().Height, err)
	}
	if h, ok := p.short["0"]; !ok || h != 0 || len(p.punished) != 0 {
		t.Fatalf("short %v, punished %v", p.short, p.punished)
	}
	if _, err := fetch(t, w, sources(20, dead, dead)); !errors.Is(err, sync.ErrPeers) {
		t.Fatalf("with dead peers only: %v", err)
	}
	if _, err := fetch(t, w, sources(20)); !errors.Is(err, sync.ErrPeers) {
		t.Fatalf("without peers: %v", err)
	}
}

// TestBlocksWithoutTheirOwnFinalizationAreProvedByALaterOne, here by one that is
// more than an answer away; what the peer says of the others is not believed.
func TestBlocksWithoutTheirOwnFinalizationAreProvedByALaterOne(t *testing.T) {
	w := chaintest.New(t, 4, 2)
	from := w.Open(store.OpenMemory())
	const open = 100
	var list []*chain.Block
	parent := w.Head(from)
	for view := range uint64(open + 1) {
		b := w.Child(parent, view+1, w.Transfer(0, 1, 1))
		roots, err := from.Execute(b)
		if err != nil {
			t.Fatal(err)
		}
		list, parent = append(list, b), chaintest.Parent{Header: *b.Header(), Roots: roots}
	}
	fin := w.Finalize(list[open])
	for i, b := range list {
		if _, err := from.Decide(b.Hash, uint64(i+1), fin, nil, b.Leaves...); err != nil {
			t.Fatal(err)
		}
	}
	junk := &server{chain: from, change: func(_ sync.Request, b []sync.Block) []sync.Block {
		for i := range b {
			if b[i].Final.View != b[i].Header.View {
				b[i].Final.Sigs[3] ^= 1
			}
		}
		return b
	}}
	c, err := fetch(t, w, sources(open+1, junk))
	if err != nil || c.Head() != from.Head() {
		t.Fatalf("height %d, %v", c.Head().Height, err)
	}
	for h := uint64(1); h <= open+1; h++ {
		if _, got, err := c.Header(h); err != nil || cert.VerifyFinalization(w.Set, w.ID, got) != nil {
			t.Fatalf("height %d keeps a certificate that nobody checked: %v", h, err)
		}
	}
}

// TestANodeWhoseStateDiffersStops serves a block that a quorum signed over another
// state root.
func TestANodeWhoseStateDiffersStops(t *testing.T) {
	w, from := grown(t, 5)
	p := w.Head(from)
	p.Roots.State[0] ^= 1
	bad := w.Child(p, 6)
	evil := &server{chain: from, change: func(_ sync.Request, b []sync.Block) []sync.Block {
		return append(b, sync.Block{Header: *bad.Header(), Final: w.Finalize(bad), Leaves: bad.Leaves})
	}}
	synctest.Test(t, func(t *testing.T) {
		c := w.Open(store.OpenMemory())
		s := sync.New(sync.Config{Chain: c, Source: sources(6, evil)})
		if err := s.Follow(t.Context(), never); !errors.Is(err, chain.ErrRoots) || c.Head().Height != 5 {
			t.Fatalf("height %d, %v", c.Head().Height, err)
		}
	})
}

// TestAFollowerKeepsUp with a chain that grows while it runs, and asks seldom when
// nothing happens.
func TestAFollowerKeepsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, from := grown(t, 3)
		p := sources(0, &server{chain: from})
		c := w.Open(store.OpenMemory())
		seen := 0
		s := sync.New(sync.Config{Chain: c, Source: p, Committed: func(*chain.Block) { seen++ }})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Follow(ctx, never) }()
		for range 5 {
			time.Sleep(time.Second)
			synctest.Wait()
			w.Grow(from, 2)
			s.Wake()
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if c.Head() != from.Head() || seen != 13 {
			t.Fatalf("height %d of %d, %d commits seen", c.Head().Height, from.Head().Height, seen)
		}
		before := p.asked()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := p.asked() - before; n < 20 || n > 60 {
			t.Fatalf("%d requests in an idle minute", n)
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

func TestARequestThatCannotBeServedIsRefused(t *testing.T) {
	_, c := grown(t, 3)
	tests := map[string][]byte{
		"garbage":         {0xff},
		"from genesis":    enc.Encode(sync.Request{From: 0, Count: 1}),
		"no blocks":       enc.Encode(sync.Request{From: 1, Count: 0}),
		"too many blocks": enc.Encode(sync.Request{From: 1, Count: sync.MaxBlocks + 1}),
	}
	for name, req := range tests {
		t.Run(name, func(t *testing.T) {
			if err := sync.Serve(c, req, func([]byte) error { return nil }); !errors.Is(err, sync.ErrRequest) {
				t.Fatal(err)
			}
		})
	}
	n := 0
	if err := sync.Serve(c, enc.Encode(sync.Request{From: 3, Count: 64}), func([]byte) error { n++; return nil }); err != nil || n != 1 {
		t.Fatalf("%d blocks from the head on, %v", n, err)
	}
}
