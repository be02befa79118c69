// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger/snapshot"
	"github.com/openledger/openledger/node/store"
)

// unfinished ends the name of a folder that a Make is writing.
const unfinished = ".new"

// spillBytes is how much Make gathers before it writes to the files of the parts.
const spillBytes = 32 << 20

func countOf(depth uint64) uint64 { return merkle.Count(min(depth, snapshot.MaxDepth)) }

// Make writes the snapshot of the seal at height, the state after height−1, and
// removes all but the last Keep. It reads the store at that height, which must be
// retained until it is done, and holds up no commit. A snapshot that is there
// already is not made again.
//
// The state is read twice: once to choose the depth, once to sort it by subtree
// into files. Memory: about 32 MiB and one chunk. Disk: twice the state.
// Errors: store.ErrPruned, store.ErrNotFound, snapshot.ErrSize, those of ctx.
func (s *Shelf) Make(ctx context.Context, height uint64) error {
	s.making.Lock()
	defer s.making.Unlock()
	if height == 0 || s.find(height) != nil {
		return nil
	}
	start := time.Now()
	tmp := filepath.Join(s.dir, strconv.FormatUint(height, 10)+unfinished)
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	h, err := s.write(ctx, tmp, height)
	if err != nil {
		return errors.Join(fmt.Errorf("snapshot of height %d: %w", height, err), os.RemoveAll(tmp))
	}
	final := filepath.Join(s.dir, strconv.FormatUint(height, 10))
	if err := os.Rename(tmp, final); err != nil {
		return err
	}
	h.dir = final
	s.log.Info("snapshot made", "height", height, "chunks", len(h.files), "bytes", h.offer.Bytes, "in", time.Since(start).Round(time.Millisecond))
	return s.add(h)
}

// write fills the folder tmp with the chunks and, last, the offer.
func (s *Shelf) write(ctx context.Context, tmp string, height uint64) (*held, error) {
	seal, _, err := s.chain.Header(height)
	if err != nil {
		return nil, err
	}
	parent, _, err := s.chain.Header(height - 1)
	if err != nil {
		return nil, err
	}
	view, err := s.chain.Store().View(height - 1)
	if err != nil {
		return nil, err
	}
	if got := view.Head().Root.Hash; got != seal.StateRoot {
		return nil, fmt.Errorf("%w: state %x, the seal says %x", store.ErrCorrupt, got, seal.StateRoot)
	}
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return nil, err
	}
	sp := &spill{ctx: ctx, view: view, dir: tmp}
	if err := sp.sort(); err != nil {
		return nil, err
	}
	h := &held{files: map[uint64]string{}, offer: Offer{Height: height, Seal: seal.Hash(), Parent: *parent, Depth: sp.depth}}
	for i := range countOf(sp.depth) {
		b, err := sp.chunk(i)
		if err != nil {
			return nil, err
		}
		h.files[i] = chunkFile(i, snapshot.Name(b))
		h.offer.Bytes += uint64(len(b))
		if err := os.WriteFile(filepath.Join(tmp, h.files[i]), b, 0o644); err != nil {
			return nil, err
		}
		if err := os.RemoveAll(sp.file(i)); err != nil {
			return nil, err
		}
	}
	return h, os.WriteFile(filepath.Join(tmp, offerFile), enc.Encode(h.offer), 0o644)
}

// spill sorts a state into one file per subtree: the store lists keys in their
// order, a chunk lists them by hash.
type spill struct {
	ctx      context.Context
	view     *store.View
	dir      string
	depth    uint64
	waiting  map[uint64][]byte // entries not yet written, by number of the subtree
	gathered int
}

// sort chooses the depth and fills the files.
func (s *spill) sort() error {
	sizes := snapshot.NewSizes()
	err := s.each(func(hash [32]byte, kv merkle.KV) error { sizes.Add(hash, kv); return nil })
	if err != nil {
		return err
	}
	if s.depth, err = sizes.Depth(); err != nil {
		return err
	}
	s.waiting = map[uint64][]byte{}
	if err := s.each(s.add); err != nil {
		return err
	}
	return s.flush()
}

// each visits the whole state.
func (s *spill) each(visit func(hash [32]byte, kv merkle.KV) error) error {
	var failed error
	n := 0
	err := s.view.Iterate(func(k, v []byte) bool {
		if n++; n%1_024 == 0 && s.ctx.Err() != nil {
			failed = s.ctx.Err()
			return false
		}
		failed = visit(sha256.Sum256(k), merkle.KV{Key: k, Value: v})
		return failed == nil
	})
	return errors.Join(failed, err)
}

// add appends an entry to those of its subtree: u32 and key, u32 and value.
func (s *spill) add(hash [32]byte, kv merkle.KV) error {
	i := merkle.PrefixOf(hash, s.depth).Index
	b := binary.BigEndian.AppendUint32(s.waiting[i], uint32(len(kv.Key)))
	b = binary.BigEndian.AppendUint32(append(b, kv.Key...), uint32(len(kv.Value)))
	s.waiting[i] = append(b, kv.Value...)
	if s.gathered += 8 + len(kv.Key) + len(kv.Value); s.gathered < spillBytes {
		return nil
	}
	return s.flush()
}

// flush writes what waits to the files.
func (s *spill) flush() error {
	for i, b := range s.waiting {
		f, err := os.OpenFile(s.file(i), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		_, err = f.Write(b)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	clear(s.waiting)
	s.gathered = 0
	return nil
}

func (s *spill) file(i uint64) string { return filepath.Join(s.dir, fmt.Sprintf("%06x.part", i)) }

// chunk reads the file of a subtree and returns the encoded chunk.
func (s *spill) chunk(i uint64) ([]byte, error) {
	b, err := os.ReadFile(s.file(i))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	c := snapshot.Chunk{Prefix: merkle.Prefix{Depth: s.depth, Index: i}}
	field := func() []byte {
		n := binary.BigEndian.Uint32(b)
		out := b[4 : 4+n]
		b = b[4+n:]
		return out
	}
	for len(b) > 0 {
		k := field()
		c.Entries = append(c.Entries, merkle.KV{Key: k, Value: field()})
	}
	merkle.SortByHash(c.Entries)
	if c.Proof, err = merkle.ProveSubtree(s.view, s.view.Head().Root, c.Prefix); err != nil {
		return nil, err
	}
	if err := c.Verify(s.view.Head().Root.Hash); err != nil { // never hand out what no peer would take
		return nil, fmt.Errorf("%w: subtree %d: %w", store.ErrCorrupt, i, err)
	}
	if err := s.ctx.Err(); err != nil {
		return nil, err
	}
	return c.Encode(), nil
}
