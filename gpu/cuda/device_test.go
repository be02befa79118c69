// SPDX-License-Identifier: Apache-2.0

//go:build cuda && linux && (amd64 || arm64)

package cuda_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/cuda"
	"github.com/openledger/openledger/gpu/fakecuda"
	"github.com/openledger/openledger/gpu/gputest"
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
	gputest.Conform(t, open(t, 1<<28), gputest.Options{Work: 1 << 16})
}

// Products around every edge of the tiles, with and without limits, on memory
// that is not aligned to four words.
func TestGPU06TilesOnTheStandIn(t *testing.T) {
	if !inChild(t) {
		return
	}
	gputest.Conform(t, open(t, 1<<28), gputest.Options{Seed: 7, Cases: 60, Work: 1 << 19,
		Ops: []fx.Op{fx.OpGemm, fx.OpGemmI8, fx.OpRedSum, fx.OpRedSumSq, fx.OpRedMax}})
}

func TestGPU10MemoryIsWhatWasGiven(t *testing.T) {
	if !inChild(t, fakecuda.Memory+"=1000000") {
		return
	}
	if _, err := cuda.Open(cuda.Card{Major: 8}, 2_000_000); !errors.Is(err, gpu.ErrMemory) || !strings.Contains(err.Error(), "--gpu-mem") {
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

func TestGPU06WhatTheCompilerSaysIsTold(t *testing.T) {
	if !inChild(t, fakecuda.LoadCode+"=218") {
		return
	}
	cards, err := cuda.Cards()
	if err != nil {
		t.Fatal(err)
	}
	if d, err := cuda.Open(cards[0], 1<<20); err == nil || !strings.Contains(err.Error(), "line 9: the stand-in knows no such instruction") {
		t.Errorf("%v %v", d, err)
	}
}

func TestACardThatIsTooOldIsRefused(t *testing.T) {
	if _, err := cuda.Open(cuda.Card{Name: "old", Major: 7, Minor: 0}, 1<<20); !errors.Is(err, gpu.ErrUnsupported) {
		t.Error(err)
	}
}
