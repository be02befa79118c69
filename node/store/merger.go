// SPDX-License-Identifier: Apache-2.0

package store

import (
	"sync"
	"sync/atomic"

	badger "github.com/dgraph-io/badger/v4"
)

// mergeTables is how many tables of unsorted writes a database may have before
// they are merged.
const mergeTables = 5

// merger merges the tables of a database that runs no compactors, when so much was
// written that there are too many. The zero value does nothing.
type merger struct {
	limit   int64 // bytes written until the next merge, 0: no merges
	written atomic.Int64

	mu     sync.Mutex // of what follows
	done   chan struct{}
	closed bool
}

// start merges what earlier processes have left, since each leaves a table when
// it ends.
func (m *merger) start(db *badger.DB, p profile) error {
	m.limit = (mergeTables + 1) * int64(p.memTable) << 20
	for _, l := range db.Levels() {
		if l.Level == 0 && l.NumTables > mergeTables {
			return db.Flatten(1)
		}
	}
	return nil
}

// wrote counts a write and starts a merge when it is due, unless one runs. What a
// merge fails to do is left to the next one.
func (m *merger) wrote(db *badger.DB, entries []entry) {
	if m.limit == 0 {
		return
	}
	n := int64(0)
	for _, e := range entries {
		n += int64(len(e.key) + len(e.value))
	}
	if m.written.Add(n) < m.limit {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.done != nil || m.written.Load() < m.limit {
		return
	}
	m.written.Store(0)
	done := make(chan struct{})
	m.done = done
	go func() {
		_ = db.Flatten(1) // Badger has said why through its logger
		m.mu.Lock()
		m.done = nil
		m.mu.Unlock()
		close(done)
	}()
}

// wait returns when no merge runs and none will be started.
func (m *merger) wait() {
	m.mu.Lock()
	m.closed = true
	done := m.done
	m.mu.Unlock()
	if done != nil {
		<-done
	}
}
