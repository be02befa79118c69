// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/bench"
	"github.com/openledger/openledger/gpu/cpu"
	"github.com/openledger/openledger/gpu/ref"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

func TestGPU11RowsAreMeasuredBesideThePeak(t *testing.T) {
	d, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	peak := func() (float64, time.Duration) { return 1e12, time.Second }
	rows, err := bench.Run(d, peak, bench.Sizes{Gemm: 64, Wide: 128, Flat: 8192})
	if err != nil {
		t.Fatal(err)
	}
	if rows[0].Name != "fma_peak" || rows[0].Gflops != 1000 || rows[0].OfPeak != 1 {
		t.Fatalf("%+v", rows[0])
	}
	for _, r := range rows[1:] {
		if r.Gflops <= 0 || r.Micros <= 0 || r.GBs <= 0 || r.Backend != "cpu" || r.Shape == "" {
			t.Errorf("%+v", r)
		}
	}
	if g := rows[1]; g.OfPeak != g.Gflops/1000 {
		t.Errorf("%+v is not a share of the peak", g)
	}
}

// dull is a device whose operations take their multiply-adds in microseconds.
type dull struct {
	gpu.Device
	per time.Duration
}

func (d dull) Run(n program.Node, in []gpu.Buffer, out gpu.Buffer) error {
	sig, err := fx.Check(n.Op, n.Attrs)
	time.Sleep(time.Duration(sig.Cost.FMA+sig.Cost.MAC+sig.Out.Len) * d.per)
	return err
}

// On a fast device sizes are those that were asked for; on a slow one, or one with
// little memory, no row takes long.
func TestGPU11SizesFitTheDevice(t *testing.T) {
	for name, c := range map[string]struct {
		per    time.Duration
		memory uint64
		keeps  bool
	}{
		"fast": {0, 1 << 40, true}, "slow": {20 * time.Nanosecond, 1 << 40, false}, "small": {0, 1 << 22, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := dull{ref.New(c.memory), c.per}
				s, err := bench.Fit(d, bench.CPU, 2*time.Second)
				if err != nil || (s == bench.CPU) != c.keeps {
					t.Fatalf("%+v %v", s, err)
				}
				start := time.Now()
				if _, err := bench.Run(d, func() (float64, time.Duration) { return 1, 1 }, s); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took > 2*time.Minute {
					t.Errorf("%+v took %v", s, took)
				}
			})
		})
	}
}
