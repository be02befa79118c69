// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"fmt"

	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger/state"
)

// emptyList is the value of a due-queue entry.
var emptyList = []byte{0x80}

// addDue plans the object id of a kind for chain time dueMS. The object must
// store dueMS, so that removeDue can find the entry (EXE-03).
func (m *machine) addDue(dueMS uint64, kind byte, id []byte) {
	m.o.Put(state.DueKey(dueMS, kind, id), emptyList)
}

// removeDue takes back an entry of addDue.
func (m *machine) removeDue(dueMS uint64, kind byte, id []byte) {
	m.o.Delete(state.DueKey(dueMS, kind, id))
}

// runDue runs the entries whose time has come, ascending by key, at most
// due_per_block; the rest stay for the next block. What they add for a time that
// has passed already waits for the next block too. Spec: EXE-02.
func (m *machine) runDue() error {
	list, err := m.dueNow()
	if err != nil {
		return err
	}
	for _, kv := range list {
		_, kind, id, ok := state.ParseDue(kv.Key)
		if !ok {
			return fmt.Errorf("entry %x", kv.Key)
		}
		m.remove(kv.Key)
		if err := m.due(kind, id); err != nil {
			return fmt.Errorf("entry %x: %w", kv.Key, err)
		}
	}
	return nil
}

// dueNow lists the entries to run. Most blocks have none, so it looks at the
// first alone before it reads more.
func (m *machine) dueNow() ([]merkle.KV, error) {
	for limit := 1; ; limit = int(m.p.DuePerBlock) {
		list, err := m.o.Scan(state.DuePrefix(), nil, limit)
		if err != nil {
			return nil, err
		}
		for i, kv := range list {
			if at, _, _, ok := state.ParseDue(kv.Key); ok && at > m.now() {
				return list[:i], nil
			}
		}
		if limit != 1 || len(list) == 0 {
			return list, nil
		}
	}
}

// due runs one entry.
func (m *machine) due(kind byte, id []byte) error {
	switch kind {
	case state.DueTask:
		return m.taskDue(id)
	case state.DueChannel:
		return m.channelDue(id)
	case state.DuePending:
		return m.pendingDue(id)
	case state.DueCommit:
		return m.commitDue(id)
	}
	return fmt.Errorf("unknown kind %d", kind)
}
