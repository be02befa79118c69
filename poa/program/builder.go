// SPDX-License-Identifier: Apache-2.0

package program

import (
	"fmt"
	"slices"

	"github.com/openledger/openledger/internal/fx"
)

// Value is a tensor of the graph that a Builder makes.
type Value uint64

// Builder makes a Graph node by node. The first fault is kept, later calls do
// nothing, and Graph reports it; so that building reads like the formula. The zero
// value is ready. Spec: OP-01.
type Builder struct {
	g      Graph
	nodes  []node // by value; inputs first
	consts map[uint32]Value
	err    error
}

// node is a value while the graph is built: inputs may come after nodes.
type node struct {
	arg   fx.Arg
	shape []uint64
	place uint64 // index among inputs, or among nodes
	input bool
}

func (b *Builder) fail(format string, a ...any) Value {
	if b.err == nil {
		b.err = fmt.Errorf("%w: "+format, append([]any{ErrSpec}, a...)...)
	}
	return 0
}

func (b *Builder) add(n node) Value {
	b.nodes = append(b.nodes, n)
	return Value(len(b.nodes) - 1)
}

// Input adds an input. It may come at any time before Graph.
func (b *Builder) Input(name string, t fx.Type, shape ...uint64) Value {
	n, err := count(shape)
	if err != nil {
		return b.fail("input %q: %v", name, err)
	}
	b.g.Inputs = append(b.g.Inputs, Input{Name: name, Type: t, Shape: slices.Clone(shape)})
	return b.add(node{fx.Arg{Type: t, Len: n}, slices.Clone(shape), uint64(len(b.g.Inputs) - 1), true})
}

// Node adds a node that gives shape. in are values of this builder.
func (b *Builder) Node(op fx.Op, attrs, shape []uint64, in ...Value) Value {
	if b.err != nil {
		return 0
	}
	n := Node{Op: op, Attrs: slices.Clone(attrs), Shape: slices.Clone(shape), In: make([]uint64, len(in))}
	for i, v := range in {
		n.In[i] = uint64(v)
	}
	s, err := n.Check()
	if err != nil {
		return b.fail("node %d: %v", len(b.g.Nodes), err)
	}
	for i, v := range in {
		if a := b.of(v).arg; a != s.In[i] {
			return b.fail("node %d, %s %d: input %d wants %d of %s, not %d of %s",
				len(b.g.Nodes), op, attrs, i, s.In[i].Len, s.In[i].Type, a.Len, a.Type)
		}
	}
	b.g.Nodes = append(b.g.Nodes, n)
	return b.add(node{s.Out, n.Shape, uint64(len(b.g.Nodes) - 1), false})
}

func (b *Builder) of(v Value) node {
	if v >= Value(len(b.nodes)) {
		return node{shape: []uint64{0}}
	}
	return b.nodes[v]
}

// Shape returns the dimensions of v, not to be changed; [0] after a fault.
func (b *Builder) Shape(v Value) []uint64 { return b.of(v).shape }

// Len returns the number of elements of v, 0 after a fault.
func (b *Builder) Len(v Value) uint64 { return b.of(v).arg.Len }

// Output names v as an output of the graph.
func (b *Builder) Output(name string, v Value) {
	b.g.Outputs = append(b.g.Outputs, Output{Name: name, Value: uint64(v)})
}

// Graph returns what was built, checked. The builder is spent. Errors: ErrSpec,
// for the first fault of any call.
func (b *Builder) Graph() (Graph, error) {
	if b.err != nil {
		return Graph{}, b.err
	}
	final := func(v uint64) uint64 {
		n := b.of(Value(v))
		if n.input {
			return n.place
		}
		return uint64(len(b.g.Inputs)) + n.place
	}
	for _, n := range b.g.Nodes {
		for i, v := range n.In {
			n.In[i] = final(v)
		}
	}
	for i, o := range b.g.Outputs {
		b.g.Outputs[i].Value = final(o.Value)
	}
	b.err = fmt.Errorf("%w: the builder was used after Graph", ErrSpec)
	return b.g, b.g.Check()
}

// rowsCols splits v into rows of its last dimension.
func (b *Builder) rowsCols(v Value) (rows, cols uint64) {
	s := b.Shape(v)
	cols = s[len(s)-1]
	if cols == 0 {
		return 0, 0
	}
	return b.Len(v) / cols, cols
}

// lead is the shape of v without its last dimension, at least [1].
func (b *Builder) lead(v Value) []uint64 {
	s := b.Shape(v)
	if len(s) == 1 {
		return []uint64{1}
	}
	return s[:len(s)-1]
}

// Operand is a value with the mode in which an element operation reads it.
type Operand struct {
	Value Value
	Mode  uint64 // fx.Full, fx.PerRow, fx.PerCol or fx.One
}

// All, Row, Col and Scalar give a value its mode.
func All(v Value) Operand { return Operand{v, fx.Full} }

// Row is one value per row.
func Row(v Value) Operand { return Operand{v, fx.PerRow} }

// Col is one value per column.
func Col(v Value) Operand { return Operand{v, fx.PerCol} }

// Scalar is one value for all elements.
func Scalar(v Value) Operand { return Operand{v, fx.One} }

// Mix adds an element operation with modes (fx.OpAdd … fx.OpSelect) in the shape of
// its first Full operand; its last dimension is the columns.
func (b *Builder) Mix(op fx.Op, in ...Operand) Value {
	full := slices.IndexFunc(in, func(o Operand) bool { return o.Mode == fx.Full })
	if full < 0 {
		return b.fail("%s has no operand of the full shape", op)
	}
	rows, cols := b.rowsCols(in[full].Value)
	attrs, vs := []uint64{rows, cols}, []Value{}
	for _, o := range in {
		attrs, vs = append(attrs, o.Mode), append(vs, o.Value)
	}
	return b.Node(op, attrs, b.Shape(in[full].Value), vs...)
}

// Each adds an operation whose one attribute is the length (fx.OpNeg …
// fx.OpSwigluBwd) in the shape of its first operand.
func (b *Builder) Each(op fx.Op, in ...Value) Value {
	return b.Node(op, []uint64{b.Len(in[0])}, b.Shape(in[0]), in...)
}

// Const is the scalar with these bits, one node for each of them.
func (b *Builder) Const(bits uint32) Value {
	if v, ok := b.consts[bits]; ok {
		return v
	}
	if b.consts == nil {
		b.consts = map[uint32]Value{}
	}
	v := b.Node(fx.OpFill, []uint64{uint64(fx.F32), 1, uint64(bits)}, []uint64{1})
	b.consts[bits] = v
	return v
}

// Count is the scalar n as binary32, rounded to nearest.
func (b *Builder) Count(n uint64) Value {
	return b.Const(fx.BitsOfInt(int32(min(n, fx.MaxDim))))
}

// Transpose exchanges the two middle axes of x seen as [batch, rows, cols, inner]
// and gives it shape.
func (b *Builder) Transpose(x Value, batch, rows, cols, inner uint64, shape ...uint64) Value {
	return b.Node(fx.OpTranspose, []uint64{uint64(b.of(x).arg.Type), batch, rows, cols, inner}, shape, x)
}

// T is the transpose of a matrix [rows, cols].
func (b *Builder) T(x Value) Value {
	rows, cols := b.rowsCols(x)
	return b.Transpose(x, 1, rows, cols, 1, cols, rows)
}

// Reshape returns x with other dimensions; it is no node.
func (b *Builder) Reshape(x Value, shape ...uint64) Value {
	n := b.of(x)
	if c, err := count(shape); err != nil || c != n.arg.Len {
		return b.fail("%d elements do not take the shape %d", n.arg.Len, shape)
	}
	n.shape = slices.Clone(shape)
	return b.add(n)
}

// Linear is x·wᵀ for x [.., k] and w [n, k]: one chain per output. Its shape is [.., n].
func (b *Builder) Linear(x, w Value) Value {
	rows, k := b.rowsCols(x)
	n, _ := b.rowsCols(w)
	return b.Node(fx.OpGemm, []uint64{1, rows, n, k, 1, fx.NoLimit, 0}, append(slices.Clone(b.lead(x)), n), x, w)
}
