// SPDX-License-Identifier: Apache-2.0

//go:build cuda && linux && (amd64 || arm64)

package cuda_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/cuda"
	"github.com/openledger/openledger/gpu/fakecuda"
	"github.com/openledger/openledger/gpu/ref"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// A driver is bound once per process, so each test runs this binary again with
// the stand-in and an environment of its own.
const child = "OPENLEDGER_TEST_CUDA"

func TestMain(m *testing.M) {
	if os.Getenv(child) != "" {
		runtime.LockOSThread()
		os.Exit(m.Run())
	}
	os.Exit(withStandIn(m))
}

var standIn string // folder of the library

func withStandIn(m *testing.M) int {
	var err error
	if standIn, err = os.MkdirTemp("", "fakecuda"); err == nil {
		defer os.RemoveAll(standIn)
		err = fakecuda.Build(standIn)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// inChild runs the calling test again with the stand-in driver and env; it returns
// true in that process.
func inChild(t *testing.T, env ...string) bool {
	t.Helper()
	if os.Getenv(child) != "" {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), append(env, child+"=1", "LD_LIBRARY_PATH="+standIn)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return false
}

func open(t *testing.T, memory uint64) gpu.Device {
	t.Helper()
	cards, err := cuda.Cards()
	if err != nil || len(cards) != 1 {
		t.Fatal(cards, err)
	}
	d, err := cuda.Open(cards[0], memory)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestGPU09EveryOperationOnTheStandIn(t *testing.T) {
	if !inChild(t) {
		return
	}
	d, r := open(t, 1<<28), ref.New(1<<28)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, op := range fx.Ops() {
		for range 40 {
			n, sig := node(t, rng, op)
			data := make([][]byte, len(sig.In))
			for k, a := range sig.In {
				data[k] = contents(rng, a)
			}
			if got, want := run(t, d, n, sig, data), run(t, r, n, sig, data); !bytes.Equal(got, want) {
				t.Errorf("%s %v: %x, want %x", op, n.Attrs, got, want)
				break
			}
		}
	}
}

// node draws attributes that op takes.
func node(t *testing.T, rng *rand.Rand, op fx.Op) (program.Node, fx.Sig) {
	t.Helper()
	attrs := make([]uint64, len(op.AttrNames()))
	for range 100_000 {
		for i := range attrs {
			attrs[i] = rng.Uint64N(9)
			if rng.IntN(6) == 0 {
				attrs[i] = rng.Uint64N(90)
			}
			if rng.IntN(4) == 0 {
				attrs[i] = 0
			}
		}
		if sig, err := fx.Check(op, attrs); err == nil {
			return program.Node{Op: op, Attrs: attrs, In: make([]uint64, len(sig.In)), Shape: []uint64{sig.Out.Len}}, sig
		}
	}
	t.Fatalf("found no attributes for %s", op)
	return program.Node{}, fx.Sig{}
}

// contents are random bits, small numbers for indices.
func contents(rng *rand.Rand, a fx.Arg) []byte {
	b := make([]byte, a.Len*a.Type.Size())
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	if a.Type == fx.I32 {
		for i := 0; i < len(b); i += 4 {
			binary.LittleEndian.PutUint32(b[i:], uint32(rng.IntN(12)-2))
		}
	}
	return b
}

func run(t *testing.T, d gpu.Device, n program.Node, sig fx.Sig, data [][]byte) []byte {
	t.Helper()
	var in []gpu.Buffer
	for k, a := range sig.In {
		b, err := d.Alloc(a.Type, a.Len)
		if err != nil || d.Upload(b, data[k]) != nil {
			t.Fatal(n.Op, err)
		}
		in = append(in, b)
	}
	out, err := d.Alloc(sig.Out.Type, sig.Out.Len)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, sig.Out.Len*sig.Out.Type.Size())
	if err := errors.Join(d.Run(n, in, out), d.Download(got, out)); err != nil {
		t.Fatal(n.Op, n.Attrs, err)
	}
	for _, b := range append(in, out) {
		if err := d.Free(b); err != nil {
			t.Fatal(err)
		}
	}
	return got
}

func TestGPU10MemoryIsWhatWasGiven(t *testing.T) {
	if !inChild(t, fakecuda.Memory+"=1000000") {
		return
	}
	if _, err := cuda.Open(cuda.Card{Major: 8}, 2_000_000); !errors.Is(err, gpu.ErrMemory) {
		t.Fatalf("more than the card has: %v", err)
	}
	d := open(t, 500_000)
	b, err := d.Alloc(fx.F32, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Alloc(fx.F32, 100_000); !errors.Is(err, gpu.ErrMemory) {
		t.Fatalf("second 400,000 bytes: %v", err)
	}
	if err := d.Free(b); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Alloc(fx.F32, 100_000); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Alloc(fx.F32, 1); !errors.Is(err, gpu.ErrLost) {
		t.Fatalf("after Close: %v", err)
	}
}

func TestGPU01AFailedLaunchLosesTheDevice(t *testing.T) {
	if !inChild(t, fakecuda.LaunchCode+"=700", fakecuda.After+"=1") {
		return
	}
	d := open(t, 1<<20)
	b, err := d.Alloc(fx.F32, 4)
	if err != nil {
		t.Fatal(err)
	}
	n := program.Node{Op: fx.OpFill, Attrs: []uint64{uint64(fx.F32), 4, 0}, Shape: []uint64{4}}
	if err := d.Run(n, nil, b); err != nil {
		t.Fatal("first launch:", err)
	}
	for _, err := range []error{d.Run(n, nil, b), d.Sync(), d.Download(make([]byte, 16), b)} {
		if !errors.Is(err, gpu.ErrLost) {
			t.Errorf("after a failed launch: %v", err)
		}
	}
}

func TestACardThatIsTooOldIsRefused(t *testing.T) {
	if _, err := cuda.Open(cuda.Card{Name: "old", Major: 7, Minor: 0}, 1<<20); !errors.Is(err, gpu.ErrUnsupported) {
		t.Error(err)
	}
}
