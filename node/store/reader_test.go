// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/openledger/openledger/internal/enc"
)

// files lists a folder's files with their bytes.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		out[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestAReaderChangesNothing, whether the node was stopped or killed.
func TestAReaderChangesNothing(t *testing.T) {
	for _, killed := range []bool{false, true} {
		live, dir := t.TempDir(), t.TempDir()
		s, err := Open(live, Options{CacheMiB: 16})
		if err != nil {
			t.Fatal(err)
		}
		for h := range uint64(6) {
			mustCommit(t, s, storyWrites(h)...)
		}
		want := dump(t, s)
		head, _ := s.Head()
		if killed {
			if err := s.Sync(); err != nil {
				t.Fatal(err)
			}
			copyLive(t, dir, live)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if !killed {
			dir = live
		}
		before := files(t, dir)
		r, err := OpenRead(dir)
		if err != nil {
			t.Fatalf("killed %v: %v", killed, err)
		}
		if r.Head() != head || (r.tmp != "") != killed {
			t.Errorf("killed %v: head %+v, copy %q", killed, r.Head(), r.tmp)
		}
		sameDump(t, "read", dump(t, r.s), want)
		tmp := r.tmp
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(tmp); tmp != "" && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the copy stays: %v", err)
		}
		after := files(t, dir)
		for name, b := range before {
			if after[name] != b {
				t.Errorf("killed %v: %s changed", killed, name)
			}
		}
		if len(after) != len(before) {
			t.Errorf("killed %v: %d files, had %d", killed, len(after), len(before))
		}
	}
}

func TestAReaderRefuses(t *testing.T) {
	if _, err := OpenRead(t.TempDir()); !errors.Is(err, ErrNotFound) {
		t.Errorf("an empty folder: %v", err)
	}
	dir := t.TempDir()
	s, err := Open(dir, Options{CacheMiB: 16})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRead(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("a ledger in use: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRead(dir); !errors.Is(err, ErrNotFound) {
		t.Errorf("a ledger without genesis: %v", err)
	}
	if s, err = Open(dir, Options{CacheMiB: 16}); err != nil {
		t.Fatal(err)
	}
	mustCommit(t, s, storyWrites(0)...)
	if err := s.ledger.write(timeOf(0), []entry{{[]byte(keyFormat), enc.Encode(uint64(format - 1))}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRead(dir); !errors.Is(err, ErrFormat) {
		t.Errorf("a ledger of an earlier format: %v", err)
	}
}
