// SPDX-License-Identifier: Apache-2.0

package merkle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// memNodes is node storage for tests.
type memNodes map[string][]byte

var errMissing = errors.New("node is missing")

func (m memNodes) Node(key []byte) ([]byte, error) {
	v, ok := m[string(key)]
	if !ok {
		return nil, fmt.Errorf("%x: %w", key, errMissing)
	}
	return v, nil
}

// tree is a state tree with its nodes, pruned at once.
type tree struct {
	nodes memNodes
	root  StateRoot
	next  uint64
}

func newTree() *tree { return &tree{nodes: memNodes{}, next: 1} }

// update applies writes, stores the nodes and removes the stale ones. It fails
// if a stale node was not stored or a new node was stored before.
func (tr *tree) update(t testing.TB, writes ...KV) {
	t.Helper()
	root, nodes, stale, err := Update(tr.nodes, tr.root, tr.next, writes)
	if err != nil {
		t.Fatalf("update %d: %v", tr.next, err)
	}
	for _, n := range nodes {
		if _, ok := tr.nodes[string(n.Key)]; ok {
			t.Fatalf("node %x written twice", n.Key)
		}
		tr.nodes[string(n.Key)] = n.Value
	}
	for _, k := range stale {
		if _, ok := tr.nodes[string(k)]; !ok {
			t.Fatalf("stale node %x was not stored", k)
		}
		delete(tr.nodes, string(k))
	}
	tr.root, tr.next = root, tr.next+1
}

// reachable returns the keys of all nodes below the root, sorted.
func (tr *tree) reachable(t testing.TB) []string {
	t.Helper()
	var keys []string
	var visit func(c child, depth int, path [32]byte)
	visit = func(c child, depth int, path [32]byte) {
		if !c.ok {
			return
		}
		if !c.leaf || depth == 0 {
			keys = append(keys, string(nodeKey(c.version, depth, path)))
		}
		if c.leaf {
			return
		}
		n, err := readInner(tr.nodes, c, depth, path)
		if err != nil {
			t.Fatal(err)
		}
		for x := range n {
			visit(n[x], depth+1, withNibble(path, depth, x))
		}
	}
	top, err := tr.root.top(tr.nodes)
	if err != nil {
		t.Fatal(err)
	}
	top.version = tr.root.Version
	visit(top, 0, [32]byte{})
	slices.Sort(keys)
	return keys
}

// withNibble returns path with nibble number depth set to x.
func withNibble(path [32]byte, depth, x int) [32]byte {
	if depth&1 == 0 {
		path[depth/2] = path[depth/2]&0x0f | byte(x)<<4
	} else {
		path[depth/2] = path[depth/2]&0xf0 | byte(x)
	}
	return path
}

// naiveRoot is STA-02 word for word.
func naiveRoot(state map[string]string) [32]byte {
	var set []leaf
	for k, v := range state {
		set = append(set, leaf{key: sha256.Sum256([]byte(k)), value: sha256.Sum256([]byte(v))})
	}
	return naiveR(set, 0)
}

func naiveR(set []leaf, d int) [32]byte {
	switch len(set) {
	case 0:
		return [32]byte{}
	case 1:
		return sha256.Sum256(slices.Concat([]byte{0}, set[0].key[:], set[0].value[:]))
	}
	var half [2][]leaf
	for _, l := range set {
		b := l.key[d/8] >> (7 - d%8) & 1
		half[b] = append(half[b], l)
	}
	l, r := naiveR(half[0], d+1), naiveR(half[1], d+1)
	return sha256.Sum256(slices.Concat([]byte{1}, l[:], r[:]))
}

func kv(k, v string) KV { return KV{Key: []byte(k), Value: []byte(v)} }

func TestSTA02TheRootsOfTheDesignAreReproduced(t *testing.T) {
	for _, c := range []struct {
		state map[string]string
		root  string
	}{
		{map[string]string{}, "0000000000000000000000000000000000000000000000000000000000000000"},
		{map[string]string{"a": "1"}, "565388d4bc00257133f799d9366ac97f6e949c18acc53d17457f8859ba0f08d3"},
		{map[string]string{"a": "1", "b": "2", "c": "3"}, "8e2a164a410203f51300d7c6645b7a37f549768457be109acc126c63573a9e0a"},
	} {
		tr := newTree()
		for _, k := range slices.Sorted(maps.Keys(c.state)) {
			tr.update(t, kv(k, c.state[k]))
		}
		if got := hex.EncodeToString(tr.root.Hash[:]); got != c.root {
			t.Errorf("tree root of %v is %s, want %s", c.state, got, c.root)
		}
		if got := naiveRoot(c.state); hex.EncodeToString(got[:]) != c.root {
			t.Errorf("naive root of %v is %x, want %s", c.state, got, c.root)
		}
	}
}

// closeKeys are keys whose hashes agree on many leading bits, so that small
// trees are deep: all pairs among 40,000 that share at least 24 bits.
var closeKeys = func() []string {
	byPrefix := map[[3]byte][]string{}
	for i := range 40_000 {
		k := fmt.Sprint("key", i)
		h := sha256.Sum256([]byte(k))
		byPrefix[[3]byte(h[:3])] = append(byPrefix[[3]byte(h[:3])], k)
	}
	var out []string
	for _, ks := range byPrefix {
		if len(ks) > 1 {
			out = append(out, ks...)
		}
	}
	slices.Sort(out)
	return out
}()

// drawWrites draws a write set for the state and applies it to the model.
func drawWrites(rt *rapid.T, state map[string]string) []KV {
	keys := rapid.SliceOfNDistinct(rapid.OneOf(rapid.SampledFrom(closeKeys), rapid.StringN(1, 3, 8)),
		0, 24, rapid.ID[string]).Draw(rt, "keys")
	have := slices.Sorted(maps.Keys(state))
	var out []KV
	for _, k := range keys {
		if len(have) > 0 && rapid.Bool().Draw(rt, "touch an existing key") {
			k = rapid.SampledFrom(have).Draw(rt, "existing key")
		}
		if slices.ContainsFunc(out, func(w KV) bool { return string(w.Key) == k }) {
			continue
		}
		if rapid.IntRange(0, 2).Draw(rt, "delete") == 0 {
			out = append(out, KV{Key: []byte(k)})
			delete(state, k)
			continue
		}
		v := rapid.StringN(1, 2, 4).Draw(rt, "value")
		out = append(out, kv(k, v))
		state[k] = v
	}
	return out
}

func TestSTA02TheRootIsThatOfTheNaiveTreeAndNoNodeIsLeftBehind(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		state := map[string]string{}
		tr := newTree()
		for range rapid.IntRange(1, 12).Draw(rt, "updates") {
			tr.update(t, drawWrites(rt, state)...)
			if want := naiveRoot(state); tr.root.Hash != want {
				rt.Fatalf("root %x, want %x", tr.root.Hash, want)
			}
			if tr.root.Empty() != (len(state) == 0) {
				rt.Fatalf("Empty is %v with %d keys", tr.root.Empty(), len(state))
			}
		}
		if got, want := slices.Sorted(maps.Keys(tr.nodes)), tr.reachable(t); !slices.Equal(got, want) {
			rt.Fatalf("stored and not stale %d nodes, reachable %d", len(got), len(want))
		}
	})
}

func TestSTA02TheRootForgetsTheHistory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		state := map[string]string{}
		a := newTree()
		for range rapid.IntRange(1, 8).Draw(rt, "updates") {
			a.update(t, drawWrites(rt, state)...)
		}
		// b gets the final state in one write set, in another order.
		b := newTree()
		var all []KV
		for _, k := range rapid.Permutation(slices.Sorted(maps.Keys(state))).Draw(rt, "order") {
			all = append(all, kv(k, state[k]))
		}
		b.update(t, all...)
		if a.root.Hash != b.root.Hash {
			rt.Fatalf("roots %x and %x of equal states", a.root.Hash, b.root.Hash)
		}
		// Removing everything gives the empty tree and no nodes.
		for _, w := range all {
			a.update(t, KV{Key: w.Key})
		}
		if !a.root.Empty() || len(a.nodes) != 0 {
			rt.Fatalf("after all deletes root %x, %d nodes", a.root.Hash, len(a.nodes))
		}
	})
}

func TestUpdatesThatChangeNothingWriteNothing(t *testing.T) {
	tr := newTree()
	tr.update(t, kv("a", "1"), kv("b", "2"), kv("c", "3"))
	one := newTree()
	one.update(t, kv("a", "1"))
	for _, c := range []struct {
		name   string
		tree   *tree
		writes []KV
	}{
		{"an empty write set", tr, nil},
		{"the values that are there", tr, []KV{kv("a", "1"), kv("c", "3")}},
		{"a delete of an absent key", tr, []KV{{Key: []byte("nobody")}}},
		{"a delete of an absent key beside a lone leaf", one, []KV{{Key: []byte("nobody")}, {Key: []byte("x")}}},
		{"a delete in the empty tree", newTree(), []KV{{Key: []byte("nobody")}}},
	} {
		root, nodes, stale, err := Update(c.tree.nodes, c.tree.root, 99, c.writes)
		if err != nil || root != c.tree.root || len(nodes) != 0 || len(stale) != 0 {
			t.Errorf("%s: root %v, %d nodes, %d stale, error %v", c.name, root, len(nodes), len(stale), err)
		}
	}
}

func TestUpdateRefusesBadWriteSets(t *testing.T) {
	tr := newTree()
	tr.update(t, kv("a", "1"))
	long := bytes.Repeat([]byte{1}, MaxValue+1)
	for _, c := range []struct {
		name    string
		version uint64
		writes  []KV
		want    error
	}{
		{"an empty key", 9, []KV{kv("", "1")}, ErrSize},
		{"a key of 129 bytes", 9, []KV{{Key: long[:MaxKey+1], Value: []byte{1}}}, ErrSize},
		{"an empty value", 9, []KV{kv("k", "")}, ErrSize},
		{"a value above 64 KiB", 9, []KV{{Key: []byte("k"), Value: long}}, ErrSize},
		{"one key twice", 9, []KV{kv("k", "1"), kv("j", "1"), kv("k", "2")}, ErrDuplicate},
		{"the version of the old tree", 1, []KV{kv("k", "1")}, ErrVersion},
	} {
		if _, _, _, err := Update(tr.nodes, tr.root, c.version, c.writes); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// TestTwoLeavesThatPartAtTheLastBitAreFoundAgain builds the deepest tree there
// can be: 64 inner nodes in a row, then two leaves.
func TestTwoLeavesThatPartAtTheLastBitAreFoundAgain(t *testing.T) {
	var a, b leaf
	b.key[31] = 1
	a.value[0], b.value[0] = 1, 2
	nodes := memNodes{}
	u := updater{r: nodes, version: 1}
	res, err := u.apply(child{}, 0, []op{{leaf: a}, {leaf: b}})
	if err != nil || len(u.nodes) != 64 || res.child.hash != naiveR([]leaf{a, b}, 0) {
		t.Fatalf("%d nodes, root %x, error %v", len(u.nodes), res.child.hash, err)
	}
	top := u.root(res.child)
	for _, n := range u.nodes {
		nodes[string(n.Key)] = n.Value
	}
	w := walk{r: nodes, key: b.key, limit: noLimit}
	if err := w.run(top); err != nil || len(w.siblings) != 256 || w.end == nil || w.end.ValueHash != b.value {
		t.Fatalf("%d siblings, end %v, error %v", len(w.siblings), w.end, err)
	}
	if n := len(w.bitmap()); n != 33 {
		t.Fatalf("bitmap of %d bytes", n)
	}
	// Deleting one lifts the other all the way to the root.
	u = updater{r: nodes, version: 2}
	res, err = u.apply(res.child, 0, []op{{leaf: leaf{key: a.key}, del: true}})
	if err != nil || !res.child.leaf || res.child.of != b || len(u.stale) != 64 || len(u.nodes) != 0 {
		t.Fatalf("left %v, %d stale, %d new, error %v", res.child, len(u.stale), len(u.nodes), err)
	}
}

func TestDamagedAndMissingNodesEndAnUpdateWithAnError(t *testing.T) {
	tr := newTree()
	for i := range 300 {
		tr.update(t, kv(fmt.Sprint("k", i), "v"))
	}
	var writes []KV
	for i := range 300 {
		writes = append(writes, kv(fmt.Sprint("k", i), "w"))
	}
	for _, k := range tr.reachable(t) {
		v := tr.nodes[k]
		for name, bad := range map[string][]byte{
			"missing": nil, "empty": {}, "cut": v[:len(v)-1], "longer": append(slices.Clone(v), 0),
			"masks": append([]byte{0, 0, 0xff}, v[3:]...),
		} {
			tr.nodes[k] = bad
			want := ErrNode
			if bad == nil {
				delete(tr.nodes, k)
				want = errMissing
			}
			if _, _, _, err := Update(tr.nodes, tr.root, tr.next, writes); !errors.Is(err, want) {
				t.Errorf("node %x %s: %v, want %v", k, name, err, want)
			}
		}
		tr.nodes[k] = v
	}
}

func FuzzDecodeInner(f *testing.F) {
	f.Add([]byte{})
	n := inner{2: {ok: true, version: 300, hash: [32]byte{1}}, 9: leaf{key: [32]byte{2}}.child()}
	f.Add(n.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := decodeInner(b)
		if err != nil {
			if !errors.Is(err, ErrNode) {
				t.Fatalf("error without a class: %v", err)
			}
			return
		}
		if again := n.encode(); !bytes.Equal(again, b) {
			t.Fatalf("%x decodes and encodes to %x", b, again)
		}
	})
}
