// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/cpu/kern"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// Options of New. The zero value takes everything: all threads, the fastest path,
// memory without a bound of its own.
type Options struct {
	// Memory bounds what Alloc hands out, in bytes; 0 means 2⁶² bytes.
	Memory uint64
	// Threads compute at once; 0 means GOMAXPROCS.
	Threads int
	// Force names a path, ref, avx2 or avx512; empty means the fastest.
	Force string
}

// Class is the device class of a processor with vector kernels. Spec: GPU-03.
const Class = "cpu"

// Device runs operations on this process's threads. Run returns when the work is
// done, so Sync has nothing to wait for. Spec: GPU-01.
type Device struct {
	cpu          kern.CPU
	pool         *kern.Pool
	calls        []call // memory of RunCalls
	memory, used uint64
	last         uint64 // number of the last allocation
	live         map[uint64][]byte
	spare        map[uint64][][]byte // freed allocations by size, used again first
	spared       uint64              // their bytes; used+spared ≤ memory
	chunk        []byte              // what is left of the last chunk
	epoch        epoch               // of the last perm_rows
	closed       bool
}

var _ gpu.Caller = (*Device)(nil)

// New returns a device. It asks the floating point unit for its rounding first.
// Errors: kern.ErrPath, fx.ErrMachine, gpu.ErrUnsupported on a big-endian machine.
func New(o Options) (*Device, error) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		return nil, fmt.Errorf("%w: this machine is big-endian, use gpu/ref", gpu.ErrUnsupported)
	}
	if err := fx.CheckMachine(); err != nil {
		return nil, err
	}
	c, err := kern.Detect(o.Force)
	if err != nil {
		return nil, err
	}
	if o.Memory == 0 {
		o.Memory = 1 << 62
	}
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	return &Device{cpu: c, pool: kern.NewPool(o.Threads), memory: o.Memory, live: map[uint64][]byte{}, spare: map[uint64][][]byte{}}, nil
}

// Vectors returns a device of the vector kernels, nil where there are none or
// OPENLEDGER_CPU forbids them. threads is as in Options. Spec: GPU-03.
func Vectors(threads int) *Device {
	d, err := New(Options{Threads: threads, Force: os.Getenv("OPENLEDGER_CPU")})
	if err != nil || d.Info().Class != Class {
		return nil
	}
	return d
}

// Info describes the device; the class of one without vector kernels is cpu-slow.
// Spec: GPU-01, GPU-03.
func (d *Device) Info() gpu.Info {
	class := Class
	if d.cpu.Path() == kern.Ref {
		class = "cpu-slow"
	}
	return gpu.Info{Name: runtime.GOARCH + " " + d.cpu.Path().String(), Backend: "cpu", Class: class,
		Memory: d.memory, Threads: d.pool.Threads()}
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

// Alloc returns n elements. Errors: gpu.ErrMemory, gpu.ErrArgs, gpu.ErrLost after Close.
func (d *Device) Alloc(t fx.Type, n uint64) (gpu.Buffer, error) {
	size := n * t.Size()
	switch {
	case d.closed:
		return nil, gpu.ErrLost
	case t.Size() == 0 || n < 1 || n > fx.MaxLen:
		return nil, fmt.Errorf("%w: cannot allocate %d of %s", gpu.ErrArgs, n, t)
	case size > d.memory-d.used:
		return nil, fmt.Errorf("%w: %d bytes wanted, %d free of %d", gpu.ErrMemory, size, d.memory-d.used, d.memory)
	}
	d.last++
	d.used += size
	d.live[d.last] = d.take(size)
	return &buffer{d, t, n, gpu.Region{ID: d.last, Len: size}, true}, nil
}

// take returns memory of a freed allocation of this size, or new memory.
func (d *Device) take(size uint64) []byte {
	if s := d.spare[size]; len(s) > 0 {
		d.spare[size], d.spared = s[:len(s)-1], d.spared-size
		return s[len(s)-1]
	}
	if d.used+d.spared > d.memory {
		clear(d.spare)
		d.spared = 0
	}
	return d.fresh(size)
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
	m, err := d.bytes(b)
	if err != nil {
		return err
	}
	if !b.(*buffer).whole {
		return fmt.Errorf("%w: a view is not freed", gpu.ErrArgs)
	}
	r := b.Region()
	d.used -= r.Len
	d.spare[r.Len], d.spared = append(d.spare[r.Len], m), d.spared+r.Len
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
	if err == nil {
		copy(m, src)
	}
	return err
}

// Download copies src into dst. Errors: gpu.ErrArgs.
func (d *Device) Download(dst []byte, src gpu.Buffer) error {
	m, err := d.bytes(src)
	if err == nil && len(m) != len(dst) {
		err = fmt.Errorf("%w: %d bytes out of a buffer of %d", gpu.ErrArgs, len(dst), len(m))
	}
	if err == nil {
		copy(dst, m)
	}
	return err
}

// Run computes out. Errors: gpu.ErrArgs. Spec: OP-02.
func (d *Device) Run(n program.Node, in []gpu.Buffer, out gpu.Buffer) error {
	s, err := n.Check()
	if err != nil {
		return fmt.Errorf("%w: %w", gpu.ErrArgs, err)
	}
	return d.RunCalls(0, []gpu.Call{{Node: n, Sig: s, In: in, Out: out}})
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
	d.closed, d.live, d.spare, d.chunk, d.calls = true, nil, nil, nil, nil
	return nil
}
