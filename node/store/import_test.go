// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/openledger/openledger/internal/merkle"
)

// snapshotOf describes the state of s at a height as an import takes it.
func snapshotOf(t testing.TB, s *Store, height, depth uint64) Snapshot {
	t.Helper()
	v, err := s.View(height)
	if err != nil {
		t.Fatal(err)
	}
	first, err := s.HeaderCert(0)
	if err != nil {
		t.Fatal(err)
	}
	own, err := s.HeaderCert(height)
	if err != nil {
		t.Fatal(err)
	}
	parts := make([][]merkle.KV, merkle.Count(depth))
	err = v.Iterate(func(k, val []byte) bool {
		i := merkle.PrefixOf(sha256.Sum256(k), depth).Index
		parts[i] = append(parts[i], merkle.KV{Key: bytes.Clone(k), Value: bytes.Clone(val)})
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return Snapshot{Base: Base{Height: height, ReceiptsRoot: [32]byte{5}}, HeaderHash: v.Head().HeaderHash, HeaderAndCert: own,
		Genesis: first, Root: v.Head().Root.Hash, Depth: depth,
		Part: func(p merkle.Prefix) ([]merkle.KV, error) { return parts[p.Index], nil }}
}

// source is a store of some blocks.
func source(t testing.TB, head uint64) *Store {
	t.Helper()
	s := OpenMemory()
	for h := range head + 1 {
		mustCommit(t, s, storyWrites(h)...)
	}
	return s
}

func openDir(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir, Options{CacheMiB: 8})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSTA09AnImportedLedgerGoesOnLikeItsSource(t *testing.T) {
	src := source(t, 12)
	for _, depth := range []uint64{0, 1, 2} {
		dir := t.TempDir()
		mustClose(t, openDir(t, dir))
		if err := Import(dir, Options{CacheMiB: 8}, snapshotOf(t, src, 9, depth)); err != nil {
			t.Fatal(err)
		}
		s := openDir(t, dir)
		head, ok := s.Head()
		want, err := src.View(9)
		if err != nil || !ok || head.Height != 9 || head.Root.Hash != want.Head().Root.Hash || head.HeaderHash != want.Head().HeaderHash {
			t.Fatalf("head %+v, want %+v: %v", head, want.Head(), err)
		}
		if got := s.Base(); got.Height != 9 || got.ReceiptsRoot != ([32]byte{5}) {
			t.Errorf("base %+v", got)
		}
		for h := uint64(10); h <= 12; h++ {
			mustCommit(t, s, storyWrites(h)...)
			theirs, err := src.View(h)
			if err != nil {
				t.Fatal(err)
			}
			if head, _ := s.Head(); head.Root.Hash != theirs.Head().Root.Hash {
				t.Fatalf("height %d: root %x, want %x", h, head.Root.Hash, theirs.Head().Root.Hash)
			}
		}
		if err := s.Check(true); err != nil {
			t.Error(err)
		}
		if _, err := s.View(8); !errors.Is(err, ErrPruned) {
			t.Errorf("a height below the snapshot: %v", err)
		}
		if _, err := s.HeaderCert(0); err != nil {
			t.Errorf("the genesis header: %v", err)
		}
		if err := s.Prune(1); err != nil {
			t.Error(err)
		}
		mustClose(t, s)
		mustClose(t, openDir(t, dir))
	}
}

func TestSTA09AFalseSnapshotLeavesTheOldLedger(t *testing.T) {
	src := source(t, 6)
	for name, spoil := range map[string]func(*Snapshot){
		"a part of another state": func(s *Snapshot) {
			part := s.Part
			s.Part = func(p merkle.Prefix) ([]merkle.KV, error) {
				kvs, err := part(p)
				if p.Index == 7 {
					kvs = nil
				}
				return kvs, err
			}
		},
		"another root":             func(s *Snapshot) { s.Root[0] ^= 1 },
		"a part that is not there": func(s *Snapshot) { s.Part = func(merkle.Prefix) ([]merkle.KV, error) { return nil, os.ErrNotExist } },
	} {
		dir := t.TempDir()
		s := openDir(t, dir)
		mustCommit(t, s, set("old", "state"))
		snap := snapshotOf(t, src, 5, 1)
		spoil(&snap)
		if err := Import(dir, Options{CacheMiB: 8}, snap); err == nil {
			t.Errorf("%s: accepted", name)
		}
		mustClose(t, s)
		s = openDir(t, dir)
		if head, ok := s.Head(); !ok || head.Height != 0 {
			t.Errorf("%s: head %+v", name, head)
		}
		mustClose(t, s)
	}
}

// TestSTA09ACrashInAnImportLeavesOldOrNew stops the import at every step that
// changes the folder, by putting the folder into the state of that step.
func TestSTA09ACrashInAnImportLeavesOldOrNew(t *testing.T) {
	src := source(t, 6)
	prepare := func(t *testing.T) string {
		dir := t.TempDir()
		s := openDir(t, dir)
		mustCommit(t, s, set("old", "state"))
		mustClose(t, s)
		if err := Import(dir, Options{CacheMiB: 8}, snapshotOf(t, src, 5, 1)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	mv := func(t *testing.T, dir, from, to string) {
		if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		at   func(t *testing.T, dir string)
		want uint64
	}{
		"before it is complete":  {func(t *testing.T, dir string) { mv(t, dir, newDir, importDir) }, 0},
		"after it is complete":   {func(*testing.T, string) {}, 5},
		"the old one moved away": {func(t *testing.T, dir string) { mv(t, dir, "ledger", oldDir) }, 5},
		"the new one in place":   {func(t *testing.T, dir string) { mv(t, dir, "ledger", oldDir); mv(t, dir, newDir, "ledger") }, 5},
		"in the middle of a removal": {func(t *testing.T, dir string) {
			mv(t, dir, "ledger", oldDir)
			mv(t, dir, newDir, "ledger")
			halve(t, filepath.Join(dir, oldDir))
		}, 5},
	} {
		dir := prepare(t)
		c.at(t, dir)
		for range 2 {
			s := openDir(t, dir)
			if head, ok := s.Head(); !ok || head.Height != c.want {
				t.Errorf("%s: head %+v, want height %d", name, head, c.want)
			}
			if err := s.Check(true); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			mustClose(t, s)
		}
		for _, left := range []string{importDir, newDir, oldDir} {
			if _, err := os.Stat(filepath.Join(dir, left)); err == nil {
				t.Errorf("%s: %s is left", name, left)
			}
		}
	}
}

// halve removes some files of a folder.
func halve(t *testing.T, dir string) {
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range files {
		if i%2 == 0 {
			if err := os.Remove(filepath.Join(dir, f.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// ending is an engine whose writes fail after a number of entries.
type ending struct {
	engine
	left int
}

var errEnded = errors.New("no more writes")

func (e *ending) write(ts uint64, entries []entry) error {
	if len(entries) <= e.left {
		e.left -= len(entries)
		return e.engine.write(ts, entries)
	}
	return errors.Join(e.engine.write(ts, entries[:e.left]), errEnded)
}

// TestSTA09AnImportKilledAtAnyWriteIsNoLedger ends the database at each write.
func TestSTA09AnImportKilledAtAnyWriteIsNoLedger(t *testing.T) {
	src := source(t, 6)
	snap := snapshotOf(t, src, 5, 1)
	for left := range 40 {
		mem := newMemory()
		e := &ending{engine: mem, left: left}
		err := load(e, snap)
		s, openErr := start(mem, newMemory())
		if openErr != nil {
			t.Fatalf("after %d writes: %v", left, openErr)
		}
		if head, ok := s.Head(); ok != (err == nil) || ok && head.Height != 5 {
			t.Fatalf("after %d writes: head %+v, load said %v", left, head, err)
		}
		if err == nil {
			return
		}
	}
	t.Fatal("the import never came to an end")
}

func TestIterateVisitsTheStateOfItsHeight(t *testing.T) {
	onAll(t, func(t *testing.T, at site) {
		s := mustOpen(t, at)
		for h := range uint64(5) {
			mustCommit(t, s, storyWrites(h)...)
		}
		v, err := s.View(2)
		if err != nil {
			t.Fatal(err)
		}
		want, err := v.Scan(nil, nil, 1_000)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		if err := v.Iterate(func(k, val []byte) bool { got = append(got, fmt.Sprintf("%s=%s", k, val)); return true }); err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) || len(got) == 0 {
			t.Fatalf("%d keys, want %d", len(got), len(want))
		}
		for i, kv := range want {
			if got[i] != fmt.Sprintf("%s=%s", kv.Key, kv.Value) {
				t.Errorf("%s, want %s=%s", got[i], kv.Key, kv.Value)
			}
		}
		n := 0
		if err := v.Iterate(func(_, _ []byte) bool { n++; return false }); err != nil || n != 1 {
			t.Errorf("%d visits: %v", n, err)
		}
		if err := s.Prune(1); err != nil {
			t.Fatal(err)
		}
		if err := v.Iterate(func(_, _ []byte) bool { return true }); !errors.Is(err, ErrPruned) {
			t.Errorf("a pruned height: %v", err)
		}
		mustClose(t, s)
	})
}
