// SPDX-License-Identifier: Apache-2.0

package tune

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/lm"
	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/decoder"
	"github.com/openledger/openledger/poa/program"
)

// Trainer is a run between two steps. It belongs to the device's goroutine.
type Trainer struct {
	job    Job
	m      *lm.Model
	dev    gpu.Device
	plan   *gpu.Plan
	own    map[string]gpu.Buffer // inputs and outputs that are no weights of the model
	in     []gpu.Buffer
	out    []gpu.Buffer
	record gpu.Buffer // of the last step: its loss, and the norm of each trained tensor
	base   [32]byte
	step   uint64
	loss   float32
	trace  []byte
	broken error // why the state on the device is no state of the run
}

// New prepares a run on the device of m. Without adapters it trains the weights of m
// themselves, which must be in fx/1; with them it adds adapters, A normal·(1/r) from
// stream i of the seed for tensor i by name, B = 0. Close it before m. Errors: those
// of Job.Check, program.ErrSpec if the spec is of another net, gpu.ErrMemory.
// Spec: TNS-04, TNS-05.
func New(m *lm.Model, j Job) (*Trainer, error) {
	if err := j.Check(); err != nil {
		return nil, err
	}
	if n := j.Spec.Net; n.Arch != m.Net.Arch || n.Int8 != m.Net.Int8 {
		return nil, fmt.Errorf("%w: the step is of another model than the one that is loaded", program.ErrSpec)
	}
	t := &Trainer{job: j, m: m, dev: m.Device(), own: map[string]gpu.Buffer{}}
	if err := t.prepare(); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

func (t *Trainer) prepare() error {
	g, err := t.job.Spec.Graph()
	if err != nil {
		return err
	}
	if t.base, err = t.baseRoot(); err != nil {
		return err
	}
	if t.plan, err = gpu.NewPlan(t.dev, g); err != nil {
		return fmt.Errorf("a step with %d records at once: %w; take smaller micro-batches", t.job.Spec.Micro, err)
	}
	for _, in := range g.Inputs {
		b := t.m.Buffer(strings.TrimPrefix(in.Name, "param/"))
		if b == nil {
			n := uint64(1)
			for _, s := range in.Shape {
				n *= s
			}
			if b, err = t.alloc(in.Name, in.Type, n); err != nil {
				return err
			}
		}
		t.in = append(t.in, b)
	}
	words := map[string]uint64{"loss": 0}
	for i, p := range t.job.Spec.Trained() {
		words["norm/"+p.Name] = uint64(i) + 1
	}
	if t.record, err = t.alloc("record", fx.F32, uint64(len(words))); err != nil {
		return err
	}
	for _, o := range g.Outputs {
		b := t.own[o.Name]
		if at, ok := words[o.Name]; ok {
			if b, err = t.dev.View(t.record, at, 1); err != nil {
				return err
			}
		}
		if b == nil {
			b = t.m.Buffer(strings.TrimPrefix(o.Name, "param/"))
		}
		t.out = append(t.out, b)
	}
	return t.fill()
}

// fill uploads the data and makes the state before the first step.
func (t *Trainer) fill() error {
	var words []byte
	for _, id := range t.job.Data {
		words = binary.LittleEndian.AppendUint32(words, uint32(id))
	}
	if err := errors.Join(t.dev.Upload(t.own["data"], words), t.dev.Upload(t.own["lr"], fx.AppendBits(nil, t.job.Rates))); err != nil {
		return err
	}
	return t.start()
}

func (t *Trainer) alloc(name string, typ fx.Type, n uint64) (gpu.Buffer, error) {
	b, err := t.dev.Alloc(typ, n)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	t.own[name] = b
	return b, nil
}

// start fills the state before the first step. Spec: TNS-05.
func (t *Trainer) start() error {
	for i, p := range t.job.Spec.Net.Adapters() {
		b, n := t.own["param/"+p.Name], p.Len()
		attrs := []uint64{uint64(fx.F32), n, 0}
		op := fx.OpFill
		if strings.HasSuffix(p.Name, ".lora_a") {
			op, attrs = fx.OpFillNormal, []uint64{n, t.job.Spec.Seed, uint64(i), uint64(fx.PurposeInit)}
		}
		if err := t.node(op, attrs, b); err != nil {
			return err
		}
		if op == fx.OpFillNormal {
			scale := fx.Div(1, fx.FromInt(int32(t.job.Spec.Net.LoRA.Rank)))
			if err := t.node(fx.OpScale, []uint64{n, uint64(fx.Bits(scale))}, b, b); err != nil {
				return err
			}
		}
	}
	for _, s := range t.job.Spec.State() {
		bits := uint64(0)
		switch {
		case strings.HasPrefix(s.Name, "param/"):
			continue
		case s.Name == "b1" || s.Name == "b2":
			bits = uint64(fx.Bits(1))
		}
		if err := t.node(fx.OpFill, []uint64{uint64(s.Type), s.Len(), bits}, t.own[s.Name]); err != nil {
			return err
		}
	}
	return nil
}

func (t *Trainer) node(op fx.Op, attrs []uint64, out gpu.Buffer, in ...gpu.Buffer) error {
	return t.dev.Run(program.Node{Op: op, Attrs: attrs, In: make([]uint64, len(in)), Shape: []uint64{out.Len()}}, in, out)
}

// buffer is where a tensor of the state is.
func (t *Trainer) buffer(s decoder.Tensor) gpu.Buffer {
	if b := t.own[s.Name]; b != nil {
		return b
	}
	return t.m.Buffer(strings.TrimPrefix(s.Name, "param/"))
}

// Steps is how many steps are done.
func (t *Trainer) Steps() uint64 { return t.step }

// GradientSquares is the sum of squares of the last step's gradients, before
// clipping, for a reader.
func (t *Trainer) GradientSquares() float64 {
	n := 4 * len(t.job.Spec.Trained())
	var sum float64
	for i := max(0, len(t.trace)-n); i+4 <= len(t.trace); i += 4 {
		sum += float64(fx.FromBits(binary.LittleEndian.Uint32(t.trace[i:])))
	}
	return sum
}

// Memory is what the run holds on the device beside the model, in bytes.
func (t *Trainer) Memory() uint64 {
	n := t.plan.Memory()
	for _, b := range t.own {
		n += b.Len() * b.Type().Size()
	}
	return n
}

// Step computes one step and returns its mean loss. After any error but that of a
// finished run the state is spoilt and every later call fails with it: start again
// from the last saved state. Errors: train.ErrDiverged, those of the device.
// Spec: TNS-04, CHK-01.
func (t *Trainer) Step() (float32, error) {
	if t.broken != nil {
		return 0, t.broken
	}
	if t.step == t.job.Spec.Steps {
		return 0, fmt.Errorf("%w: all %d steps are done", gpu.ErrArgs, t.step)
	}
	if err := t.one(); err != nil {
		t.broken = fmt.Errorf("step %d: %w", t.step, err)
		return 0, t.broken
	}
	t.step++
	return t.loss, nil
}

func (t *Trainer) one() error {
	if err := t.plan.Run(t.in, t.out); err != nil {
		return err
	}
	words := make([]byte, 4*t.record.Len())
	if err := t.dev.Download(words, t.record); err != nil {
		return err
	}
	for i := range t.record.Len() {
		x := fx.FromBits(binary.LittleEndian.Uint32(words[4*i:]))
		if i == 0 {
			t.loss = x
		}
		switch {
		case fx.Finite(x):
		case i == 0:
			return fmt.Errorf("%w: the loss is not a number; try a smaller learning rate", train.ErrDiverged)
		default:
			return fmt.Errorf("%w: the gradient of %s is not finite; try a smaller learning rate", train.ErrDiverged, t.job.Spec.Trained()[i-1].Name)
		}
	}
	t.trace = append(t.trace, words...)
	return nil
}

// Close frees what the run holds; the weights of the model stay as they are.
func (t *Trainer) Close() error {
	var first error
	if t.plan != nil {
		first = t.plan.Close()
	}
	for _, b := range t.own {
		if err := t.dev.Free(b); err != nil && first == nil {
			first = err
		}
	}
	t.plan, t.own, t.broken = nil, nil, errors.Join(gpu.ErrArgs, errors.New("the run is closed"))
	return first
}
