// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/openledger/openledger/internal/merkle"
)

// Batch is everything that one finalized block adds to the ledger. Commit does
// not keep its slices.
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
// All keys of the height are written first, then alone the head marker, so
// after a crash the head is either the old or the new one (STA-07, NODE-05).
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
	ts := timeOf(b.Height)
	if err := s.ledger.write(ts, b.entries()); err != nil {
		return fmt.Errorf("commit height %d: %w", b.Height, err)
	}
	head := Head{Height: b.Height, HeaderHash: b.HeaderHash, Root: b.Root}
	if err := s.ledger.write(ts, []entry{{[]byte(keyHead), encodeHead(head)}}); err != nil {
		return fmt.Errorf("commit head %d: %w", b.Height, err)
	}
	s.cache.committed(b.Height, b.Writes, b.Nodes, b.Stale)
	s.head.Store(&head)
	if b.Height == 0 {
		return s.Sync()
	}
	return nil
}

// entries lists the keys of the block, sorted, the header last: where it is
// found, everything before it was written.
func (b Batch) entries() []entry {
	out := make([]entry, 0, 3+len(b.TxIDs)+len(b.Receipts)+len(b.Writes)+len(b.Nodes)+1)
	out = append(out, entry{heightKey(prefixBody, b.Height), notNil(b.Body)})
	if len(b.Justification) > 0 {
		out = append(out, entry{heightKey(prefixJust, b.Height), b.Justification})
	}
	for i, r := range b.Receipts {
		out = append(out, entry{receiptKey(b.Height, uint32(i)), notNil(r)})
	}
	for i, id := range b.TxIDs {
		if id == ([32]byte{}) {
			continue
		}
		at := binary.BigEndian.AppendUint64(nil, b.Height)
		out = append(out, entry{prefixed(prefixTx, id[:]), binary.BigEndian.AppendUint32(at, uint32(i))})
	}
	for _, w := range b.Writes {
		out = append(out, entry{prefixed(prefixState, w.Key), w.Value})
	}
	for _, n := range b.Nodes {
		out = append(out, entry{prefixed(prefixNode, n.Key), notNil(n.Value)})
	}
	for i, part := range packKeys(b.Stale) {
		out = append(out, entry{staleKey(b.Height, uint32(i)), part})
	}
	slices.SortFunc(out, func(a, b entry) int { return bytes.Compare(a.key, b.key) })
	return append(out, entry{heightKey(prefixHeader, b.Height), notNil(b.HeaderAndCert)})
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
