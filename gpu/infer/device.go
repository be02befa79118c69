// SPDX-License-Identifier: Apache-2.0

package infer

import (
	"encoding/binary"
	"fmt"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/cpu"
	"github.com/openledger/openledger/gpu/model"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// Bounds of work on a device: rows of one batch, and multiply-adds of a table from
// which the processor's vector kernels are worth their start.
const (
	batch = 1024
	worth = 1 << 22
)

// outputs are logits [rows, classes] and labels [rows].
type outputs struct {
	logits []float32
	labels []int
}

// answer computes every row: large tables on the processor's vector kernels if it
// has them, else row after row. The bits are the same. Spec: OP-03.
func (m *Model) answer(d *model.Data) outputs {
	if dev := cpu.Vectors(0); dev != nil && uint64(d.Rows)*m.train().Params() >= worth {
		defer dev.Close()
		if out, err := m.on(dev, d); err == nil { // else too large for an operation
			return out
		}
	}
	c := int(m.Arch().Classes)
	out := outputs{make([]float32, d.Rows*c), make([]int, d.Rows)}
	for i := range out.labels {
		out.labels[i] = m.net.Label(d.Row(i), out.logits[i*c:(i+1)*c])
	}
	return out
}

func (m *Model) train() program.Train {
	a := m.Arch()
	return program.Train{Model: a.Model, Features: a.Features, Classes: a.Classes, Hidden: a.Hidden, Scale: a.Scale}
}

// on computes every row on a device, in batches, by the graph of ExpandInfer.
// Errors: those of gpu.Device, program.ErrSpec.
func (m *Model) on(dev gpu.Device, d *model.Data) (outputs, error) {
	var out outputs
	for at := 0; at < d.Rows; {
		n := min(batch, d.Rows-at)
		g, err := program.ExpandInfer(m.train(), uint64(n))
		if err != nil {
			return out, err
		}
		runs := (d.Rows - at) / n
		if err := m.batches(dev, g, d, at, n, runs, &out); err != nil {
			return out, err
		}
		at += n * runs
	}
	return out, nil
}

// batches runs one graph on several batches of n rows from row at.
func (m *Model) batches(dev gpu.Device, g program.Graph, d *model.Data, at, n, runs int, out *outputs) error {
	p, err := gpu.NewPlan(dev, g)
	if err != nil {
		return err
	}
	defer p.Close()
	var owned []gpu.Buffer
	defer func() {
		for _, b := range owned {
			_ = dev.Free(b)
		}
	}()
	alloc := func(t fx.Type, n uint64) (b gpu.Buffer, err error) {
		if b, err = dev.Alloc(t, n); err == nil {
			owned = append(owned, b)
		}
		return b, err
	}
	x, err := alloc(fx.F32, uint64(n*d.Features))
	if err != nil {
		return err
	}
	in := []gpu.Buffer{x}
	for _, t := range m.weights.Tensors {
		b, err := alloc(fx.F32, uint64(len(t.Data)))
		if err != nil {
			return err
		}
		if err := dev.Upload(b, fx.AppendBits(nil, t.Data)); err != nil {
			return err
		}
		in = append(in, b)
	}
	z, err := alloc(fx.F32, uint64(n)*m.Arch().Classes)
	if err != nil {
		return err
	}
	label, err := alloc(fx.I32, uint64(n))
	if err != nil {
		return err
	}
	logits, labels := make([]byte, z.Region().Len), make([]byte, label.Region().Len)
	for i := range runs {
		from := (at + i*n) * d.Features
		if err := dev.Upload(x, fx.AppendBits(nil, d.X[from:from+n*d.Features])); err != nil {
			return err
		}
		if err := p.Run(in, []gpu.Buffer{z, label}); err != nil {
			return err
		}
		if err := dev.Download(logits, z); err != nil {
			return err
		}
		if err := dev.Download(labels, label); err != nil {
			return fmt.Errorf("labels: %w", err)
		}
		for b := logits; len(b) > 0; b = b[4:] {
			out.logits = append(out.logits, fx.FromBits(binary.LittleEndian.Uint32(b)))
		}
		for b := labels; len(b) > 0; b = b[4:] {
			out.labels = append(out.labels, int(binary.LittleEndian.Uint32(b)))
		}
	}
	return nil
}
