// SPDX-License-Identifier: Apache-2.0

package merkle

import (
	"bytes"
	"fmt"
)

// updater collects what one Update reads, writes and makes stale.
type updater struct {
	r       NodeReader
	version uint64
	nodes   []KV
	stale   [][]byte
}

// result is what became of a subtree: the same as before, or a leaf, a stored
// inner node or nothing (child.ok false). A leaf is stored with its parent.
type result struct {
	same  bool
	child child
}

// apply writes ops, sorted and all below the subtree c at depth, and returns
// what became of it. Precondition: len(ops) > 0.
func (u *updater) apply(c child, depth int, ops []op) (result, error) {
	switch {
	case !c.ok:
		return u.build(depth, ops)
	case c.leaf:
		return u.applyLeaf(c.of, depth, ops)
	default:
		return u.applyInner(c, depth, ops)
	}
}

// build makes a subtree of the ops alone.
func (u *updater) build(depth int, ops []op) (result, error) {
	var first *leaf
	n := 0
	for i := range ops {
		if !ops[i].del {
			if n == 0 {
				first = &ops[i].leaf
			}
			n++
		}
	}
	switch n {
	case 0:
		return result{same: true}, nil
	case 1:
		return result{child: first.child()}, nil
	}
	// Two different key hashes part before the last nibble.
	var node inner
	return u.descend(&node, depth, ops)
}

// applyLeaf merges the leaf l into the ops.
func (u *updater) applyLeaf(l leaf, depth int, ops []op) (result, error) {
	if len(ops) == 1 && !ops[0].del && ops[0].key == l.key {
		return result{same: ops[0].value == l.value, child: ops[0].child()}, nil
	}
	merged := make([]op, 0, len(ops)+1)
	inserted, kept, placed := 0, true, false
	for _, o := range ops {
		switch cmp := bytes.Compare(o.key[:], l.key[:]); {
		case cmp == 0:
			placed, kept = true, o.leaf == l
		case cmp > 0 && !placed:
			placed = true
			merged = append(merged, op{leaf: l})
		}
		if !o.del && o.key != l.key {
			inserted++
		}
		merged = append(merged, o)
	}
	if !placed {
		merged = append(merged, op{leaf: l})
	}
	if inserted == 0 && kept {
		return result{same: true}, nil
	}
	res, err := u.build(depth, merged)
	res.same = false // a deleted leaf leaves nothing, which is a change
	return res, err
}

// applyInner rewrites the stored inner node c if any of its children changes.
func (u *updater) applyInner(c child, depth int, ops []op) (result, error) {
	path := ops[0].key
	n, err := readInner(u.r, c, depth, path)
	if err != nil {
		return result{}, err
	}
	res, err := u.descend(n, depth, ops)
	if err == nil && !res.same {
		u.stale = append(u.stale, nodeKey(c.version, depth, path))
	}
	return res, err
}

// descend applies the ops to the children of n and stores what becomes of n.
func (u *updater) descend(n *inner, depth int, ops []op) (result, error) {
	path := ops[0].key
	changed := false
	for len(ops) > 0 {
		x, k := nibble(ops[0].key, depth), 1
		for k < len(ops) && nibble(ops[k].key, depth) == x {
			k++
		}
		res, err := u.apply(n[x], depth+1, ops[:k])
		if err != nil {
			return result{}, err
		}
		if !res.same {
			changed, n[x] = true, res.child
		}
		ops = ops[k:]
	}
	if !changed {
		return result{same: true}, nil
	}
	return u.finish(n, depth, path), nil
}

// finish stores a changed inner node. If nothing is below, it vanishes; if one
// leaf is below, that leaf is lifted into the place of the node, because the
// tree must be the same as if the others had never been there (STA-03).
func (u *updater) finish(n *inner, depth int, path [32]byte) result {
	count, last := 0, 0
	for x := range n {
		if n[x].ok {
			count, last = count+1, x
		}
	}
	if count == 0 || count == 1 && n[last].leaf {
		return result{child: n[last]}
	}
	h, _, _ := fold(n[:])
	u.nodes = append(u.nodes, KV{Key: nodeKey(u.version, depth, path), Value: n.encode()})
	return result{child: child{ok: true, version: u.version, hash: h}}
}

// top reads what stands at the root, and root stores it there. A leaf that is the
// whole tree has a record of its own at depth 0.
func (r StateRoot) top(nodes NodeReader) (child, error) {
	c := child{ok: !r.Empty(), leaf: r.Leaf, version: r.Version, hash: r.Hash}
	if !c.leaf {
		return c, nil
	}
	key := nodeKey(c.version, 0, [32]byte{})
	b, err := nodes.Node(key)
	if err != nil {
		return child{}, fmt.Errorf("read tree leaf %x: %w", key, err)
	}
	c.of, err = decodeLeaf(b)
	if err != nil || hashStateLeaf(c.of) != c.hash {
		return child{}, fmt.Errorf("tree leaf %x: %w", key, ErrNode)
	}
	return c, nil
}

func (u *updater) root(c child) StateRoot {
	if !c.ok {
		return StateRoot{}
	}
	if c.leaf {
		u.nodes = append(u.nodes, KV{Key: nodeKey(u.version, 0, c.of.key), Value: c.of.encode()})
	}
	return StateRoot{Version: u.version, Hash: c.hash, Leaf: c.leaf}
}

// readInner reads the inner node that c refers to. Its hash is not recomputed
// here: that would double the cost of an update. Verifying a proof does it.
func readInner(r NodeReader, c child, depth int, path [32]byte) (*inner, error) {
	key := nodeKey(c.version, depth, path)
	if depth >= maxDepth {
		return nil, fmt.Errorf("inner node %x below the last nibble: %w", key, ErrNode)
	}
	b, err := r.Node(key)
	if err != nil {
		return nil, fmt.Errorf("read tree node %x: %w", key, err)
	}
	n, err := decodeInner(b)
	if err != nil {
		return nil, fmt.Errorf("tree node %x: %w", key, err)
	}
	return n, nil
}
