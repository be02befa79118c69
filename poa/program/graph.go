// SPDX-License-Identifier: Apache-2.0

package program

import (
	"fmt"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
)

// Domains of program ids (ENC-05).
const domainGraph keys.Domain = "graph" // version, number and root of inputs, nodes, outputs

// Version is that of the operation set; it enters every program id.
const Version = 1

// Input is a tensor that a step starts from: a parameter, state, data or table.
type Input struct {
	_     struct{} `cbor:",toarray"`
	Name  string
	Type  fx.Type
	Shape []uint64
}

// Output names a value that a step leaves. An output with the name of an input
// is that input of the next step.
type Output struct {
	_     struct{} `cbor:",toarray"`
	Name  string
	Value uint64
}

// Graph is a step: inputs, nodes in an order in which each uses only earlier
// values, and outputs. Value v is input v, or the output of node v − len(Inputs).
// Spec: OP-01.
type Graph struct {
	Inputs  []Input
	Nodes   []Node
	Outputs []Output
}

// Check verifies every node and that each value has the type and length that its
// users want, names are 1 to MaxName bytes, input names and output names distinct.
// Cost: O(nodes). Errors: ErrSpec. Spec: OP-01.
func (g Graph) Check() error {
	_, err := g.check()
	return err
}

// CheckReferee is Check and the rule that a referee can decide every node: an
// element reads at most fx.MaxReads scalars or is a chain. Errors: ErrSpec.
// Spec: OP-02.
func (g Graph) CheckReferee() error {
	sigs, err := g.check()
	for i, s := range sigs {
		if s.Terms == 0 && s.Reads > fx.MaxReads {
			return fmt.Errorf("%w: node %d, %s: an element reads %d scalars, at most %d: cut it into blocks",
				ErrSpec, i, g.Nodes[i].Op, s.Reads, fx.MaxReads)
		}
	}
	return err
}

func (g Graph) check() ([]fx.Sig, error) {
	if len(g.Inputs)+len(g.Nodes) > MaxValues {
		return nil, fmt.Errorf("%w: %d inputs and nodes, at most %d", ErrSpec, len(g.Inputs)+len(g.Nodes), MaxValues)
	}
	var values []fx.Arg
	names := map[string]bool{}
	for _, in := range g.Inputs {
		n, err := count(in.Shape)
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", in.Name, err)
		}
		if in.Type.Size() == 0 {
			return nil, fmt.Errorf("%w: input %q has unknown type %d", ErrSpec, in.Name, in.Type)
		}
		if err := newName(names, in.Name); err != nil {
			return nil, err
		}
		values = append(values, fx.Arg{Type: in.Type, Len: n})
	}
	sigs := make([]fx.Sig, 0, len(g.Nodes))
	for i, n := range g.Nodes {
		s, err := n.Check()
		if err != nil {
			return sigs, fmt.Errorf("node %d: %w", i, err)
		}
		for k, v := range n.In {
			if v >= uint64(len(values)) {
				return sigs, fmt.Errorf("%w: node %d, %s: input %d is value %d, which does not come before it", ErrSpec, i, n.Op, k, v)
			}
			if values[v] != s.In[k] {
				return sigs, fmt.Errorf("%w: node %d, %s: input %d wants %d of %s, value %d is %d of %s",
					ErrSpec, i, n.Op, k, s.In[k].Len, s.In[k].Type, v, values[v].Len, values[v].Type)
			}
		}
		sigs, values = append(sigs, s), append(values, s.Out)
	}
	names = map[string]bool{}
	for _, o := range g.Outputs {
		if o.Value >= uint64(len(values)) {
			return sigs, fmt.Errorf("%w: output %q is value %d of %d", ErrSpec, o.Name, o.Value, len(values))
		}
		if err := newName(names, o.Name); err != nil {
			return sigs, err
		}
	}
	return sigs, nil
}

func newName(seen map[string]bool, name string) error {
	if len(name) < 1 || len(name) > MaxName {
		return fmt.Errorf("%w: a name has 1 to %d bytes, not %d", ErrSpec, MaxName, len(name))
	}
	if seen[name] {
		return fmt.Errorf("%w: the name %q stands twice", ErrSpec, name)
	}
	seen[name] = true
	return nil
}

// Cost is the work of one step, saturating. The graph must have passed Check.
// Spec: OP-01.
func (g Graph) Cost() fx.Cost {
	var c fx.Cost
	for _, n := range g.Nodes {
		if s, err := fx.Check(n.Op, n.Attrs); err == nil {
			c = c.Plus(s.Cost)
		}
	}
	return c
}

// ID is the program id: the hash of the version and, for inputs, nodes and
// outputs each, their number and the RFC 6962 root of their encodings. So a node
// is opened under it alone. Spec: OP-01.
func (g Graph) ID() [32]byte {
	return keys.Sum(domainGraph, uint64(Version),
		uint64(len(g.Inputs)), root(g.Inputs), uint64(len(g.Nodes)), root(g.Nodes), uint64(len(g.Outputs)), root(g.Outputs))
}

func root[T any](list []T) [32]byte {
	leaves := make([][]byte, len(list))
	for i, x := range list {
		leaves[i] = enc.Encode(x)
	}
	return merkle.Root(leaves)
}
