// SPDX-License-Identifier: Apache-2.0

package ref

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

func TestGPU01AProductOnTheReference(t *testing.T) {
	d := New(1 << 20)
	a, b, c := upload(t, d, 1, 2, 3, 4), upload(t, d, 5, 6, 7, 8), upload(t, d, 0, 0, 0, 0)
	n := program.Node{Op: fx.OpGemm, Attrs: []uint64{1, 2, 2, 2, 1, fx.NoLimit, 0}, In: []uint64{0, 1}, Shape: []uint64{2, 2}}
	if err := d.Run(n, []gpu.Buffer{a, b}, c); err != nil {
		t.Fatal(err)
	}
	out := make([]byte, 16)
	if err := d.Download(out, c); err != nil {
		t.Fatal(err)
	}
	for i, want := range []float32{17, 23, 39, 53} {
		if got := binary.LittleEndian.Uint32(out[4*i:]); got != fx.Bits(want) {
			t.Errorf("element %d is %08x, want %v", i, got, want)
		}
	}
	if err := d.Run(n, []gpu.Buffer{a, b}, a); !errors.Is(err, gpu.ErrArgs) {
		t.Errorf("a product into its own input: %v", err)
	}
}

func upload(t *testing.T, d gpu.Device, v ...float32) gpu.Buffer {
	t.Helper()
	b, err := d.Alloc(fx.F32, uint64(len(v)))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Upload(b, fx.AppendBits(nil, v)); err != nil {
		t.Fatal(err)
	}
	return b
}
