// SPDX-License-Identifier: Apache-2.0

package state

import (
	"bytes"
	"slices"

	"github.com/openledger/openledger/internal/merkle"
)

// Overlay is a View with changes on top. Mark and Revert undo changes in reverse
// order, so one Overlay serves a whole block and each transaction in it. An error
// of the view below is kept in Err; reads after it give nothing. It must be used
// from one goroutine.
type Overlay struct {
	base    View
	vals    map[string][]byte // nil: deleted
	keys    []string          // every key of vals, in order of first write
	journal []change
	err     error
}

// change is what a write replaced.
type change struct {
	key string
	old []byte
	had bool // vals held old before
}

// NewOverlay starts an empty overlay above base.
func NewOverlay(base View) *Overlay {
	return &Overlay{base: base, vals: make(map[string][]byte)}
}

// Err returns the first error of the view below.
func (o *Overlay) Err() error { return o.err }

// Get implements View.
func (o *Overlay) Get(key []byte) ([]byte, error) {
	if v, ok := o.vals[string(key)]; ok {
		return v, nil
	}
	if o.err != nil {
		return nil, o.err
	}
	v, err := o.base.Get(key)
	o.err = err
	return v, err
}

// Put sets key to value, which is kept and must not be nil.
func (o *Overlay) Put(key, value []byte) { o.set(string(key), value) }

// Delete removes key.
func (o *Overlay) Delete(key []byte) { o.set(string(key), nil) }

func (o *Overlay) set(key string, value []byte) {
	old, had := o.vals[key]
	if !had {
		o.keys = append(o.keys, key)
	}
	o.journal = append(o.journal, change{key, old, had})
	o.vals[key] = value
}

// Mark returns the present point for Revert.
func (o *Overlay) Mark() int { return len(o.journal) }

// Revert undoes every change since mark.
func (o *Overlay) Revert(mark int) {
	for len(o.journal) > mark {
		c := o.journal[len(o.journal)-1]
		o.journal = o.journal[:len(o.journal)-1]
		if c.had {
			o.vals[c.key] = c.old
			continue
		}
		// A key that was new is the last of keys: writes are undone in reverse.
		delete(o.vals, c.key)
		o.keys = o.keys[:len(o.keys)-1]
	}
}

// Writes returns the changes ascending by key; a nil Value deletes.
func (o *Overlay) Writes() []merkle.KV {
	sorted := slices.Clone(o.keys)
	slices.Sort(sorted)
	out := make([]merkle.KV, len(sorted))
	for i, k := range sorted {
		out[i] = merkle.KV{Key: []byte(k), Value: o.vals[k]}
	}
	return out
}

// Scan implements View. Cost: linear in the number of changed keys besides the
// scan below.
func (o *Overlay) Scan(prefix, after []byte, limit int) ([]merkle.KV, error) {
	if o.err != nil {
		return nil, o.err
	}
	var mine []merkle.KV
	hidden := 0
	for _, k := range o.keys {
		if key := []byte(k); bytes.HasPrefix(key, prefix) && bytes.Compare(key, after) > 0 {
			mine = append(mine, merkle.KV{Key: key, Value: o.vals[k]})
			hidden++
		}
	}
	// Each changed key can hide at most one entry below.
	below, err := o.base.Scan(prefix, after, limit+hidden)
	if err != nil {
		o.err = err
		return nil, err
	}
	for _, kv := range below {
		if _, changed := o.vals[string(kv.Key)]; !changed {
			mine = append(mine, kv)
		}
	}
	slices.SortFunc(mine, func(a, b merkle.KV) int { return bytes.Compare(a.Key, b.Key) })
	mine = slices.DeleteFunc(mine, func(kv merkle.KV) bool { return kv.Value == nil })
	return mine[:min(limit, len(mine))], nil
}
