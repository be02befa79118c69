// SPDX-License-Identifier: Apache-2.0

package merkle

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// subtreesOf cuts entries into the subtrees of a depth, each sorted by hash.
func subtreesOf(entries []KV, depth uint64) [][]KV {
	out := make([][]KV, Count(depth))
	for _, kv := range entries {
		l := kvLeaf(kv)
		i := PrefixOf(l.key, depth).Index
		out[i] = append(out[i], kv)
	}
	for _, s := range out {
		SortByHash(s)
	}
	return out
}

func kvLeaf(kv KV) leaf {
	ops, err := toOps([]KV{kv})
	if err != nil {
		panic(err)
	}
	return ops[0].leaf
}

func someEntries(n int) (out []KV) {
	for i := range n {
		out = append(out, KV{Key: fmt.Appendf(nil, "key %d", i), Value: fmt.Appendf(nil, "value %d", i)})
	}
	return out
}

// build makes the tree of entries by Update.
func build(t testing.TB, entries []KV) (mapNodes, StateRoot) {
	t.Helper()
	root, nodes, _, err := Update(mapNodes{}, StateRoot{}, 7, entries)
	if err != nil {
		t.Fatal(err)
	}
	m := mapNodes{}
	for _, kv := range nodes {
		m[string(kv.Key)] = kv.Value
	}
	return m, root
}

type mapNodes map[string][]byte

func (m mapNodes) Node(key []byte) ([]byte, error) {
	if v, ok := m[string(key)]; ok {
		return v, nil
	}
	return nil, errors.New("no such node")
}

func TestSTA09EverySubtreeIsProvedAlone(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 5, 17, 40, 300} {
		entries := someEntries(n)
		nodes, root := build(t, entries)
		for depth := range uint64(4) {
			for i, list := range subtreesOf(entries, depth) {
				prefix := Prefix{Depth: depth, Index: uint64(i)}
				p, err := ProveSubtree(nodes, root, prefix)
				if err != nil {
					t.Fatal(err)
				}
				if err := p.Verify(root.Hash, prefix, list); err != nil {
					t.Fatalf("%d keys, subtree %v with %d: %v", n, prefix, len(list), err)
				}
			}
		}
	}
}

// TestSTA09BuilderMakesTheTreeOfUpdate compares the stored nodes key by key, so
// that a tree out of a snapshot goes on as if it had grown here.
func TestSTA09BuilderMakesTheTreeOfUpdate(t *testing.T) {
	for _, n := range []int{0, 1, 2, 5, 17, 300} {
		entries := someEntries(n)
		nodes, root := build(t, entries)
		for depth := range uint64(4) {
			b, got := NewBuilder(7, depth), mapNodes{}
			keep := func(list []KV, err error) {
				if err != nil {
					t.Fatal(err)
				}
				for _, kv := range list {
					got[string(kv.Key)] = kv.Value
				}
			}
			for _, list := range subtreesOf(entries, depth) {
				keep(b.Add(list))
			}
			again, last, err := b.Root()
			keep(last, err)
			if again != root || len(got) != len(nodes) {
				t.Fatalf("%d keys, depth %d: root %x of %d nodes, want %x of %d", n, depth, again.Hash, len(got), root.Hash, len(nodes))
			}
			for k, v := range nodes {
				if !bytes.Equal(got[k], v) {
					t.Fatalf("%d keys, depth %d: node %x differs", n, depth, k)
				}
			}
		}
	}
}

func TestSTA09BuilderRefuses(t *testing.T) {
	lists := subtreesOf(someEntries(40), 1)
	b := NewBuilder(1, 1)
	if _, _, err := b.Root(); !errors.Is(err, ErrShape) {
		t.Errorf("no subtree yet: %v", err)
	}
	if _, err := b.Add(lists[1]); !errors.Is(err, ErrShape) {
		t.Errorf("the second subtree first: %v", err)
	}
	if _, err := b.Add([]KV{lists[0][0], lists[0][0]}); !errors.Is(err, ErrDuplicate) {
		t.Errorf("a key twice: %v", err)
	}
	for _, l := range lists {
		if _, err := b.Add(l); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Add(nil); !errors.Is(err, ErrIndex) {
		t.Errorf("a seventeenth subtree: %v", err)
	}
}

// TestSTA09LiesAboutASubtreeFail changes one thing of a true statement at a time.
func TestSTA09LiesAboutASubtreeFail(t *testing.T) {
	entries := someEntries(40)
	nodes, root := build(t, entries)
	lists := subtreesOf(entries, 2)
	full := slices.IndexFunc(lists, func(l []KV) bool { return len(l) == 2 })
	lone := slices.IndexFunc(lists, func(l []KV) bool { return len(l) == 1 })
	none := slices.IndexFunc(lists, func(l []KV) bool { return len(l) == 0 })
	prove := func(i int) (SubtreeProof, Prefix, []KV) {
		prefix := Prefix{Depth: 2, Index: uint64(i)}
		p, err := ProveSubtree(nodes, root, prefix)
		if err != nil || p.Verify(root.Hash, prefix, lists[i]) != nil {
			t.Fatalf("subtree %d: %v", i, err)
		}
		return p, prefix, slices.Clone(lists[i])
	}
	// What is well formed and false; all else is wrong on its face.
	others := map[string]error{"an entry left out": ErrShape, "every entry left out": ErrShape, "a value changed": ErrRoot, "an empty value": ErrSize,
		"a place that is none": ErrIndex, "a depth that is none": ErrIndex, "a sibling changed": ErrRoot}
	other := KV{Key: []byte("x"), Value: []byte("y")}
	for _, c := range []struct {
		name string
		on   int
		lie  func(p *SubtreeProof, at *Prefix, list *[]KV)
	}{
		{"an entry left out", full, func(_ *SubtreeProof, _ *Prefix, l *[]KV) { *l = (*l)[1:] }},
		{"every entry left out", full, func(_ *SubtreeProof, _ *Prefix, l *[]KV) { *l = nil }},
		{"a value changed", full, func(_ *SubtreeProof, _ *Prefix, l *[]KV) { (*l)[0].Value = []byte("lie") }},
		{"two entries swapped", full, func(_ *SubtreeProof, _ *Prefix, l *[]KV) { slices.Reverse(*l) }},
		{"an entry twice", full, func(_ *SubtreeProof, _ *Prefix, l *[]KV) { *l = append((*l)[:1:1], *l...) }},
		{"an empty value", full, func(_ *SubtreeProof, _ *Prefix, l *[]KV) { (*l)[0].Value = nil }},
		{"another subtree's place", full, func(_ *SubtreeProof, at *Prefix, _ *[]KV) { at.Index ^= 1 }},
		{"another depth", full, func(_ *SubtreeProof, at *Prefix, _ *[]KV) { at.Depth, at.Index = 1, at.Index>>4 }},
		{"a place that is none", full, func(_ *SubtreeProof, at *Prefix, _ *[]KV) { at.Index = 256 }},
		{"a depth that is none", full, func(_ *SubtreeProof, at *Prefix, _ *[]KV) { at.Depth = MaxPrefix + 1 }},
		{"an entry of another subtree", none, func(_ *SubtreeProof, _ *Prefix, l *[]KV) { *l = append(*l, other) }},
		{"a sibling changed", full, func(p *SubtreeProof, _ *Prefix, _ *[]KV) { p.Siblings[0][0] ^= 1 }},
		{"a sibling left out", full, func(p *SubtreeProof, _ *Prefix, _ *[]KV) { p.Siblings = p.Siblings[1:] }},
		{"no bitmap", full, func(p *SubtreeProof, _ *Prefix, _ *[]KV) { p.Bitmap = nil }},
		{"a terminal beside entries", full, func(p *SubtreeProof, _ *Prefix, _ *[]KV) { p.Terminal = &Terminal{} }},
		{"a lone leaf below its place", lone, func(p *SubtreeProof, _ *Prefix, _ *[]KV) { deepen(p) }},
		{"an empty slot below its own", none, func(p *SubtreeProof, _ *Prefix, _ *[]KV) { deepen(p) }},
		{"a stranger's leaf from elsewhere", none, func(p *SubtreeProof, at *Prefix, _ *[]KV) {
			far := at.path()
			far[0] ^= 0x80
			p.Terminal = &Terminal{KeyHash: far}
		}},
		{"the lone leaf as a stranger's", lone, func(p *SubtreeProof, _ *Prefix, l *[]KV) {
			x := kvLeaf((*l)[0])
			p.Terminal, *l = &Terminal{KeyHash: x.key, ValueHash: x.value}, nil
		}},
	} {
		p, at, list := prove(c.on)
		c.lie(&p, &at, &list)
		want := ErrShape
		if w, ok := others[c.name]; ok {
			want = w
		}
		if err := p.Verify(root.Hash, at, list); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", c.name, err, want)
		}
	}
}

// deepen moves the start of a path one level down, beside nothing.
func deepen(p *SubtreeProof) {
	var out []byte
	carry := byte(0)
	for _, b := range p.Bitmap {
		out = append(out, b<<1|carry)
		carry = b >> 7
	}
	if carry != 0 {
		out = append(out, carry)
	}
	p.Bitmap = out
}

func TestSTA09RandomTreesAreCutAndJoined(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, 60).Draw(rt, "keys")
		depth := rapid.Uint64Range(0, 3).Draw(rt, "depth")
		entries := someEntries(n)
		nodes, root := build(t, entries)
		b := NewBuilder(7, depth)
		lists := subtreesOf(entries, depth)
		for i, list := range lists {
			prefix := Prefix{Depth: depth, Index: uint64(i)}
			p, err := ProveSubtree(nodes, root, prefix)
			if err == nil {
				err = p.Verify(root.Hash, prefix, list)
			}
			if err == nil {
				_, err = b.Add(list)
			}
			if err != nil {
				rt.Fatal(err)
			}
		}
		if got, _, err := b.Root(); err != nil || got != root {
			rt.Fatalf("%v %v", got, err)
		}
	})
}
