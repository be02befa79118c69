// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/openledger/openledger/internal/content"
)

func open(t *testing.T, dir string, limit uint64) *Store {
	t.Helper()
	s, err := OpenStore(dir, limit)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// pattern returns n bytes that differ from unit to unit.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16*7)
	}
	return b
}

func TestPutAndReadBack(t *testing.T) {
	for name, n := range map[string]int{"nothing": 0, "one byte": 1, "one unit": content.UnitSize,
		"a little more": content.UnitSize + 1, "some units": 5*content.UnitSize - 3} {
		t.Run(name, func(t *testing.T) {
			s, want := open(t, t.TempDir(), 0), pattern(n)
			id, size, err := s.Put(bytes.NewReader(want))
			if err != nil || id != content.Sum(want) || size != uint64(n) {
				t.Fatalf("%s of %d bytes, %v", id, size, err)
			}
			got, err := s.Read(id, 1<<20)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			info, err := os.Stat(s.Path(id))
			if err != nil || info.Mode().Perm() != 0o444 || filepath.Base(s.Path(id)) != id.String() {
				t.Errorf("%v, %v", info, err)
			}
			if s.Used() != uint64(n) || open(t, s.dir, 0).Used() != uint64(n) {
				t.Errorf("used %d", s.Used())
			}
			if err := s.Remove(id); err != nil || s.Has(id) || s.Used() != 0 {
				t.Errorf("after remove: %v, used %d", err, s.Used())
			}
			if left, _ := filepath.Glob(filepath.Join(s.dir, "*", "*", "*")); len(left) != 0 {
				t.Errorf("left over: %v", left)
			}
		})
	}
}

func TestPutTwiceCountsOnce(t *testing.T) {
	s := open(t, t.TempDir(), 0)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, _, err := s.Put(bytes.NewReader(pattern(100_000))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if s.Used() != 100_000 {
		t.Errorf("used %d", s.Used())
	}
	if tmp, _ := os.ReadDir(filepath.Join(s.dir, partDir)); len(tmp) != 0 {
		t.Errorf("left over: %v", tmp)
	}
}

func TestDiskBound(t *testing.T) {
	s := open(t, t.TempDir(), 1000)
	if _, _, err := s.Put(bytes.NewReader(pattern(1001))); !errors.Is(err, ErrFull) {
		t.Errorf("one too large: %v", err)
	}
	if _, _, err := s.Put(bytes.NewReader(pattern(600))); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Put(bytes.NewReader(pattern(401))); !errors.Is(err, ErrFull) {
		t.Errorf("two too large: %v", err)
	}
	if _, err := s.PutDocument(pattern(401)); !errors.Is(err, ErrFull) {
		t.Errorf("a document too large: %v", err)
	}
	if _, _, err := s.Put(bytes.NewReader(pattern(400))); err != nil || s.Used() != 1000 {
		t.Errorf("exactly full: %v, used %d", err, s.Used())
	}
}

func TestDocuments(t *testing.T) {
	s := open(t, t.TempDir(), 0)
	id, err := s.PutDocument([]byte("manifest"))
	if err != nil || id != content.SumSHA256([]byte("manifest")) || !s.Has(id) {
		t.Fatal(id, err)
	}
	if _, err := s.PutDocument(make([]byte, MaxDocument+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("oversized: %v", err)
	}
	if _, err := s.Read(id, 3); !errors.Is(err, ErrTooLarge) {
		t.Errorf("read limit: %v", err)
	}
}

func TestAbsentBlob(t *testing.T) {
	s := open(t, t.TempDir(), 0)
	id := content.Sum([]byte("nowhere"))
	if _, err := s.Open(id); !errors.Is(err, ErrAbsent) {
		t.Error(err)
	}
	if _, err := s.Read(id, 1); !errors.Is(err, ErrAbsent) {
		t.Error(err)
	}
	if err := s.Remove(id); err != nil {
		t.Error(err)
	}
}

func TestPutFailsWithItsReaderAndLeavesNothing(t *testing.T) {
	s := open(t, t.TempDir(), 0)
	r := io.MultiReader(strings.NewReader("half"), errReader{})
	if _, _, err := s.Put(r); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
	if tmp, _ := os.ReadDir(filepath.Join(s.dir, partDir)); len(tmp) != 0 || s.Used() != 0 {
		t.Errorf("left over: %v, used %d", tmp, s.Used())
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestOpenRemovesWhatACrashedPutLeft(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, 0)
	for _, name := range []string{"put-1", "put-1.cvs", "x.map.tmp", "x.part"} {
		if err := os.WriteFile(filepath.Join(dir, partDir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open(t, dir, 0)
	left, _ := os.ReadDir(filepath.Join(dir, partDir))
	if len(left) != 1 || left[0].Name() != "x.part" {
		t.Errorf("left: %v", left)
	}
}

func TestTreeIsKeptReadAndRebuilt(t *testing.T) {
	s := open(t, t.TempDir(), 0)
	b := pattern(3*content.UnitSize + 5)
	id, _, err := s.Put(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	want := content.BuildTree(b)
	check := func(what string) {
		t.Helper()
		s.trees = make(map[content.ID]*content.Tree)
		got, err := s.tree(id)
		if err != nil || got.ID() != want.ID() || got.Size() != want.Size() {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
	check("from the file")
	if err := os.WriteFile(s.Path(id)+treeExt, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	check("rebuilt from the blob")
	if err := os.Chmod(s.Path(id), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.Path(id), append(b[:len(b)-1], 0xff), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.Path(id) + treeExt); err != nil {
		t.Fatal(err)
	}
	s.trees = make(map[content.ID]*content.Tree)
	if _, err := s.tree(id); !errors.Is(err, content.ErrPage) {
		t.Errorf("a damaged blob: %v", err)
	}
}
