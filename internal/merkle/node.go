// SPDX-License-Identifier: Apache-2.0

package merkle

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// maxDepth is the number of nibbles of a key hash.
const maxDepth = 64

// leaf is a key hash with a value hash.
type leaf struct {
	key, value [32]byte
}

// child is a subtree: a leaf, which stands in its parent's record, or a reference
// to a stored inner node, whose version and position (depth and nibbles) together
// are its node key.
type child struct {
	ok      bool // false: nothing below
	leaf    bool
	version uint64 // of an inner node
	hash    [32]byte
	of      leaf // of a leaf
}

// child is the leaf as a subtree.
func (l leaf) child() child { return child{ok: true, leaf: true, hash: hashStateLeaf(l), of: l} }

// inner is a 16-ary node: four binary levels in one record.
type inner [16]child

// nodeKey is version u64 ‖ depth u8 ‖ the first depth nibbles of path, the low
// nibble of the last byte zero if depth is odd. Storage prefixes it (STA-03).
func nodeKey(version uint64, depth int, path [32]byte) []byte {
	n := (depth + 1) / 2
	b := make([]byte, 0, 9+n)
	b = binary.BigEndian.AppendUint64(b, version)
	b = append(b, byte(depth))
	b = append(b, path[:n]...)
	if depth&1 == 1 {
		b[len(b)-1] &= 0xf0
	}
	return b
}

// nibble returns nibble number depth of a key hash. Precondition: depth < 64.
func nibble(key [32]byte, depth int) int {
	b := key[depth/2]
	if depth&1 == 0 {
		return int(b >> 4)
	}
	return int(b & 15)
}

// encode is exist u16 ‖ isLeaf u16 ‖ per child ascending uvarint version ‖ hash of
// an inner node, key hash ‖ value hash of a leaf.
func (n *inner) encode() []byte {
	var exist, isLeaf uint16
	size := 4
	for i := range n {
		if c := &n[i]; c.leaf {
			size += 64
		} else if c.ok {
			size += 32 + uvarintLen(c.version)
		}
	}
	b := make([]byte, 4, size)
	for i := range n {
		c := &n[i]
		if !c.ok {
			continue
		}
		exist |= 1 << i
		if c.leaf {
			isLeaf |= 1 << i
			b = append(append(b, c.of.key[:]...), c.of.value[:]...)
			continue
		}
		b = binary.AppendUvarint(b, c.version)
		b = append(b, c.hash[:]...)
	}
	binary.BigEndian.PutUint16(b, exist)
	binary.BigEndian.PutUint16(b[2:], isLeaf)
	return b
}

func uvarintLen(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

// decodeInner accepts exactly what encode writes. Errors: ErrNode.
func decodeInner(b []byte) (*inner, error) {
	if len(b) < 4 {
		return nil, fmt.Errorf("inner node of %d bytes: %w", len(b), ErrNode)
	}
	exist, isLeaf := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	if exist == 0 || isLeaf&^exist != 0 {
		return nil, fmt.Errorf("inner node masks %04x %04x: %w", exist, isLeaf, ErrNode)
	}
	n, b := &inner{}, b[4:]
	for i := range n {
		if exist>>i&1 == 0 {
			continue
		}
		if isLeaf>>i&1 == 1 {
			if len(b) < 64 {
				return nil, fmt.Errorf("inner node child %d: %w", i, ErrNode)
			}
			n[i] = leaf{key: [32]byte(b[:32]), value: [32]byte(b[32:64])}.child()
			b = b[64:]
			continue
		}
		v, k := binary.Uvarint(b)
		if k <= 0 || k > 1 && b[k-1] == 0 || len(b) < k+32 {
			return nil, fmt.Errorf("inner node child %d: %w", i, ErrNode)
		}
		n[i] = child{ok: true, version: v, hash: [32]byte(b[k : k+32])}
		b = b[k+32:]
	}
	if c, only := n.single(); len(b) != 0 || only && c.leaf {
		return nil, fmt.Errorf("inner node has trailing bytes or one leaf only: %w", ErrNode)
	}
	return n, nil
}

func (l leaf) encode() []byte {
	b := make([]byte, 0, 64)
	return append(append(b, l.key[:]...), l.value[:]...)
}

func decodeLeaf(b []byte) (leaf, error) {
	if len(b) != 64 {
		return leaf{}, fmt.Errorf("leaf node of %d bytes: %w", len(b), ErrNode)
	}
	return leaf{key: [32]byte(b[:32]), value: [32]byte(b[32:])}, nil
}

// single returns the only child of n, if it has exactly one.
func (n *inner) single() (c child, only bool) {
	for i := range n {
		if n[i].ok && only {
			return child{}, false
		}
		if n[i].ok {
			c, only = n[i], true
		}
	}
	return c, only
}

// fold is the function R of STA-02 over a power-of-two run of child slots: zero
// for nothing, the leaf itself for one leaf, else the hash of both halves. It
// also returns whether there is anything and whether that is a single leaf.
func fold(c []child) (h [32]byte, some, lone bool) {
	if len(c) == 1 {
		return c[0].hash, c[0].ok, c[0].leaf
	}
	l, someL, loneL := fold(c[:len(c)/2])
	r, someR, loneR := fold(c[len(c)/2:])
	switch {
	case !someL && !someR:
		return [32]byte{}, false, false
	case !someL && loneR:
		return r, true, true
	case !someR && loneL:
		return l, true, true
	}
	return hashNode(l, r), true, false
}
