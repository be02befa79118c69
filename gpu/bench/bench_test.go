// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"testing"
	"time"

	"github.com/openledger/openledger/gpu/bench"
	"github.com/openledger/openledger/gpu/cpu"
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
