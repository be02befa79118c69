// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/merkle"
)

// TestTheCacheSaysWhatAMapPerHeightWould commits, reads late and forgets at
// random: what the cache answers is what stood at that height.
func TestTheCacheSaysWhatAMapPerHeightWould(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := newCache(rapid.IntRange(0, 2_000).Draw(rt, "half"))
		states := []map[string]string{{}}
		c.committed(0, nil, nil, nil)
		key := func() string { return fmt.Sprint("key ", rapid.IntRange(0, 9).Draw(rt, "key")) }
		height := func() int { return rapid.IntRange(0, len(states)-1).Draw(rt, "height") }
		want := func(k string, h int) []byte {
			if v, ok := states[h][k]; ok {
				return []byte(v)
			}
			return nil
		}
		rt.Repeat(map[string]func(*rapid.T){
			"commit": func(*rapid.T) {
				next := map[string]string{}
				for k, v := range states[len(states)-1] {
					next[k] = v
				}
				var writes []merkle.KV
				for range rapid.IntRange(0, 4).Draw(rt, "writes") {
					k := key()
					if rapid.Bool().Draw(rt, "delete") {
						delete(next, k)
						writes = append(writes, merkle.KV{Key: []byte(k)})
						continue
					}
					next[k] = fmt.Sprint("value ", len(states), k)
					writes = append(writes, merkle.KV{Key: []byte(k), Value: []byte(next[k])})
				}
				c.committed(uint64(len(states)), writes, nil, nil)
				states = append(states, next)
			},
			"note a read": func(*rapid.T) {
				k, h := key(), height()
				c.read([]byte(k), want(k, h), uint64(h)) // a late one is of an old height
			},
			"": func(*rapid.T) {
				k, h := key(), height()
				got, ok := c.value([]byte(k), uint64(h))
				if w := want(k, h); ok && (string(got) != string(w) || (got == nil) != (w == nil)) {
					rt.Fatalf("%s at height %d: %q, want %q", k, h, got, w)
				}
			},
		})
	})
}

func TestTheCacheIsBounded(t *testing.T) {
	c := newCache(10_000)
	c.committed(0, nil, nil, nil)
	for i := range 5_000 {
		k := fmt.Appendf(nil, "key %d", i)
		c.read(k, make([]byte, 50), 0)
		c.readNode(k, make([]byte, 50))
	}
	if n := len(c.values.young) + len(c.values.old); n > 200 {
		t.Errorf("%d values", n)
	}
	if n := len(c.nodes.young) + len(c.nodes.old); n > 200 {
		t.Errorf("%d nodes", n)
	}
	if _, ok := c.node([]byte("key 4999")); !ok {
		t.Error("the newest node is gone")
	}
	c.committed(1, nil, nil, [][]byte{[]byte("key 4999")})
	if _, ok := c.node([]byte("key 4999")); ok {
		t.Error("a stale node stays")
	}
}
