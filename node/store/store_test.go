// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/openledger/openledger/internal/merkle"
)

// site is a place where a store can be closed and opened again.
type site interface {
	open() (*Store, error)
}

// disk is a site of Badger with buffers so small that tables and compactions
// come early.
type disk struct{ dir string }

func (d disk) open() (*Store, error) {
	tiny := profile{memTable: 1, memTables: 2, blockCache: 4, valueLog: 8}
	ledger, err := openBadger(filepath.Join(d.dir, "ledger"), tiny, nil)
	if err != nil {
		return nil, err
	}
	index, err := openBadger(filepath.Join(d.dir, "index"), tiny, nil)
	if err != nil {
		return nil, errors.Join(err, ledger.close())
	}
	s, err := start(ledger, index)
	if err != nil {
		return nil, errors.Join(err, ledger.close(), index.close())
	}
	return s, nil
}

// ram is a site in memory: its engines outlive the store.
type ram struct{ ledger, index *memory }

func (r ram) open() (*Store, error) {
	r.ledger.closed, r.index.closed = false, false
	return start(r.ledger, r.index)
}

// onAll runs a test on every kind of store.
func onAll(t *testing.T, f func(t *testing.T, at site)) {
	t.Run("disk", func(t *testing.T) { f(t, disk{t.TempDir()}) })
	t.Run("memory", func(t *testing.T) { f(t, ram{newMemory(), newMemory()}) })
}

func mustOpen(t testing.TB, at site) *Store {
	t.Helper()
	s, err := at.open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustClose(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// block makes the batch that follows the head of s from writes. Everything in it
// is a function of height and writes.
func block(t testing.TB, s *Store, writes ...merkle.KV) Batch {
	t.Helper()
	b := Batch{Writes: writes}
	var nodes merkle.NodeReader = noNodes{}
	var old merkle.StateRoot
	if h, ok := s.Head(); ok {
		v, err := s.View(h.Height)
		if err != nil {
			t.Fatal(err)
		}
		b.Height, nodes, old = h.Height+1, v, h.Root
	}
	var err error
	if b.Root, b.Nodes, b.Stale, err = merkle.Update(nodes, old, b.Height, writes); err != nil {
		t.Fatal(err)
	}
	b.Body = fmt.Appendf(nil, "body %d", b.Height)
	b.HeaderAndCert = fmt.Appendf(nil, "header %d %x", b.Height, b.Root.Hash)
	b.HeaderHash = sha256.Sum256(b.HeaderAndCert)
	if b.Height%2 == 1 {
		b.Justification = fmt.Appendf(nil, "leaves %d", b.Height)
	}
	for i := range b.Height % 4 {
		b.TxIDs = append(b.TxIDs, sha256.Sum256(fmt.Append(nil, "tx", b.Height, i)))
		b.Receipts = append(b.Receipts, fmt.Appendf(nil, "receipt %d %d", b.Height, i))
	}
	return b
}

func mustCommit(t testing.TB, s *Store, writes ...merkle.KV) Batch {
	t.Helper()
	b := block(t, s, writes...)
	if err := s.Commit(b); err != nil {
		t.Fatal(err)
	}
	return b
}

func set(k string, v ...string) merkle.KV {
	if len(v) == 0 {
		return merkle.KV{Key: []byte(k)}
	}
	return merkle.KV{Key: []byte(k), Value: []byte(v[0])}
}

// storyWrites is the write set of height h of a small chain with sets, changes
// and deletes.
func storyWrites(h uint64) []merkle.KV {
	out := []merkle.KV{set("\x0c/height", fmt.Sprint(h))}
	for i := range uint64(6) {
		k := fmt.Sprintf("\x01/%d", (h*5+i*i)%17)
		if slices.ContainsFunc(out, func(w merkle.KV) bool { return string(w.Key) == k }) {
			continue
		}
		if (h+i)%3 == 0 {
			out = append(out, set(k))
		} else {
			out = append(out, set(k, fmt.Sprint("v", h, i)))
		}
	}
	return out
}

// dump renders everything that can be read from s, so that two stores can be
// compared. It fails if a state does not hash to its root.
func dump(t testing.TB, s *Store) map[string]string {
	t.Helper()
	out := map[string]string{}
	head, ok := s.Head()
	if !ok {
		return out
	}
	out["head"] = fmt.Sprint(head)
	for h := range head.Height + 1 {
		body, err1 := s.Body(h)
		header, err2 := s.HeaderCert(h)
		receipts, err3 := s.Receipts(h)
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatalf("block %d: %v", h, err)
		}
		just, err := s.Justification(h)
		if errors.Is(err, ErrNotFound) {
			just = []byte("none")
		} else if err != nil {
			t.Fatalf("block %d: %v", h, err)
		}
		out[fmt.Sprint("block ", h)] = fmt.Sprintf("%s|%s|%s|%s", body, header, receipts, just)
		for i := range uint64(4) {
			at, n, err := s.TxLocation(sha256.Sum256(fmt.Append(nil, "tx", h, i)))
			out[fmt.Sprint("tx ", h, i)] = fmt.Sprint(at, n, errors.Is(err, ErrNotFound))
		}
		v, err := s.View(h)
		if errors.Is(err, ErrPruned) {
			continue
		} else if err != nil {
			t.Fatalf("view %d: %v", h, err)
		}
		if err := v.checkAll(); err != nil {
			t.Fatal(err)
		}
		kvs, err := v.Scan(nil, nil, math.MaxInt)
		if err != nil {
			t.Fatal(err)
		}
		out[fmt.Sprint("state ", h)] = fmt.Sprint(v.Head(), kvs)
	}
	return out
}

func sameDump(t testing.TB, what string, got, want map[string]string) {
	t.Helper()
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if got[k] != want[k] {
			t.Fatalf("%s: %s is\n%s\nwant\n%s", what, k, got[k], want[k])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %d entries, want %d", what, len(got), len(want))
	}
}

// twin is a store in memory with the story up to height head.
func twin(t testing.TB, head uint64) *Store {
	t.Helper()
	s := OpenMemory()
	for h := range head + 1 {
		mustCommit(t, s, storyWrites(h)...)
	}
	return s
}

func TestABlockIsReadBackAfterReopening(t *testing.T) {
	onAll(t, func(t *testing.T, at site) {
		s := mustOpen(t, at)
		if _, ok := s.Head(); ok {
			t.Fatal("a new store has a head")
		}
		for h := range uint64(12) {
			mustCommit(t, s, storyWrites(h)...)
		}
		want := dump(t, twin(t, 11))
		sameDump(t, "before closing", dump(t, s), want)
		mustClose(t, s)
		s = mustOpen(t, at)
		sameDump(t, "after reopening", dump(t, s), want)
		if err := errors.Join(s.Check(true), s.Sync()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestCommitFollowsTheHead(t *testing.T) {
	onAll(t, func(t *testing.T, at site) {
		s := mustOpen(t, at)
		if err := s.Commit(Batch{Height: 1}); !errors.Is(err, ErrHeight) {
			t.Fatalf("height 1 before genesis: %v", err)
		}
		mustCommit(t, s, set("k", "v"))
		b := mustCommit(t, s, set("k", "w"))
		if err := s.Commit(b); err != nil {
			t.Fatalf("the head again: %v", err)
		}
		other := b
		other.HeaderHash[0]++
		for name, bad := range map[string]Batch{"another block at the head": other, "a gap": {Height: 3}, "genesis again": {}} {
			if err := s.Commit(bad); !errors.Is(err, ErrHeight) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestATransactionWithoutIDKeepsItsEarlierPlace(t *testing.T) {
	onAll(t, func(t *testing.T, at site) {
		s := mustOpen(t, at)
		for range 2 {
			mustCommit(t, s)
		}
		b := block(t, s)
		id := [32]byte{7}
		b.TxIDs, b.Receipts = [][32]byte{id}, [][]byte{{1}}
		if err := s.Commit(b); err != nil {
			t.Fatal(err)
		}
		again := block(t, s)
		again.TxIDs, again.Receipts = [][32]byte{{}, {8}}, [][]byte{{1}, {2}}
		if err := s.Commit(again); err != nil {
			t.Fatal(err)
		}
		if h, i, err := s.TxLocation(id); err != nil || h != 2 || i != 0 {
			t.Fatalf("the first inclusion is at (%d, %d), %v", h, i, err)
		}
		if h, i, err := s.TxLocation([32]byte{8}); err != nil || h != 3 || i != 1 {
			t.Fatalf("the second transaction is at (%d, %d), %v", h, i, err)
		}
		if _, _, err := s.TxLocation([32]byte{}); !errors.Is(err, ErrNotFound) {
			t.Fatalf("the zero id was recorded: %v", err)
		}
	})
}

func TestAViewIsTheStateOfItsHeight(t *testing.T) {
	onAll(t, func(t *testing.T, at site) {
		s := mustOpen(t, at)
		mustCommit(t, s, set("a", "0"), set("b", "0"), set("c", "0"))
		early, err := s.View(0)
		if err != nil {
			t.Fatal(err)
		}
		mustCommit(t, s, set("a", "1"), set("b"), set("d", "1"))
		late, err := s.View(1)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name, key, want string
			v               *View
		}{
			{"an old value under a new one", "a", "0", early},
			{"a value that was deleted later", "b", "0", early},
			{"a key that came later", "d", "", early},
			{"a new value", "a", "1", late},
			{"a deleted key", "b", "", late},
			{"a key that nobody touched", "c", "0", late},
		} {
			got, err := c.v.Get([]byte(c.key))
			if string(got) != c.want || err != nil || (got == nil) != (c.want == "") {
				t.Errorf("%s: %q, %v", c.name, got, err)
			}
			p, err := c.v.Prove([]byte(c.key))
			if err != nil || p.Present() != (c.want != "") || p.Verify(c.v.Head().Root.Hash) != nil {
				t.Errorf("%s: proof %v, error %v", c.name, p, err)
			}
		}
		if _, err := s.View(2); !errors.Is(err, ErrNotFound) {
			t.Errorf("a view above the head: %v", err)
		}
	})
}

func TestScanIsAscendingBoundedAndCanBeResumed(t *testing.T) {
	onAll(t, func(t *testing.T, at site) {
		s := mustOpen(t, at)
		mustCommit(t, s, set("a", "1"), set("ab", "2"), set("ab\x00", "3"), set("abc", "4"), set("ac", "5"), set("b", "6"), set("\xff", "7"))
		mustCommit(t, s, set("abc"))
		v, err := s.View(1)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			prefix, after string
			limit         int
			want          string
		}{
			{"", "", 99, "a ab ab\x00 ac b \xff"},
			{"ab", "", 99, "ab ab\x00"},
			{"a", "ab", 99, "ab\x00 ac"},
			{"a", "", 2, "a ab"},
			{"a", "b", 99, ""},
			{"a", "", 0, ""},
			{"a", "", -1, ""},
			{"b", "a", 99, "b"},
			{"x", "", 99, ""},
			{"\xff", "", 1, "\xff"},
		} {
			var after []byte
			if c.after != "" {
				after = []byte(c.after)
			}
			kvs, err := v.Scan([]byte(c.prefix), after, c.limit)
			var keys [][]byte
			for _, kv := range kvs {
				keys = append(keys, kv.Key)
			}
			if got := string(bytes.Join(keys, []byte(" "))); err != nil || got != c.want {
				t.Errorf("scan %q after %q, limit %d: %q, want %q, error %v", c.prefix, c.after, c.limit, got, c.want, err)
			}
		}
	})
}

func TestWhatIsReturnedBelongsToTheCaller(t *testing.T) {
	onAll(t, func(t *testing.T, at site) {
		s := mustOpen(t, at)
		b := block(t, s, set("k", "value"))
		if err := s.Commit(b); err != nil {
			t.Fatal(err)
		}
		b.Body[0] = 'X'
		v, _ := s.View(0)
		for range 2 {
			got, err1 := v.Get([]byte("k"))
			body, err2 := s.Body(0)
			kvs, err3 := v.Scan(nil, nil, math.MaxInt)
			if err := errors.Join(err1, err2, err3); err != nil || string(got) != "value" || string(body) != "body 0" || string(kvs[0].Value) != "value" {
				t.Fatalf("%q %q %q %v", got, body, kvs, err)
			}
			got[0], body[0], kvs[0].Value[0] = 'Y', 'Y', 'Y'
		}
	})
}

func TestALargeBlockIsCommitted(t *testing.T) {
	onAll(t, func(t *testing.T, at site) {
		s := mustOpen(t, at)
		b := block(t, s)
		b.Body = bytes.Repeat([]byte("b"), 6<<20)
		for i := range 3_000 {
			b.Receipts = append(b.Receipts, bytes.Repeat([]byte{byte(i)}, 500))
		}
		if err := s.Commit(b); err != nil {
			t.Fatal(err)
		}
		mustClose(t, s)
		s = mustOpen(t, at)
		body, err1 := s.Body(0)
		rs, err2 := s.Receipts(0)
		if err := errors.Join(err1, err2); err != nil || !bytes.Equal(body, b.Body) || !slices.EqualFunc(rs, b.Receipts, bytes.Equal) {
			t.Fatalf("%d bytes, %d receipts, %v", len(body), len(rs), err)
		}
	})
}

func TestReadersMeetNoWriter(t *testing.T) {
	onAll(t, func(t *testing.T, at site) {
		s := mustOpen(t, at)
		mustCommit(t, s, storyWrites(0)...)
		done := make(chan error)
		for range 3 {
			go func() {
				for {
					h, _ := s.Head()
					v, err := s.View(h.Height)
					if errors.Is(err, ErrPruned) {
						continue
					} else if err != nil {
						done <- err
						return
					}
					got, err := v.Get([]byte("\x0c/height"))
					if !errors.Is(err, ErrPruned) && string(got) != fmt.Sprint(h.Height) {
						done <- fmt.Errorf("height %d says %q, %v", h.Height, got, err)
						return
					}
					if h.Height == 60 {
						done <- nil
						return
					}
				}
			}()
		}
		for h := uint64(1); h <= 60; h++ {
			mustCommit(t, s, storyWrites(h)...)
			if h%10 == 0 {
				if err := s.Prune(2); err != nil {
					t.Error(err)
				}
			}
		}
		for range 3 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}
