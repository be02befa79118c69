// SPDX-License-Identifier: Apache-2.0

package train

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/model"
	"github.com/openledger/openledger/gpu/ref"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// TestOP01TheProgramGivesTheBitsOfTheRun trains with the graph of Expand on the
// reference and compares parameters, momentum, losses and norms with Run.
func TestOP01TheProgramGivesTheBitsOfTheRun(t *testing.T) {
	const rows, features, classes = 23, 5, 3
	d := &model.Data{Rows: rows, Features: features, X: make([]float32, rows*features), Y: make([]int, rows)}
	fx.Stream{Seed: 1, Purpose: fx.PurposeBench}.FillNormal(d.X)
	for i := range d.Y {
		d.Y[i] = (i * 7) % classes
	}
	for _, spec := range []program.Train{
		{Model: program.Softmax, Features: features, Classes: classes, Scale: 1, Batch: 9, StepsPerSegment: 7, Segments: 1,
			LR: 0x3e4ccccd, L2: 0x3a83126f, Momentum: 0x3f666666, Seed: 5},
		{Model: program.MLP, Features: features, Classes: classes, Hidden: 6, Scale: 1, Batch: 30, StepsPerSegment: 7, Segments: 1,
			LR: 0x3e4ccccd, Momentum: 0x3f000000, Seed: 6},
	} {
		t.Run(spec.Model, func(t *testing.T) {
			j := Job{Spec: spec, Data: d}
			r, err := newRunner(j, Start(spec), Options{Plain: true})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.steps(); err != nil {
				t.Fatal(err)
			}
			tensors, trace := onReference(t, spec, d)
			for name, w := range map[string]*model.Weights{"": r.now.Params, "v/": r.now.Momentum} {
				for _, x := range w.Tensors {
					if got := tensors[name+x.Name]; !bytes.Equal(got, fx.AppendBits(nil, x.Data)) {
						t.Errorf("%s%s has other bits", name, x.Name)
					}
				}
			}
			if fmt.Sprint(trace) != fmt.Sprint(r.trace) {
				t.Errorf("losses and norms %08x, want %08x", trace, r.trace)
			}
			if step := binary.LittleEndian.Uint32(tensors["step"]); step != 7 {
				t.Errorf("step %d, want 7", step)
			}
		})
	}
}

// onReference runs seven steps and returns all outputs, and the records T_j.
func onReference(t *testing.T, spec program.Train, d *model.Data) (map[string][]byte, []uint32) {
	g, err := program.Expand(spec, uint64(d.Rows))
	if err != nil {
		t.Fatal(err)
	}
	if err := g.CheckReferee(); err != nil {
		t.Fatal(err)
	}
	start := map[string][]byte{"data": fx.AppendBits(nil, d.X)}
	for _, y := range d.Y {
		start["labels"] = binary.LittleEndian.AppendUint32(start["labels"], uint32(y))
	}
	for _, x := range Start(spec).Params.Tensors {
		start[x.Name] = fx.AppendBits(nil, x.Data)
	}
	dev := ref.New(1 << 24)
	p, err := gpu.NewPlan(dev, g)
	if err != nil {
		t.Fatal(err)
	}
	held := map[string]gpu.Buffer{}
	var in, out []gpu.Buffer
	for _, x := range g.Inputs {
		n := uint64(1)
		for _, s := range x.Shape {
			n *= s
		}
		b, err := dev.Alloc(x.Type, n)
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := start[x.Name]; ok {
			if err := dev.Upload(b, data); err != nil {
				t.Fatal(err)
			}
		}
		held[x.Name], in = b, append(in, b)
	}
	for _, o := range g.Outputs {
		if held[o.Name] == nil {
			if held[o.Name], err = dev.Alloc(fx.F32, 1); err != nil {
				t.Fatal(err)
			}
		}
		out = append(out, held[o.Name])
	}
	got, trace := map[string][]byte{}, []uint32(nil)
	for range 7 {
		if err := p.Run(in, out); err != nil {
			t.Fatal(err)
		}
		for i, o := range g.Outputs {
			got[o.Name] = make([]byte, out[i].Region().Len)
			if err := dev.Download(got[o.Name], out[i]); err != nil {
				t.Fatal(err)
			}
			if o.Name == "loss" || strings.HasPrefix(o.Name, "norm/") {
				trace = append(trace, binary.LittleEndian.Uint32(got[o.Name]))
			}
		}
	}
	return got, trace
}
