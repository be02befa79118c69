// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"slices"
	"sort"
	"strings"
	"sync"
)

// memory is the engine for tests: a sorted list of keys and all their versions.
type memory struct {
	mu     sync.RWMutex
	keys   []string // ascending
	values map[string][]version
	mark   uint64
	closed bool
}

// version is the value of a key from time ts on; nil means deleted.
type version struct {
	ts    uint64
	value []byte
}

func newMemory() *memory { return &memory{values: map[string][]version{}} }

// at returns the value of k at time ts, nil if there is none.
func (m *memory) at(k string, ts uint64) []byte {
	vs := m.values[k]
	i := sort.Search(len(vs), func(i int) bool { return vs[i].ts > ts })
	if i == 0 {
		return nil
	}
	return vs[i-1].value
}

func (m *memory) get(key []byte, ts uint64) ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return nil, ErrClosed
	}
	v := m.at(string(key), ts)
	if v == nil {
		return nil, ErrNotFound
	}
	return bytes.Clone(v), nil
}

func (m *memory) scan(prefix, after []byte, ts uint64, visit func(key, value []byte) bool) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return ErrClosed
	}
	from := string(prefix)
	if after != nil && string(after)+"\x00" > from {
		from = string(after) + "\x00"
	}
	for i := sort.SearchStrings(m.keys, from); i < len(m.keys); i++ {
		k := m.keys[i]
		if !strings.HasPrefix(k, string(prefix)) {
			break
		}
		if v := m.at(k, ts); v != nil && !visit([]byte(k), bytes.Clone(v)) {
			break
		}
	}
	return nil
}

func (m *memory) newer(ts uint64) ([][]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out [][]byte
	for _, k := range m.keys {
		if vs := m.values[k]; vs[len(vs)-1].ts > ts {
			out = append(out, []byte(k))
		}
	}
	return out, nil
}

func (m *memory) write(ts uint64, entries []entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	for _, e := range entries {
		m.put(string(e.key), version{ts, bytes.Clone(e.value)})
	}
	return nil
}

func (m *memory) put(k string, v version) {
	vs := m.values[k]
	if len(vs) == 0 {
		i := sort.SearchStrings(m.keys, k)
		m.keys = slices.Insert(m.keys, i, k)
	}
	i := sort.Search(len(vs), func(i int) bool { return vs[i].ts >= v.ts })
	if i < len(vs) && vs[i].ts == v.ts {
		vs[i] = v
		return
	}
	m.values[k] = slices.Insert(vs, i, v)
}

// discard keeps of each key the newest version up to ts and all later ones, and
// nothing of a key that was deleted by then.
func (m *memory) discard(ts uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := m.keys[:0]
	for _, k := range m.keys {
		vs := m.values[k]
		i := sort.Search(len(vs), func(i int) bool { return vs[i].ts > ts })
		if i > 0 && vs[i-1].value != nil {
			i--
		}
		if i == len(vs) {
			delete(m.values, k)
			continue
		}
		m.values[k] = slices.Delete(vs, 0, i)
		kept = append(kept, k)
	}
	m.keys = kept
	return nil
}

func (m *memory) sync(mark uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mark = max(m.mark, mark)
	return nil
}

func (m *memory) synced() (uint64, error) { return m.mark, nil }

func (m *memory) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	m.closed = true
	return nil
}
