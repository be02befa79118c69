// SPDX-License-Identifier: Apache-2.0

package checkpoint

import (
	"fmt"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
)

// Commitment is what the ledger records of a run: TaskCommit carries both
// fields. Spec: CHK-01.
type Commitment struct {
	Root     [32]byte
	Segments uint64
}

// Builder collects the leaves of one run, in order. It is not safe for
// concurrent use.
type Builder struct {
	task     [32]byte
	operator keys.Address
	state    [32]byte // σ of the next segment's start
	leaves   []Leaf
}

// NewBuilder starts the chain of a task run by an operator; start is the root
// of the content of state 0.
func NewBuilder(task [32]byte, operator keys.Address, start [32]byte) *Builder {
	return &Builder{task: task, operator: operator, state: StateHash(task, operator, 0, start)}
}

// ResumeBuilder continues after leaves, which the Builder keeps; current is the
// root of the content of the state that the next segment starts from, and must
// be the one in which the last leaf ended. Errors: ErrSegments, ErrChain.
func ResumeBuilder(task [32]byte, operator keys.Address, leaves []Leaf, current [32]byte) (*Builder, error) {
	n := uint64(len(leaves))
	b := &Builder{task: task, operator: operator, leaves: leaves, state: StateHash(task, operator, n, current)}
	if n == 0 {
		return b, nil
	}
	if err := CheckChain(leaves); err != nil {
		return nil, err
	}
	if leaves[n-1].Out != b.state {
		return nil, fmt.Errorf("%w: segment %d did not end in the given state", ErrChain, n-1)
	}
	return b, nil
}

// Add appends the leaf of the next segment, which ended in a state whose
// content has the root end; trace is the digest of what happened inside.
// Errors: ErrSegments.
func (b *Builder) Add(end, trace [32]byte) error {
	i := uint64(len(b.leaves))
	if i == MaxSegments {
		return fmt.Errorf("%w: more than %d", ErrSegments, MaxSegments)
	}
	out := StateHash(b.task, b.operator, i+1, end)
	b.leaves = append(b.leaves, Leaf{Index: i, In: b.state, Out: out, Trace: trace})
	b.state = out
	return nil
}

// Len returns the number of leaves.
func (b *Builder) Len() uint64 { return uint64(len(b.leaves)) }

// State returns the hash of the state that the next segment starts from.
func (b *Builder) State() [32]byte { return b.state }

// Leaves returns a copy of the leaves so far.
func (b *Builder) Leaves() []Leaf { return append([]Leaf(nil), b.leaves...) }

// Commitment returns root and count of the leaves so far.
func (b *Builder) Commitment() Commitment {
	return Commitment{Root: Root(b.leaves), Segments: b.Len()}
}

// Open returns the opening of leaf i. Errors: merkle.ErrIndex.
func (b *Builder) Open(i uint64) (Opening, error) { return Open(b.leaves, i) }

// Opening is one leaf with its path to the root of a Commitment.
type Opening struct {
	_    struct{} `cbor:",toarray"`
	Leaf Leaf
	Path [][32]byte
}

// Open returns the opening of leaf i of a list. Errors: merkle.ErrIndex.
func Open(leaves []Leaf, i uint64) (Opening, error) {
	path, err := merkle.Prove(encodeAll(leaves), i)
	if err != nil {
		return Opening{}, fmt.Errorf("open segment %d: %w", i, err)
	}
	return Opening{Leaf: leaves[i], Path: path}, nil
}

// Encode returns the wire form, at most 530 bytes.
func (o Opening) Encode() []byte { return enc.Encode(o) }

// DecodeOpening reads Encode. It checks the form only; Verify ties it to a
// commitment. Errors: those of enc.Decode.
func DecodeOpening(b []byte) (Opening, error) {
	var o Opening
	if err := enc.Decode(b, &o); err != nil {
		return Opening{}, fmt.Errorf("opening: %w", err)
	}
	return o, nil
}

// Verify checks that the leaf is number Leaf.Index of the c.Segments leaves
// under c.Root. Errors: ErrSegments, ErrOpening.
func (o Opening) Verify(c Commitment) error {
	if c.Segments == 0 || c.Segments > MaxSegments {
		return fmt.Errorf("%w: %d", ErrSegments, c.Segments)
	}
	if err := merkle.Verify(c.Root, o.Leaf.Encode(), o.Leaf.Index, c.Segments, o.Path); err != nil {
		return fmt.Errorf("%w: %w", ErrOpening, err)
	}
	return nil
}
