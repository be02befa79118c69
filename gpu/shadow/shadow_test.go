// SPDX-License-Identifier: Apache-2.0

package shadow_test

import (
	"errors"
	"testing"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/gputest"
	"github.com/openledger/openledger/gpu/ref"
	"github.com/openledger/openledger/gpu/shadow"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

func TestGPU08AGoodDevicePasses(t *testing.T) {
	gputest.Conform(t, shadow.New(ref.New(1<<28), shadow.Options{Every: 1, Seed: 1}), gputest.Options{Cases: 6, Work: 1 << 12})
}

// liar computes well, and then turns one bit of the output.
type liar struct{ gpu.Device }

func (l liar) Run(n program.Node, in []gpu.Buffer, out gpu.Buffer) error {
	if err := l.Device.Run(n, in, out); err != nil {
		return err
	}
	b := make([]byte, out.Region().Len)
	if err := l.Device.Download(b, out); err != nil {
		return err
	}
	b[0] ^= 1
	return l.Device.Upload(out, b)
}

func TestGPU08OneBitTakesTheDeviceAway(t *testing.T) {
	d := shadow.New(liar{ref.New(1 << 20)}, shadow.Options{Every: 8, Elements: 4, Seed: 3})
	x, _ := d.Alloc(fx.F32, 4)
	y, err := d.Alloc(fx.F32, 4)
	if err != nil || d.Upload(x, make([]byte, 16)) != nil {
		t.Fatal(err)
	}
	n := program.Node{Op: fx.OpExp, Attrs: []uint64{4}, In: []uint64{0}, Shape: []uint64{4}}
	launches := 0
	for err = nil; err == nil && launches < 1000; launches++ {
		err = d.Run(n, []gpu.Buffer{x}, y)
	}
	if !errors.Is(err, gpu.ErrWrong) || !errors.Is(err, gpu.ErrLost) {
		t.Fatalf("after %d launches: %v", launches, err)
	}
	if launches < 2 {
		t.Errorf("the first launch was looked at, Every is 8")
	}
	if err := d.Sync(); !errors.Is(err, gpu.ErrWrong) {
		t.Errorf("Sync after a mismatch: %v", err)
	}
}

func TestAnOperationInPlaceIsNotLookedAt(t *testing.T) {
	d := shadow.New(ref.New(1<<20), shadow.Options{Every: 1})
	x, err := d.Alloc(fx.F32, 1)
	if err != nil || d.Upload(x, []byte{0, 0, 128, 63}) != nil {
		t.Fatal(err)
	}
	n := program.Node{Op: fx.OpExp, Attrs: []uint64{1}, In: []uint64{0}, Shape: []uint64{1}}
	if err := d.Run(n, []gpu.Buffer{x}, x); err != nil {
		t.Fatal(err)
	}
}
