// SPDX-License-Identifier: Apache-2.0

package merkle

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
)

// Bounds of state keys and values in bytes (STA-01).
const (
	MaxKey   = 128
	MaxValue = 65_536
)

// KV is a key with its value. In a write set a nil Value deletes the key.
type KV struct {
	Key   []byte
	Value []byte
}

// NodeReader hands out stored tree nodes by the keys that Update returned. It
// must not return a value that it changes later. An error, also for a node that
// is missing, ends the operation and is wrapped.
type NodeReader interface {
	Node(key []byte) ([]byte, error)
}

// StateRoot names one version of the state tree. The zero value is the empty
// tree. Hash is what a block header carries; Version and Leaf say where the top
// node is stored and are local to a node's storage.
type StateRoot struct {
	_       struct{} `cbor:",toarray"`
	Version uint64
	Hash    [32]byte
	Leaf    bool
}

// Empty reports whether the tree has no keys. Its hash is 32 zero bytes.
func (r StateRoot) Empty() bool { return r.Hash == [32]byte{} }

// Update applies the write set of one block to the tree old and returns the new
// root, the nodes to store and the keys of the nodes that no root from version
// on needs. Neither list is sorted. A key that is deleted without being there,
// or written with the value it has, changes nothing.
//
// The version is the block height; it names the new nodes. Writes need not be
// sorted and are not kept. Cost: each touched path is read and rewritten once.
// Errors: ErrVersion, ErrDuplicate, ErrSize (key of 0 or more than MaxKey bytes,
// value empty but not nil or longer than MaxValue), ErrNode, errors of r.
// Spec: STA-02, STA-03.
func Update(r NodeReader, old StateRoot, version uint64, writes []KV) (StateRoot, []KV, [][]byte, error) {
	if !old.Empty() && version <= old.Version {
		return StateRoot{}, nil, nil, fmt.Errorf("update %d of version %d: %w", version, old.Version, ErrVersion)
	}
	ops, err := toOps(writes)
	if err != nil || len(ops) == 0 {
		return old, nil, nil, err
	}
	c, err := old.top(r)
	if err != nil {
		return StateRoot{}, nil, nil, err
	}
	u := updater{r: r, version: version}
	res, err := u.apply(c, 0, ops)
	if err != nil {
		return StateRoot{}, nil, nil, err
	}
	if res.same {
		return old, nil, nil, nil
	}
	if old.Leaf {
		u.stale = append(u.stale, nodeKey(old.Version, 0, [32]byte{}))
	}
	root := u.root(res.child)
	return root, u.nodes, u.stale, nil
}

// op is one write in tree terms.
type op struct {
	leaf
	del bool
}

// toOps checks and hashes the writes and sorts them by key hash.
func toOps(writes []KV) ([]op, error) {
	ops := make([]op, len(writes))
	for i, w := range writes {
		if err := checkKey(w.Key); err != nil {
			return nil, err
		}
		ops[i].key = sha256.Sum256(w.Key)
		if w.Value == nil {
			ops[i].del = true
			continue
		}
		if err := checkValue(w.Value); err != nil {
			return nil, fmt.Errorf("key %x: %w", w.Key, err)
		}
		ops[i].value = sha256.Sum256(w.Value)
	}
	slices.SortFunc(ops, func(a, b op) int { return bytes.Compare(a.key[:], b.key[:]) })
	for i := 1; i < len(ops); i++ {
		if ops[i].key == ops[i-1].key {
			return nil, fmt.Errorf("key hash %x: %w", ops[i].key, ErrDuplicate)
		}
	}
	return ops, nil
}

func checkKey(key []byte) error {
	if len(key) == 0 || len(key) > MaxKey {
		return fmt.Errorf("key of %d bytes: %w", len(key), ErrSize)
	}
	return nil
}

func checkValue(value []byte) error {
	if len(value) == 0 || len(value) > MaxValue {
		return fmt.Errorf("value of %d bytes: %w", len(value), ErrSize)
	}
	return nil
}
