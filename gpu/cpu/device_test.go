// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"bytes"
	"errors"
	"testing"
	"unsafe"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/cpu/kern"
	"github.com/openledger/openledger/gpu/gputest"
	"github.com/openledger/openledger/internal/fx"
)

// onPaths runs a test on a device of each path of this machine.
func onPaths(t *testing.T, f func(t *testing.T, d *Device)) {
	for _, c := range kern.Paths() {
		t.Run(c.Path().String(), func(t *testing.T) {
			d, err := New(Options{Memory: 1 << 28, Threads: 3, Force: c.Path().String()})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			f(t, d)
		})
	}
}

func TestGPU03ConformsOnEveryPath(t *testing.T) {
	onPaths(t, func(t *testing.T, d *Device) {
		gputest.Conform(t, d, gputest.Options{Cases: 12, Work: 1 << 18, Seed: uint64(d.cpu.Path())})
	})
}

func TestMemoryIsBoundedAndUsedAgain(t *testing.T) {
	d, err := New(Options{Memory: 1000})
	if err != nil {
		t.Fatal(err)
	}
	a, err := d.Alloc(fx.F32, 200)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Alloc(fx.F32, 51); !errors.Is(err, gpu.ErrMemory) {
		t.Errorf("more than the memory: %v", err)
	}
	if err := d.Free(a); err != nil {
		t.Fatal(err)
	}
	if err := d.Free(a); !errors.Is(err, gpu.ErrArgs) {
		t.Errorf("freed twice: %v", err)
	}
	if _, err := d.Alloc(fx.I8, 1000); err != nil || d.spared != 0 {
		t.Errorf("all of it: %v, %d bytes kept beside", err, d.spared)
	}
}

func TestAForcedPathThatDoesNotExist(t *testing.T) {
	if _, err := New(Options{Force: "mmx"}); !errors.Is(err, kern.ErrPath) {
		t.Errorf("got %v", err)
	}
}

func TestPartsOfAChunkLieApart(t *testing.T) {
	d, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	var all []gpu.Buffer
	for i := range 40 {
		b, err := d.Alloc(fx.I8, uint64(leastPart-1+i*70_001))
		if err != nil {
			t.Fatal(err)
		}
		m, err := d.bytes(b)
		if err != nil || uintptr(unsafe.Pointer(&m[0]))%line != 0 && i > 0 {
			t.Fatalf("part %d: %v, or not on a cache line", i, err)
		}
		for j := range m {
			m[j] = byte(i)
		}
		all = append(all, b)
	}
	for i, b := range all {
		m, err := d.bytes(b)
		if err != nil || uint64(len(m)) != b.Len() || bytes.Count(m, []byte{byte(i)}) != len(m) {
			t.Fatalf("part %d of %d bytes was overwritten: %v", i, len(m), err)
		}
	}
}
