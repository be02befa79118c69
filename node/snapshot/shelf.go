// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/node/store"
)

// Keep is how many snapshots a shelf holds.
const Keep = 2

// offerFile is written last into a snapshot's folder.
const offerFile = "offer"

// Ledger is what a Shelf reads: chain.Chain.
type Ledger interface {
	Header(height uint64) (*header.Header, *cert.Certificate, error)
	Store() *store.Store
}

// Shelf is the snapshots of one home, each in a folder named by its height. It is
// safe for concurrent use; one Make runs at a time.
type Shelf struct {
	dir   string
	chain Ledger
	log   *slog.Logger

	making sync.Mutex
	mu     sync.Mutex
	held   []*held // ascending by height
}

// held is one complete snapshot on disk.
type held struct {
	offer Offer
	dir   string
	files map[uint64]string // file name by number of the chunk
}

// Open opens or makes the shelf in dir and removes what an unfinished Make left.
// A nil logger drops the log.
func Open(dir string, c Ledger, log *slog.Logger) (*Shelf, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Shelf{dir: dir, chain: c, log: log}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, f := range list {
		path := filepath.Join(dir, f.Name())
		if strings.HasSuffix(f.Name(), unfinished) {
			if err := os.RemoveAll(path); err != nil {
				return nil, err
			}
		}
		height, err := strconv.ParseUint(f.Name(), 10, 64)
		if err != nil || !f.IsDir() {
			continue
		}
		h, err := load(path)
		if err != nil || h.offer.Height != height {
			log.Warn("snapshot is damaged and removed", "height", height, "err", err)
			if err := os.RemoveAll(path); err != nil {
				return nil, err
			}
			continue
		}
		s.held = append(s.held, h)
	}
	slices.SortFunc(s.held, func(a, b *held) int { return int(int64(a.offer.Height - b.offer.Height)) })
	return s, nil
}

// load reads what stands in a snapshot's folder.
func load(dir string) (*held, error) {
	b, err := os.ReadFile(filepath.Join(dir, offerFile))
	if err != nil {
		return nil, err
	}
	h := &held{dir: dir, files: map[uint64]string{}}
	if err := enc.Decode(b, &h.offer); err != nil {
		return nil, err
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, f := range list {
		if i, _, ok := parseChunkFile(f.Name()); ok {
			h.files[i] = f.Name()
		}
	}
	if n := countOf(h.offer.Depth); uint64(len(h.files)) != n {
		return nil, fmt.Errorf("%d chunks of %d", len(h.files), n)
	}
	return h, nil
}

// chunkFile names the file of a chunk: its number in hex and its content id.
func chunkFile(i uint64, name content.ID) string { return fmt.Sprintf("%06x-%v", i, name) }

func parseChunkFile(name string) (i uint64, id content.ID, ok bool) {
	number, text, found := strings.Cut(name, "-")
	if !found || len(number) != 6 {
		return 0, id, false
	}
	i, err := strconv.ParseUint(number, 16, 64)
	if err != nil {
		return 0, id, false
	}
	id, err = content.ParseID(text)
	return i, id, err == nil
}

// Offers lists the snapshots, the newest first.
func (s *Shelf) Offers() []Offer {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Offer{}
	for _, h := range slices.Backward(s.held) {
		out = append(out, h.offer)
	}
	return out
}

// Drop deletes all snapshots but the newest, the oldest first, until want bytes are
// freed, and returns how many were.
func (s *Shelf) Drop(want uint64) (freed uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.held) > 1 && freed < want && err == nil {
		for _, name := range s.held[0].files {
			if info, err := os.Stat(filepath.Join(s.held[0].dir, name)); err == nil {
				freed += uint64(info.Size())
			}
		}
		err = os.RemoveAll(s.held[0].dir)
		s.held = s.held[1:]
	}
	return freed, err
}

// add puts a complete snapshot on the shelf and takes the oldest off.
func (s *Shelf) add(h *held) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = append(slices.DeleteFunc(s.held, func(o *held) bool { return o.offer.Height == h.offer.Height }), h)
	slices.SortFunc(s.held, func(a, b *held) int { return int(int64(a.offer.Height - b.offer.Height)) })
	var errs []error
	for len(s.held) > Keep {
		errs = append(errs, os.RemoveAll(s.held[0].dir))
		s.held = s.held[1:]
	}
	return errors.Join(errs...)
}

// find returns the snapshot of a height, nil if there is none.
func (s *Shelf) find(height uint64) *held {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.held {
		if h.offer.Height == height {
			return h
		}
	}
	return nil
}

// Serve answers a request. Errors: ErrRequest, fs.ErrNotExist for a snapshot that
// is not held (any more), those of send and ctx.
func (s *Shelf) Serve(ctx context.Context, req []byte, send func([]byte) error) error {
	q, err := decodeRequest(req)
	if err != nil {
		return err
	}
	if q.Height == 0 {
		return send(enc.Encode(s.Offers()))
	}
	h := s.find(q.Height)
	if h == nil || q.Prefix.Depth != h.offer.Depth {
		return fs.ErrNotExist
	}
	p, err := h.part(q)
	if err != nil || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	return send(enc.Encode(p))
}

// part reads a part of a chunk.
func (h *held) part(q Request) (Part, error) {
	_, id, _ := parseChunkFile(h.files[q.Prefix.Index])
	f, err := os.Open(filepath.Join(h.dir, h.files[q.Prefix.Index]))
	if err != nil {
		return Part{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Part{}, err
	}
	if q.Part >= parts(uint64(info.Size())) {
		return Part{}, fmt.Errorf("%w: part %d of %d bytes", ErrRequest, q.Part, info.Size())
	}
	p := Part{Name: id, Size: uint64(info.Size()), Data: make([]byte, min(PartBytes, info.Size()-int64(q.Part)*PartBytes))}
	_, err = f.ReadAt(p.Data, int64(q.Part)*PartBytes)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return p, err
}
