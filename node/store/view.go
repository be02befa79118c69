// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/openledger/openledger/internal/merkle"
)

// View is the state as it was after one block. It holds no resources, may be
// used by many goroutines and stays valid until its height is pruned. It is a
// ledger/state.View and a merkle.NodeReader.
type View struct {
	s    *Store
	head Head
	disk bool // read from the database alone, to check it
}

// View returns the state after the block of that height.
//
// Errors: ErrNotFound above the head, ErrPruned below the retained heights.
func (s *Store) View(height uint64) (*View, error) {
	h, ok := s.Head()
	switch {
	case !ok || height > h.Height:
		return nil, fmt.Errorf("view of height %d: %w", height, ErrNotFound)
	case height < s.floor.Load():
		return nil, fmt.Errorf("view of height %d, oldest is %d: %w", height, s.floor.Load(), ErrPruned)
	case height < h.Height:
		var err error
		h, err = readHead(s.ledger, timeOf(height))
		if height < s.floor.Load() { // pruned since we looked
			return nil, fmt.Errorf("view of height %d: %w", height, ErrPruned)
		}
		if err != nil {
			return nil, fmt.Errorf("view of height %d: %w", height, err)
		}
		if h.Height != height {
			return nil, fmt.Errorf("view of height %d finds head %d: %w", height, h.Height, ErrCorrupt)
		}
	}
	return &View{s: s, head: h}, nil
}

// Head returns height, header hash and state root of the view.
func (v *View) Head() Head { return v.head }

// Get returns the value of a state key, nil if it is absent; the caller owns it.
//
// Errors: ErrCorrupt, ErrPruned.
func (v *View) Get(key []byte) ([]byte, error) {
	if b, ok := v.s.cache.value(key, v.head.Height); ok && !v.disk {
		return b, v.alive()
	}
	b, err := v.s.ledger.get(prefixed(prefixState, key), timeOf(v.head.Height))
	if err := v.alive(); err != nil {
		return nil, err
	}
	if errors.Is(err, ErrNotFound) {
		b, err = nil, nil
	}
	if err == nil {
		v.s.cache.read(key, b, v.head.Height)
	}
	return b, err
}

// Scan returns up to limit keys that start with prefix, ascending, with their
// values, beginning behind the key after (nil: at the start). The caller owns
// what is returned. Errors: ErrCorrupt, ErrPruned.
func (v *View) Scan(prefix, after []byte, limit int) ([]merkle.KV, error) {
	kvs, err := scan(v.s.ledger, prefixState, prefix, after, timeOf(v.head.Height), limit)
	if err := v.alive(); err != nil {
		return nil, err
	}
	return kvs, err
}

// Iterate visits every key of the state in ascending order with its value until
// visit says false. The slices are valid only during the visit. It holds up no
// commit. Errors: ErrCorrupt, ErrPruned if the height was given up meanwhile.
func (v *View) Iterate(visit func(key, value []byte) bool) error {
	err := v.s.ledger.scan([]byte(prefixState), nil, timeOf(v.head.Height), func(k, val []byte) bool {
		return visit(k[len(prefixState):], val)
	})
	if err := v.alive(); err != nil {
		return err
	}
	return err
}

// scan lists keys below namespace, which is cut from the results.
func scan(e engine, namespace string, prefix, after []byte, ts uint64, limit int) ([]merkle.KV, error) {
	if after != nil {
		after = prefixed(namespace, after)
	}
	if limit <= 0 {
		return nil, nil
	}
	var out []merkle.KV
	err := e.scan(prefixed(namespace, prefix), after, ts, func(k, val []byte) bool {
		out = append(out, merkle.KV{Key: bytes.Clone(k[len(namespace):]), Value: notNil(bytes.Clone(val))})
		return len(out) < limit
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Node returns a stored node of the state tree (merkle.NodeReader).
//
// Errors: ErrCorrupt if it is missing, ErrPruned.
func (v *View) Node(key []byte) ([]byte, error) {
	if b, ok := v.s.cache.node(key); ok && !v.disk {
		return b, v.alive()
	}
	b, err := v.s.ledger.get(prefixed(prefixNode, key), timeOf(v.head.Height))
	if err := v.alive(); err != nil {
		return nil, err
	}
	if errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("tree node %x is missing: %w", key, ErrCorrupt)
	}
	if err == nil {
		v.s.cache.readNode(key, b)
	}
	return b, err
}

// Prove proves the value of key, or its absence, against the state root of the
// view (STA-04). Errors: ErrCorrupt, ErrPruned, merkle.ErrSize.
func (v *View) Prove(key []byte) (merkle.StateProof, error) {
	value, err := v.Get(key)
	if err != nil {
		return merkle.StateProof{}, err
	}
	p, err := merkle.ProveState(v, v.head.Root, key, value)
	if errors.Is(err, merkle.ErrNode) || errors.Is(err, merkle.ErrValue) {
		return merkle.StateProof{}, fmt.Errorf("%w: %w", err, ErrCorrupt)
	}
	return p, err
}

// alive is checked after each read: pruning raises the floor before it takes
// anything away, so what was read while the height was retained is complete.
func (v *View) alive() error {
	if f := v.s.floor.Load(); v.head.Height < f {
		return fmt.Errorf("view of height %d, oldest is %d: %w", v.head.Height, f, ErrPruned)
	}
	return nil
}
