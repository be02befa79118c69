// SPDX-License-Identifier: Apache-2.0

package content

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"lukechampine.com/blake3/guts"
)

const (
	// ChunkSize is the leaf of the BLAKE3 tree in bytes.
	ChunkSize = guts.ChunkSize
	// UnitSize is the transfer unit in bytes: an aligned subtree of 64 chunks.
	// Only the last unit of a content may be shorter.
	UnitSize = 64 << 10
	// PageUnits is how many consecutive units one node page covers.
	PageUnits = 1024
	// MaxSize is the largest content in bytes, 1 TiB (P2P-14).
	MaxSize = 1 << 40

	unitChunks = UnitSize / ChunkSize
	groupSize  = guts.MaxSIMD * ChunkSize
)

// CV is the chaining value of a subtree in the byte order of BLAKE3. For the
// whole content it is computed with the root flag and equals the hash in the id.
type CV [32]byte

// UnitCount returns the number of units of a content of size bytes. Empty
// content is one empty unit. Spec: P2P-13.
func UnitCount(size uint64) uint64 {
	if size == 0 {
		return 1
	}
	return (size-1)/UnitSize + 1
}

// PageCount returns the number of node pages of a content of size bytes, at
// least 1.
func PageCount(size uint64) uint64 { return (UnitCount(size)-1)/PageUnits + 1 }

// UnitLen returns the exact length in bytes of unit i of a content of size
// bytes. Errors: ErrSize if size exceeds MaxSize or there is no unit i.
func UnitLen(size, i uint64) (int, error) {
	n := UnitCount(size)
	if size > MaxSize || i >= n {
		return 0, fmt.Errorf("unit %d of %d bytes: %w", i, size, ErrSize)
	}
	if i == n-1 {
		return int(size - i*UnitSize), nil
	}
	return UnitSize, nil
}

// UnitCV returns the chaining value of unit i of a content of size bytes. The
// value of the only unit of a small content is its BLAKE3 hash. data is not
// kept. Errors: ErrSize (UnitLen), ErrUnit if data has another length.
func UnitCV(size, i uint64, data []byte) (CV, error) {
	want, err := UnitLen(size, i)
	if err != nil {
		return CV{}, err
	}
	if len(data) != want {
		return CV{}, fmt.Errorf("unit %d has %d bytes, want %d: %w", i, len(data), want, ErrUnit)
	}
	return unitCV(i, data, UnitCount(size) == 1), nil
}

// unitCV hashes at most UnitSize bytes as the subtree at unit i.
func unitCV(i uint64, data []byte, root bool) CV {
	return finish(subtree(data, i*unitChunks), root)
}

// subtree returns the BLAKE3 node over data whose first chunk has the given
// counter. len(data) ≤ UnitSize, so the recursion is at most 2 deep.
func subtree(data []byte, counter uint64) guts.Node {
	if len(data) <= groupSize {
		var buf [groupSize]byte
		copy(buf[:], data)
		return guts.CompressBuffer(&buf, len(data), &guts.IV, counter, 0)
	}
	mid := 1 << (bits.Len(uint(len(data)-1)) - 1) // largest power of two below len
	l := guts.ChainingValue(subtree(data[:mid], counter))
	r := guts.ChainingValue(subtree(data[mid:], counter+uint64(mid/ChunkSize)))
	return guts.ParentNode(l, r, &guts.IV, 0)
}

// parent joins two chaining values.
func parent(l, r CV, root bool) CV {
	return finish(guts.ParentNode(l.words(), r.words(), &guts.IV, 0), root)
}

// finish compresses a node, with the root flag for the top of the tree.
func finish(n guts.Node, root bool) CV {
	if root {
		n.Flags |= guts.FlagRoot
	}
	var cv CV
	for i, w := range guts.ChainingValue(n) {
		binary.LittleEndian.PutUint32(cv[4*i:], w)
	}
	return cv
}

func (c CV) words() (w [8]uint32) {
	for i := range w {
		w[i] = binary.LittleEndian.Uint32(c[4*i:])
	}
	return w
}

// split returns the number of leaves of the left subtree of n ≥ 2 leaves: the
// largest power of two below n, as in BLAKE3.
func split(n uint64) uint64 { return 1 << (bits.Len64(n-1) - 1) }

// join returns the chaining value over a run of sibling leaves. len(cvs) ≥ 1;
// a single leaf is returned as it is.
func join(cvs []CV, root bool) CV {
	if len(cvs) == 1 {
		return cvs[0]
	}
	m := split(uint64(len(cvs)))
	return parent(join(cvs[:m], false), join(cvs[m:], false), root)
}
