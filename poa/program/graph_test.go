// SPDX-License-Identifier: Apache-2.0

package program

import (
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fx"
)

// line is y = x·wᵀ + b for x [2, 3].
func line() *Builder {
	b := &Builder{}
	x, w, bias := b.Input("x", fx.F32, 2, 3), b.Input("w", fx.F32, 4, 3), b.Input("b", fx.F32, 4)
	b.Output("y", b.Mix(fx.OpAdd, All(b.Linear(x, w)), Col(bias)))
	return b
}

func TestOP01AGraphIsPureData(t *testing.T) {
	g, err := line().Graph()
	if err != nil {
		t.Fatal(err)
	}
	want := Graph{
		Inputs: []Input{{Name: "x", Type: fx.F32, Shape: []uint64{2, 3}}, {Name: "w", Type: fx.F32, Shape: []uint64{4, 3}}, {Name: "b", Type: fx.F32, Shape: []uint64{4}}},
		Nodes: []Node{
			{Op: fx.OpGemm, Attrs: []uint64{1, 2, 4, 3, 1, 0, 0}, In: []uint64{0, 1}, Shape: []uint64{2, 4}},
			{Op: fx.OpAdd, Attrs: []uint64{2, 4, fx.Full, fx.PerCol}, In: []uint64{3, 2}, Shape: []uint64{2, 4}},
		},
		Outputs: []Output{{Name: "y", Value: 4}},
	}
	if !reflect.DeepEqual(g, want) {
		t.Fatalf("got %+v, want %+v", g, want)
	}
	if c := g.Cost(); c != (fx.Cost{FMA: 2*4*3 + 8, Bytes: 4 * (6 + 12 + 8 + 8 + 4 + 8)}) {
		t.Errorf("cost %+v", c)
	}
	if err := g.CheckReferee(); err != nil {
		t.Error(err)
	}
}

func TestOP01TheIDNamesEveryPart(t *testing.T) {
	g, err := line().Graph()
	if err != nil {
		t.Fatal(err)
	}
	id := g.ID()
	if got, want := hex.EncodeToString(id[:]), "761cfe0e28eeeea3a880053ef4a5e06b2659eb410982c4cd07d344ee6754c1b7"; got != want {
		t.Errorf("id %s, want %s", got, want)
	}
	for name, change := range map[string]func(*Graph){
		"an input's name":  func(g *Graph) { g.Inputs[0].Name = "X" },
		"an input's shape": func(g *Graph) { g.Inputs[0].Shape = []uint64{6} },
		"an attribute":     func(g *Graph) { g.Nodes[1].Attrs[3] = fx.Full },
		"an operation":     func(g *Graph) { g.Nodes[1].Op = fx.OpSub },
		"an edge":          func(g *Graph) { g.Nodes[0].In[0] = 1 },
		"a shape":          func(g *Graph) { g.Nodes[1].Shape = []uint64{8} },
		"an output":        func(g *Graph) { g.Outputs[0].Value = 3 },
		"one node less":    func(g *Graph) { g.Nodes = g.Nodes[:1] },
	} {
		h, _ := line().Graph()
		change(&h)
		if h.ID() == id {
			t.Errorf("%s does not enter the id", name)
		}
	}
}

func TestOP01WhatDoesNotFitIsRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Graph)
		want   string
	}{
		{"a value used before it is made", func(g *Graph) { g.Nodes[0].In[0] = 4 }, "does not come before it"},
		{"a node that uses itself", func(g *Graph) { g.Nodes[1].In[0] = 4 }, "does not come before it"},
		{"an input of another length", func(g *Graph) { g.Nodes[0].In[0] = 2 }, "wants 6 of f32, value 2 is 4 of f32"},
		{"an input of another type", func(g *Graph) { g.Inputs[0].Type = fx.I32 }, "wants 6 of f32, value 0 is 6 of i32"},
		{"an unknown type", func(g *Graph) { g.Inputs[0].Type = 9 }, "unknown type"},
		{"one input too many", func(g *Graph) { g.Nodes[0].In = append(g.Nodes[0].In, 0) }, "takes 2 inputs, not 3"},
		{"a shape of another size", func(g *Graph) { g.Nodes[0].Shape = []uint64{2, 5} }, "gives 8 elements"},
		{"a shape without dimensions", func(g *Graph) { g.Nodes[0].Shape = nil }, "1 to 8 dimensions"},
		{"a shape with a zero", func(g *Graph) { g.Inputs[0].Shape = []uint64{0, 6} }, "dimension 0"},
		{"a shape that wraps", func(g *Graph) { g.Inputs[0].Shape = []uint64{1 << 32, 1 << 32, 6} }, "more than"},
		{"an attribute out of bounds", func(g *Graph) { g.Nodes[1].Attrs[3] = 4 }, "mb"},
		{"a name twice", func(g *Graph) { g.Inputs[1].Name = "x" }, "stands twice"},
		{"an empty name", func(g *Graph) { g.Outputs[0].Name = "" }, "1 to 256 bytes"},
		{"an output that is not there", func(g *Graph) { g.Outputs[0].Value = 5 }, "value 5 of 5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, err := line().Graph()
			if err != nil {
				t.Fatal(err)
			}
			c.change(&g)
			if err := g.Check(); !errors.Is(err, ErrSpec) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Check = %v, want %q", err, c.want)
			}
		})
	}
}

func TestOP02ARefereeReadsAtMost4096Scalars(t *testing.T) {
	build := func(cols uint64) error {
		b := &Builder{}
		x := b.Input("x", fx.F32, 2, cols)
		b.Output("y", b.Node(fx.OpArgmax, []uint64{2, cols, 0}, []uint64{2}, x))
		g, err := b.Graph()
		if err != nil {
			t.Fatal(err)
		}
		return g.CheckReferee()
	}
	if err := build(4096); err != nil {
		t.Error(err)
	}
	if err := build(4098); !errors.Is(err, ErrSpec) {
		t.Errorf("argmax of 4,098 columns: %v", err)
	}
}

func TestOP01ABuilderKeepsItsFirstFault(t *testing.T) {
	b := &Builder{}
	x := b.Input("x", fx.F32, 2, 3)
	y := b.Each(fx.OpExp, b.Reshape(x, 7))
	b.Output("y", b.Mix(fx.OpAdd, All(y), All(x)))
	if _, err := b.Graph(); !errors.Is(err, ErrSpec) || !strings.Contains(err.Error(), "6 elements do not take the shape [7]") {
		t.Errorf("Graph = %v", err)
	}
}

func FuzzDecodeNode(f *testing.F) {
	for _, n := range []Node{
		{Op: fx.OpGemm, Attrs: []uint64{1, 2, 4, 3, 1, 0, 0}, In: []uint64{0, 1}, Shape: []uint64{2, 4}},
		{Op: fx.OpRedSum, Attrs: []uint64{4, 2, 5000, 2}, In: []uint64{7, 8}, Shape: []uint64{4, 2, 2}},
		{Op: fx.OpFill, Attrs: []uint64{1, 1 << 36, 0}, Shape: []uint64{1 << 36}},
		{Op: 9999, Attrs: []uint64{^uint64(0)}},
	} {
		f.Add(n.Encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := DecodeNode(b)
		if err != nil {
			if !errors.Is(err, ErrSpec) && !errors.Is(err, enc.ErrMalformed) && !errors.Is(err, enc.ErrNonCanonical) && !errors.Is(err, enc.ErrSize) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		if string(n.Encode()) != string(b) {
			t.Fatalf("%x decodes to %+v, which encodes to %x", b, n, n.Encode())
		}
		if s, err := n.Check(); err != nil || s.Out.Len > fx.MaxLen || s.Out.Len == 0 {
			t.Fatalf("a decoded node fails its check: %v, %+v", err, s)
		}
	})
}

// TestOP01ProgramIDsAreFrozen: an id that changes means another program, and every
// checkpoint that names it is void.
func TestOP01ProgramIDsAreFrozen(t *testing.T) {
	for _, c := range []struct {
		spec  Train
		nodes int
		cost  fx.Cost
		id    string
	}{
		{Train{Model: Softmax, Features: 64, Classes: 10, Scale: 16, Batch: 32, StepsPerSegment: 50, Segments: 8, LR: 0x3f000000, Seed: 7},
			35, fx.Cost{FMA: 75909, Bytes: 487988}, "1dbdef623a6e3a6210d75c7f90b21857e48d6dfb658134063588939226d84c5c"},
		{Train{Model: MLP, Features: 64, Classes: 10, Hidden: 32, Scale: 16, Batch: 32, StepsPerSegment: 50, Segments: 8, LR: 0x3dcccccd, Momentum: 0x3f666666, Seed: 7},
			53, fx.Cost{FMA: 210214, Bytes: 646868}, "1191813eb686259954f9af47930a7a7ff54d90a9378b530751967cea78cc05ba"},
	} {
		g, err := Expand(c.spec, 1500)
		if err != nil {
			t.Fatal(err)
		}
		if id := fmt.Sprintf("%x", g.ID()); id != c.id || len(g.Nodes) != c.nodes || g.Cost() != c.cost {
			t.Errorf("%s: id %s, %d nodes, cost %+v; want %s, %d, %+v", c.spec.Model, id, len(g.Nodes), g.Cost(), c.id, c.nodes, c.cost)
		}
	}
	if _, err := Expand(Train{Model: Softmax}, 10); !errors.Is(err, ErrSpec) {
		t.Errorf("a program out of bounds expands: %v", err)
	}
	if _, err := Expand(Train{Model: Softmax, Features: 64, Classes: 10, Scale: 16, Batch: 32, StepsPerSegment: 50, Segments: 8, LR: 1, Seed: 7}, 0); !errors.Is(err, ErrSpec) {
		t.Errorf("a program without rows expands: %v", err)
	}
	if g, err := ExpandInfer(Train{Model: Softmax, Features: 64, Classes: 10}, 3); err != nil || len(g.Outputs) != 2 {
		t.Errorf("answers: %+v, %v", g.Outputs, err)
	}
}
