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
// at least 1. Blocks, certificates and receipts stay. A crash in between leaves
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

// pruneNodes deletes up to pruneStep nodes that no root from floor on needs,
// each with its queue entry, the node first.
func (s *Store) pruneNodes(floor uint64) (int, error) {
	s.writer.Lock()
	defer s.writer.Unlock()
	ts := timeOf(s.head.Load().Height)
	end := heightKey(prefixStale, floor+1)
	var nodes, queue []entry
	err := s.ledger.scan([]byte(prefixStale), nil, ts, func(k, _ []byte) bool {
		if bytes.Compare(k, end) >= 0 {
			return false
		}
		nodes = append(nodes, entry{key: prefixed(prefixNode, k[len(end):])})
		queue = append(queue, entry{key: bytes.Clone(k)})
		return len(nodes) < pruneStep
	})
	if err != nil || len(nodes) == 0 {
		return 0, err
	}
	if err := s.ledger.write(ts, nodes); err != nil {
		return 0, err
	}
	return len(nodes), s.ledger.write(ts, queue)
}
