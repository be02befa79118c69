// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// Device is the near side of a worker.
type Device struct {
	r        io.Reader
	w        io.Writer
	shared   []byte
	info     gpu.Info
	deadline time.Duration // of one call
	lost     error
	closed   bool
	end      func() string // ends the worker and says how it ended
	kill     func()        // ends it at once
}

var _ gpu.Device = (*Device)(nil)

type buffer struct {
	dev    *Device
	number uint64
	typ    fx.Type
	n      uint64
	region gpu.Region
}

func (b *buffer) Type() fx.Type      { return b.typ }
func (b *buffer) Len() uint64        { return b.n }
func (b *buffer) Region() gpu.Region { return b.region }

// starting is how long a worker may take until its device answers: drivers
// compile the kernels on the first start.
const starting = 2 * time.Minute

// connect asks the worker who it is. end is called when the worker failed and when
// it is closed; a second call does nothing and says the same.
func connect(r io.Reader, w io.Writer, shared []byte, deadline time.Duration, end func() string) (*Device, error) {
	d := &Device{r: r, w: w, shared: shared, deadline: starting, end: end}
	p, err := d.call(request{Kind: kindInfo})
	if err != nil {
		return nil, err
	}
	d.deadline = deadline
	i := p.Info
	d.info = gpu.Info{Name: i.Name, Backend: i.Backend, Class: i.Class, UUID: i.UUID, Memory: i.Memory, Threads: int(min(i.Threads, 1<<20))}
	return d, nil
}

// call sends q and waits for its reply, at most for the deadline.
func (d *Device) call(q request) (reply, error) {
	if d.lost != nil {
		return reply{}, d.lost
	}
	said := make(chan string, 1)
	late := time.AfterFunc(d.deadline, func() { said <- d.end() })
	var p reply
	err := send(d.w, q)
	if err == nil {
		err = receive(d.r, &p)
	}
	if !late.Stop() { // it has fired: what came back, if anything, came too late
		d.lost = fmt.Errorf("%w: no answer within %v; the worker was ended (%s)", gpu.ErrDeadline, d.deadline, <-said)
		return reply{}, d.lost
	}
	if err != nil {
		d.lost = fmt.Errorf("%w: the worker is gone: %w (%s)", gpu.ErrLost, err, d.end())
		return reply{}, d.lost
	}
	if err = p.err(); errors.Is(err, gpu.ErrLost) || errors.Is(err, gpu.ErrDeadline) {
		d.lost = err
	}
	return p, err
}

// Info describes the worker's device.
func (d *Device) Info() gpu.Info { return d.info }

// Alloc asks for n elements.
func (d *Device) Alloc(t fx.Type, n uint64) (gpu.Buffer, error) {
	p, err := d.call(request{Kind: kindAlloc, Type: uint8(t), Len: n})
	if err != nil {
		return nil, err
	}
	return d.buffer(p, t, n), nil
}

func (d *Device) buffer(p reply, t fx.Type, n uint64) *buffer {
	return &buffer{d, p.Buf, t, n, gpu.Region{ID: p.Region[0], Off: p.Region[1], Len: p.Region[2]}}
}

// own returns b if this device made it.
func (d *Device) own(b gpu.Buffer) (*buffer, error) {
	if m, ok := b.(*buffer); ok && m != nil && m.dev == d {
		return m, nil
	}
	return nil, fmt.Errorf("%w: a buffer of another device", gpu.ErrArgs)
}

// View asks for a part of b.
func (d *Device) View(b gpu.Buffer, off, n uint64) (gpu.Buffer, error) {
	m, err := d.own(b)
	if err != nil {
		return nil, err
	}
	p, err := d.call(request{Kind: kindView, Buf: m.number, Off: off, Len: n})
	if err != nil {
		return nil, err
	}
	return d.buffer(p, m.typ, n), nil
}

// Free gives b back.
func (d *Device) Free(b gpu.Buffer) error {
	m, err := d.own(b)
	if err != nil {
		return err
	}
	_, err = d.call(request{Kind: kindFree, Buf: m.number})
	return err
}

// Upload copies src into dst through the shared memory.
func (d *Device) Upload(dst gpu.Buffer, src []byte) error {
	return d.transfer(kindUpload, dst, src)
}

// Download copies src into dst through the shared memory.
func (d *Device) Download(dst []byte, src gpu.Buffer) error {
	return d.transfer(kindDownload, src, dst)
}

func (d *Device) transfer(kind uint64, b gpu.Buffer, data []byte) error {
	m, err := d.own(b)
	if err != nil {
		return err
	}
	if uint64(len(data)) != m.region.Len {
		return fmt.Errorf("%w: %d bytes for a buffer of %d", gpu.ErrArgs, len(data), m.region.Len)
	}
	if d.lost != nil { // the shared memory is gone with the worker
		return d.lost
	}
	size := m.typ.Size()
	for off := uint64(0); off < m.n; {
		n := min(m.n-off, uint64(len(d.shared))/size)
		part := data[off*size : (off+n)*size]
		if kind == kindUpload {
			copy(d.shared, part)
		}
		if _, err := d.call(request{Kind: kind, Buf: m.number, Off: off, Len: n}); err != nil {
			return err
		}
		if kind == kindDownload {
			copy(part, d.shared)
		}
		off += n
	}
	return nil
}

// Run asks for one operation.
func (d *Device) Run(n program.Node, in []gpu.Buffer, out gpu.Buffer) error {
	q := request{Kind: kindRun, Node: n.Encode(), In: make([]uint64, len(in))}
	for i, b := range in {
		m, err := d.own(b)
		if err != nil {
			return err
		}
		q.In[i] = m.number
	}
	m, err := d.own(out)
	if err != nil {
		return err
	}
	q.Buf = m.number
	_, err = d.call(q)
	return err
}

// Sync waits for everything.
func (d *Device) Sync() error {
	_, err := d.call(request{Kind: kindSync})
	return err
}

// Kill ends the worker's process at once, so that a call that waits for it ends with
// gpu.ErrLost. Unlike all other methods it may be called from any goroutine.
func (d *Device) Kill() { d.kill() }

// Close ends the worker, also one that still answers after its device was lost. A
// second call does nothing.
func (d *Device) Close() (err error) {
	if d.closed {
		return nil
	}
	if d.lost == nil {
		_, err = d.call(request{Kind: kindClose})
		d.lost = fmt.Errorf("%w: closed", gpu.ErrLost)
	}
	d.closed = true
	d.end()
	return err
}
