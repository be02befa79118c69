// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"math"
	"sync"

	"github.com/openledger/openledger/internal/merkle"
)

// cache holds state values of the head and tree nodes, so that what blocks touch
// again and again is not looked for in the database. It holds at most about twice
// half: what was not used while half was filled anew is dropped. It is safe for
// concurrent use.
type cache struct {
	half int

	mu     sync.Mutex
	head   uint64 // height at which values are current; the largest number for none
	values generation[current]
	nodes  generation[[]byte]
}

// current is a value that has not changed since height, nil if absent.
type current struct {
	height uint64
	value  []byte
}

// generation is a map that forgets what was not used for long.
type generation[V any] struct {
	young, old map[string]V
	bytes      int // of young
}

const cacheOverhead = 96 // bytes of an entry besides key and value, about

func newCache(half int) *cache {
	return &cache{half: half, head: math.MaxUint64, values: generation[current]{young: map[string]current{}}, nodes: generation[[]byte]{young: map[string][]byte{}}}
}

func (g *generation[V]) get(key []byte, size func(V) int, half int) (V, bool) {
	if v, ok := g.young[string(key)]; ok {
		return v, true
	}
	v, ok := g.old[string(key)]
	if ok {
		g.put(string(key), v, size(v), half)
	}
	return v, ok
}

func (g *generation[V]) put(key string, v V, size, half int) {
	if _, ok := g.young[key]; !ok {
		g.bytes += len(key) + size + cacheOverhead
	}
	g.young[key] = v
	if g.bytes > half {
		g.old, g.young, g.bytes = g.young, map[string]V{}, 0
	}
}

func (g *generation[V]) remove(key string) {
	delete(g.young, key)
	delete(g.old, key)
}

func valueSize(v current) int { return len(v.value) }
func nodeSize(b []byte) int   { return len(b) }

// value returns what key has at height, if that is known.
func (c *cache) value(key []byte, height uint64) (v []byte, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	got, ok := c.values.get(key, valueSize, c.half)
	if !ok || got.height > height {
		return nil, false
	}
	return bytes.Clone(got.value), true
}

// read notes what was read at a height, unless a later block is committed.
func (c *cache) read(key, value []byte, height uint64) {
	value = bytes.Clone(value)
	c.mu.Lock()
	defer c.mu.Unlock()
	if height == c.head {
		c.values.put(string(key), current{height, value}, len(value), c.half)
	}
}

// node returns a tree node, if it is here. The caller must not change it.
func (c *cache) node(key []byte) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes.get(key, nodeSize, c.half)
}

// readNode notes a tree node that was read; a node never changes.
func (c *cache) readNode(key, value []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes.put(string(key), value, len(value), c.half)
}

// committed takes in what a block wrote, before the block is the head. It keeps
// the values.
func (c *cache) committed(height uint64, writes, nodes []merkle.KV, stale [][]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.head = height
	for _, w := range writes {
		c.values.put(string(w.Key), current{height, w.Value}, len(w.Value), c.half)
	}
	for _, n := range nodes {
		c.nodes.put(string(n.Key), n.Value, len(n.Value), c.half)
	}
	for _, k := range stale {
		c.nodes.remove(string(k))
	}
}

// drop forgets everything, for good.
func (c *cache) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.head, c.half = math.MaxUint64, 0
	c.values, c.nodes = generation[current]{young: map[string]current{}}, generation[[]byte]{young: map[string][]byte{}}
}
