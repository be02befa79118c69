// SPDX-License-Identifier: Apache-2.0

package state

import (
	"bytes"
	"fmt"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/merkle"
)

// View is a read-only picture of the state at one height.
type View interface {
	// Get returns the value of key, nil if there is none. The caller must not
	// change it.
	Get(key []byte) ([]byte, error)
	// Scan returns up to limit entries whose keys start with prefix and are
	// greater than after (nil: from the first), ascending. A value is never nil.
	Scan(prefix, after []byte, limit int) ([]merkle.KV, error)
}

// Load reads and decodes the record under key. ok is false if there is none.
// Errors: those of the view; a record that does not decode, which means that the
// database is damaged.
func Load[T any](v View, key []byte) (rec T, ok bool, err error) {
	b, err := v.Get(key)
	if err != nil || b == nil {
		return rec, false, err
	}
	if err := enc.Decode(b, &rec); err != nil {
		return rec, false, fmt.Errorf("state record %x: %w", key, err)
	}
	return rec, true, nil
}

// Entry is a record with its id: the key bytes after module and sub.
type Entry[T any] struct {
	ID    ID `json:"id"`
	Value T  `json:"value"`
}

// list decodes the records below a two-byte prefix whose ids are 32 bytes.
func list[T any](v View, prefix []byte, after *ID, limit int) ([]Entry[T], error) {
	var from []byte
	if after != nil {
		from = append(bytes.Clone(prefix), after[:]...)
	}
	kvs, err := v.Scan(prefix, from, limit)
	if err != nil {
		return nil, err
	}
	out := make([]Entry[T], len(kvs))
	for i, kv := range kvs {
		if len(kv.Key) != len(prefix)+len(ID{}) {
			return nil, fmt.Errorf("state key %x is %d bytes long", kv.Key, len(kv.Key))
		}
		out[i].ID = ID(kv.Key[len(prefix):])
		if err := enc.Decode(kv.Value, &out[i].Value); err != nil {
			return nil, fmt.Errorf("state record %x: %w", kv.Key, err)
		}
	}
	return out, nil
}
