// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/openledger/openledger/internal/merkle"
)

// Bounds of local records in bytes.
const (
	MaxLocalKey   = 1_024
	MaxLocalValue = 1 << 20
)

// Local is an unversioned area for the node's own records. It is safe for
// concurrent use. Choose keys "kind/…", so that kinds can be listed.
type Local struct {
	e engine

	mu      sync.Mutex // held while syncing
	written atomic.Uint64
	synced  uint64
}

// localTime is the one time at which local records are written: a later write
// replaces an earlier one.
const localTime = 1

func startLocal(e engine) (*Local, error) {
	return &Local{e: e}, e.discard(localTime) // deleted records need not be remembered
}

// Get returns a record; the caller owns it. Errors: ErrNotFound.
func (l *Local) Get(key []byte) ([]byte, error) { return l.e.get(key, localTime) }

// Put stores a record. With sync it survives a power loss when Put returns;
// calls that wait at the same time share one sync. Without, it survives the
// death of the process. Errors: ErrSize.
func (l *Local) Put(key, value []byte, sync bool) error {
	if len(key) == 0 || len(key) > MaxLocalKey || len(value) > MaxLocalValue {
		return fmt.Errorf("local record of %d+%d bytes: %w", len(key), len(value), ErrSize)
	}
	return l.write(entry{key, notNil(value)}, sync)
}

// Delete removes a record, if there is one.
func (l *Local) Delete(key []byte, sync bool) error { return l.write(entry{key: key}, sync) }

// Scan returns up to limit records under prefix, ascending, beginning behind the
// key after (nil: at the start).
func (l *Local) Scan(prefix, after []byte, limit int) ([]merkle.KV, error) {
	return scan(l.e, "", prefix, after, localTime, limit)
}

// Iterate visits the records under prefix in ascending order until visit says
// false. The slices are valid only during the visit, which must not call Local.
func (l *Local) Iterate(prefix []byte, visit func(key, value []byte) bool) error {
	return l.e.scan(prefix, nil, localTime, visit)
}

func (l *Local) write(e entry, sync bool) error {
	if err := l.e.write(localTime, []entry{e}); err != nil {
		return err
	}
	if n := l.written.Add(1); sync {
		return l.syncUpTo(n)
	}
	return nil
}

// Sync returns when everything written so far survives a power loss.
func (l *Local) Sync() error { return l.syncUpTo(l.written.Load()) }

// syncUpTo returns when write number n is durable. Whoever waited for the lock
// while another call synced its write too has nothing left to do.
func (l *Local) syncUpTo(n uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.synced >= n {
		return nil
	}
	upTo := l.written.Load()
	if err := l.e.sync(0); err != nil {
		return err
	}
	l.synced = upTo
	return nil
}

func (l *Local) close() error { return l.e.close() }
