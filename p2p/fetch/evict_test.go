// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/openledger/openledger/internal/content"
)

// TestNODE01OnlyWhatPeersHaveIsEvictedTheLeastUsedFirst puts blobs as uploads and as
// fetched ones.
func TestNODE01OnlyWhatPeersHaveIsEvictedTheLeastUsedFirst(t *testing.T) {
	s, err := OpenStore(t.TempDir(), 0)
	if err != nil {
		t.Fatal(err)
	}
	var ids []content.ID
	put := func(b byte, got bool) {
		id, _, err := s.Put(bytes.NewReader(bytes.Repeat([]byte{b}, 1_000)))
		if err != nil {
			t.Fatal(err)
		}
		if got { // as finish does, in the other order
			if err := os.WriteFile(s.Path(id)+gotExt, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			at := time.Unix(int64(b), 0)
			if err := os.Chtimes(s.Path(id)+gotExt, at, at); err != nil {
				t.Fatal(err)
			}
		}
		ids = append(ids, id)
	}
	put(1, false)
	put(2, true)
	put(3, true)
	put(4, true)
	if _, err := s.Read(ids[1], 1_000); err != nil { // the oldest is used again
		t.Fatal(err)
	}
	freed, err := s.Evict(1)
	if err != nil || freed != 1_000 || s.Has(ids[2]) || !s.Has(ids[1]) || !s.Has(ids[3]) {
		t.Fatalf("freed %d, %v; left %v %v %v", freed, err, s.Has(ids[1]), s.Has(ids[2]), s.Has(ids[3]))
	}
	if freed, err = s.Evict(1 << 40); err != nil || freed != 2_000 || !s.Has(ids[0]) || s.Used() != 1_000 {
		t.Fatalf("freed %d, %v, used %d; the upload is there: %v", freed, err, s.Used(), s.Has(ids[0]))
	}
	s.Refuse(true)
	if _, _, err := s.Put(bytes.NewReader([]byte("new"))); !errors.Is(err, ErrFull) {
		t.Fatalf("a disk that is low takes a blob: %v", err)
	}
	s.Refuse(false)
	if _, _, err := s.Put(bytes.NewReader([]byte("new"))); err != nil {
		t.Fatal(err)
	}
}
