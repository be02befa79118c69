// SPDX-License-Identifier: Apache-2.0

package checkpoint

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
)

// MaxSegments bounds the leaves of one commitment (TASK-02).
const MaxSegments = 4096

// Errors of this package. Each function names those that it returns.
var (
	// ErrSegments means more than MaxSegments leaves, or none.
	ErrSegments = errors.New("number of segments out of range")
	// ErrChain means leaves that are not consecutive or whose states do not meet.
	ErrChain = errors.New("leaves do not form a chain")
	// ErrOpening means an opening that does not lead to the commitment.
	ErrOpening = errors.New("opening does not match the commitment")
)

// Leaf commits to segment Index: the state hash before and after it, and the
// digest of its trace (what happened inside, for training one record of loss
// and gradient norms per step).
//
// Deviation: the fourth field of CHK-01 is a blind over the trace; until
// canaries exist nothing in a leaf is secret, and the trace digest itself
// stands there. So a replay of the whole task gives the whole leaf.
//
// Spec: CHK-01.
type Leaf struct {
	_     struct{} `cbor:",toarray"`
	Index uint64
	In    [32]byte
	Out   [32]byte
	Trace [32]byte
}

// Encode returns the bytes that enter the tree, about 105.
func (l Leaf) Encode() []byte { return enc.Encode(l) }

// StateHash is σ_i = H(state; task, operator, i, root), where root commits to
// the content of the state: for models the root over its tensors. Spec: CHK-01.
func StateHash(task [32]byte, operator keys.Address, i uint64, root [32]byte) [32]byte {
	return keys.Sum(keys.DomainState, task, operator, i, root)
}

// Root returns the RFC 6962 root over the leaves in order. Cost: 2n−1 hashes.
func Root(leaves []Leaf) [32]byte { return merkle.Root(encodeAll(leaves)) }

func encodeAll(leaves []Leaf) [][]byte {
	out := make([][]byte, len(leaves))
	for i, l := range leaves {
		out[i] = l.Encode()
	}
	return out
}

// CheckChain verifies that the leaves are numbered 0, 1, 2 … and that each
// starts in the state in which the one before ended. Errors: ErrSegments,
// ErrChain.
func CheckChain(leaves []Leaf) error {
	if len(leaves) == 0 || len(leaves) > MaxSegments {
		return fmt.Errorf("%w: %d", ErrSegments, len(leaves))
	}
	for i, l := range leaves {
		if l.Index != uint64(i) {
			return fmt.Errorf("%w: leaf %d is numbered %d", ErrChain, i, l.Index)
		}
		if i > 0 && l.In != leaves[i-1].Out {
			return fmt.Errorf("%w: segment %d does not start where segment %d ended", ErrChain, i, i-1)
		}
	}
	return nil
}

// FirstDifference returns the first segment in which two lists of leaves
// differ, and whether there is one; a list that ends early differs where it
// ends. It names the segment in which a lie begins.
func FirstDifference(a, b []Leaf) (segment uint64, differ bool) {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return uint64(i), true
		}
	}
	return uint64(min(len(a), len(b))), len(a) != len(b)
}

type leafList struct {
	_      struct{} `cbor:",toarray"`
	Leaves []Leaf
}

// EncodeLeaves returns the wire form of a list of leaves, at most 440 KiB.
func EncodeLeaves(leaves []Leaf) []byte { return enc.Encode(leafList{Leaves: leaves}) }

// DecodeLeaves reads EncodeLeaves and checks the chain. Errors: those of
// enc.Decode, ErrSegments, ErrChain.
func DecodeLeaves(b []byte) ([]Leaf, error) {
	var l leafList
	if err := enc.Decode(b, &l); err != nil {
		return nil, fmt.Errorf("leaves: %w", err)
	}
	if err := CheckChain(l.Leaves); err != nil {
		return nil, err
	}
	return l.Leaves, nil
}
