// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"fmt"

	"github.com/openledger/openledger/internal/enc"
)

// pruneStep is how many tree nodes Prune deletes at a time. Commit waits for at
// most one step.
const pruneStep = 4_096

// Prune gives up the state of all heights more than keep below the head; keep is
// at least 1. Blocks, certificates and receipts stay (Forget). A crash in between leaves
// work for the next call, nothing else (STA-08).
func (s *Store) Prune(keep uint64) error {
	h, ok := s.Head()
	keep = max(keep, 1)
	if !ok || h.Height <= keep {
		return nil
	}
	floor := h.Height - keep
	if floor > s.floor.Load() {
		if err := s.raiseFloor(floor); err != nil {
			return fmt.Errorf("prune below height %d: %w", floor, err)
		}
	}
	for {
		n, err := s.pruneNodes(s.floor.Load())
		if err != nil {
			return fmt.Errorf("prune below height %d: %w", floor, err)
		}
		if n < pruneStep {
			return s.ledger.discard(timeOf(s.floor.Load()))
		}
	}
}

// raiseFloor makes lower heights unreadable before anything is deleted.
func (s *Store) raiseFloor(floor uint64) error {
	s.writer.Lock()
	defer s.writer.Unlock()
	ts := timeOf(s.head.Load().Height)
	if err := s.ledger.write(ts, []entry{{[]byte(keyFloor), enc.Encode(floor)}}); err != nil {
		return err
	}
	s.floor.Store(floor)
	return nil
}

// pruneNodes deletes at least pruneStep nodes that no root from floor on needs,
// or all that are left, each part of the queue after its nodes. It returns how
// many there were.
func (s *Store) pruneNodes(floor uint64) (int, error) {
	s.writer.Lock()
	defer s.writer.Unlock()
	ts := timeOf(s.head.Load().Height)
	end := heightKey(prefixStale, floor+1)
	var nodes, queue []entry
	whole := true
	err := s.ledger.scan([]byte(prefixStale), nil, ts, func(k, v []byte) bool {
		if bytes.Compare(k, end) >= 0 {
			return false
		}
		queue = append(queue, entry{key: bytes.Clone(k)})
		whole = unpackKeys(v, func(node []byte) { nodes = append(nodes, entry{key: prefixed(prefixNode, node)}) })
		return whole && len(nodes) < pruneStep
	})
	if err == nil && !whole {
		err = fmt.Errorf("list of stale nodes: %w", ErrCorrupt)
	}
	if err != nil || len(nodes) == 0 {
		return 0, err
	}
	if err := s.ledger.write(ts, nodes); err != nil {
		return 0, err
	}
	return len(nodes), s.ledger.write(ts, queue)
}

// packKeys joins keys of at most 255 bytes into parts of about 64 KiB, each key
// behind its length.
//
// Deviation: STA-03 stores one record per stale node. One per part saves a third
// of the writes of a block; nobody but Prune reads them.
func packKeys(keys [][]byte) (parts [][]byte) {
	var part []byte
	for _, k := range keys {
		part = append(append(part, byte(len(k))), k...)
		if len(part) >= 65_000 {
			parts, part = append(parts, part), nil
		}
	}
	if len(part) > 0 {
		parts = append(parts, part)
	}
	return parts
}

// unpackKeys visits the keys of a part; it says false if the part is damaged.
func unpackKeys(part []byte, visit func(key []byte)) bool {
	for len(part) > 0 {
		n := 1 + int(part[0])
		if n > len(part) {
			return false
		}
		visit(part[1:n])
		part = part[n:]
	}
	return true
}
