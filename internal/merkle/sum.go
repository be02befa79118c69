// SPDX-License-Identifier: Apache-2.0

package merkle

import (
	"crypto/sha256"
	"fmt"
)

// Bounds of the Merkle-sum tree.
const (
	// MaxSum is the exclusive upper bound of every sum in a sum tree.
	MaxSum = uint64(1) << 63
	// MaxBody is the longest leaf body in bytes.
	MaxBody = 65_536
)

// SumLeaf is one entry of a Merkle-sum tree: an amount and what it is for.
// The unit of the amount is the caller's (base units of OPEN on the ledger).
type SumLeaf struct {
	Sum  uint64
	Body []byte
}

// SumRoot commits to a list of amounts: hash, total and number of leaves. Hash
// covers all sums but not the number, which has to be committed beside it. The
// root of no leaves is (SHA-256 of nothing, 0, 0). Spec: RCP-02.
type SumRoot struct {
	_     struct{} `cbor:",toarray"`
	Hash  [32]byte
	Sum   uint64
	Count uint64
}

// SumNode is a subtree as its sibling sees it: its sum and its hash.
type SumNode struct {
	_    struct{} `cbor:",toarray"`
	Sum  uint64
	Hash [32]byte
}

// SumProof shows one leaf of a sum tree with the siblings from it upwards.
type SumProof struct {
	_     struct{} `cbor:",toarray"`
	Index uint64
	Sum   uint64
	Body  []byte
	Path  []SumNode
}

// SumTree returns the root over leaves. Its shape is that of RFC 6962.
//
// Errors: ErrSum if the total reaches MaxSum, ErrSize if a body is longer than
// MaxBody. Cost: 3n−1 hashes. Spec: RCP-02.
func SumTree(leaves []SumLeaf) (SumRoot, error) {
	if len(leaves) == 0 {
		return SumRoot{Hash: sha256.Sum256(nil)}, nil
	}
	level, err := sumLevel(leaves)
	if err != nil {
		return SumRoot{}, err
	}
	top := rootOf(level, joinSums)
	return SumRoot{Hash: top.Hash, Sum: top.Sum, Count: uint64(len(leaves))}, nil
}

// ProveSum proves leaf i. The proof shares the body of the leaf.
//
// Errors: ErrIndex, ErrSum, ErrSize. Cost: 3n hashes.
func ProveSum(leaves []SumLeaf, i uint64) (SumProof, error) {
	n := uint64(len(leaves))
	if i >= n {
		return SumProof{}, fmt.Errorf("prove leaf %d of %d: %w", i, n, ErrIndex)
	}
	level, err := sumLevel(leaves)
	if err != nil {
		return SumProof{}, err
	}
	return SumProof{Index: i, Sum: leaves[i].Sum, Body: leaves[i].Body, Path: pathOf(level, i, joinSums)}, nil
}

// Verify checks the proof against root and returns the prefix sum: the total of
// all leaves before the proven one.
//
// Errors: ErrIndex, ErrSize, ErrShape, ErrSum, ErrRoot. Cost: at most 66 hashes.
func (p SumProof) Verify(root SumRoot) (before uint64, err error) {
	if p.Index >= root.Count {
		return 0, fmt.Errorf("verify leaf %d of %d: %w", p.Index, root.Count, ErrIndex)
	}
	if len(p.Body) > MaxBody {
		return 0, fmt.Errorf("body of %d bytes: %w", len(p.Body), ErrSize)
	}
	at := SumNode{Sum: p.Sum, Hash: hashSumLeaf(p.Sum, p.Body)}
	path := p.Path
	for _, s := range sides(p.Index, root.Count) {
		if s == sideNone {
			continue
		}
		if len(path) == 0 {
			return 0, fmt.Errorf("path too short for leaf %d of %d: %w", p.Index, root.Count, ErrShape)
		}
		// Every sum stays below MaxSum, so the additions below cannot wrap.
		if at.Sum >= MaxSum || path[0].Sum >= MaxSum-at.Sum {
			return 0, ErrSum
		}
		if s == sideLeft {
			before += path[0].Sum
			at = joinSums(path[0], at)
		} else {
			at = joinSums(at, path[0])
		}
		path = path[1:]
	}
	if len(path) != 0 {
		return 0, fmt.Errorf("path too long for leaf %d of %d: %w", p.Index, root.Count, ErrShape)
	}
	if at.Sum >= MaxSum {
		return 0, ErrSum
	}
	if at.Hash != root.Hash || at.Sum != root.Sum {
		return 0, ErrRoot
	}
	return before, nil
}

// sumLevel hashes the leaves and checks the bounds once for the whole tree: if
// the total is below MaxSum then so is the sum of each subtree.
func sumLevel(leaves []SumLeaf) ([]SumNode, error) {
	total := uint64(0)
	level := make([]SumNode, len(leaves))
	for i, l := range leaves {
		if len(l.Body) > MaxBody {
			return nil, fmt.Errorf("body %d of %d bytes: %w", i, len(l.Body), ErrSize)
		}
		if l.Sum >= MaxSum-total {
			return nil, fmt.Errorf("sum of leaves 0 to %d: %w", i, ErrSum)
		}
		total += l.Sum
		level[i] = SumNode{Sum: l.Sum, Hash: hashSumLeaf(l.Sum, l.Body)}
	}
	return level, nil
}
