// SPDX-License-Identifier: Apache-2.0

package lineage

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/merkle"
)

// ShardRows is the number of rows of every shard but the last. Spec: LIN-01.
const ShardRows = 65_536

// MaxRows bounds the rows of a dataset version: 65,536 shards.
const MaxRows = ShardRows * 65_536

// Errors of this package.
var (
	// ErrIndex means a row index at or past the number of rows.
	ErrIndex = errors.New("row index out of range")
	// ErrPath means a path that does not lead from the row to the root.
	ErrPath = errors.New("row path does not match the dataset root")
)

// ShardRoots returns the root of each shard: the RFC 6962 tree over the row
// hashes of up to ShardRows rows in file order. Spec: LIN-01.
func ShardRoots(rows [][32]byte) [][32]byte {
	var out [][32]byte
	for len(rows) > 0 {
		n := min(ShardRows, len(rows))
		out = append(out, merkle.Root(leaves(rows[:n])))
		rows = rows[n:]
	}
	return out
}

// Root returns the dataset root: the RFC 6962 tree over the shard roots.
// Spec: LIN-01.
func Root(rows [][32]byte) [32]byte { return merkle.Root(leaves(ShardRoots(rows))) }

func leaves(hashes [][32]byte) [][]byte {
	out := make([][]byte, len(hashes))
	for i := range hashes {
		out[i] = hashes[i][:]
	}
	return out
}

// Path leads from row Index of a dataset of Rows rows to the dataset root:
// first through its shard, then through the list of shards. Hashes ascend.
type Path struct {
	_       struct{} `cbor:",toarray"`
	Index   uint64
	Rows    uint64
	Root    [32]byte // of the shard that holds the row
	Shard   [][32]byte
	Dataset [][32]byte
}

// Prove returns the path of row i. Errors: ErrIndex. Cost: 2n hashes.
func Prove(rows [][32]byte, i uint64) (Path, error) {
	n := uint64(len(rows))
	if i >= n {
		return Path{}, fmt.Errorf("%w: %d of %d", ErrIndex, i, n)
	}
	s := i / ShardRows
	shard, err := merkle.Prove(leaves(rows[s*ShardRows:min(n, (s+1)*ShardRows)]), i%ShardRows)
	if err != nil {
		return Path{}, err
	}
	roots := ShardRoots(rows)
	dataset, err := merkle.Prove(leaves(roots), s)
	if err != nil {
		return Path{}, err
	}
	return Path{Index: i, Rows: n, Root: roots[s], Shard: shard, Dataset: dataset}, nil
}

// Verify checks that a row with this hash is row p.Index of the dataset of
// p.Rows rows with this root. The root does not bind the number of rows by
// itself; the caller compares p.Rows with the recorded number. Errors: ErrIndex,
// ErrPath.
func (p Path) Verify(root, row [32]byte) error {
	if p.Index >= p.Rows || p.Rows > MaxRows {
		return fmt.Errorf("%w: %d of %d", ErrIndex, p.Index, p.Rows)
	}
	s := p.Index / ShardRows
	shards := (p.Rows + ShardRows - 1) / ShardRows
	if err := merkle.Verify(p.Root, row[:], p.Index%ShardRows, min(ShardRows, p.Rows-s*ShardRows), p.Shard); err != nil {
		return fmt.Errorf("%w: %w", ErrPath, err)
	}
	if err := merkle.Verify(root, p.Root[:], s, shards, p.Dataset); err != nil {
		return fmt.Errorf("%w: %w", ErrPath, err)
	}
	return nil
}

// Encode returns the wire form, at most 1.2 KiB.
func (p Path) Encode() []byte { return enc.Encode(p) }

// DecodePath reads Encode. It checks the form only; Verify ties it to a root.
// Errors: those of enc.Decode.
func DecodePath(b []byte) (Path, error) {
	var p Path
	if err := enc.Decode(b, &p); err != nil {
		return Path{}, fmt.Errorf("row path: %w", err)
	}
	return p, nil
}
