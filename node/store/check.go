// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"math"

	"github.com/openledger/openledger/internal/merkle"
)

const (
	checkSamples = 64    // state keys proven by a short check
	checkHeights = 1_024 // heights looked at by a short check
)

// Check compares the stored data with what the head commits to. A short check
// proves 64 random state keys against the root and wants the last 1,024 blocks
// to be there; a full one recomputes the root from all keys and looks at every
// height. Open makes a short one. Errors: ErrCorrupt. Spec: NODE-07.
func (s *Store) Check(full bool) error {
	h, ok := s.Head()
	if !ok {
		return nil
	}
	v, err := s.View(h.Height)
	if err != nil {
		return err
	}
	v.disk = true
	if err := s.checkBlocks(h.Height, full); err != nil {
		return err
	}
	if full {
		return v.checkAll()
	}
	return v.checkSample()
}

// checkBlocks wants the header of each height: where it is found, so is all that
// was written with it.
func (s *Store) checkBlocks(head uint64, full bool) error {
	want := max(s.Oldest(), 1) - 1
	if !full && head > want+checkHeights {
		want = head - checkHeights
	}
	ts := timeOf(head)
	if _, err := s.ledger.get(heightKey(prefixHeader, want), ts); err != nil {
		return fmt.Errorf("block %d: %w: %w", want, err, ErrCorrupt)
	}
	after := heightKey(prefixHeader, want)
	err := s.ledger.scan([]byte(prefixHeader), after, ts, func(k, _ []byte) bool {
		want++
		return bytes.Equal(k, heightKey(prefixHeader, want))
	})
	if err == nil && want != head {
		err = fmt.Errorf("block %d is missing below head %d: %w", want, head, ErrCorrupt)
	}
	return err
}

// checkSample proves keys behind random positions and one that is absent.
func (v *View) checkSample() error {
	for range checkSamples {
		at := make([]byte, 9)
		rand.Read(at)
		at[0] %= 0x15 // the state modules of STA-01
		kvs, err := v.Scan(nil, at, 1)
		if err != nil {
			return err
		}
		key := at
		if len(kvs) == 1 {
			key = kvs[0].Key
		}
		p, err := v.Prove(key)
		if err == nil {
			err = p.Verify(v.head.Root.Hash)
		}
		if err != nil {
			return fmt.Errorf("state at height %d: %w: %w", v.head.Height, err, ErrCorrupt)
		}
	}
	return nil
}

// checkAll builds the tree anew from the flat values.
func (v *View) checkAll() error {
	kvs, err := v.Scan(nil, nil, math.MaxInt)
	if err != nil {
		return err
	}
	root, _, _, err := merkle.Update(noNodes{}, merkle.StateRoot{}, v.head.Height, kvs)
	if err != nil {
		return fmt.Errorf("state at height %d: %w: %w", v.head.Height, err, ErrCorrupt)
	}
	if root.Hash != v.head.Root.Hash {
		return fmt.Errorf("state at height %d hashes to %x, head says %x: %w",
			v.head.Height, root.Hash, v.head.Root.Hash, ErrCorrupt)
	}
	for _, kv := range kvs {
		if _, err := v.Prove(kv.Key); err != nil {
			return fmt.Errorf("state at height %d: %w", v.head.Height, err)
		}
	}
	return nil
}

// noNodes is the node storage of an empty tree.
type noNodes struct{}

func (noNodes) Node([]byte) ([]byte, error) { return nil, errors.New("empty tree has no nodes") }
