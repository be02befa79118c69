// SPDX-License-Identifier: Apache-2.0

//go:build cuda && linux && (amd64 || arm64)

package cuda

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"
	"unsafe"

	"gorgonia.org/cu"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/driver"
	"github.com/openledger/openledger/gpu/kernels"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// Device is one card. Its goroutine must stay on one thread from Open to Close.
type Device struct {
	card      Card
	memory    uint64
	context   cu.CUContext
	base      cu.DevicePtr
	arena     *arena
	live      map[uint64]*buffer // whole ones, by number
	last      uint64
	functions map[string]cu.Function
	lost      error // what took the card away
}

var _ gpu.Device = (*Device)(nil)

// buffer is a range of the arena; a view has whole = false.
type buffer struct {
	dev    *Device
	typ    fx.Type
	n      uint64
	region gpu.Region
	at     cu.DevicePtr
	whole  bool
}

func (b *buffer) Type() fx.Type      { return b.typ }
func (b *buffer) Len() uint64        { return b.n }
func (b *buffer) Region() gpu.Region { return b.region }

// Open makes a context on the card, takes memory bytes of it and compiles the
// kernels for it. Errors: gpu.ErrUnsupported for a card that is too old,
// gpu.ErrMemory, or what the driver says.
func Open(card Card, memory uint64) (gpu.Device, error) {
	if !card.Usable() {
		return nil, fmt.Errorf("%w: %s has compute capability %d.%d, the kernels want %d.%d or newer",
			gpu.ErrUnsupported, card.Name, card.Major, card.Minor, leastMajor, leastMinor)
	}
	if _, err := driver.Open(); err != nil {
		return nil, err
	}
	dev, err := cu.GetDevice(card.Index)
	if err != nil {
		return nil, err
	}
	d := &Device{card: card, memory: memory / align * align, live: map[uint64]*buffer{}, functions: map[string]cu.Function{}}
	if d.context, err = dev.MakeContext(cu.SchedBlockingSync); err != nil {
		return nil, fmt.Errorf("context on %s: %w", card.Name, err)
	}
	if err := d.prepare(); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func (d *Device) prepare() (err error) {
	if d.base, err = cu.MemAlloc(int64(d.memory)); err != nil {
		left, _, _ := cu.MemInfo()
		return fmt.Errorf("%w: %s has %.1f GiB free, %.1f were wanted; give less with --gpu-mem, or end what holds the rest: %w",
			gpu.ErrMemory, d.card.Name, float64(left)/(1<<30), float64(d.memory)/(1<<30), err)
	}
	d.arena = newArena(d.memory)
	images := []string{kernels.PTX}
	if d.card.Major >= kernels.TensorMajor {
		images = append(images, kernels.Tensor)
	}
	for _, image := range images {
		m, err := load(image)
		if err != nil {
			return fmt.Errorf("compile the kernels for %s: %w", d.card.Name, err)
		}
		for _, name := range kernels.Names(image) {
			if d.functions[name], err = m.Function(name); err != nil {
				return fmt.Errorf("kernel %s: %w", name, err)
			}
		}
	}
	return nil
}

// load compiles an image for the card. If that fails it is tried once more for what
// the compiler has to say: codes alone explain nothing.
func load(image string) (cu.Module, error) {
	m, err := cu.LoadData(image)
	if err == nil {
		return m, nil
	}
	log := &cu.JITErrorLogBuffer{Buffer: make([]byte, 4096)}
	if m, again := cu.LoadDataEx(image, log); again == nil {
		return m, nil
	}
	runtime.KeepAlive(log)
	said, _, _ := bytes.Cut(log.Buffer, []byte{0})
	return m, fmt.Errorf("%w: %s", err, cmp.Or(strings.TrimSpace(string(said)), "the driver's compiler says nothing"))
}

// Info describes the card.
func (d *Device) Info() gpu.Info {
	return gpu.Info{Name: d.card.Name, Backend: "cuda", Class: fmt.Sprintf("cuda-%d.%d", d.card.Major, d.card.Minor),
		UUID: d.card.UUID, Memory: d.memory, Threads: d.card.Multiprocessor}
}

// Alloc takes room from the arena. Errors: gpu.ErrMemory, gpu.ErrArgs.
func (d *Device) Alloc(t fx.Type, n uint64) (gpu.Buffer, error) {
	if d.lost != nil {
		return nil, d.lost
	}
	if t.Size() == 0 || n < 1 || n > fx.MaxLen {
		return nil, fmt.Errorf("%w: cannot allocate %d of %s", gpu.ErrArgs, n, t)
	}
	size := n * t.Size()
	off, ok := d.arena.take(size)
	if !ok {
		return nil, fmt.Errorf("%w: %d bytes wanted, %d free of %d", gpu.ErrMemory, size, d.arena.left(), d.memory)
	}
	d.last++
	b := &buffer{d, t, n, gpu.Region{ID: d.last, Len: size}, d.base + cu.DevicePtr(off), true}
	d.live[d.last] = b
	return b, nil
}

// View returns a part of b. Errors: gpu.ErrArgs.
func (d *Device) View(b gpu.Buffer, off, n uint64) (gpu.Buffer, error) {
	m, err := d.own(b)
	if err != nil {
		return nil, err
	}
	if n < 1 || off > m.n || n > m.n-off {
		return nil, fmt.Errorf("%w: view of %d from %d in %d elements", gpu.ErrArgs, n, off, m.n)
	}
	size := m.typ.Size()
	return &buffer{d, m.typ, n, gpu.Region{ID: m.region.ID, Off: m.region.Off + off*size, Len: n * size}, m.at + cu.DevicePtr(off*size), false}, nil
}

// Free gives b's memory back to the arena; what was launched before runs before
// what is launched later, so nothing waits. Errors: gpu.ErrArgs.
func (d *Device) Free(b gpu.Buffer) error {
	m, err := d.own(b)
	if err != nil {
		return err
	}
	if !m.whole {
		return fmt.Errorf("%w: a view is not freed", gpu.ErrArgs)
	}
	delete(d.live, m.region.ID)
	d.arena.give(uint64(m.at-d.base), m.region.Len)
	return nil
}

// own returns b if it lives on this device.
func (d *Device) own(b gpu.Buffer) (*buffer, error) {
	if d.lost != nil {
		return nil, d.lost
	}
	m, ok := b.(*buffer)
	if !ok || m == nil || m.dev != d {
		return nil, fmt.Errorf("%w: a buffer of another device", gpu.ErrArgs)
	}
	if d.live[m.region.ID] == nil {
		return nil, fmt.Errorf("%w: a buffer that was freed", gpu.ErrArgs)
	}
	return m, nil
}

// Upload copies src into dst. Errors: gpu.ErrArgs, gpu.ErrLost.
func (d *Device) Upload(dst gpu.Buffer, src []byte) error {
	m, err := d.own(dst)
	if err != nil {
		return err
	}
	if uint64(len(src)) != m.region.Len {
		return fmt.Errorf("%w: %d bytes into a buffer of %d", gpu.ErrArgs, len(src), m.region.Len)
	}
	return d.check("upload", cu.MemcpyHtoD(m.at, unsafe.Pointer(&src[0]), int64(len(src))))
}

// Download waits and copies src into dst. Errors: gpu.ErrArgs, gpu.ErrLost.
func (d *Device) Download(dst []byte, src gpu.Buffer) error {
	m, err := d.own(src)
	if err != nil {
		return err
	}
	if uint64(len(dst)) != m.region.Len {
		return fmt.Errorf("%w: %d bytes out of a buffer of %d", gpu.ErrArgs, len(dst), m.region.Len)
	}
	return d.check("download", cu.MemcpyDtoH(unsafe.Pointer(&dst[0]), m.at, int64(len(dst))))
}

// perMultiprocessor is how many blocks of a product run on one at once.
const perMultiprocessor = 2

// Run launches the kernels of an operation, in slices. Errors: gpu.ErrArgs,
// gpu.ErrUnsupported, gpu.ErrLost.
func (d *Device) Run(n program.Node, in []gpu.Buffer, out gpu.Buffer) error {
	y, err := d.own(out)
	if err != nil {
		return fmt.Errorf("%s: output: %w", n.Op, err)
	}
	var args [kernels.Params]uint64
	aligned := true
	for k, b := range in {
		m, err := d.own(b)
		if err != nil {
			return fmt.Errorf("%s: input %d: %w", n.Op, k, err)
		}
		if k < kernels.MaxIn {
			args[kernels.MaxAttrs+k] = uint64(m.at)
		}
		aligned = aligned && (m.typ != fx.I8 || uint64(m.at)%kernels.Align == 0)
	}
	sig, err := gpu.Check(n, in, out)
	if err != nil {
		return err
	}
	args[kernels.MaxAttrs+kernels.MaxIn] = uint64(y.at)
	for _, l := range kernels.Plan(n.Op, n.Attrs, sig, d.card.Major, aligned) {
		f, ok := d.functions[l.Kernel]
		if !ok {
			return fmt.Errorf("%w: no kernel %s", gpu.ErrUnsupported, l.Kernel)
		}
		clear(args[:kernels.MaxAttrs])
		copy(args[:kernels.MaxAttrs], l.Attrs)
		for _, part := range l.Slices((sig.Cost.FMA+sig.Cost.MAC/4)/d.card.slice()+1, uint64(d.card.Multiprocessor)*perMultiprocessor) {
			if err := d.launch(f, l, args, part); err != nil {
				return fmt.Errorf("%s: %w", n.Op, err)
			}
		}
	}
	return nil
}

// most is the most blocks of one launch; a block goes on with further items.
const most = 1 << 20

func (d *Device) launch(f cu.Function, l kernels.Launch, args [kernels.Params]uint64, part kernels.Range) error {
	args[kernels.Params-2], args[kernels.Params-1] = part.First, part.Count
	params := make([]unsafe.Pointer, kernels.Params)
	for i := range args {
		params[i] = unsafe.Pointer(&args[i])
	}
	blocks := min((part.Count+l.PerBlock-1)/l.PerBlock, most)
	return d.check("launch", f.Launch(int(blocks), 1, 1, int(l.Threads), 1, 1, 0, cu.Stream{}, params))
}

// Peak runs multiply-adds in the registers of all multiprocessors and returns how
// many floating point operations that were and how long they took; 0 on a failure,
// which Sync then reports. Cost: about 20 ms. Spec: PERF-01.
func (d *Device) Peak() (flops float64, took time.Duration) {
	const perThread, threads, most, enough = 32, 256, 1 << 14, 5 * time.Millisecond
	blocks := uint64(max(d.card.Multiprocessor, 1)) * 32
	out, err := d.Alloc(fx.F32, blocks*threads)
	if err != nil {
		return 0, 0
	}
	defer d.Free(out)
	var args [kernels.Params]uint64
	args[kernels.MaxAttrs+kernels.MaxIn] = uint64(out.(*buffer).at)
	l := kernels.Launch{Items: blocks, Threads: threads, PerBlock: 1}
	for rounds := uint64(1 << 6); took < enough && rounds <= most; rounds *= 4 {
		args[0] = rounds
		start := time.Now()
		if d.launch(d.functions["ol_peak"], l, args, kernels.Range{Count: blocks}) != nil || d.Sync() != nil {
			return 0, 0
		}
		took = time.Since(start)
		flops = 2 * perThread * threads * float64(rounds*blocks)
	}
	return flops, took
}

// Sync waits for everything. Errors: gpu.ErrLost.
func (d *Device) Sync() error {
	if d.lost != nil {
		return d.lost
	}
	return d.check("synchronise", cu.Synchronize())
}

// check keeps a failure: after one the driver answers nothing reliably.
func (d *Device) check(what string, err error) error {
	if d.lost == nil && err != nil {
		d.lost = fmt.Errorf("%w: %s on %s: %w", gpu.ErrLost, what, d.card.Name, err)
	}
	return d.lost
}

// Close gives all memory and the context back.
func (d *Device) Close() error {
	if d.context == (cu.CUContext{}) {
		return nil
	}
	var freed error
	if d.base != 0 && d.lost == nil {
		freed = cu.MemFree(d.base)
	}
	err := errors.Join(freed, d.context.Destroy())
	d.lost, d.context = fmt.Errorf("%w: closed", gpu.ErrLost), cu.CUContext{}
	return err
}
