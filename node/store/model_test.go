// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/openledger/openledger/internal/merkle"
)

// TestAllStoresAgreeWhateverHappens runs one list of operations on a store on
// disk and on one in memory that is never closed: commits, restarts, prunes and
// unfinished blocks must leave both with the same content.
func TestAllStoresAgreeWhateverHappens(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 0))
		at := disk{t.TempDir()}
		a, b := mustOpen(t, at), OpenMemory()
		for range 40 {
			switch r.IntN(20) {
			case 0:
				mustClose(t, a)
				a = mustOpen(t, at)
			case 1, 2:
				keep := r.Uint64N(5)
				if err := errors.Join(a.Prune(keep), b.Prune(keep)); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			case 3:
				unfinished := block(t, a, set("leftover", "x"), set("\x01/3", "x"), set("\x01/5")).entries()
				if err := a.ledger.write(timeOf(nextHeight(a)), unfinished[:r.IntN(len(unfinished)+1)]); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				mustClose(t, a)
				a = mustOpen(t, at)
			default:
				writes := storyWrites(r.Uint64N(40))
				mustCommit(t, a, writes...)
				mustCommit(t, b, writes...)
			}
		}
		sameDump(t, fmt.Sprint("disk against memory, seed ", seed), dump(t, a), dump(t, b))
		mustClose(t, a)
	}
}

func nextHeight(s *Store) uint64 {
	if h, ok := s.Head(); ok {
		return h.Height + 1
	}
	return 0
}

func TestSTA08PruningTakesOldStateOnlyAndEveryNodeThatIsStale(t *testing.T) {
	onAll(t, func(t *testing.T, at site) {
		s := mustOpen(t, at)
		for h := range uint64(30) {
			mustCommit(t, s, storyWrites(h)...)
		}
		old, err := s.View(10)
		if err != nil {
			t.Fatal(err)
		}
		whole := dump(t, s)
		if err := s.Prune(5); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			got := dump(t, s)
			for k, v := range whole {
				var h uint64
				if n, _ := fmt.Sscanf(k, "state %d", &h); n == 1 && h < 24 {
					if got[k] != "" {
						t.Errorf("height %d is still there", h)
					}
				} else if got[k] != v {
					t.Errorf("%s has changed", k)
				}
			}
			if err := s.Check(true); err != nil {
				t.Error(err)
			}
			mustClose(t, s)
			s = mustOpen(t, at)
		}
		if _, err := s.View(23); !errors.Is(err, ErrPruned) {
			t.Errorf("a pruned view: %v", err)
		}
		if _, err := old.Get([]byte("k")); !errors.Is(err, ErrPruned) && !errors.Is(err, ErrClosed) {
			t.Errorf("an old view: %v", err)
		}
		// What the trees of the retained heights do not need is gone.
		need := map[string]bool{}
		for h := uint64(24); h < 30; h++ {
			v, err := s.View(h)
			if err != nil {
				t.Fatal(err)
			}
			r := &recorder{v, need}
			if err := proveAll(r, v); err != nil {
				t.Fatal(err)
			}
		}
		kvs, err := scan(s.ledger, prefixNode, nil, nil, latest, math.MaxInt)
		if err != nil || len(kvs) != len(need) {
			t.Errorf("%d nodes stored, %d needed, error %v", len(kvs), len(need), err)
		}
	})
}

func TestStaleKeysArePackedAndUnpacked(t *testing.T) {
	var keys [][]byte
	for i := range 20_000 {
		keys = append(keys, bytes.Repeat([]byte{byte(i)}, i%42))
	}
	parts := packKeys(keys)
	var got [][]byte
	for _, p := range parts {
		if !unpackKeys(p, func(k []byte) { got = append(got, k) }) {
			t.Fatal("damaged")
		}
	}
	if len(parts) < 5 || !slices.EqualFunc(got, keys, bytes.Equal) {
		t.Fatalf("%d keys in %d parts, want %d", len(got), len(parts), len(keys))
	}
	if unpackKeys([]byte{3, 1, 2}, func([]byte) {}) {
		t.Error("a cut part passes")
	}
	if len(packKeys(nil)) != 0 {
		t.Error("no keys make a part")
	}
}

// recorder notes which nodes are read.
type recorder struct {
	merkle.NodeReader
	seen map[string]bool
}

func (r *recorder) Node(key []byte) ([]byte, error) {
	r.seen[string(key)] = true
	return r.NodeReader.Node(key)
}

func proveAll(r merkle.NodeReader, v *View) error {
	kvs, err := v.Scan(nil, nil, math.MaxInt)
	for _, kv := range kvs {
		_, e := merkle.ProveState(r, v.Head().Root, kv.Key, kv.Value)
		err = errors.Join(err, e)
	}
	return err
}

func TestCheckFindsStateThatDiffersFromItsRoot(t *testing.T) {
	for name, tamper := range map[string]func(s *Store, ts uint64) error{
		"a changed value": func(s *Store, ts uint64) error {
			return s.ledger.write(ts, []entry{{[]byte("s/\x01/3"), []byte("other")}})
		},
		"a value too many": func(s *Store, ts uint64) error {
			return s.ledger.write(ts, []entry{{[]byte("s/\x01/new"), []byte("other")}})
		},
		"a missing value": func(s *Store, ts uint64) error {
			return s.ledger.write(ts, []entry{{[]byte("s/\x0c/height"), nil}})
		},
		"a missing header": func(s *Store, ts uint64) error {
			return s.ledger.write(ts, []entry{{heightKey(prefixHeader, 4), nil}})
		},
		"a missing genesis header": func(s *Store, ts uint64) error {
			return s.ledger.write(ts, []entry{{heightKey(prefixHeader, 0), nil}})
		},
	} {
		s := twin(t, 9)
		if err := s.Check(true); err != nil {
			t.Fatal(err)
		}
		if err := tamper(s, timeOf(9)); err != nil {
			t.Fatal(err)
		}
		if err := s.Check(true); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: full check says %v", name, err)
		}
	}
	// The short check of Open finds a state that is wrong throughout.
	at := ram{newMemory(), newMemory()}
	s := mustOpen(t, at)
	mustCommit(t, s, storyWrites(0)...)
	head, _ := s.Head()
	head.Root.Hash[0]++
	if err := s.ledger.write(timeOf(0), []entry{{[]byte(keyHead), encodeHead(head)}}); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	if _, err := at.open(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("open with another root: %v", err)
	}
}

func TestLocalRecordsArePutFoundListedAndDeleted(t *testing.T) {
	onAll(t, func(t *testing.T, at site) {
		s := mustOpen(t, at)
		l := s.Local()
		want := map[string]string{}
		for i := range 40 {
			k, v := fmt.Sprintf("voucher/%02d", i%23), fmt.Sprint("v", i)
			if err := l.Put([]byte(k), []byte(v), i%5 == 0); err != nil {
				t.Fatal(err)
			}
			want[k] = v
		}
		if err := errors.Join(l.Put([]byte("due/1"), nil, false), l.Delete([]byte("voucher/07"), true), l.Delete([]byte("nothing"), false)); err != nil {
			t.Fatal(err)
		}
		delete(want, "voucher/07")
		for range 2 {
			got := map[string]string{}
			if err := l.Iterate([]byte("voucher/"), func(k, v []byte) bool { got[string(k)] = string(v); return true }); err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(got, want) {
				t.Fatalf("records %v, want %v", got, want)
			}
			kvs, err := l.Scan([]byte("voucher/"), []byte("voucher/03"), 2)
			if err != nil || len(kvs) != 2 || string(kvs[0].Key) != "voucher/04" {
				t.Fatalf("scan %v, %v", kvs, err)
			}
			v, err := l.Get([]byte("due/1"))
			if err != nil || v == nil || len(v) != 0 {
				t.Fatalf("an empty record: %v, %v", v, err)
			}
			if _, err := l.Get([]byte("voucher/07")); !errors.Is(err, ErrNotFound) {
				t.Fatalf("a deleted record: %v", err)
			}
			mustClose(t, s)
			s = mustOpen(t, at)
			l = s.Local()
		}
		for name, err := range map[string]error{
			"an empty key":   l.Put(nil, nil, false),
			"a long key":     l.Put(make([]byte, MaxLocalKey+1), nil, false),
			"a large record": l.Put([]byte("k"), make([]byte, MaxLocalValue+1), false),
		} {
			if !errors.Is(err, ErrSize) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// counting counts syncs and lets the first wait until others have written.
type counting struct {
	engine
	syncs int
	first sync.Once
	ready chan struct{}
}

func (c *counting) sync(mark uint64) error {
	c.first.Do(func() { <-c.ready })
	c.syncs++
	return c.engine.sync(mark)
}

func TestVouchersThatWaitTogetherShareOneSync(t *testing.T) {
	c := &counting{engine: newMemory(), ready: make(chan struct{})}
	l := &Local{e: c}
	var wg sync.WaitGroup
	put := func(i int) {
		if err := l.Put(fmt.Append(nil, i), nil, true); err != nil {
			t.Error(err)
		}
	}
	wg.Go(func() { put(0) })
	for l.written.Load() == 0 {
		runtime.Gosched()
	}
	for i := 1; i <= 20; i++ {
		wg.Go(func() { put(i) })
	}
	for l.written.Load() < 21 {
		runtime.Gosched()
	}
	close(c.ready)
	wg.Wait()
	if c.syncs > 2 {
		t.Errorf("%d syncs for 21 records", c.syncs)
	}
}

func TestAStoreThatIsOpenOrClosedSaysSo(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{CacheMiB: 8})
	if err != nil {
		t.Fatal(err)
	}
	mustCommit(t, s, set("k", "v"))
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("a second open: %v", err)
	}
	v, _ := s.View(0)
	mustClose(t, s)
	_, scanErr := v.Scan(nil, nil, 1)
	_, getErr := v.Get([]byte("k"))
	_, bodyErr := s.Body(0)
	for name, err := range map[string]error{
		"close": s.Close(), "scan": scanErr, "get": getErr, "body": bodyErr, "sync": s.Sync(),
		"commit": s.Commit(Batch{Height: 1}), "put": s.Local().Put([]byte("k"), nil, true),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s after close: %v", name, err)
		}
	}
}

func TestALedgerOfAnotherFormatIsRefused(t *testing.T) {
	at := ram{newMemory(), newMemory()}
	mustClose(t, mustOpen(t, at))
	at.ledger.put(keyFormat, version{beforeGenesis, []byte{99}})
	if _, err := at.open(); !errors.Is(err, ErrFormat) {
		t.Errorf("format 99: %v", err)
	}
}

func TestMarkersThatDoNotDecodeAreReported(t *testing.T) {
	for _, key := range []string{keyHead, keyFloor} {
		for _, bad := range [][]byte{{}, {0xff}, bytes.Repeat([]byte{0x1b}, 9), {0x01}} {
			at := ram{newMemory(), newMemory()}
			s := mustOpen(t, at)
			mustCommit(t, s, set("k", "v"))
			mustClose(t, s)
			at.ledger.put(key, version{timeOf(0), slices.Clone(bad)})
			if _, err := at.open(); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s = %x: %v", key, bad, err)
			}
		}
	}
}

func TestReceiptsArePackedAndUnpacked(t *testing.T) {
	var receipts [][]byte
	for i := range 3_000 {
		receipts = append(receipts, bytes.Repeat([]byte{byte(i)}, i%300))
	}
	parts := packReceipts(receipts)
	var got [][]byte
	for _, p := range parts {
		if !unpackReceipts(p, func(r []byte) { got = append(got, r) }) {
			t.Fatal("damaged")
		}
	}
	if len(parts) < 5 || !slices.EqualFunc(got, receipts, bytes.Equal) {
		t.Fatalf("%d receipts in %d parts, want %d", len(got), len(parts), len(receipts))
	}
	for name, bad := range map[string][]byte{"cut": {3, 1, 2}, "no length": {0x80}, "too long": bytes.Repeat([]byte{0xff}, 11)} {
		if unpackReceipts(bad, func([]byte) {}) {
			t.Errorf("a part that is damaged (%s) passes", name)
		}
	}
}

func TestAMissingOrDamagedPartOfTheReceiptsIsFound(t *testing.T) {
	s := OpenMemory()
	b := block(t, s)
	for i := range 300 {
		b.Receipts = append(b.Receipts, bytes.Repeat([]byte{byte(i)}, 500))
	}
	if err := s.Commit(b); err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]entry{
		"missing": {key: partKey(prefixReceipt, 0, 0)}, "damaged": {partKey(prefixReceipt, 0, 1), []byte{9}},
	} {
		if err := s.ledger.write(timeOf(0), []entry{e}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Receipts(0); !errors.Is(err, ErrCorrupt) {
			t.Errorf("a part is %s: %v", name, err)
		}
	}
}
