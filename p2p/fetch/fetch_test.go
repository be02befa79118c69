// SPDX-License-Identifier: Apache-2.0

package fetch_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/p2p"
	"github.com/openledger/openledger/p2p/fetch"
	"github.com/openledger/openledger/p2p/p2ptest"
	"github.com/openledger/openledger/p2p/peers"
	"github.com/openledger/openledger/p2p/stream"
)

// pattern returns n bytes that differ from unit to unit.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16*7)
	}
	return b
}

// node is a host with a store and a fetcher.
type node struct {
	*p2p.Host
	store *fetch.Store
	f     *fetch.Fetcher
}

// newNode starts a node whose blobs lie in dir.
func newNode(t *testing.T, n *p2ptest.Net, dir string, limit uint64) *node {
	t.Helper()
	st, err := fetch.OpenStore(dir, limit)
	if err != nil {
		t.Fatal(err)
	}
	x := &node{store: st}
	x.Host = n.Host(nil, func(h *p2p.Host) {
		x.f, err = fetch.New(fetch.Config{Streams: h.Streams(), Store: st, Book: h.Book()})
		if err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(x.f.Close)
	return x
}

// put stores b and returns its id.
func (x *node) put(t *testing.T, b []byte) content.ID {
	t.Helper()
	id, _, err := x.store.Put(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// check fails unless the node holds exactly b.
func (x *node) check(t *testing.T, id content.ID, b []byte) {
	t.Helper()
	got, err := x.store.Read(id, uint64(len(b)))
	if err != nil || !bytes.Equal(got, b) {
		t.Fatalf("%d of %d bytes, %v", len(got), len(b), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(filepath.Dir(x.store.Path(id)))), "part", "*")); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

// rogue is a peer that serves one content by its own rules.
type rogue struct {
	*p2p.Host
	served atomic.Int64 // units
}

// request mirrors the wire form of a blob/1 request.
type request struct {
	_     struct{} `cbor:",toarray"`
	ID    content.ID
	Op    uint64
	Index uint64
}

// newRogue starts a rogue that answers from b, after twist has had its way with
// the answer; a nil answer ends the stream.
func newRogue(t *testing.T, n *p2ptest.Net, b []byte, twist func(r request, answer []byte) []byte) *rogue {
	t.Helper()
	tree := content.BuildTree(b)
	x := &rogue{}
	x.Host = n.Host(nil, func(h *p2p.Host) {
		err := h.Streams().Register(stream.Protocol{Name: fetch.Name, MaxFrame: 128 << 10, Deadline: 30 * time.Second, Rate: 9, Burst: 99,
			Session: func(ctx context.Context, _ peers.ID, c *stream.Conn) {
				for {
					raw, err := c.ReadFrame()
					if err != nil {
						return
					}
					var r request
					if enc.Decode(raw, &r) != nil {
						return
					}
					answer := []byte{0}
					switch r.Op {
					case 0:
						answer = binary.BigEndian.AppendUint64(answer, uint64(len(b)))
					case 1:
						if p, err := tree.Page(r.Index); err == nil {
							answer = append(answer, enc.Encode(p)...)
						}
					case 2:
						x.served.Add(1)
						from := min(int(r.Index)*content.UnitSize, len(b))
						answer = append(answer, b[from:min(from+content.UnitSize, len(b))]...)
					}
					if answer = twist(r, answer); answer == nil || c.WriteFrame(answer) != nil {
						return
					}
				}
			}})
		if err != nil {
			t.Fatal(err)
		}
	})
	return x
}

func honest(_ request, answer []byte) []byte { return answer }

func TestFetchVerifiesAndKeepsEveryByte(t *testing.T) {
	for name, size := range map[string]int{"nothing": 0, "one byte": 1, "one unit": content.UnitSize,
		"two units": 2 * content.UnitSize, "many units and a bit": 18*content.UnitSize + 17} {
		t.Run(name, func(t *testing.T) {
			p2ptest.Virtual(t, func(t *testing.T) {
				n := p2ptest.NewNet(t)
				a, b := newNode(t, n, t.TempDir(), 0), newNode(t, n, t.TempDir(), 0)
				p2ptest.Connect(t, b.Host, a.Host)
				want := pattern(size)
				id := a.put(t, want)
				var last, total uint64
				err := b.f.Fetch(t.Context(), id, uint64(size), []peers.ID{a.ID()}, func(d, n uint64) { last, total = d, n })
				if err != nil {
					t.Fatal(err)
				}
				b.check(t, id, want)
				if last != uint64(size) || total != uint64(size) {
					t.Errorf("progress ended at %d of %d", last, total)
				}
				if got, want := a.f.Stats().UnitsServed, content.UnitCount(uint64(size)); got != want {
					t.Errorf("%d units travelled, want %d", got, want)
				}
				// What was fetched can be served on.
				c := newNode(t, n, t.TempDir(), 0)
				p2ptest.Connect(t, c.Host, b.Host)
				if err := c.f.Fetch(t.Context(), id, 0, []peers.ID{b.ID()}, nil); err != nil {
					t.Fatal(err)
				}
				c.check(t, id, want)
			})
		})
	}
}

func TestDocumentsTravelWhole(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		n := p2ptest.NewNet(t)
		a, b := newNode(t, n, t.TempDir(), 0), newNode(t, n, t.TempDir(), 0)
		p2ptest.Connect(t, b.Host, a.Host)
		want := pattern(30_000)
		id, err := a.store.PutDocument(want)
		if err != nil {
			t.Fatal(err)
		}
		liar := newRogue(t, n, pattern(30_001), honest)
		p2ptest.Connect(t, b.Host, liar.Host)
		if err := b.f.Fetch(t.Context(), id, 0, []peers.ID{liar.ID(), a.ID()}, nil); err != nil {
			t.Fatal(err)
		}
		b.check(t, id, want)
		if s := b.Book().Score(liar.ID()); s > -peers.WrongUnit+1 {
			t.Errorf("the liar has %v points", s)
		}
	})
}

// A peer that lies loses 500 points and the stream; an honest one completes the
// blob, and no wrong byte is ever in it.
func TestLyingPeers(t *testing.T) {
	want := pattern(10 * content.UnitSize)
	other := pattern(10*content.UnitSize + 1)[1:]
	flip := func(op uint64, from uint64) func(request, []byte) []byte {
		return func(r request, a []byte) []byte {
			if r.Op == op && r.Index >= from && len(a) > 5 {
				a[len(a)-3] ^= 1
			}
			return a
		}
	}
	for _, c := range []struct {
		name  string
		twist func(request, []byte) []byte
		base  []byte
	}{
		{"one bit of every unit is wrong", flip(2, 0), want},
		{"one bit of unit 7 is wrong", func(r request, a []byte) []byte {
			if r.Op == 2 && r.Index == 7 {
				a[1] ^= 0x80
			}
			return a
		}, want},
		{"one bit of the last unit is wrong", flip(2, 9), want},
		{"one bit of the page is wrong", flip(1, 0), want},
		{"another content of the same size", honest, other},
		{"a wrong size", func(r request, a []byte) []byte {
			if r.Op == 0 {
				a[8] ^= 1
			}
			return a
		}, want},
		{"a size that differs by a unit", func(r request, a []byte) []byte {
			if r.Op == 0 {
				binary.BigEndian.PutUint64(a[1:], 11*content.UnitSize)
			}
			return a
		}, want},
		{"an absurd size", func(r request, a []byte) []byte {
			if r.Op == 0 {
				copy(a[1:], bytes.Repeat([]byte{0xff}, 8))
			}
			return a
		}, want},
		{"a short unit", func(r request, a []byte) []byte {
			if r.Op == 2 {
				return a[:len(a)-1]
			}
			return a
		}, want},
		{"an answer of no known kind", func(r request, a []byte) []byte { a[0] = 9; return a }, want},
		{"an empty answer", func(request, []byte) []byte { return []byte{} }, want},
	} {
		t.Run(c.name, func(t *testing.T) {
			p2ptest.Virtual(t, func(t *testing.T) {
				n := p2ptest.NewNet(t)
				liar := newRogue(t, n, c.base, c.twist)
				a, b := newNode(t, n, t.TempDir(), 0), newNode(t, n, t.TempDir(), 0)
				p2ptest.Connect(t, b.Host, liar.Host)
				p2ptest.Connect(t, b.Host, a.Host)
				id := a.put(t, want)
				// First the liar alone: nothing may be taken for the blob.
				err := b.f.Fetch(t.Context(), id, 0, []peers.ID{liar.ID()}, nil)
				if !errors.Is(err, fetch.ErrNoProvider) || !errors.Is(err, fetch.ErrWrong) || b.store.Has(id) {
					t.Fatalf("from the liar alone: %v, stored %v", err, b.store.Has(id))
				}
				if s := b.Book().Score(liar.ID()); s > -peers.WrongUnit+3 || s < -peers.WrongUnit-1 {
					t.Errorf("the liar has %v points", s)
				}
				// Then both: the honest peer completes it.
				if err := b.f.Fetch(t.Context(), id, uint64(len(want)), []peers.ID{liar.ID(), a.ID()}, nil); err != nil {
					t.Fatal(err)
				}
				b.check(t, id, want)
				if s := b.Book().Score(a.ID()); s < 0 {
					t.Errorf("the honest peer has %v points", s)
				}
			})
		})
	}
}

// cutAfter ends the stream after n units.
func cutAfter(n int64, served *atomic.Int64) func(request, []byte) []byte {
	return func(r request, a []byte) []byte {
		if r.Op == 2 && served.Load() > n {
			return nil
		}
		return a
	}
}

func TestResumeFetchesOnlyWhatIsMissing(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		const units = 22
		want := pattern(units * content.UnitSize)
		n := p2ptest.NewNet(t)
		dir := t.TempDir()
		a, b := newNode(t, n, t.TempDir(), 0), newNode(t, n, dir, 0)
		var quitter *rogue
		quitter = newRogue(t, n, want, func(r request, ans []byte) []byte { return cutAfter(9, &quitter.served)(r, ans) })
		p2ptest.Connect(t, b.Host, quitter.Host)
		id := a.put(t, want)
		err := b.f.Fetch(t.Context(), id, 0, []peers.ID{quitter.ID()}, nil)
		if !errors.Is(err, fetch.ErrNoProvider) {
			t.Fatalf("got %v", err)
		}
		first := b.f.Stats().UnitsFetched
		if first != 9 {
			t.Fatalf("%d units before the cut, want 9", first)
		}
		if s := b.Book().Score(quitter.ID()); s < 0 {
			t.Errorf("a broken connection cost points: %v", s)
		}
		// Another process opens the same folder.
		b2 := newNode(t, n, dir, 0)
		p2ptest.Connect(t, b2.Host, a.Host)
		if err := b2.f.Fetch(t.Context(), id, uint64(len(want)), []peers.ID{a.ID()}, nil); err != nil {
			t.Fatal(err)
		}
		b2.check(t, id, want)
		if got := a.f.Stats().UnitsServed; got != units-first {
			t.Errorf("%d units fetched after the cut, want %d", got, units-first)
		}
		if got := b2.f.Stats().UnitsFetched; got != units-first {
			t.Errorf("%d units counted, want %d", got, units-first)
		}
	})
}

// half leaves a half-fetched blob, 9 of whose units are mapped, in a folder.
func half(t *testing.T, n *p2ptest.Net, want []byte, dir string) content.ID {
	t.Helper()
	b := newNode(t, n, dir, 0)
	var quitter *rogue
	quitter = newRogue(t, n, want, func(r request, ans []byte) []byte { return cutAfter(9, &quitter.served)(r, ans) })
	p2ptest.Connect(t, b.Host, quitter.Host)
	id := content.Sum(want)
	if err := b.f.Fetch(t.Context(), id, 0, []peers.ID{quitter.ID()}, nil); !errors.Is(err, fetch.ErrNoProvider) {
		t.Fatal(err)
	}
	return id
}

func TestDamagedLeftoversAreFetchedAgain(t *testing.T) {
	const units = 18
	want := pattern(units * content.UnitSize)
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, part, bits string)
		again  uint64 // units that must travel after it
	}{
		{"nothing was damaged", func(*testing.T, string, string) {}, 9},
		{"the map is cut", func(t *testing.T, _, bits string) { must(t, os.Truncate(bits, 30)) }, units},
		{"the map is gone", func(t *testing.T, _, bits string) { must(t, os.Remove(bits)) }, units},
		{"the data is gone", func(t *testing.T, part, _ string) { must(t, os.Remove(part)) }, units},
		{"the data was emptied", func(t *testing.T, part, _ string) { must(t, os.Truncate(part, 0)) }, units},
		{"one mapped byte was lost", func(t *testing.T, part, _ string) {
			f, err := os.OpenFile(part, os.O_RDWR, 0)
			must(t, err)
			_, err = f.WriteAt([]byte{want[5*content.UnitSize] ^ 1}, 5*content.UnitSize)
			must(t, errors.Join(err, f.Close()))
		}, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			p2ptest.Virtual(t, func(t *testing.T) {
				n := p2ptest.NewNet(t)
				dir := t.TempDir()
				id := half(t, n, want, dir)
				c.damage(t, filepath.Join(dir, "part", id.String()+".part"), filepath.Join(dir, "part", id.String()+".map"))
				a, b := newNode(t, n, t.TempDir(), 0), newNode(t, n, dir, 0)
				a.put(t, want)
				p2ptest.Connect(t, b.Host, a.Host)
				if err := b.f.Fetch(t.Context(), id, 0, []peers.ID{a.ID()}, nil); err != nil {
					t.Fatal(err)
				}
				b.check(t, id, want)
				if got := a.f.Stats().UnitsServed; got != c.again {
					t.Errorf("%d units travelled, want %d", got, c.again)
				}
			})
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestFourPeersShareTheWork(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		const units = 100
		want := pattern(units * content.UnitSize)
		n := p2ptest.NewNet(t)
		b := newNode(t, n, t.TempDir(), 0)
		var all []*node
		var ids []peers.ID
		for range 4 {
			a := newNode(t, n, t.TempDir(), 0)
			a.put(t, want)
			p2ptest.Connect(t, b.Host, a.Host)
			all, ids = append(all, a), append(ids, a.ID())
		}
		if err := b.f.Fetch(t.Context(), content.Sum(want), 0, ids, nil); err != nil {
			t.Fatal(err)
		}
		b.check(t, content.Sum(want), want)
		var sum uint64
		for i, a := range all {
			got := a.f.Stats().UnitsServed
			if got < units/10 {
				t.Errorf("peer %d served only %d units", i, got)
			}
			sum += got
		}
		if sum > units+units/10 {
			t.Errorf("%d units travelled for %d", sum, units)
		}
	})
}

// What a peer owed when it left is asked of the others, at once.
func TestPeerThatLeavesIsReplaced(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		want := pattern(40 * content.UnitSize)
		n := p2ptest.NewNet(t)
		a, b := newNode(t, n, t.TempDir(), 0), newNode(t, n, t.TempDir(), 0)
		var quitter *rogue
		quitter = newRogue(t, n, want, func(r request, ans []byte) []byte { return cutAfter(3, &quitter.served)(r, ans) })
		p2ptest.Connect(t, b.Host, quitter.Host)
		p2ptest.Connect(t, b.Host, a.Host)
		id := a.put(t, want)
		ctx, cancel := context.WithTimeout(t.Context(), p2ptest.Patience)
		defer cancel()
		if err := b.f.Fetch(ctx, id, 0, []peers.ID{quitter.ID(), a.ID()}, nil); err != nil {
			t.Fatal(err)
		}
		b.check(t, id, want)
		if got := b.f.Stats().UnitsFetched; got != 40 {
			t.Errorf("%d units counted", got)
		}
	})
}

// A peer that stops answering does not hold the fetch up: what it owes is asked
// of another one.
func TestStalledPeerIsWorkedAround(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		want := pattern(24 * content.UnitSize)
		n := p2ptest.NewNet(t)
		a, b := newNode(t, n, t.TempDir(), 0), newNode(t, n, t.TempDir(), 0)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		slow := newRogue(t, n, want, func(r request, ans []byte) []byte {
			if r.Op == 2 && r.Index < 23 {
				<-ctx.Done()
				return nil
			}
			return ans
		})
		p2ptest.Connect(t, b.Host, slow.Host)
		p2ptest.Connect(t, b.Host, a.Host)
		id := a.put(t, want)
		start := time.Now()
		if err := b.f.Fetch(t.Context(), id, 0, []peers.ID{slow.ID(), a.ID()}, nil); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("took %s", d)
		}
		b.check(t, id, want)
	})
}

func TestFetchRefusals(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		n := p2ptest.NewNet(t)
		a, b := newNode(t, n, t.TempDir(), 0), newNode(t, n, t.TempDir(), 1<<20)
		p2ptest.Connect(t, b.Host, a.Host)
		big := a.put(t, pattern(1<<20+1))
		small := a.put(t, pattern(1000))
		for _, c := range []struct {
			name string
			id   content.ID
			size uint64
			from []peers.ID
			want error
		}{
			{"no content id", content.ID{1}, 0, []peers.ID{a.ID()}, content.ErrID},
			{"nobody to ask", small, 0, nil, fetch.ErrNoProvider},
			{"nobody has it", content.Sum([]byte("?")), 0, []peers.ID{a.ID()}, stream.ErrNotFound},
			{"more than the disk bound", big, 0, []peers.ID{a.ID()}, fetch.ErrFull},
			{"another size than announced", small, 999, []peers.ID{a.ID()}, fetch.ErrSize},
		} {
			if err := b.f.Fetch(t.Context(), c.id, c.size, c.from, nil); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		if b.store.Used() != 0 {
			t.Errorf("%d bytes counted", b.store.Used())
		}
		if s := b.Book().Score(a.ID()); s < 0 {
			t.Errorf("an honest peer has %v points", s)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(filepath.Dir(b.store.Path(small)))), "part", "*")); len(left) != 0 {
			t.Errorf("left over: %v", left)
		}
		b.f.Close()
		if err := b.f.Fetch(t.Context(), small, 0, []peers.ID{a.ID()}, nil); !errors.Is(err, fetch.ErrClosed) {
			t.Errorf("after close: %v", err)
		}
	})
}

func TestManyCallersShareOneFetch(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		const units = 30
		n := p2ptest.NewNet(t)
		a, b := newNode(t, n, t.TempDir(), 0), newNode(t, n, t.TempDir(), 0)
		p2ptest.Connect(t, b.Host, a.Host)
		id := a.put(t, pattern(units*content.UnitSize))
		short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() { // the first caller gives up in the middle
			if err := b.f.Fetch(short, id, 0, []peers.ID{a.ID()}, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the impatient caller got %v", err)
			}
		})
		for range 4 {
			wg.Go(func() {
				if err := b.f.Fetch(t.Context(), id, 0, []peers.ID{a.ID()}, nil); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := a.f.Stats().UnitsServed; got > units+17 {
			t.Errorf("%d units travelled for %d", got, units)
		}
		b.check(t, id, pattern(units*content.UnitSize))
	})
}

func TestServingIsLimitedPerPeer(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		n := p2ptest.NewNet(t)
		var a *node
		st, err := fetch.OpenStore(t.TempDir(), 0)
		must(t, err)
		a = &node{store: st}
		a.Host = n.Host(nil, func(h *p2p.Host) {
			a.f, err = fetch.New(fetch.Config{Streams: h.Streams(), Store: st, Book: h.Book(), Rate: 1 << 18, Burst: 1 << 18})
			must(t, err)
		})
		b := newNode(t, n, t.TempDir(), 0)
		p2ptest.Connect(t, b.Host, a.Host)
		id := a.put(t, pattern(1<<20))
		start := time.Now()
		must(t, b.f.Fetch(t.Context(), id, 0, []peers.ID{a.ID()}, nil))
		if d := time.Since(start); d < 2800*time.Millisecond || d > 4*time.Second {
			t.Errorf("1 MiB at 256 KiB/s after 256 KiB at once took %s", d)
		}
	})
}
