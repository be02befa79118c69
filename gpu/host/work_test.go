// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
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
		p := &paced{Device: d, share: share, sleep: func(t time.Duration) { slept += t }}
		if err := p.Run(n, nil, b); err != nil {
			t.Fatal(err)
		}
		if (slept > 0) != rests {
			t.Errorf("share %d: slept %v", share, slept)
		}
	}
}

// A card with a small share owes long rests after long operations. Were they taken at
// once, the node would count the silence as a hang.
func TestGPU10NoRestIsLongerThanADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &paced{Device: slow{ref.New(1 << 20)}, share: 1, sleep: time.Sleep}
		b, err := p.Alloc(fx.F32, 4)
		if err != nil {
			t.Fatal(err)
		}
		n := program.Node{Op: fx.OpFill, Attrs: []uint64{uint64(fx.F32), 4, 0}, Shape: []uint64{4}}
		begin := time.Now()
		if err := p.Run(n, nil, b); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin) - busy; took*256 > deadline/2 {
			t.Errorf("an operation rests %v, 256 of them come in a message that may take %v", took, deadline)
		}
		p.Device = ref.New(1 << 20) // what follows is short
		for p.owed > 0 {
			start := time.Now()
			if err := p.Sync(); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took > deadline/2 {
				t.Fatalf("a call took %v of a deadline of %v", took, deadline)
			}
		}
		if took := time.Since(begin); took < 99*busy || took > 101*busy {
			t.Errorf("rested for %v after %v at 1 %%", took, busy)
		}
	})
}

const busy = 20 * time.Second

// slow is busy with every operation.
type slow struct{ gpu.Device }

func (s slow) Sync() error {
	time.Sleep(busy)
	return s.Device.Sync()
}
