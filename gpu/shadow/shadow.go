// SPDX-License-Identifier: Apache-2.0

package shadow

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// Options of New; zeros take the defaults.
type Options struct {
	// Every is how many launches come to one that is looked at, 4,096.
	Every uint64
	// Elements are how many of its elements, 16.
	Elements uint64
	// Seed of what is looked at.
	Seed uint64
}

// Device passes everything on to another device.
type Device struct {
	gpu.Device
	o      Options
	draws  fx.Stream
	drawn  uint64
	failed error
}

var _ gpu.Device = (*Device)(nil)

// New wraps d.
func New(d gpu.Device, o Options) *Device {
	if o.Every == 0 {
		o.Every = 4096
	}
	if o.Elements == 0 {
		o.Elements = 16
	}
	return &Device{Device: d, o: o, draws: fx.Stream{Seed: o.Seed, Purpose: fx.PurposeBench}}
}

// below draws a number in 0 … n−1.
func (d *Device) below(n uint64) uint64 {
	d.drawn += 2
	return (uint64(d.draws.Word(d.drawn))<<32 | uint64(d.draws.Word(d.drawn+1))) % n
}

// Run runs the operation, and looks at its result if it was drawn. An operation
// whose output takes an input's memory cannot be looked at afterwards. Errors:
// gpu.ErrWrong, and those of the device.
func (d *Device) Run(n program.Node, in []gpu.Buffer, out gpu.Buffer) error {
	if d.failed != nil {
		return d.failed
	}
	if err := d.Device.Run(n, in, out); err != nil {
		return err
	}
	for _, b := range in {
		if b.Region().ID == out.Region().ID {
			return nil
		}
	}
	if d.below(d.o.Every) != 0 {
		return nil
	}
	err := d.look(n, in, out)
	if errors.Is(err, gpu.ErrWrong) {
		d.failed = err
	}
	return err
}

// Sync waits and reports an earlier mismatch again.
func (d *Device) Sync() error {
	if err := d.Device.Sync(); err != nil {
		return err
	}
	return d.failed
}

func (d *Device) look(n program.Node, in []gpu.Buffer, out gpu.Buffer) error {
	form, err := fx.NewForm(n.Op, n.Attrs)
	if err != nil {
		return fmt.Errorf("%w: %w", gpu.ErrArgs, err)
	}
	pages := make([]pages, len(in)+1)
	for k, b := range append(append([]gpu.Buffer{}, in...), out) {
		pages[k].buffer = b
	}
	read := func(k int, i uint64) uint32 {
		v, e := d.element(&pages[k], i)
		if e != nil && err == nil {
			err = e
		}
		return v
	}
	for range d.o.Elements {
		i := d.below(form.Out.Len)
		want, got := form.Elem(i, read), read(len(in), i)
		if err != nil {
			return fmt.Errorf("look at %s: %w", n.Op, err)
		}
		if form.Out.Type == fx.F32 {
			want = fx.Bits(fx.FromBits(want))
		}
		if got != want {
			return fmt.Errorf("%w: %s %d, element %d: %08x, the definition says %08x", gpu.ErrWrong, n.Op, n.Attrs, i, got, want)
		}
	}
	return nil
}

// pages are the parts of a buffer that were fetched for one look.
type pages struct {
	buffer gpu.Buffer
	have   map[uint64][]byte
}

const pageLen = 1024 // elements

// element is element i in the form of fx.Read.
func (d *Device) element(p *pages, i uint64) (uint32, error) {
	size, at := p.buffer.Type().Size(), i/pageLen
	b, ok := p.have[at]
	if !ok {
		n := min(p.buffer.Len()-at*pageLen, pageLen)
		v, err := d.Device.View(p.buffer, at*pageLen, n)
		if err != nil {
			return 0, err
		}
		b = make([]byte, n*size)
		if err := d.Device.Download(b, v); err != nil {
			return 0, err
		}
		if p.have == nil {
			p.have = map[uint64][]byte{}
		}
		p.have[at] = b
	}
	b = b[i%pageLen*size:]
	switch size {
	case 1:
		return uint32(int32(int8(b[0]))), nil
	case 2:
		return uint32(binary.LittleEndian.Uint16(b)), nil
	}
	return binary.LittleEndian.Uint32(b), nil
}
