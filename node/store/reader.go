// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	badger "github.com/dgraph-io/badger/v4"
)

// Reader reads the ledger of a node that does not run, and changes nothing in
// its folder. It is for inquests: what another process may still need as proof.
type Reader struct {
	s   *Store
	tmp string // a copy that is to go
}

// OpenRead opens the ledger in dir/ledger. If it was not closed cleanly it cannot
// be read in place: then a copy in the folder of temporary files is read, which
// needs as much space, until Close. Errors: ErrNotFound, ErrLocked, ErrCorrupt,
// ErrFormat, errors of the file system.
func OpenRead(dir string) (*Reader, error) {
	at := filepath.Join(dir, "ledger")
	if st, err := os.Stat(at); err != nil || !st.IsDir() {
		return nil, fmt.Errorf("%s holds no ledger: %w", dir, ErrNotFound)
	}
	r := new(Reader)
	e, err := openBadgerRead(at)
	if errors.Is(err, badger.ErrTruncateNeeded) {
		e, err = r.copied(at)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open ledger: %w", err), r.remove())
	}
	r.s = &Store{ledger: e, cache: newCache(0)}
	if err := r.s.knownFormat(); err != nil && !errors.Is(err, ErrNotFound) {
		return nil, errors.Join(err, r.Close())
	}
	if err := r.s.loadMarkers(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	if _, ok := r.s.Head(); !ok {
		return nil, errors.Join(fmt.Errorf("%s: the ledger is empty: %w", dir, ErrNotFound), r.Close())
	}
	return r, nil
}

// openBadgerRead opens a database without write access.
func openBadgerRead(dir string) (e *badgerEngine, err error) {
	opt := ledgerProfile(Options{CacheMiB: 32}).options(dir, nil).WithReadOnly(true)
	if err := checkTables(opt); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	defer func() { // as in openBadger
		if r := recover(); r != nil {
			e, err = nil, fmt.Errorf("%s: %v: %w", dir, r, ErrCorrupt)
		}
	}()
	db, err := badger.OpenManaged(opt)
	switch {
	case err == nil:
		return &badgerEngine{db: db, dir: dir}, nil
	case strings.Contains(err.Error(), "Cannot acquire directory lock"):
		return nil, fmt.Errorf("%s: %w", dir, ErrLocked)
	case strings.Contains(err.Error(), badger.ErrTruncateNeeded.Error()):
		return nil, badger.ErrTruncateNeeded
	}
	return nil, fmt.Errorf("%s: %w: %w", dir, err, ErrCorrupt)
}

// copied opens a copy of the database.
func (r *Reader) copied(dir string) (*badgerEngine, error) {
	tmp, err := os.MkdirTemp("", "openledger-read-")
	if err != nil {
		return nil, err
	}
	r.tmp = tmp
	at := filepath.Join(tmp, "ledger")
	if err := os.CopyFS(at, os.DirFS(dir)); err != nil {
		return nil, fmt.Errorf("copy %s: %w", dir, err)
	}
	return openBadger(at, ledgerProfile(Options{CacheMiB: 32}), nil)
}

// Head returns the newest committed block.
func (r *Reader) Head() Head {
	h, _ := r.s.Head()
	return h
}

// Oldest returns the least height whose block is kept, as [Store.Oldest].
func (r *Reader) Oldest() uint64 { return r.s.Oldest() }

// HeaderCert returns the header and certificate of a committed block. Errors:
// ErrNotFound, ErrPruned.
func (r *Reader) HeaderCert(height uint64) ([]byte, error) { return r.s.HeaderCert(height) }

// Justification returns the justification of a committed block. Errors:
// ErrNotFound if it was not at hand.
func (r *Reader) Justification(height uint64) ([]byte, error) { return r.s.Justification(height) }

// View returns the state after a height. Errors: ErrNotFound, ErrPruned.
func (r *Reader) View(height uint64) (*View, error) { return r.s.View(height) }

// Close ends reading.
func (r *Reader) Close() error {
	return errors.Join(r.s.ledger.close(), r.remove())
}

func (r *Reader) remove() error {
	if r.tmp == "" {
		return nil
	}
	return os.RemoveAll(r.tmp)
}
