// SPDX-License-Identifier: Apache-2.0

package merkle

import (
	"crypto/sha256"
	"fmt"
)

// Root returns the RFC 6962 tree hash of leaves; SHA-256 of nothing for none.
//
// Cost: 2n−1 hashes. The leaves are not kept.
func Root(leaves [][]byte) [32]byte {
	if len(leaves) == 0 {
		return sha256.Sum256(nil)
	}
	return rootOf(leafHashes(leaves), hashNode)
}

// Prove returns the audit path of leaf i: sibling hashes from the leaf upwards.
//
// Cost: 2n hashes. Errors: ErrIndex.
func Prove(leaves [][]byte, i uint64) ([][32]byte, error) {
	n := uint64(len(leaves))
	if i >= n {
		return nil, fmt.Errorf("prove leaf %d of %d: %w", i, n, ErrIndex)
	}
	return pathOf(leafHashes(leaves), i, hashNode), nil
}

// Verify checks that leaf is number i of the n leaves under root. The root does
// not hash n, so n must come from where the root comes from.
//
// Cost: at most 65 hashes. Errors: ErrIndex, ErrShape if the path is not
// exactly as long as i and n demand, ErrRoot.
func Verify(root [32]byte, leaf []byte, i, n uint64, path [][32]byte) error {
	if i >= n {
		return fmt.Errorf("verify leaf %d of %d: %w", i, n, ErrIndex)
	}
	h := LeafHash(leaf)
	for _, s := range sides(i, n) {
		if s == sideNone {
			continue
		}
		if len(path) == 0 {
			return fmt.Errorf("path too short for leaf %d of %d: %w", i, n, ErrShape)
		}
		if s == sideLeft {
			h = hashNode(path[0], h)
		} else {
			h = hashNode(h, path[0])
		}
		path = path[1:]
	}
	if len(path) != 0 {
		return fmt.Errorf("path too long for leaf %d of %d: %w", i, n, ErrShape)
	}
	if h != root {
		return ErrRoot
	}
	return nil
}

// side says where the sibling of a node on a path lies.
type side uint8

const (
	sideNone side = iota // last node of an odd level: it moves up unchanged
	sideLeft
	sideRight
)

// sides returns, from the leaf level upwards, the side of each sibling of leaf
// i in a tree of n leaves. At most 64 levels. Precondition: i < n.
func sides(i, n uint64) []side {
	out := make([]side, 0, 64)
	for n > 1 {
		switch {
		case i&1 == 1:
			out = append(out, sideLeft)
		case i+1 < n:
			out = append(out, sideRight)
		default:
			out = append(out, sideNone)
		}
		i, n = i/2, n/2+n&1
	}
	return out
}

func leafHashes(leaves [][]byte) [][32]byte {
	out := make([][32]byte, len(leaves))
	for i, l := range leaves {
		out[i] = LeafHash(l)
	}
	return out
}

// rootOf joins the nodes of a level, at least one, up to the root, in place. An
// odd last node moves up unchanged, which gives the tree shape of RFC 6962.
func rootOf[T any](level []T, join func(left, right T) T) T {
	for len(level) > 1 {
		level = joinLevel(level, join)
	}
	return level[0]
}

// pathOf returns the siblings of node i from its level upwards, in place.
func pathOf[T any](level []T, i uint64, join func(left, right T) T) []T {
	path := []T{}
	for _, s := range sides(i, uint64(len(level))) {
		switch s {
		case sideLeft:
			path = append(path, level[i-1])
		case sideRight:
			path = append(path, level[i+1])
		}
		level, i = joinLevel(level, join), i/2
	}
	return path
}

func joinLevel[T any](level []T, join func(left, right T) T) []T {
	n := 0
	for i := 0; i < len(level); i += 2 {
		if i+1 < len(level) {
			level[n] = join(level[i], level[i+1])
		} else {
			level[n] = level[i]
		}
		n++
	}
	return level[:n]
}
