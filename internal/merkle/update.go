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

// result is what became of a subtree: the same as before; a leaf that is not
// stored yet, because its place depends on whether it is alone; or a stored
// inner node or nothing (child.ok false).
type result struct {
	same  bool
	leaf  *leaf
	child child
}

// apply writes ops, sorted and all below the subtree c at depth, and returns
// what became of it. Precondition: len(ops) > 0.
func (u *updater) apply(c child, depth int, ops []op) (result, error) {
	switch {
	case !c.ok:
		return u.build(depth, ops)
	case c.leaf:
		return u.applyLeaf(c, depth, ops)
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
		return result{leaf: first}, nil
	}
	// Two different key hashes part before the last nibble.
	var node inner
	return u.descend(&node, depth, ops)
}

// applyLeaf merges the stored leaf c into the ops.
func (u *updater) applyLeaf(c child, depth int, ops []op) (result, error) {
	path := ops[0].key
	l, err := u.readLeaf(c, depth, path)
	if err != nil {
		return result{}, err
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
	u.stale = append(u.stale, nodeKey(c.version, depth, path))
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
	var loose [16]*leaf // changed leaves that are not stored yet
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
			changed, n[x], loose[x] = true, res.child, res.leaf
		}
		ops = ops[k:]
	}
	if !changed {
		return result{same: true}, nil
	}
	return u.finish(n, loose, depth, path)
}

// finish stores a changed inner node. If nothing is below, it vanishes; if one
// leaf is below, that leaf is lifted into the place of the node, because the
// tree must be the same as if the others had never been there (STA-03).
func (u *updater) finish(n *inner, loose [16]*leaf, depth int, path [32]byte) (result, error) {
	count, last := 0, 0
	for x := range n {
		if n[x].ok || loose[x] != nil {
			count, last = count+1, x
		}
	}
	switch {
	case count == 0:
		return result{}, nil
	case count == 1 && loose[last] != nil:
		return result{leaf: loose[last]}, nil
	case count == 1 && n[last].leaf:
		at := withNibble(path, depth, last)
		l, err := u.readLeaf(n[last], depth+1, at)
		if err != nil {
			return result{}, err
		}
		u.stale = append(u.stale, nodeKey(n[last].version, depth+1, at))
		return result{leaf: &l}, nil
	}
	for x, l := range loose {
		if l != nil {
			n[x] = u.writeLeaf(*l, depth+1)
		}
	}
	h, _, _ := fold(n[:])
	u.nodes = append(u.nodes, KV{Key: nodeKey(u.version, depth, path), Value: n.encode()})
	return result{child: child{ok: true, version: u.version, hash: h}}, nil
}

func (u *updater) writeLeaf(l leaf, depth int) child {
	u.nodes = append(u.nodes, KV{Key: nodeKey(u.version, depth, l.key), Value: l.encode()})
	return child{ok: true, leaf: true, version: u.version, hash: hashStateLeaf(l)}
}

func (u *updater) readLeaf(c child, depth int, path [32]byte) (leaf, error) {
	return readLeaf(u.r, c, depth, path)
}

// readLeaf reads the leaf that c refers to and checks its hash.
func readLeaf(r NodeReader, c child, depth int, path [32]byte) (leaf, error) {
	key := nodeKey(c.version, depth, path)
	b, err := r.Node(key)
	if err != nil {
		return leaf{}, fmt.Errorf("read tree leaf %x: %w", key, err)
	}
	l, err := decodeLeaf(b)
	if err != nil || hashStateLeaf(l) != c.hash {
		return leaf{}, fmt.Errorf("tree leaf %x: %w", key, ErrNode)
	}
	return l, nil
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
