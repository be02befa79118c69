// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/ref"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// wrong turns a bit of what one operation computes.
type wrong struct {
	gpu.Device
	op fx.Op
}

func (w wrong) Run(n program.Node, in []gpu.Buffer, out gpu.Buffer) error {
	if err := w.Device.Run(n, in, out); err != nil || n.Op != w.op {
		return err
	}
	b := make([]byte, out.Region().Len)
	if err := w.Device.Download(b, out); err != nil {
		return err
	}
	b[len(b)-1] ^= 1
	return w.Device.Upload(out, b)
}

func TestGPU08SelfTestNamesTheOperation(t *testing.T) {
	if err := SelfTest(ref.New(1<<28), false); err != nil {
		t.Fatal(err)
	}
	err := SelfTest(wrong{ref.New(1 << 28), fx.OpTanh}, false)
	if !errors.Is(err, ErrSelfTest) || !strings.Contains(err.Error(), "tanh") {
		t.Fatalf("%v", err)
	}
}

func TestGPU10APacedDeviceRestsAfterWork(t *testing.T) {
	d := ref.New(1 << 20)
	b, err := d.Alloc(fx.F32, 1024)
	if err != nil {
		t.Fatal(err)
	}
	n := program.Node{Op: fx.OpFillNormal, Attrs: []uint64{1024, 1, 2, 3}, Shape: []uint64{1024}}
	for share, rests := range map[uint64]bool{100: false, 25: true} {
		var slept time.Duration
		p := &paced{d, share, func(t time.Duration) { slept += t }}
		if err := p.Run(n, nil, b); err != nil {
			t.Fatal(err)
		}
		if (slept > 0) != rests {
			t.Errorf("share %d: slept %v", share, slept)
		}
	}
}
