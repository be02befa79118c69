// SPDX-License-Identifier: Apache-2.0

package gpu_test

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/ref"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// graph draws a graph of vectors and matrices, with outputs that take the names of
// inputs, pass inputs through, exchange them, or stand twice.
func graph(t *rapid.T) program.Graph {
	b := &program.Builder{}
	var values []program.Value
	inputs := rapid.IntRange(1, 3).Draw(t, "inputs")
	for i := range inputs {
		values = append(values, b.Input(fmt.Sprint(i), fx.F32, 2, 2))
	}
	pick := func() program.Value { return rapid.SampledFrom(values).Draw(t, "value") }
	for range rapid.IntRange(0, 9).Draw(t, "nodes") {
		var v program.Value
		switch rapid.IntRange(0, 5).Draw(t, "op") {
		case 0:
			v = b.Each(fx.OpNeg, pick())
		case 1:
			v = b.Mix(fx.OpFMA, program.All(pick()), program.All(pick()), program.All(pick()))
		case 2:
			v = b.T(pick())
		case 3:
			v = b.Linear(pick(), pick())
		case 5:
			v = b.Node(fx.OpFill, []uint64{uint64(fx.F32), 4, 0x40490fdb}, []uint64{2, 2})
		case 4:
			x := pick()
			v = b.Mix(fx.OpAdd, program.All(x), program.Row(b.Reduce(fx.OpRedSum, x, nil)))
		}
		values = append(values, v)
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "outputs") {
		b.Output(fmt.Sprint(i), pick())
	}
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// naive computes each value in memory of its own.
func naive(t *rapid.T, g program.Graph, in [][]byte) [][]byte {
	d := ref.New(1 << 20)
	var values []gpu.Buffer
	for _, b := range in {
		values = append(values, load(t, d, b))
	}
	for _, n := range g.Nodes {
		var args []gpu.Buffer
		for _, v := range n.In {
			args = append(args, values[v])
		}
		s, _ := n.Check()
		out, err := d.Alloc(s.Out.Type, s.Out.Len)
		if err == nil {
			err = d.Run(n, args, out)
		}
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, out)
	}
	var out [][]byte
	for _, o := range g.Outputs {
		out = append(out, read(t, d, values[o.Value]))
	}
	return out
}

func load(t *rapid.T, d gpu.Device, data []byte) gpu.Buffer {
	b, err := d.Alloc(fx.F32, uint64(len(data)/4))
	if err == nil {
		err = d.Upload(b, data)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func read(t *rapid.T, d gpu.Device, b gpu.Buffer) []byte {
	out := make([]byte, b.Region().Len)
	if err := d.Download(out, b); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestOP01APlanGivesTheBitsOfItsGraph(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := graph(t)
		d := ref.New(1 << 20)
		var data [][]byte
		var in []gpu.Buffer
		for i := range g.Inputs {
			v := make([]float32, 4)
			fx.Stream{Seed: uint64(i), Purpose: fx.PurposeBench}.FillNormal(v)
			data = append(data, fx.AppendBits(nil, v))
			in = append(in, load(t, d, data[i]))
		}
		var out []gpu.Buffer
		for _, o := range g.Outputs {
			var b gpu.Buffer
			for j, x := range g.Inputs {
				if x.Name == o.Name && rapid.Bool().Draw(t, "share") {
					b = in[j]
				}
			}
			if b == nil {
				b = load(t, d, make([]byte, 16))
			}
			out = append(out, b)
		}
		p, err := gpu.NewPlan(d, g)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // a plan holds nothing from one step to the next
			for i, b := range in {
				if err := d.Upload(b, data[i]); err != nil {
					t.Fatal(err)
				}
			}
			if err := p.Run(in, out); err != nil {
				t.Fatal(err)
			}
			for i, want := range naive(t, g, data) {
				if got := read(t, d, out[i]); !bytes.Equal(got, want) {
					t.Fatalf("output %d is %x, want %x: %+v", i, got, want, g)
				}
			}
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestOP01APlanUsesMemoryAgain(t *testing.T) {
	b := &program.Builder{}
	x := b.Input("x", fx.F32, 100)
	for range 50 {
		x = b.Reshape(b.T(b.Reshape(b.Each(fx.OpNeg, x), 10, 10)), 100)
	}
	b.Each(fx.OpExp, b.Reshape(b.Linear(b.Reshape(x, 100, 1), b.Reshape(x, 100, 1)), 10_000)) // nobody needs it
	b.Output("y", x)
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	d := ref.New(1 << 20)
	p, err := gpu.NewPlan(d, g)
	if err != nil {
		t.Fatal(err)
	}
	if p.Memory() != 800 {
		t.Errorf("100 values of 400 bytes that live one after the other take %d bytes, want 800", p.Memory())
	}
	if err := p.Run(nil, nil); err == nil {
		t.Error("a plan runs without its inputs")
	}
	if _, err := gpu.NewPlan(ref.New(799), g); err == nil {
		t.Error("a plan fits a device that is too small")
	}
}

// counted counts what runs on a device.
type counted struct {
	gpu.Device
	runs int
}

func (c *counted) Run(n program.Node, in []gpu.Buffer, out gpu.Buffer) error {
	c.runs++
	return c.Device.Run(n, in, out)
}

func TestAPlanComputesConstantsOnce(t *testing.T) {
	b := &program.Builder{}
	x := b.Input("x", fx.F32, 2, 2)
	r := b.Each(fx.OpRsqrt, b.Count(64)) // two values that no step needs again
	b.Output("y", b.Mix(fx.OpMul, program.All(x), program.Scalar(r)))
	b.Output("c", b.Const(0x3f800000)) // an output is written in every run
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	d := &counted{Device: ref.New(1 << 20)}
	p, err := gpu.NewPlan(d, g)
	if err != nil || d.runs != 2 {
		t.Fatalf("%d operations when the plan is made, want 2: %v", d.runs, err)
	}
	alloc := func(n uint64) gpu.Buffer {
		m, err := d.Alloc(fx.F32, n)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	if err := p.Run([]gpu.Buffer{alloc(4)}, []gpu.Buffer{alloc(4), alloc(1)}); err != nil || d.runs != 4 {
		t.Fatalf("%d operations after a run, want 4: %v", d.runs, err)
	}
}
