// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/openledger/openledger/internal/content"
)

// gotExt marks a blob that came from peers and may be fetched from them again; its
// time of change is that of the last use. A blob without the mark was put here,
// may be the only copy, and is never evicted.
const gotExt = ".got"

// Refuse says whether new blobs are refused with ErrFull whatever the bound is.
func (s *Store) Refuse(refuse bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = refuse
}

// markGot marks a blob that peers have, before it takes its place.
func (s *Store) markGot(id content.ID) error {
	if s.Has(id) {
		return nil // it was put here
	}
	path := s.Path(id)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path+gotExt, nil, 0o600)
}

// used notes that a blob was wanted.
func (s *Store) touch(id content.ID) {
	now := time.Now()
	_ = os.Chtimes(s.Path(id)+gotExt, now, now) // no mark: it stays anyway
}

// Evict deletes blobs that came from peers, those first that were not used for the
// longest time, until want bytes are freed or none is left. It returns how many
// were freed. Cost: a walk over the store.
func (s *Store) Evict(want uint64) (freed uint64, err error) {
	type blob struct {
		id   content.ID
		used time.Time
	}
	var list []blob
	err = filepath.WalkDir(s.dir, func(path string, e fs.DirEntry, err error) error {
		name, got := strings.CutSuffix(filepath.Base(path), gotExt)
		if err != nil || !got || e.IsDir() {
			return err
		}
		id, err := content.ParseID(name)
		if err != nil {
			return nil
		}
		info, err := e.Info()
		if err == nil && s.Has(id) {
			list = append(list, blob{id, info.ModTime()})
		}
		return err
	})
	slices.SortStableFunc(list, func(a, b blob) int { return cmp.Compare(a.used.UnixNano(), b.used.UnixNano()) })
	for _, b := range list {
		if freed >= want || err != nil {
			break
		}
		var n uint64
		if n, err = s.Size(b.id); err == nil {
			err = s.Remove(b.id)
			freed += n
		}
	}
	return freed, err
}
