// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/openledger/openledger/internal/enc"
)

// forgetStep is about how many keys Forget collects before it deletes them. It
// bounds the memory of a step; commits do not wait for one.
const forgetStep = 4_096

// Oldest returns the least height whose whole block is kept: header and
// certificate, body, receipts, justification and the places of its transactions.
// Of lower blocks the headers of genesis and of Oldest−1 are kept. It is 0 for a
// ledger that was built from genesis and has given up nothing, and only rises.
func (s *Store) Oldest() uint64 { return s.oldest.Load() }

// Forget gives up whole blocks, the lowest first, until about want bytes are
// deleted or all blocks below a height are, never one whose state is retained
// (Prune). txs returns the ids of the transactions of a body, so that their places
// go too. It returns how many bytes it deleted, keys included; the database gives
// them back to the disk when it compacts.
//
// Nothing waits for Forget, and one call runs at a time. Before a block is
// touched, Oldest above it is on disk: whatever is served is whole, and a crash
// leaves work for the next call, nothing else. What is deleted is deleted as of a
// height below the floor, so that no older version has to stay for a reader.
//
// Errors: ErrCorrupt, those of txs and of the database. Spec: STA-10.
func (s *Store) Forget(below, want uint64, txs func(body []byte) ([][32]byte, error)) (freed uint64, err error) {
	s.forget.Lock()
	defer s.forget.Unlock()
	below = min(below, s.floor.Load())
	for freed < want && err == nil {
		var g *gone
		if g, err = s.collect(below, want-freed, txs); err != nil || g.empty() {
			break
		}
		if err = s.raiseOldest(g.below); err == nil {
			err = s.drop(g)
		}
		freed += g.size
	}
	if err != nil {
		return freed, fmt.Errorf("give up blocks below height %d: %w", below, err)
	}
	return freed, nil
}

// gone is what one step deletes: all that is left of the blocks below a height.
type gone struct {
	below        uint64
	rest, bodies []entry
	size         uint64 // bytes of keys and values
}

func (g *gone) empty() bool { return len(g.rest)+len(g.bodies) == 0 }

func (g *gone) add(list *[]entry, key []byte, value int) {
	*list = append(*list, entry{key: key})
	g.size += uint64(len(key) + value)
}

// collect lists as many blocks as make a step. Among them is what an unfinished
// call has left below Oldest.
func (s *Store) collect(below, want uint64, txs func(body []byte) ([][32]byte, error)) (*gone, error) {
	ts := timeOf(s.head.Load().Height)
	g := &gone{below: s.Oldest()}
	var places [][32]byte
	var fault error
	err := s.upTo(prefixBody, below, ts, func(k, v []byte) bool {
		if len(places)+len(g.bodies) >= forgetStep || g.size >= want/4 && len(g.bodies) > 0 { // receipts and the rest come on top
			return false
		}
		var ids [][32]byte
		if ids, fault = txs(v); fault != nil {
			return false
		}
		places = append(places, ids...)
		g.below = max(g.below, heightIn(k)+1)
		g.add(&g.bodies, k, len(v))
		return true
	})
	if err = errors.Join(err, fault); err != nil {
		return nil, err
	}
	for _, prefix := range []string{prefixReceipt, prefixJust, prefixHeader} {
		end := g.below
		if prefix == prefixHeader {
			end = max(end, 1) - 1 // the header below Oldest stays
		}
		if err := s.upTo(prefix, end, ts, func(k, v []byte) bool { g.add(&g.rest, k, len(v)); return true }); err != nil {
			return nil, err
		}
	}
	for _, id := range places {
		switch height, _, err := s.TxLocation(id); {
		case errors.Is(err, ErrNotFound), err == nil && height >= g.below: // it stands in a later block too
		case err != nil:
			return nil, err
		default:
			g.add(&g.rest, prefixed(prefixTx, id[:]), txPlaceBytes)
		}
	}
	return g, nil
}

// upTo visits the keys of blocks below end that this process has not seen deleted;
// the header of genesis is not among them. visit owns the key.
func (s *Store) upTo(prefix string, end, ts uint64, visit func(k, v []byte) bool) error {
	var after []byte
	if prefix == prefixHeader {
		after = heightKey(prefix, max(s.swept, 2)-2)
	} else if s.swept > 0 {
		after = append(heightKey(prefix, s.swept-1), bytes.Repeat([]byte{0xff}, 8)...)
	}
	return s.ledger.scan([]byte(prefix), after, ts, func(k, v []byte) bool {
		return heightIn(k) < end && visit(bytes.Clone(k), v)
	})
}

// raiseOldest makes lower blocks unreadable, on disk, before anything is deleted.
func (s *Store) raiseOldest(height uint64) error {
	if height <= s.Oldest() {
		return nil
	}
	if err := s.ledger.write(timeOf(height), []entry{{[]byte(keyOldest), enc.Encode(height)}}); err != nil {
		return err
	}
	if err := s.Sync(); err != nil {
		return err
	}
	s.oldest.Store(height)
	return nil
}

// drop deletes a step, the bodies last, after the rest is durable: while one is
// there, the places of its transactions are found.
func (s *Store) drop(g *gone) error {
	ts := timeOf(g.below)
	if err := s.ledger.write(ts, g.rest); err != nil {
		return err
	}
	if err := s.Sync(); err != nil {
		return err
	}
	if err := s.ledger.write(ts, g.bodies); err != nil {
		return err
	}
	s.swept = max(s.swept, g.below)
	return nil
}

// loadOldest reads up to where blocks were given up. A ledger that began with a
// snapshot has none up to its base.
func (s *Store) loadOldest() error {
	var oldest uint64
	b, err := s.ledger.get([]byte(keyOldest), latest)
	switch {
	case errors.Is(err, ErrNotFound):
	case err != nil:
		return err
	default:
		if err := enc.Decode(b, &oldest); err != nil || oldest > s.head.Load().Height {
			return fmt.Errorf("marker of the oldest block %x: %w", b, ErrCorrupt)
		}
	}
	if s.base.Height > 0 {
		oldest = max(oldest, s.base.Height+1)
	}
	s.oldest.Store(oldest)
	return nil
}

// ofBlock reads a key of a block; least says which is the lowest that is kept, and
// is asked afterwards: what was read of a block above it is whole. Errors:
// ErrPruned, ErrNotFound.
func (s *Store) ofBlock(height uint64, least func() uint64, key []byte) ([]byte, error) {
	b, err := s.committed(key)
	if err := s.kept(height, least()); err != nil {
		return nil, err
	}
	return b, err
}

// kept says ErrPruned of a height that is lower than the least one kept.
func (s *Store) kept(height, least uint64) error {
	if height < least {
		return fmt.Errorf("block %d: this node keeps blocks from height %d on: %w", height, s.Oldest(), ErrPruned)
	}
	return nil
}
