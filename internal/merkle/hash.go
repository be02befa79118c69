// SPDX-License-Identifier: Apache-2.0

package merkle

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

// Errors of this package. Each function names those that it returns.
var (
	// ErrShape means that a proof is not of the one form allowed for its fact.
	ErrShape = errors.New("proof has the wrong shape")
	// ErrRoot means that a proof is well formed and proves another root.
	ErrRoot = errors.New("proof does not match the root")
	// ErrIndex means that a leaf index is not below the number of leaves.
	ErrIndex = errors.New("leaf index out of range")
	// ErrSize means that a key, value or body is empty or too long.
	ErrSize = errors.New("size out of range")
	// ErrSum means that a sum of amounts reaches 2^63.
	ErrSum = errors.New("sum out of range")
	// ErrDuplicate means that a write set names one key twice.
	ErrDuplicate = errors.New("duplicate key")
	// ErrVersion means that an update is not newer than the tree it starts from.
	ErrVersion = errors.New("version is not newer")
	// ErrNode means that a stored tree node is damaged.
	ErrNode = errors.New("damaged tree node")
	// ErrValue means that a flat value differs from the committed one.
	ErrValue = errors.New("value differs from the tree")
)

// Domain prefixes of RFC 6962, used by all three trees.
const (
	prefixLeaf = 0x00
	prefixNode = 0x01
)

// LeafHash returns the RFC 6962 hash of a leaf: SHA-256(00 ‖ leaf).
func LeafHash(leaf []byte) [32]byte {
	h := sha256.New()
	h.Write([]byte{prefixLeaf})
	h.Write(leaf)
	return [32]byte(h.Sum(nil))
}

// hashNode is SHA-256(01 ‖ left ‖ right).
func hashNode(left, right [32]byte) [32]byte {
	var b [65]byte
	b[0] = prefixNode
	copy(b[1:], left[:])
	copy(b[33:], right[:])
	return sha256.Sum256(b[:])
}

// hashStateLeaf is SHA-256(00 ‖ keyHash ‖ valueHash), STA-02.
func hashStateLeaf(l leaf) [32]byte {
	var b [65]byte
	b[0] = prefixLeaf
	copy(b[1:], l.key[:])
	copy(b[33:], l.value[:])
	return sha256.Sum256(b[:])
}

// hashSumLeaf is SHA-256(00 ‖ sum ‖ SHA-256(body)), RCP-02.
func hashSumLeaf(sum uint64, body []byte) [32]byte {
	var b [41]byte
	b[0] = prefixLeaf
	binary.BigEndian.PutUint64(b[1:], sum)
	h := sha256.Sum256(body)
	copy(b[9:], h[:])
	return sha256.Sum256(b[:])
}

// joinSums is the node SHA-256(01 ‖ sumL ‖ hL ‖ sumR ‖ hR) with the sum of both
// (RCP-02). The caller has checked that the sums stay below MaxSum.
func joinSums(left, right SumNode) SumNode {
	var b [81]byte
	b[0] = prefixNode
	binary.BigEndian.PutUint64(b[1:], left.Sum)
	copy(b[9:], left.Hash[:])
	binary.BigEndian.PutUint64(b[41:], right.Sum)
	copy(b[49:], right.Hash[:])
	return SumNode{Sum: left.Sum + right.Sum, Hash: sha256.Sum256(b[:])}
}
