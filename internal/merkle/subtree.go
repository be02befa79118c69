// SPDX-License-Identifier: Apache-2.0

package merkle

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
)

// MaxPrefix is the greatest depth of a Prefix in nibbles.
const MaxPrefix = 6

// Prefix names a subtree of the state tree: all keys whose hash starts with the
// same Depth nibbles. Index is those nibbles as a number, first nibble highest,
// so the 16^Depth subtrees of one depth are numbered from left to right.
type Prefix struct {
	_     struct{} `cbor:",toarray"`
	Depth uint64
	Index uint64
}

// Count returns the number of subtrees of a depth, 16^depth. Precondition: depth
// ≤ MaxPrefix.
func Count(depth uint64) uint64 { return 1 << (4 * depth) }

// Check reports whether there is such a subtree. Errors: ErrIndex.
func (p Prefix) Check() error {
	if p.Depth > MaxPrefix || p.Index >= Count(p.Depth) {
		return fmt.Errorf("subtree %d at depth %d: %w", p.Index, p.Depth, ErrIndex)
	}
	return nil
}

// PrefixOf returns the subtree of a depth in which a key lies. Precondition:
// depth ≤ MaxPrefix.
func PrefixOf(keyHash [32]byte, depth uint64) Prefix {
	return Prefix{Depth: depth, Index: uint64(binary.BigEndian.Uint32(keyHash[:])) >> (32 - 4*depth)}
}

// path returns the key hash that starts with the prefix and ends with zeros.
func (p Prefix) path() (path [32]byte) {
	binary.BigEndian.PutUint32(path[:], uint32(p.Index<<(32-4*p.Depth)))
	return path
}

// SubtreeProof shows that a list of keys with their values is the whole content
// of one subtree under a state root. Spec: STA-09.
//
// The path starts at the subtree's top, 4·Depth levels below the root; if the
// subtree has one key or none, at its terminal, which may stand higher. Terminal
// is null, or the leaf of another subtree that stands where an empty one would
// be. Bitmap and Siblings are those of StateProof.
type SubtreeProof struct {
	_        struct{} `cbor:",toarray"`
	Terminal *Terminal
	Bitmap   []byte
	Siblings [][32]byte
}

// ProveSubtree makes the proof of a subtree under root. Cost: Depth node reads.
// Errors: ErrIndex, ErrNode, errors of r.
func ProveSubtree(r NodeReader, root StateRoot, p Prefix) (SubtreeProof, error) {
	if err := p.Check(); err != nil {
		return SubtreeProof{}, err
	}
	w := walk{r: r, key: p.path(), limit: int(p.Depth)}
	if err := w.run(root); err != nil {
		return SubtreeProof{}, err
	}
	out := SubtreeProof{Bitmap: w.bitmap(), Siblings: w.listed()}
	if w.end != nil && PrefixOf(w.end.KeyHash, p.Depth) != p {
		out.Terminal = w.end
	}
	return out, nil
}

// SortByHash orders entries as a subtree lists them: ascending by SHA-256 of the
// key. Cost: one hash per entry.
func SortByHash(entries []KV) {
	type hashed struct {
		hash [32]byte
		kv   KV
	}
	list := make([]hashed, len(entries))
	for i, kv := range entries {
		list[i] = hashed{sha256.Sum256(kv.Key), kv}
	}
	slices.SortFunc(list, func(a, b hashed) int { return bytes.Compare(a.hash[:], b.hash[:]) })
	for i := range list {
		entries[i] = list[i].kv
	}
}

// Verify checks that entries, in the order of SortByHash, are all that stands
// under prefix in the tree of root. One list and one proof pass for each subtree.
//
// Errors: ErrIndex, ErrSize, ErrShape, ErrRoot. Cost: two hashes of the data and
// about two more per entry.
func (p SubtreeProof) Verify(root [32]byte, prefix Prefix, entries []KV) error {
	if err := prefix.Check(); err != nil {
		return err
	}
	leaves, err := prefix.leaves(entries)
	if err != nil {
		return err
	}
	depth, err := pathShape(p.Bitmap, p.Siblings)
	if err != nil {
		return err
	}
	h, err := p.top(prefix, depth, leaves)
	if err != nil {
		return err
	}
	if climb(h, prefix.path(), depth, p.Bitmap, p.Siblings) != root {
		return ErrRoot
	}
	return nil
}

// leaves hashes the entries and checks that each belongs here, in order.
func (p Prefix) leaves(entries []KV) ([]leaf, error) {
	out := make([]leaf, len(entries))
	for i, kv := range entries {
		if err := checkKey(kv.Key); err != nil {
			return nil, err
		}
		if err := checkValue(kv.Value); err != nil {
			return nil, err
		}
		out[i] = leaf{key: sha256.Sum256(kv.Key), value: sha256.Sum256(kv.Value)}
		if PrefixOf(out[i].key, p.Depth) != p {
			return nil, fmt.Errorf("key %x belongs to another subtree: %w", kv.Key, ErrShape)
		}
		if i > 0 && bytes.Compare(out[i-1].key[:], out[i].key[:]) >= 0 {
			return nil, fmt.Errorf("keys not ascending by hash: %w", ErrShape)
		}
	}
	return out, nil
}

// top returns the hash at which the path starts, depth levels below the root.
func (p SubtreeProof) top(prefix Prefix, depth int, leaves []leaf) ([32]byte, error) {
	full := int(4 * prefix.Depth)
	t := p.Terminal
	switch {
	case depth > full || len(leaves) > 1 && depth != full:
		return [32]byte{}, fmt.Errorf("path of %d levels to a subtree at %d: %w", depth, full, ErrShape)
	case t != nil && (len(leaves) > 0 || PrefixOf(t.KeyHash, prefix.Depth) == prefix || commonBits(t.KeyHash, prefix.path()) < depth):
		return [32]byte{}, fmt.Errorf("leaf says nothing about the subtree: %w", ErrShape)
	case len(leaves) <= 1 && depth > 0 && p.Bitmap[0]&1 == 0:
		return [32]byte{}, fmt.Errorf("empty sibling at the terminal: %w", ErrShape)
	case t != nil:
		return hashStateLeaf(leaf{key: t.KeyHash, value: t.ValueHash}), nil
	}
	return foldLeaves(leaves, full), nil
}

// foldLeaves is the function R of STA-02 over leaves that agree on their first
// depth bits and ascend.
func foldLeaves(leaves []leaf, depth int) [32]byte {
	switch len(leaves) {
	case 0:
		return [32]byte{}
	case 1:
		return hashStateLeaf(leaves[0])
	}
	mid, _ := slices.BinarySearchFunc(leaves, byte(1), func(l leaf, one byte) int { return int(bitOf(l.key, depth)) - int(one) })
	return hashNode(foldLeaves(leaves[:mid], depth+1), foldLeaves(leaves[mid:], depth+1))
}

// Builder makes the stored nodes of a whole state tree out of its subtrees, one
// at a time from left to right, in memory of one subtree. It is for one goroutine.
type Builder struct {
	u      updater
	depth  int
	next   uint64
	levels []level // open inner nodes from the root down
	done   result
}

// level is an inner node whose children arrive one by one.
type level struct {
	node inner
	at   int
}

// NewBuilder starts a tree of subtrees of that depth; version names its nodes.
// Precondition: depth ≤ MaxPrefix.
func NewBuilder(version, depth uint64) *Builder {
	return &Builder{u: updater{version: version}, depth: int(depth), levels: make([]level, depth)}
}

// Add appends the next subtree and returns the nodes to store. Entries need not
// be sorted. Errors: ErrIndex after the last, ErrShape for a key of another
// subtree, ErrSize, ErrDuplicate.
func (b *Builder) Add(entries []KV) ([]KV, error) {
	prefix := Prefix{Depth: uint64(b.depth), Index: b.next}
	if err := prefix.Check(); err != nil {
		return nil, err
	}
	ops, err := toOps(entries)
	if err != nil {
		return nil, err
	}
	for i := range ops {
		if ops[i].del || PrefixOf(ops[i].key, prefix.Depth) != prefix {
			return nil, fmt.Errorf("key hash %x in subtree %d: %w", ops[i].key, b.next, ErrShape)
		}
	}
	res, err := b.u.build(b.depth, ops)
	if err != nil {
		return nil, err
	}
	b.next++
	return b.carry(res, prefix.path()), nil
}

// carry puts a finished subtree into its parent, and parents that are full into
// theirs.
func (b *Builder) carry(res result, path [32]byte) []KV {
	d := b.depth - 1
	for ; d >= 0; d-- {
		l := &b.levels[d]
		l.node[l.at] = res.child
		if l.at++; l.at < 16 {
			break
		}
		res = b.u.finish(&l.node, d, path)
		*l = level{}
	}
	if d < 0 {
		b.done = res
	}
	nodes := b.u.nodes
	b.u.nodes = nil
	return nodes
}

// Root returns the root when every subtree was added, and the last node to store
// if there is one. Errors: ErrShape if subtrees are missing.
func (b *Builder) Root() (StateRoot, []KV, error) {
	if b.next != Count(uint64(b.depth)) {
		return StateRoot{}, nil, fmt.Errorf("%d of %d subtrees: %w", b.next, Count(uint64(b.depth)), ErrShape)
	}
	root := b.u.root(b.done.child)
	nodes := b.u.nodes
	b.u.nodes = nil
	return root, nodes, nil
}
