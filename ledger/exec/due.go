// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"fmt"

	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger/state"
)

// emptyList is the value of a due-queue entry.
var emptyList = []byte{0x80}

// addDue plans the object id of a kind for a time on a clock. The object must
// store the time, so that removeDue can find the entry (EXE-03).
func (m *machine) addDue(clock byte, at uint64, kind byte, id []byte) {
	m.o.Put(state.DueKey(clock, at, kind, id), emptyList)
}

// removeDue takes back an entry of addDue.
func (m *machine) removeDue(clock byte, at uint64, kind byte, id []byte) {
	m.o.Delete(state.DueKey(clock, at, kind, id))
}

// moveDue moves an entry of addDue to another time; 0 is none.
func (m *machine) moveDue(clock byte, from, to uint64, kind byte, id []byte) {
	if from == to {
		return
	}
	if from != 0 {
		m.removeDue(clock, from, kind, id)
	}
	if to != 0 {
		m.addDue(clock, to, kind, id)
	}
}

// runDue runs the entries of a clock up to a time, ascending by key, as far as
// the block's budget of due_per_block goes; the rest stay for the next block.
// What they add for a time that has passed already waits for the next block too.
// Spec: EXE-02.
func (m *machine) runDue(clock byte, last uint64) error {
	list, err := m.dueUntil(clock, last)
	if err != nil {
		return err
	}
	m.dues -= uint64(len(list))
	for _, kv := range list {
		_, kind, id, ok := state.ParseDue(clock, kv.Key)
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

// dueUntil lists the entries to run. Most blocks have none, so it looks at the
// first alone before it reads more.
func (m *machine) dueUntil(clock byte, last uint64) ([]merkle.KV, error) {
	if m.dues == 0 {
		return nil, nil
	}
	for limit := 1; ; limit = int(m.dues) {
		list, err := m.o.Scan(state.DuePrefix(clock), nil, limit)
		if err != nil {
			return nil, err
		}
		for i, kv := range list {
			if at, _, _, ok := state.ParseDue(clock, kv.Key); ok && at > last {
				return list[:i], nil
			}
		}
		if uint64(limit) == m.dues || len(list) == 0 {
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
	case state.DueUnbond:
		return m.unbondDue(id)
	case state.DueHop:
		return m.hopDue(id)
	}
	return fmt.Errorf("unknown kind %d", kind)
}
