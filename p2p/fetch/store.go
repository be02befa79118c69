// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/openledger/openledger/internal/content"
)

// MaxDocument is the largest content named by SHA2-256, in bytes: one unit.
const MaxDocument = content.UnitSize

// Errors of the store.
var (
	// ErrAbsent reports a blob that is not in the store.
	ErrAbsent = errors.New("blob not in store")
	// ErrFull reports that the blob would not fit the store's disk bound.
	ErrFull = errors.New("blob store is full")
	// ErrTooLarge reports a document above MaxDocument.
	ErrTooLarge = errors.New("document too large")
)

const (
	partDir  = "part"
	partExt  = ".part"
	mapExt   = ".map"
	treeExt  = ".cvs"
	maxTrees = 32 // trees kept in memory
)

// Store is a directory of blobs named by their hash. Safe for concurrent use by
// one process.
type Store struct {
	dir string
	max uint64

	place sync.Mutex // held while a finished file takes its place

	mu     sync.Mutex
	used   uint64 // bytes of blobs and reservations
	refuse bool   // nothing new is taken
	trees  map[content.ID]*content.Tree
}

// OpenStore opens or creates dir. maxBytes bounds the sum of blob sizes; 0 means
// no bound. Half-written files of an earlier Put are removed; half-fetched
// blobs stay and count when they are fetched again.
func OpenStore(dir string, maxBytes uint64) (*Store, error) {
	if err := os.MkdirAll(filepath.Join(dir, partDir), 0o700); err != nil {
		return nil, fmt.Errorf("blob store: %w", err)
	}
	s := &Store{dir: dir, max: maxBytes, trees: make(map[content.ID]*content.Tree)}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if filepath.Base(filepath.Dir(path)) == partDir {
			if strings.HasPrefix(e.Name(), "put-") || strings.HasSuffix(e.Name(), ".tmp") {
				return os.Remove(path)
			}
			return nil
		}
		if _, err := content.ParseID(e.Name()); err != nil {
			return nil
		}
		info, err := e.Info()
		if err == nil {
			s.used += uint64(info.Size())
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("blob store: %w", err)
	}
	return s, nil
}

// Path returns where the blob lies or would lie.
func (s *Store) Path(id content.ID) string {
	h := id.Hash()
	return filepath.Join(s.dir, hex.EncodeToString(h[:1]), hex.EncodeToString(h[1:2]), id.String())
}

// Has reports whether the whole blob is there.
func (s *Store) Has(id content.ID) bool {
	_, err := s.Size(id)
	return err == nil
}

// Size returns the blob's length in bytes. Errors: ErrAbsent.
func (s *Store) Size(id content.ID) (uint64, error) {
	info, err := os.Stat(s.Path(id))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", id, ErrAbsent)
	}
	return uint64(info.Size()), nil
}

// Open opens the blob for reading; the caller closes it. Errors: ErrAbsent.
func (s *Store) Open(id content.ID) (*os.File, error) {
	s.touch(id)
	f, err := os.Open(s.Path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", id, ErrAbsent)
	}
	return f, err
}

// Read returns the whole blob if it has at most limit bytes. Errors: ErrAbsent,
// ErrTooLarge.
func (s *Store) Read(id content.ID, limit uint64) ([]byte, error) {
	n, err := s.Size(id)
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, fmt.Errorf("%s has %d bytes, at most %d: %w", id, n, limit, ErrTooLarge)
	}
	s.touch(id)
	return os.ReadFile(s.Path(id))
}

// Used returns the bytes of all blobs, including running fetches.
func (s *Store) Used() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}

// Put copies r into the store and returns its BLAKE3 id and length in bytes. A
// blob that is there already is left as it is. Errors: ErrFull, or I/O.
func (s *Store) Put(r io.Reader) (content.ID, uint64, error) {
	f, err := os.CreateTemp(filepath.Join(s.dir, partDir), "put-*")
	if err != nil {
		return content.ID{}, 0, fmt.Errorf("blob store: %w", err)
	}
	defer os.Remove(f.Name())
	defer os.Remove(f.Name() + treeExt)
	defer f.Close()
	h := content.NewHasher()
	limit := uint64(content.MaxSize)
	if s.max > 0 {
		limit = s.max
	}
	n, err := io.Copy(io.MultiWriter(f, h), io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return content.ID{}, 0, fmt.Errorf("blob store: %w", err)
	}
	if uint64(n) > limit {
		return content.ID{}, 0, fmt.Errorf("more than %d bytes: %w", limit, ErrFull)
	}
	tree := h.Tree()
	if s.Has(tree.ID()) {
		_ = os.Remove(s.Path(tree.ID()) + gotExt) // it is the caller's own now
		return tree.ID(), uint64(n), nil
	}
	if err := s.reserve(uint64(n)); err != nil {
		return content.ID{}, 0, err
	}
	err = writeCVs(f.Name()+treeExt, tree)
	if err == nil {
		err = s.adopt(f, f.Name()+treeExt, tree.ID())
	}
	if err != nil {
		s.release(uint64(n))
		return content.ID{}, 0, err
	}
	return tree.ID(), uint64(n), nil
}

// PutDocument stores b under its SHA2-256 id. Errors: ErrTooLarge, ErrFull, I/O.
func (s *Store) PutDocument(b []byte) (content.ID, error) {
	id := content.SumSHA256(b)
	if len(b) > MaxDocument {
		return id, fmt.Errorf("%d bytes, at most %d: %w", len(b), MaxDocument, ErrTooLarge)
	}
	if s.Has(id) {
		return id, nil
	}
	if err := s.reserve(uint64(len(b))); err != nil {
		return id, err
	}
	f, err := os.CreateTemp(filepath.Join(s.dir, partDir), "put-*")
	if err == nil {
		defer os.Remove(f.Name())
		defer f.Close()
		if _, err = f.Write(b); err == nil {
			err = s.adopt(f, "", id)
		}
	}
	if err != nil {
		s.release(uint64(len(b)))
		return id, fmt.Errorf("blob store: %w", err)
	}
	return id, nil
}

// Remove deletes the blob; it is no error if it is not there.
func (s *Store) Remove(id content.ID) error {
	n, err := s.Size(id)
	if err != nil {
		return nil
	}
	if err := os.Remove(s.Path(id)); err != nil {
		return fmt.Errorf("blob store: %w", err)
	}
	_ = os.Remove(s.Path(id) + treeExt)
	_ = os.Remove(s.Path(id) + gotExt)
	s.release(n)
	s.mu.Lock()
	delete(s.trees, id)
	s.mu.Unlock()
	return nil
}

// adopt makes f, whose bytes were verified and reserved, the blob id: synced,
// read-only, in its place. tree is the file of tree values or empty. If another
// writer was first, its file stays and f's reservation ends.
func (s *Store) adopt(f *os.File, tree string, id content.ID) error {
	s.place.Lock()
	defer s.place.Unlock()
	path := s.Path(id)
	if n, err := s.Size(id); err == nil {
		s.release(n)
		return errors.Join(os.Remove(f.Name()), removeIfNamed(tree))
	}
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = f.Chmod(0o444)
	}
	if err == nil && tree != "" {
		err = os.Rename(tree, path+treeExt)
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("blob store: %w", err)
	}
	return nil
}

// reserve counts n bytes against the bound. Errors: ErrFull.
func (s *Store) reserve(n uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse || s.max > 0 && (n > s.max || s.used > s.max-n) {
		return fmt.Errorf("%d bytes on top of %d, at most %d: %w", n, s.used, s.max, ErrFull)
	}
	s.used += n
	return nil
}

func (s *Store) release(n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= min(n, s.used)
}

func removeIfNamed(path string) error {
	if path == "" {
		return nil
	}
	return os.Remove(path)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
