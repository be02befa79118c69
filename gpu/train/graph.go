// SPDX-License-Identifier: Apache-2.0

package train

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/model"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// window is how many steps a device may be ahead of the records that were read.
const window = 64

// graph runs the graph of program.Expand on a device. Data, parameters and momentum
// stay there; records come back a window at a time.
type graph struct {
	job      Job
	dev      gpu.Device
	plan     *gpu.Plan
	in       []gpu.Buffer
	out      [][]gpu.Buffer // of each place in the window
	params   []gpu.Buffer   // in name order
	momentum []gpu.Buffer
	log      gpu.Buffer // records of the window
	words    uint64     // of one record
	first    uint64     // step of the window's first record
	used     uint64     // records in the window
	trace    []uint32
	owned    []gpu.Buffer
}

// newGraph puts a job on a device in state s. Errors: those of gpu.Device;
// gpu.ErrUnsupported for more rows than an operation may have.
func newGraph(d gpu.Device, j Job, s *State) (*graph, error) {
	e, err := program.Expand(j.Spec, uint64(j.Data.Rows))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", gpu.ErrUnsupported, err)
	}
	g := &graph{job: j, dev: d, first: s.Step, words: 1 + uint64(len(s.Params.Tensors))}
	if g.plan, err = gpu.NewPlan(d, e); err == nil {
		if err = g.inputs(e, s); err == nil {
			err = g.outputs(e)
		}
	}
	if err != nil {
		g.close()
		return nil, err
	}
	return g, nil
}

func (g *graph) alloc(t fx.Type, n uint64) (gpu.Buffer, error) {
	b, err := g.dev.Alloc(t, n)
	if err == nil {
		g.owned = append(g.owned, b)
	}
	return b, err
}

// inputs allocates and fills the inputs of the graph.
func (g *graph) inputs(e program.Graph, s *State) error {
	start := map[string][]byte{"data": fx.AppendBits(nil, g.job.Data.X), "step": binary.LittleEndian.AppendUint32(nil, uint32(s.Step))}
	labels := make([]byte, 0, 4*len(g.job.Data.Y))
	for _, y := range g.job.Data.Y {
		labels = binary.LittleEndian.AppendUint32(labels, uint32(y))
	}
	start["labels"] = labels
	for i, t := range s.Params.Tensors {
		start[t.Name] = fx.AppendBits(nil, t.Data)
		start["v/"+t.Name] = fx.AppendBits(nil, s.Momentum.Tensors[i].Data)
	}
	at := map[string]gpu.Buffer{}
	for _, x := range e.Inputs {
		data := start[x.Name]
		b, err := g.alloc(x.Type, uint64(len(data))/x.Type.Size())
		if err != nil {
			return fmt.Errorf("%s: %w", x.Name, err)
		}
		if err := g.dev.Upload(b, data); err != nil {
			return fmt.Errorf("%s: %w", x.Name, err)
		}
		at[x.Name], g.in = b, append(g.in, b)
	}
	for _, t := range s.Params.Tensors {
		g.params, g.momentum = append(g.params, at[t.Name]), append(g.momentum, at["v/"+t.Name])
	}
	return nil
}

// outputs gives each output the memory of the input of its name, and the others a
// word of the record.
func (g *graph) outputs(e program.Graph) (err error) {
	n := min(window, g.job.Spec.StepsPerSegment)
	if g.log, err = g.alloc(fx.F32, n*g.words); err != nil {
		return err
	}
	of := map[string]int{}
	for i, x := range e.Inputs {
		of[x.Name] = i
	}
	for k := range n {
		word := k * g.words
		var out []gpu.Buffer
		for _, o := range e.Outputs {
			if i, ok := of[o.Name]; ok {
				out = append(out, g.in[i])
				continue
			}
			if o.Name != "loss" && !strings.HasPrefix(o.Name, "norm/") {
				return fmt.Errorf("%w: output %s", gpu.ErrArgs, o.Name)
			}
			b, err := g.dev.View(g.log, word, 1)
			if err != nil {
				return err
			}
			out, word = append(out, b), word+1
		}
		g.out = append(g.out, out)
	}
	return nil
}

func (g *graph) step(at uint64) error {
	if g.used == uint64(len(g.out)) {
		if err := g.flush(); err != nil {
			return err
		}
	}
	if err := g.plan.Run(g.in, g.out[g.used]); err != nil {
		return fmt.Errorf("step %d: %w", at, err)
	}
	g.used++
	return nil
}

// flush reads the window's records.
func (g *graph) flush() error {
	if g.used == 0 {
		return nil
	}
	b := make([]byte, g.log.Region().Len)
	if err := g.dev.Download(b, g.log); err != nil {
		return err
	}
	for i := range g.used * g.words {
		w := binary.LittleEndian.Uint32(b[4*i:])
		if i%g.words == 0 {
			if err := finite(g.first+i/g.words, fx.FromBits(w)); err != nil {
				return err
			}
		}
		g.trace = append(g.trace, fx.Bits(fx.FromBits(w)))
	}
	g.first, g.used = g.first+g.used, 0
	return nil
}

func (g *graph) records() ([]uint32, error) {
	err := g.flush()
	out := g.trace
	g.trace = g.trace[:0]
	return out, err
}

func (g *graph) state() (*State, error) {
	arch := model.ArchOf(g.job.Spec)
	s := &State{Params: model.New(arch), Momentum: model.New(arch)}
	for i := range g.params {
		for _, x := range []struct {
			dst []float32
			src gpu.Buffer
		}{{s.Params.Tensors[i].Data, g.params[i]}, {s.Momentum.Tensors[i].Data, g.momentum[i]}} {
			b := make([]byte, 4*len(x.dst))
			if err := g.dev.Download(b, x.src); err != nil {
				return nil, err
			}
			for k := range x.dst {
				x.dst[k] = fx.FromBits(binary.LittleEndian.Uint32(b[4*k:]))
			}
		}
	}
	return s, nil
}

// close frees what a device that still answers holds; a lost one has lost it.
func (g *graph) close() {
	if g.plan != nil {
		_ = g.plan.Close()
	}
	for _, b := range g.owned {
		_ = g.dev.Free(b)
	}
}
