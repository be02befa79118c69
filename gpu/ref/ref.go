// SPDX-License-Identifier: Apache-2.0

package ref

import (
	"fmt"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// Device is memory of this process and the calling goroutine.
type Device struct {
	memory, used uint64 // bytes
	last         uint64 // number of the last allocation
	live         map[uint64][]byte
	closed       bool
}

var _ gpu.Device = (*Device)(nil)

// New returns a device that hands out up to memory bytes.
func New(memory uint64) *Device {
	return &Device{memory: memory, live: map[uint64][]byte{}}
}

// buffer is a region of a live allocation of dev.
type buffer struct {
	dev    *Device
	typ    fx.Type
	n      uint64
	region gpu.Region
	whole  bool // not a view
}

func (b *buffer) Type() fx.Type      { return b.typ }
func (b *buffer) Len() uint64        { return b.n }
func (b *buffer) Region() gpu.Region { return b.region }

// Info describes the device. Spec: GPU-01.
func (d *Device) Info() gpu.Info {
	return gpu.Info{Name: "reference", Backend: "ref", Class: "cpu-slow", Memory: d.memory, Threads: 1}
}

// Alloc returns n elements. Errors: gpu.ErrMemory, gpu.ErrArgs.
func (d *Device) Alloc(t fx.Type, n uint64) (gpu.Buffer, error) {
	switch {
	case d.closed:
		return nil, gpu.ErrLost
	case t.Size() == 0 || n < 1 || n > fx.MaxLen:
		return nil, fmt.Errorf("%w: cannot allocate %d of %s", gpu.ErrArgs, n, t)
	case n*t.Size() > d.memory-d.used:
		return nil, fmt.Errorf("%w: %d bytes wanted, %d free of %d", gpu.ErrMemory, n*t.Size(), d.memory-d.used, d.memory)
	}
	d.last++
	d.used += n * t.Size()
	d.live[d.last] = make([]byte, n*t.Size())
	return &buffer{d, t, n, gpu.Region{ID: d.last, Len: n * t.Size()}, true}, nil
}

// View returns a part of b. Errors: gpu.ErrArgs.
func (d *Device) View(b gpu.Buffer, off, n uint64) (gpu.Buffer, error) {
	if _, err := d.bytes(b); err != nil {
		return nil, err
	}
	if n < 1 || off > b.Len() || n > b.Len()-off {
		return nil, fmt.Errorf("%w: view of %d from %d in %d elements", gpu.ErrArgs, n, off, b.Len())
	}
	size, r := b.Type().Size(), b.Region()
	return &buffer{d, b.Type(), n, gpu.Region{ID: r.ID, Off: r.Off + off*size, Len: n * size}, false}, nil
}

// Free gives the memory of b back. Errors: gpu.ErrArgs.
func (d *Device) Free(b gpu.Buffer) error {
	if _, err := d.bytes(b); err != nil {
		return err
	}
	if !b.(*buffer).whole {
		return fmt.Errorf("%w: a view is not freed", gpu.ErrArgs)
	}
	r := b.Region()
	d.used -= r.Len
	delete(d.live, r.ID)
	return nil
}

// bytes returns the memory of a live buffer of this device.
func (d *Device) bytes(b gpu.Buffer) ([]byte, error) {
	if d.closed {
		return nil, gpu.ErrLost
	}
	m, ok := b.(*buffer)
	if !ok || m == nil || m.dev != d {
		return nil, fmt.Errorf("%w: a buffer of another device", gpu.ErrArgs)
	}
	mem, ok := d.live[m.region.ID]
	if !ok {
		return nil, fmt.Errorf("%w: a buffer that was freed", gpu.ErrArgs)
	}
	return mem[m.region.Off : m.region.Off+m.region.Len], nil
}

// Upload copies src into dst. Errors: gpu.ErrArgs.
func (d *Device) Upload(dst gpu.Buffer, src []byte) error {
	m, err := d.bytes(dst)
	if err == nil && len(m) != len(src) {
		err = fmt.Errorf("%w: %d bytes into a buffer of %d", gpu.ErrArgs, len(src), len(m))
	}
	if err != nil {
		return err
	}
	copy(m, src)
	return nil
}

// Download copies src into dst. Errors: gpu.ErrArgs.
func (d *Device) Download(dst []byte, src gpu.Buffer) error {
	m, err := d.bytes(src)
	if err == nil && len(m) != len(dst) {
		err = fmt.Errorf("%w: %d bytes out of a buffer of %d", gpu.ErrArgs, len(dst), len(m))
	}
	if err != nil {
		return err
	}
	copy(dst, m)
	return nil
}

// Run computes out element by element. Errors: gpu.ErrArgs. Spec: OP-02.
func (d *Device) Run(n program.Node, in []gpu.Buffer, out gpu.Buffer) error {
	args := make([][]byte, len(in))
	for k, b := range in {
		m, err := d.bytes(b)
		if err != nil {
			return fmt.Errorf("%s: input %d: %w", n.Op, k, err)
		}
		args[k] = m
	}
	dst, err := d.bytes(out)
	if err != nil {
		return fmt.Errorf("%s: output: %w", n.Op, err)
	}
	if _, err := gpu.Check(n, in, out); err != nil {
		return err
	}
	form, err := fx.NewForm(n.Op, n.Attrs)
	if err != nil {
		return fmt.Errorf("%w: %w", gpu.ErrArgs, err)
	}
	types := make([]fx.Type, len(in))
	for k, b := range in {
		types[k] = b.Type()
	}
	read := func(k int, i uint64) uint32 { return gpu.Load(types[k], args[k], i) }
	for i := range form.Out.Len {
		gpu.Store(form.Out.Type, dst, i, form.Elem(i, read))
	}
	return nil
}

// Sync does nothing: every call is finished when it returns.
func (d *Device) Sync() error {
	if d.closed {
		return gpu.ErrLost
	}
	return nil
}

// Close frees everything.
func (d *Device) Close() error {
	d.closed, d.live = true, nil
	return nil
}
