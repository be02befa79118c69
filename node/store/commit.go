// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"
	"fmt"

	"github.com/openledger/openledger/internal/merkle"
)

// Batch is everything that one finalized block adds to the ledger. Commit keeps
// the slices of Writes and Nodes: nobody may change them any more.
type Batch struct {
	// Height is 0 for the genesis state, then one more than the head.
	Height     uint64
	HeaderHash [32]byte
	// Body is the block body: the batches in order.
	Body []byte
	// HeaderAndCert is the header with its finalization.
	HeaderAndCert []byte
	// Justification is what the header's justification commits to; empty if it is
	// not at hand. It is evidence after a fork, nothing else needs it (CONS-47).
	Justification []byte
	// TxIDs are the transaction ids in block order: number i is found at index
	// i by TxLocation, unless the id is zero: then what TxLocation finds stays.
	// No id stands twice. Receipts has one entry for each, or more.
	TxIDs    [][32]byte
	Receipts [][]byte
	// Writes is the write set of the block; a nil Value deletes.
	Writes []merkle.KV
	// Nodes, Stale and Root are what merkle.Update returned for Writes.
	Nodes []merkle.KV
	Stale [][]byte
	Root  merkle.StateRoot
}

// Commit makes the block the new head. When it returns, the block survives the
// death of the process; see Sync for power loss. Genesis is synced at once.
//
// All keys of the height are written with the head marker behind them, so after a
// crash the head is either the old one or all of the new one is there (STA-07,
// NODE-05).
// Committing the height of the head again with the same header hash does
// nothing. Errors: ErrHeight, errors of the database.
func (s *Store) Commit(b Batch) error {
	s.writer.Lock()
	defer s.writer.Unlock()
	want := uint64(0)
	if h := s.head.Load(); h != nil {
		if h.Height == b.Height && h.HeaderHash == b.HeaderHash {
			return nil
		}
		want = h.Height + 1
	}
	if b.Height != want {
		return fmt.Errorf("commit height %d, want %d: %w", b.Height, want, ErrHeight)
	}
	head := Head{Height: b.Height, HeaderHash: b.HeaderHash, Root: b.Root}
	if err := s.ledger.write(timeOf(b.Height), append(b.entries(), entry{[]byte(keyHead), encodeHead(head)})); err != nil {
		return fmt.Errorf("commit height %d: %w", b.Height, err)
	}
	s.cache.committed(b.Height, b.Writes, b.Nodes, b.Stale)
	s.head.Store(&head)
	if b.Height == 0 {
		return s.Sync()
	}
	return nil
}

// entries lists the keys of the block, the header last: where it is found,
// everything before it was written.
func (b Batch) entries() []entry {
	out := make([]entry, 0, 6+len(b.TxIDs)+len(b.Writes)+len(b.Nodes))
	out = append(out, entry{heightKey(prefixBody, b.Height), notNil(b.Body)})
	if len(b.Justification) > 0 {
		out = append(out, entry{heightKey(prefixJust, b.Height), b.Justification})
	}
	for i, part := range packReceipts(b.Receipts) {
		out = append(out, entry{partKey(prefixReceipt, b.Height, uint32(i)), part})
	}
	var room arena
	for i, id := range b.TxIDs {
		if id == ([32]byte{}) {
			continue
		}
		var at [12]byte
		binary.BigEndian.PutUint64(at[:], b.Height)
		binary.BigEndian.PutUint32(at[8:], uint32(i))
		out = append(out, entry{room.key(prefixTx, id[:]), room.key("", at[:])})
	}
	for _, w := range b.Writes {
		out = append(out, entry{room.key(prefixState, w.Key), w.Value})
	}
	for _, n := range b.Nodes {
		out = append(out, entry{room.key(prefixNode, n.Key), notNil(n.Value)})
	}
	for i, part := range packKeys(b.Stale) {
		out = append(out, entry{partKey(prefixStale, b.Height, uint32(i)), part})
	}
	return append(out, entry{heightKey(prefixHeader, b.Height), notNil(b.HeaderAndCert)})
}

// arena makes the keys of one write in a few large allocations.
type arena struct{ free []byte }

func (a *arena) key(prefix string, key []byte) []byte {
	n := len(prefix) + len(key)
	if len(a.free) < n {
		a.free = make([]byte, max(4_096, n))
	}
	k := a.free[:0:n]
	a.free = a.free[n:]
	return append(append(k, prefix...), key...)
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
