// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/merkle"
)

// Options of Open.
type Options struct {
	// CacheMiB is the memory for cached blocks of the ledger in MiB; 0 means 96.
	// Below 64 the write buffers are small too, which suits many nodes on one
	// machine.
	CacheMiB int
	// Logger gets warnings of the database; nil means none.
	Logger *slog.Logger
}

// Head says up to where the ledger is committed.
type Head struct {
	_          struct{} `cbor:",toarray"`
	Height     uint64
	HeaderHash [32]byte
	// Root is the state tree after the block of this height.
	Root merkle.StateRoot
}

// Store is the ledger of a node. All methods are safe for concurrent use;
// writers wait for each other, readers wait for nobody.
type Store struct {
	ledger engine
	local  *Local

	writer sync.Mutex           // held by Commit and Prune
	head   atomic.Pointer[Head] // nil before genesis
	floor  atomic.Uint64        // least height whose state can be read
	base   Base                 // where the ledger begins

	forget sync.Mutex    // held by Forget
	swept  uint64        // of Forget: nothing is left of the blocks below
	oldest atomic.Uint64 // least height whose block can be read
	cache  *cache
}

// format is the layout of the database: 1 had a record for each receipt and each
// leaf of the tree.
const format = 2

// Open opens or creates the ledger in dir/ledger and the local records in
// dir/index. It undoes what a crash left above the head and checks a sample of
// the state against its root (see [Store.Check]).
//
// Errors: ErrCorrupt, ErrLocked, ErrFormat, errors of the file system.
func Open(dir string, o Options) (*Store, error) {
	if err := adopt(dir); err != nil {
		return nil, fmt.Errorf("take over the imported ledger: %w", err)
	}
	ledger, err := openBadger(filepath.Join(dir, "ledger"), ledgerProfile(o), o.Logger)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	index, err := openBadger(filepath.Join(dir, "index"), indexProfile(), o.Logger)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open index: %w", err), ledger.close())
	}
	s, err := start(ledger, index)
	if err != nil {
		return nil, errors.Join(err, ledger.close(), index.close())
	}
	s.cache.half = ledgerProfile(o).hot << 20
	return s, nil
}

// OpenMemory returns a store that forgets everything when it is closed. It
// behaves like one on disk.
func OpenMemory() *Store {
	s, err := start(newMemory(), newMemory())
	if err != nil {
		panic(err) // an empty memory engine has no way to fail
	}
	return s
}

// start brings the engines into a consistent state.
func start(ledger, index engine) (*Store, error) {
	s := &Store{ledger: ledger, cache: newCache(1 << 20)}
	if err := s.loadMarkers(); err != nil {
		return nil, err
	}
	if err := s.checkFormat(); err != nil {
		return nil, err
	}
	if err := s.undoUnfinished(); err != nil {
		return nil, fmt.Errorf("undo the unfinished block: %w", err)
	}
	if err := s.Check(false); err != nil {
		return nil, err
	}
	if h := s.head.Load(); h != nil {
		s.cache.head = h.Height
	}
	local, err := startLocal(index)
	if err != nil {
		return nil, err
	}
	s.local = local
	return s, nil
}

// checkFormat marks a new ledger and refuses those of other programs.
func (s *Store) checkFormat() error {
	err := s.knownFormat()
	if errors.Is(err, ErrNotFound) {
		return s.ledger.write(beforeGenesis, []entry{{[]byte(keyFormat), enc.Encode(uint64(format))}})
	}
	return err
}

// knownFormat refuses a ledger of another program. Errors: ErrNotFound of a new one,
// ErrFormat.
func (s *Store) knownFormat() error {
	want := enc.Encode(uint64(format))
	got, err := s.ledger.get([]byte(keyFormat), latest)
	switch {
	case err != nil:
		return err
	case !bytes.Equal(got, want):
		return fmt.Errorf("ledger of format %x, this program writes %x: move the folder \"ledger\" away and sync again, or use the program that wrote it: %w", got, want, ErrFormat)
	}
	return nil
}

// loadMarkers reads head and floor. A head below what was once synced means that
// files were cut or lost.
func (s *Store) loadMarkers() error {
	synced, err := s.ledger.synced()
	if err != nil {
		return err
	}
	head, err := readHead(s.ledger, latest)
	switch {
	case errors.Is(err, ErrNotFound) && synced == 0:
		return nil
	case errors.Is(err, ErrNotFound):
		return fmt.Errorf("ledger is empty, it reached height %d: %w", heightOf(synced), ErrCorrupt)
	case err != nil:
		return err
	case timeOf(head.Height) < synced:
		return fmt.Errorf("ledger ends at height %d, it reached %d: %w", head.Height, heightOf(synced), ErrCorrupt)
	}
	b, err := s.ledger.get([]byte(keyFloor), latest)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	var floor uint64
	if err == nil {
		if err := enc.Decode(b, &floor); err != nil || floor > head.Height {
			return fmt.Errorf("floor marker %x: %w", b, ErrCorrupt)
		}
	}
	s.head.Store(&head)
	s.floor.Store(floor)
	if err := errors.Join(s.loadBase(), s.loadOldest()); err != nil {
		return err
	}
	return s.ledger.discard(timeOf(floor))
}

func encodeHead(h Head) []byte { return enc.Encode(h) }

func readHead(e engine, ts uint64) (Head, error) {
	var h Head
	b, err := e.get([]byte(keyHead), ts)
	if err != nil {
		return Head{}, err
	}
	if err := enc.Decode(b, &h); err != nil {
		return Head{}, fmt.Errorf("head marker %x: %w: %w", b, err, ErrCorrupt)
	}
	return h, nil
}

// undoUnfinished gives every key that a crash left above the head the value it
// has at the head. Repeating it after another crash is harmless.
func (s *Store) undoUnfinished() error {
	at := uint64(beforeGenesis)
	if h := s.head.Load(); h != nil {
		at = timeOf(h.Height)
	}
	keys, err := s.ledger.newer(at)
	if err != nil || len(keys) == 0 {
		return err
	}
	undo := make([]entry, 0, len(keys))
	for _, k := range keys {
		v, err := s.ledger.get(k, at)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		undo = append(undo, entry{k, v})
	}
	return s.ledger.write(at+1, undo)
}

// Head returns the newest committed block. Before genesis ok is false.
func (s *Store) Head() (h Head, ok bool) {
	if p := s.head.Load(); p != nil {
		return *p, true
	}
	return Head{}, false
}

// Local returns the area for the node's own records.
func (s *Store) Local() *Local { return s.local }

// Sync returns when everything committed so far survives a power loss. Commit
// itself survives the death of the process only.
func (s *Store) Sync() error {
	if h := s.head.Load(); h != nil {
		return s.ledger.sync(timeOf(h.Height))
	}
	return s.ledger.sync(0)
}

// Close syncs and closes the ledger and the local records. Nothing may be in
// progress.
func (s *Store) Close() error {
	s.cache.drop()
	return errors.Join(s.Sync(), s.ledger.close(), s.local.close())
}
