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

// Device is the near side of a worker. Operations wait here and cross together when
// somebody asks for what they compute, or when enough work is due: a pipe costs more
// than the launch of a small kernel.
type Device struct {
	r        io.Reader
	w        io.Writer
	shared   []byte
	info     gpu.Info
	deadline time.Duration // of one call
	runs     []launch      // that wait
	work     fx.Cost       // of them
	failed   error         // of operations that crossed, until Sync or Download tells it
	lost     error
	closed   bool
	end      func() string // ends the worker and says how it ended
	kill     func()        // ends it at once
}

var _ gpu.Device = (*Device)(nil)

// buffer is a part of an allocation; views never cross the pipe alone.
type buffer struct {
	dev    *Device
	typ    fx.Type
	at     part
	whole  *allocation
	view   bool
	region gpu.Region
}

type allocation struct{ freed bool }

func (b *buffer) Type() fx.Type      { return b.typ }
func (b *buffer) Len() uint64        { return b.at.Len }
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
	p, err := d.call(request{Kind: kindAlloc, Type: uint8(t), Buf: part{Len: n}})
	if err != nil {
		return nil, err
	}
	region := gpu.Region{ID: p.Region[0], Off: p.Region[1], Len: p.Region[2]}
	return &buffer{d, t, part{Buf: p.Buf, Len: n}, &allocation{}, false, region}, nil
}

// own returns b if this device made it and it is not freed.
func (d *Device) own(b gpu.Buffer) (*buffer, error) {
	m, ok := b.(*buffer)
	switch {
	case !ok || m == nil || m.dev != d:
		return nil, fmt.Errorf("%w: a buffer of another device", gpu.ErrArgs)
	case m.whole.freed:
		return nil, fmt.Errorf("%w: a freed buffer", gpu.ErrArgs)
	}
	return m, nil
}

// View is a part of b. It costs nothing.
func (d *Device) View(b gpu.Buffer, off, n uint64) (gpu.Buffer, error) {
	m, err := d.own(b)
	if err != nil {
		return nil, err
	}
	if n < 1 || off > m.at.Len || n > m.at.Len-off {
		return nil, fmt.Errorf("%w: view of %d from %d in %d elements", gpu.ErrArgs, n, off, m.at.Len)
	}
	size := m.typ.Size()
	return &buffer{d, m.typ, part{Buf: m.at.Buf, Off: m.at.Off + off, Len: n}, m.whole, true,
		gpu.Region{ID: m.region.ID, Off: m.region.Off + off*size, Len: n * size}}, nil
}

// Free gives b back when what was asked for before has run.
func (d *Device) Free(b gpu.Buffer) error {
	m, err := d.own(b)
	if err != nil {
		return err
	}
	if m.view {
		return fmt.Errorf("%w: a view is not freed", gpu.ErrArgs)
	}
	d.flush()
	if _, err = d.call(request{Kind: kindFree, Buf: m.at}); err == nil {
		m.whole.freed = true
	}
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
	d.flush()
	if d.lost != nil { // the shared memory is gone with the worker
		return d.lost
	}
	if kind == kindDownload && d.failed != nil {
		return d.tell()
	}
	size := m.typ.Size()
	for off := uint64(0); off < m.at.Len; {
		n := min(m.at.Len-off, uint64(len(d.shared))/size)
		piece := data[off*size : (off+n)*size]
		if kind == kindUpload {
			copy(d.shared, piece)
		}
		if _, err := d.call(request{Kind: kind, Buf: part{Buf: m.at.Buf, Off: m.at.Off + off, Len: n}}); err != nil {
			return err
		}
		if kind == kindDownload {
			copy(piece, d.shared)
		}
		off += n
	}
	return nil
}

// most is the work after which operations cross, about a second of a slow card.
var most = fx.Cost{FMA: 1 << 32, MAC: 1 << 32, Bytes: 1 << 34}

// Run asks for one operation. What its buffers do not fit is told at once, any other
// error by a later call.
func (d *Device) Run(n program.Node, in []gpu.Buffer, out gpu.Buffer) error {
	if d.lost != nil {
		return d.lost
	}
	if d.failed != nil {
		return d.failed
	}
	r := launch{Node: n.Encode(), In: make([]part, len(in))}
	for i, b := range in {
		m, err := d.own(b)
		if err != nil {
			return err
		}
		r.In[i] = m.at
	}
	m, err := d.own(out)
	if err != nil {
		return err
	}
	r.Out = m.at
	sig, err := gpu.Check(n, in, out)
	if err != nil {
		return err
	}
	d.runs, d.work = append(d.runs, r), d.work.Plus(sig.Cost)
	if w := d.work; len(d.runs) == maxRuns || w.FMA >= most.FMA || w.MAC >= most.MAC || w.Bytes >= most.Bytes {
		d.flush()
		return d.failed
	}
	return nil
}

// flush sends what waits. Its error is told by Run, Sync and Download.
func (d *Device) flush() {
	if len(d.runs) == 0 {
		return
	}
	runs := d.runs
	d.runs, d.work = d.runs[:0], fx.Cost{}
	if _, err := d.call(request{Kind: kindRun, Runs: runs}); err != nil && d.failed == nil {
		d.failed = err
	}
}

// tell returns the error of earlier operations and forgets it.
func (d *Device) tell() error {
	err := d.failed
	d.failed = nil
	return err
}

// Sync waits for everything.
func (d *Device) Sync() error {
	d.flush()
	_, err := d.call(request{Kind: kindSync})
	if d.failed != nil && d.lost == nil {
		return d.tell()
	}
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
