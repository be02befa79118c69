// SPDX-License-Identifier: Apache-2.0

package store

import "math"

// engine is the part of a versioned, ordered key-value database that this
// package builds on. There are two: Badger on disk and a map in memory. The same
// tests run on both. Times are positive and start at 1.
//
// Returned slices belong to the caller, entries given in are not kept.
type engine interface {
	// get returns the value that key had at time ts. Errors: ErrNotFound.
	get(key []byte, ts uint64) ([]byte, error)
	// scan visits the keys under prefix in ascending order as of time ts,
	// starting behind after if after is not nil. It ends when visit says false.
	// The slices are valid only during the visit.
	scan(prefix, after []byte, ts uint64, visit func(key, value []byte) bool) error
	// newer returns all keys written or deleted after time ts.
	newer(ts uint64) ([][]byte, error)
	// write stores entries at time ts. It is not atomic: after a crash any part
	// of them may be there, but the last one only with all others.
	write(ts uint64, entries []entry) error
	// discard gives up what can only be read at times before ts.
	discard(ts uint64) error
	// sync returns when all finished writes survive a power loss. A mark above 0
	// is remembered apart from the data, also durably.
	sync(mark uint64) error
	// synced returns the last mark, 0 if there is none.
	synced() (uint64, error)
	close() error
}

// entry is one write; a nil value deletes.
type entry struct {
	key, value []byte
}

// latest is a time after all writes.
const latest = math.MaxUint64
