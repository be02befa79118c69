// SPDX-License-Identifier: Apache-2.0

package lm

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/format/hf"
	"github.com/openledger/openledger/gpu/format/safetensors"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/decoder"
	"github.com/openledger/openledger/poa/program"
)

// Options of a model on a device.
type Options struct {
	// Context is the most tokens of one text; 0 is what the model was made for.
	Context uint64
	// Int8 holds the matrices in fx/int8, quantised now, per row in groups of 128.
	Int8 bool
}

// Model is the weights of a decoder on a device. It belongs to the device's
// goroutine.
type Model struct {
	Config hf.Config
	Net    decoder.Net
	dev    gpu.Device
	held   map[string]gpu.Buffer
}

// NetOf is the net of an architecture with room for context positions, 0 for all
// that it has.
func NetOf(a hf.Arch, context uint64) decoder.Net {
	if context == 0 || context > uint64(a.Positions) {
		context = uint64(a.Positions)
	}
	return decoder.Net{Arch: decoder.Arch{
		Layers: uint64(a.Layers), Hidden: uint64(a.Hidden), Inner: uint64(a.Inner),
		Heads: uint64(a.Heads), KVHeads: uint64(a.KVHeads), HeadDim: uint64(a.HeadDim),
		Vocab: uint64(a.Vocab), Positions: context, Eps: a.EpsBits,
		Tied: a.Tied, BiasQKV: a.BiasQKV, BiasOut: a.BiasOut, BiasMLP: a.BiasMLP,
	}}
}

// newModel refuses what does not fit, in figures, before anything is read.
func newModel(d gpu.Device, c hf.Config, o Options) (*Model, error) {
	if err := c.Arch.Check(); err != nil {
		return nil, err
	}
	m := &Model{Config: c, Net: NetOf(c.Arch, o.Context), dev: d, held: map[string]gpu.Buffer{}}
	m.Net.Int8 = o.Int8
	if err := m.Net.Check(); err != nil {
		return nil, err
	}
	need := m.Net.Bytes()
	if o.Int8 { // one matrix at a time stands beside its codes
		need += 4 * m.Net.Arch.Vocab * m.Net.Arch.Hidden
	}
	if have := d.Info().Memory; need > have {
		return nil, fmt.Errorf("%w: the model takes %s (%d weights), the device has %s: take fx/int8, a smaller model or more memory",
			gpu.ErrMemory, size(need), c.Arch.Params(), size(have))
	}
	cos, sin := hf.RopeTables(c.Arch, uint32(m.Net.Arch.Positions))
	if err := errors.Join(m.put(decoder.RopeCos, fx.F32, cos), m.put(decoder.RopeSin, fx.F32, sin)); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// size writes bytes for a reader.
func size(n uint64) string {
	if n < 1<<30 {
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// Load reads the weights of an open folder onto d, each float type exactly. Cost:
// one pass over the files, at most one matrix in host memory. Errors: gpu.ErrMemory
// before anything is read, program.ErrSpec, hf.ErrArch, those of reading and of d.
// Spec: TNS-03.
func Load(d gpu.Device, f *hf.Folder, o Options) (*Model, error) {
	m, err := newModel(d, f.Config, o)
	if err != nil {
		return nil, err
	}
	for _, w := range f.Weights {
		fill := func(b gpu.Buffer) error {
			part := make([]float32, min(piece, b.Len()))
			return pieces(d, b, func(v gpu.Buffer, at uint64) error {
				if err := f.File.Floats(w.At, at, part[:v.Len()]); err != nil {
					return err
				}
				return d.Upload(v, fx.AppendBits(nil, part[:v.Len()]))
			})
		}
		if err := m.take(w.Name, w.Shape, fill); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", w.HF, err), m.Close())
		}
	}
	return m, nil
}

// piece is how many elements cross to a device at once.
const piece = 1 << 20

// pieces calls f for views that cover b.
func pieces(d gpu.Device, b gpu.Buffer, f func(v gpu.Buffer, at uint64) error) error {
	for at := uint64(0); at < b.Len(); at += piece {
		v, err := d.View(b, at, min(piece, b.Len()-at))
		if err == nil {
			err = f(v, at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Init draws the weights of an architecture from a seed: gains 1, biases +0, the
// embedding and the head normal·0.02, matrices normal·rsqrt(in), and o and down
// once more times rsqrt(2·layers). Stream i of the seed is that of tensor i by name.
// Errors: as Load. Spec: TNS-01, FX-06.
func Init(d gpu.Device, c hf.Config, seed uint64, o Options) (*Model, error) {
	m, err := newModel(d, c, o)
	if err != nil {
		return nil, err
	}
	for i, t := range m.Net.Arch.Weights() {
		fill := func(b gpu.Buffer) error { return m.draw(b, t, seed, uint64(i)) }
		if err := m.take(t.Name, t.Shape, fill); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", t.Name, err), m.Close())
		}
	}
	return m, nil
}

func (m *Model) draw(b gpu.Buffer, t decoder.Tensor, seed, stream uint64) error {
	n := t.Len()
	if len(t.Shape) == 1 {
		bits := uint64(0)
		if strings.HasSuffix(t.Name, "norm") {
			bits = uint64(fx.Bits(1))
		}
		return m.node(fx.OpFill, []uint64{uint64(fx.F32), n, bits}, b)
	}
	scale := fx.Rsqrt(fx.FromInt(int32(t.Shape[1])))
	switch {
	case t.Name == "embed" || t.Name == "head":
		scale = 0.02
	case strings.HasSuffix(t.Name, ".o") || strings.HasSuffix(t.Name, ".down"):
		scale = fx.Mul(scale, fx.Rsqrt(fx.FromInt(int32(2*m.Net.Arch.Layers))))
	}
	if err := m.node(fx.OpFillNormal, []uint64{n, seed, stream, uint64(fx.PurposeInit)}, b); err != nil {
		return err
	}
	return m.node(fx.OpScale, []uint64{n, uint64(fx.Bits(scale))}, b, b)
}

// node runs one operation.
func (m *Model) node(op fx.Op, attrs []uint64, out gpu.Buffer, in ...gpu.Buffer) error {
	n := program.Node{Op: op, Attrs: attrs, In: make([]uint64, len(in)), Shape: []uint64{out.Len()}}
	return m.dev.Run(n, in, out)
}

// take makes a weight with what fill puts into it, quantised if the net says so.
func (m *Model) take(name string, shape []uint64, fill func(gpu.Buffer) error) error {
	t := decoder.Tensor{Name: name, Type: fx.F32, Shape: shape}
	b, err := m.dev.Alloc(fx.F32, t.Len())
	if err != nil {
		return err
	}
	if err := fill(b); err != nil {
		return errors.Join(err, m.dev.Free(b))
	}
	if m.Net.Quantised(t) {
		return errors.Join(m.quantise(t, b), m.dev.Free(b))
	}
	m.held[name] = b
	if name == "embed" && m.Net.Int8 && m.Net.Arch.Tied {
		t.Name = "head"
		return m.quantise(t, b)
	}
	return nil
}

// quantise makes codes and scales of a matrix. Spec: FX-07.
func (m *Model) quantise(t decoder.Tensor, b gpu.Buffer) error {
	rows, k := t.Shape[0], t.Shape[1]
	q, err := m.alloc(t.Name+".q", fx.I8, rows*k)
	if err != nil {
		return err
	}
	s, err := m.alloc(t.Name+".s", fx.F32, rows*((k+decoder.Group-1)/decoder.Group))
	if err != nil {
		return err
	}
	attrs := []uint64{rows, k, decoder.Group}
	return errors.Join(m.node(fx.OpQuantI8, attrs, q, b), m.node(fx.OpQuantScale, attrs, s, b))
}

func (m *Model) alloc(name string, t fx.Type, n uint64) (gpu.Buffer, error) {
	b, err := m.dev.Alloc(t, n)
	if err == nil {
		m.held[name] = b
	}
	return b, err
}

func (m *Model) put(name string, t fx.Type, x []float32) error {
	b, err := m.alloc(name, t, uint64(len(x)))
	if err == nil {
		err = m.dev.Upload(b, fx.AppendBits(nil, x))
	}
	return err
}

// Device is where the weights are.
func (m *Model) Device() gpu.Device { return m.dev }

// Buffer is a weight by its name of decoder.Net.Held or a table of RoPE, nil if there
// is none. Whoever changes it changes the model.
func (m *Model) Buffer(name string) gpu.Buffer { return m.held[name] }

// Sources are the weights by their names in folders, for hf.Save; they are read from
// the device when they are written. Errors: gpu.ErrUnsupported in fx/int8.
func (m *Model) Sources() ([]safetensors.Source, error) {
	if m.Net.Int8 {
		return nil, fmt.Errorf("%w: weights in fx/int8 are not exported; export the model that they come from", gpu.ErrUnsupported)
	}
	var out []safetensors.Source
	for _, t := range m.Config.Arch.Tensors() {
		b := m.held[t.Name]
		out = append(out, safetensors.Source{Name: t.HF, DType: safetensors.F32, Shape: slices.Clone(t.Shape), Write: func(w io.Writer) error {
			buf := make([]byte, 4*min(piece, b.Len()))
			return pieces(m.dev, b, func(v gpu.Buffer, _ uint64) error {
				if err := m.dev.Download(buf[:4*v.Len()], v); err != nil {
					return err
				}
				_, err := w.Write(buf[:4*v.Len()])
				return err
			})
		}})
	}
	return out, nil
}

// Close frees the weights. Sessions are closed before.
func (m *Model) Close() error {
	var first error
	for _, b := range m.held {
		if err := m.dev.Free(b); err != nil && first == nil {
			first = err
		}
	}
	m.held = map[string]gpu.Buffer{}
	return first
}
