// SPDX-License-Identifier: Apache-2.0

//go:build linux

package proc_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/proc"
	"github.com/openledger/openledger/gpu/ref"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// This test binary is also the worker: a reference device that misbehaves as the
// variable says.
const mode = "OPENLEDGER_TEST_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(mode) == "" {
		os.Exit(m.Run())
	}
	requests, replies, shared, err := proc.Files()
	if err == nil {
		err = proc.Serve(requests, replies, shared, faulty{ref.New(1 << 28)})
	}
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
}

type faulty struct{ gpu.Device }

func (f faulty) Run(n program.Node, in []gpu.Buffer, out gpu.Buffer) error {
	if os.Getenv(mode) == "nonegation" && n.Op == fx.OpNeg {
		return gpu.ErrUnsupported
	}
	return f.Device.Run(n, in, out)
}

func (f faulty) Sync() error {
	switch os.Getenv(mode) {
	case "crash":
		os.Stderr.WriteString("driver fell over\n\ngoroutine 1 [running]:\n" + strings.Repeat("main.main()\n", 1000))
		os.Exit(134)
	case "hang":
		unix.Pause()
	case "lost":
		return gpu.ErrLost
	}
	return f.Device.Sync()
}

func start(t *testing.T, how string, deadline time.Duration) *proc.Device {
	t.Helper()
	d, err := proc.Start(proc.Worker{Path: os.Args[0], Env: []string{mode + "=" + how}, Deadline: deadline})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestGPU07AWorkerComputes(t *testing.T) {
	d := start(t, "well", time.Minute)
	if i := d.Info(); i.Backend != "ref" || i.Memory != 1<<28 {
		t.Fatalf("%+v", i)
	}
	const n = 5 << 20 // 20 MiB: more than one transfer
	x, err := d.Alloc(fx.F32, n)
	if err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte{0, 0, 128, 63}, n)
	copy(data[4*(n-1):], []byte{0, 0, 0, 64})
	if err := d.Upload(x, data); err != nil {
		t.Fatal(err)
	}
	last, err := d.View(x, n-2, 2)
	if err != nil {
		t.Fatal(err)
	}
	y, err := d.Alloc(fx.F32, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Run(neg(2), []gpu.Buffer{last}, y), d.Sync()); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 8)
	if err := d.Download(got, y); err != nil || !bytes.Equal(got, []byte{0, 0, 128, 191, 0, 0, 0, 192}) {
		t.Fatalf("%v %v", got, err)
	}
	back := make([]byte, 4*n)
	if err := d.Download(back, x); err != nil || !bytes.Equal(back, data) {
		t.Fatal("20 MiB do not come back as they went", err)
	}
}

func TestErrorsKeepTheirMeaning(t *testing.T) {
	d := start(t, "well", time.Minute)
	if _, err := d.Alloc(fx.F32, 1<<30); !errors.Is(err, gpu.ErrMemory) {
		t.Errorf("4 GiB of 256 MiB: %v", err)
	}
	b, err := d.Alloc(fx.F32, 4)
	if err != nil {
		t.Fatal(err)
	}
	v, err := d.View(b, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := ref.New(1<<20).Alloc(fx.F32, 4)
	for name, err := range map[string]error{
		"short upload":          d.Upload(b, make([]byte, 15)),
		"foreign buffer":        d.Free(other),
		"free a view":           d.Free(v),
		"wrong number of input": d.Run(program.Node{Op: fx.OpNeg, Attrs: []uint64{4}, In: []uint64{0}, Shape: []uint64{4}}, nil, b),
		"node out of bounds":    d.Run(program.Node{Op: fx.OpNeg, Attrs: []uint64{0}, In: []uint64{0}, Shape: []uint64{4}}, []gpu.Buffer{b}, b),
	} {
		if !errors.Is(err, gpu.ErrArgs) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := d.Free(b); err != nil {
		t.Fatal(err)
	}
	if err := d.Upload(v, make([]byte, 8)); !errors.Is(err, gpu.ErrArgs) {
		t.Errorf("view of a freed buffer: %v", err)
	}
}

// neg is one operation over n elements.
func neg(n uint64) program.Node {
	return program.Node{Op: fx.OpNeg, Attrs: []uint64{n}, In: []uint64{0}, Shape: []uint64{n}}
}

// What waits to cross the pipe has run when its result, its input's memory or its
// input's content is touched.
func TestGPU07OperationsRunInTheOrderInWhichTheyWereAsked(t *testing.T) {
	d := start(t, "well", time.Minute)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	word := func(x float32) []byte { return binary.LittleEndian.AppendUint32(nil, math.Float32bits(x)) }
	a, err := d.Alloc(fx.F32, 1)
	must(err)
	out, err := d.Alloc(fx.F32, 1000)
	must(err)
	for i := range uint64(1000) { // more than one message, an upload between every two
		must(d.Upload(a, word(float32(i))))
		at, err := d.View(out, i, 1)
		must(err)
		must(d.Run(neg(1), []gpu.Buffer{a}, at))
	}
	for range 601 { // more than two messages, nothing between
		must(d.Run(neg(1000), []gpu.Buffer{out}, out))
	}
	must(d.Free(a))
	got := make([]byte, 4000)
	must(d.Download(got, out))
	for i := range 1000 {
		if x := got[4*i : 4*i+4]; !bytes.Equal(x, word(float32(i))) {
			t.Fatalf("element %d is %x", i, x)
		}
	}
}

// An error of an operation that crossed later is told once, and nothing runs after it
// until it was.
func TestGPU01ErrorsOfWaitingOperationsAreToldLater(t *testing.T) {
	d := start(t, "nonegation", time.Minute)
	a, err := d.Alloc(fx.F32, 4)
	if err != nil {
		t.Fatal(err)
	}
	add := program.Node{Op: fx.OpAdd, Attrs: []uint64{4, 1, 0, 0}, In: []uint64{0, 0}, Shape: []uint64{4}}
	if sig, err := add.Check(); err != nil {
		t.Fatal(err, sig)
	}
	one := bytes.Repeat([]byte{0, 0, 128, 63}, 4)
	for name, ask := range map[string]func() error{
		"sync":     d.Sync,
		"download": func() error { return d.Download(make([]byte, 16), a) },
	} {
		if err := errors.Join(d.Upload(a, one), d.Run(neg(4), []gpu.Buffer{a}, a), d.Run(add, []gpu.Buffer{a, a}, a)); err != nil {
			t.Fatalf("%s: told too early: %v", name, err)
		}
		if err := ask(); !errors.Is(err, gpu.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
		got := make([]byte, 16)
		if err := d.Download(got, a); err != nil || !bytes.Equal(got, one) {
			t.Errorf("%s: after it was told: %v %v", name, got, err)
		}
	}
	for i := 0; ; i++ {
		if err := d.Run(neg(4), []gpu.Buffer{a}, a); err != nil {
			if !errors.Is(err, gpu.ErrUnsupported) || i < 100 {
				t.Errorf("after %d: %v", i, err)
			}
			break
		}
	}
	if err := d.Run(add, []gpu.Buffer{a, a}, a); !errors.Is(err, gpu.ErrUnsupported) {
		t.Errorf("an operation behind one that failed: %v", err)
	}
}

// A view needs nothing on the other side: any number of them may be made.
func TestViewsAreFree(t *testing.T) {
	d := start(t, "well", time.Minute)
	a, err := d.Alloc(fx.F32, 8)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 << 20 {
		if _, err := d.View(a, 2, 4); err != nil {
			t.Fatal(err)
		}
	}
	v, _ := d.View(a, 2, 4)
	if v, err = d.View(v, 1, 2); err != nil || v.Region().Off != a.Region().Off+12 || v.Region().ID != a.Region().ID || v.Len() != 2 {
		t.Fatalf("a view of a view: %+v, %v", v.Region(), err)
	}
	if err := d.Upload(v, []byte{1, 2, 3, 4, 5, 6, 7, 8}); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 32)
	if err := d.Download(got, a); err != nil || !bytes.Equal(got[12:20], []byte{1, 2, 3, 4, 5, 6, 7, 8}) {
		t.Fatalf("%v %v", got, err)
	}
}

func BenchmarkRun(b *testing.B) {
	d, err := proc.Start(proc.Worker{Path: os.Args[0], Env: []string{mode + "=well"}, Deadline: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	a, err := d.Alloc(fx.F32, 1)
	for b.Loop() {
		if err = errors.Join(err, d.Run(neg(1), []gpu.Buffer{a}, a)); err != nil {
			b.Fatal(err)
		}
	}
	if err := d.Sync(); err != nil {
		b.Fatal(err)
	}
}

func TestGPU07LossesAreTold(t *testing.T) {
	for _, c := range []struct {
		how      string
		deadline time.Duration
		is       error
		says     string
	}{
		{"crash", time.Minute, gpu.ErrLost, "driver fell over"},
		{"hang", 50 * time.Millisecond, gpu.ErrDeadline, "no answer within 50ms"},
		{"lost", time.Minute, gpu.ErrLost, "lost"},
	} {
		t.Run(c.how, func(t *testing.T) {
			d := start(t, c.how, c.deadline)
			if err := d.Sync(); !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%v", err)
			}
			if err := d.Sync(); strings.Contains(err.Error(), "goroutine") {
				t.Errorf("stacks: %v", err)
			}
			if _, err := d.Alloc(fx.F32, 1); !errors.Is(err, c.is) {
				t.Errorf("after the loss: %v", err)
			}
			if err := d.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

func TestAWorkerThatDoesNotStart(t *testing.T) {
	if _, err := proc.Start(proc.Worker{Path: "/nonexistent", Deadline: time.Minute}); err == nil {
		t.Error("started nothing")
	}
	if _, err := proc.Start(proc.Worker{Path: "/bin/false", Deadline: time.Minute}); !errors.Is(err, gpu.ErrLost) {
		t.Errorf("%v", err)
	}
}
