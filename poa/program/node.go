// SPDX-License-Identifier: Apache-2.0

package program

import (
	"fmt"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fx"
)

// Bounds of nodes and graphs.
const (
	MaxRank   = 8
	MaxAttrs  = 8
	MaxIn     = 8
	MaxValues = 1 << 20 // inputs and nodes of one graph
	MaxName   = 256     // bytes of a name
)

// Node is one operation of a program: pure data. Its one output has the elements
// that Op and Attrs say (fx.Check), in the dimensions of Shape. In names values of
// the graph: its inputs first, then the outputs of its nodes in order. Encoded it
// is the array [op, attrs, in, shape] of ENC-01. Spec: OP-01, OP-02.
type Node struct {
	_     struct{} `cbor:",toarray"`
	Op    fx.Op
	Attrs []uint64
	In    []uint64
	Shape []uint64
}

// Check verifies the node alone: operation, attributes, number of inputs, and a
// shape that has as many elements as the output. It returns what fx.Check does.
// Errors: ErrSpec.
func (n Node) Check() (fx.Sig, error) {
	s, err := fx.Check(n.Op, n.Attrs)
	if err != nil {
		return s, fmt.Errorf("%w: %w", ErrSpec, err)
	}
	if len(n.In) != len(s.In) {
		return s, fmt.Errorf("%w: %s takes %d inputs, not %d", ErrSpec, n.Op, len(s.In), len(n.In))
	}
	c, err := count(n.Shape)
	if err != nil {
		return s, fmt.Errorf("%s: %w", n.Op, err)
	}
	if c != s.Out.Len {
		return s, fmt.Errorf("%w: %s gives %d elements, its shape %d has %d", ErrSpec, n.Op, s.Out.Len, n.Shape, c)
	}
	return s, nil
}

// count is the number of elements of a shape of 1 to MaxRank dimensions.
func count(shape []uint64) (uint64, error) {
	if len(shape) < 1 || len(shape) > MaxRank {
		return 0, fmt.Errorf("%w: a shape has 1 to %d dimensions, not %d", ErrSpec, MaxRank, len(shape))
	}
	n := uint64(1)
	for _, d := range shape {
		if d < 1 || d > fx.MaxLen {
			return 0, fmt.Errorf("%w: dimension %d of shape %d is not in 1..%d", ErrSpec, d, shape, uint64(fx.MaxLen))
		}
		if n > fx.MaxLen/d { // not n·d, which may wrap
			return 0, fmt.Errorf("%w: shape %d has more than %d elements", ErrSpec, shape, uint64(fx.MaxLen))
		}
		n *= d
	}
	return n, nil
}

// Encode returns the node's one encoding. Spec: OP-01.
func (n Node) Encode() []byte { return enc.Encode(n) }

// DecodeNode reads one node and checks it alone. Errors: ErrSpec and those of
// enc.Decode.
func DecodeNode(b []byte) (Node, error) {
	var n Node
	if err := enc.Decode(b, &n); err != nil {
		return Node{}, fmt.Errorf("node: %w", err)
	}
	if len(n.Attrs) > MaxAttrs || len(n.In) > MaxIn {
		return Node{}, fmt.Errorf("%w: node with %d attributes and %d inputs", ErrSpec, len(n.Attrs), len(n.In))
	}
	_, err := n.Check()
	if err != nil {
		return Node{}, err
	}
	return n, nil
}
