// SPDX-License-Identifier: Apache-2.0

package tune_test

import (
	"testing"
	"time"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/cpu"
	"github.com/openledger/openledger/gpu/format/hf"
	"github.com/openledger/openledger/gpu/lm"
	"github.com/openledger/openledger/gpu/tune"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/decoder"
	"github.com/openledger/openledger/poa/program"
)

// BenchmarkStep prints what a training step of 10 million weights takes: AdamW, 4
// records of 128 tokens, as docs/bench/step.py does in PyTorch; beside a product of
// 1,024³ in the same run.
func BenchmarkStep(b *testing.B) {
	d, err := cpu.New(cpu.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	c := hf.Config{Arch: hf.Arch{Layers: 9, Hidden: 256, Inner: 768, Heads: 8, KVHeads: 4, HeadDim: 32, Vocab: 4096, Positions: 128,
		EpsBits: fx.Bits(1e-5), Rope: hf.Rope{ThetaBits: fx.Bits(10000)}}}
	text := make([]uint32, 8*128+1)
	for i := range text {
		text[i] = uint32(i*i+i/7) % c.Arch.Vocab
	}
	data, n, err := tune.Records(text, 128)
	if err != nil {
		b.Fatal(err)
	}
	j := tune.Job{SegmentSteps: 1 << 20, Data: data, Rates: tune.Constant(1e-3, 1<<20), Spec: decoder.Train{Net: lm.NetOf(c.Arch, 128), Seqs: 4, Tokens: 128,
		Records: n, Steps: 1 << 20, Micro: 4, Optimizer: decoder.AdamW, Beta1: fx.Bits(0.9), Beta2: fx.Bits(0.95), Eps: fx.Bits(1e-8), Clip: fx.Bits(1)}}
	r, _ := begin(b, d, c, j)
	peak := product(b, d)
	if _, err := r.Step(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := r.Step(); err != nil {
			b.Fatal(err)
		}
	}
	g, err := j.Spec.Graph()
	if err != nil {
		b.Fatal(err)
	}
	rate := 2 * float64(g.Cost().FMA) * float64(b.N) / b.Elapsed().Seconds() / 1e9
	b.ReportMetric(float64(c.Arch.Params())/1e6, "Mweights")
	b.ReportMetric(4*128*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
	b.ReportMetric(rate, "GFLOP/s")
	b.ReportMetric(rate/peak, "of_gemm")
	b.ReportMetric(float64(r.Memory())/(1<<20), "MiB")
}

// product is the speed of a product of 1,024³ in GFLOP/s.
func product(b *testing.B, d gpu.Device) float64 {
	const n = 1024
	var x [3]gpu.Buffer
	for i := range x {
		var err error
		if x[i], err = d.Alloc(fx.F32, n*n); err != nil {
			b.Fatal(err)
		}
	}
	node := program.Node{Op: fx.OpGemm, Attrs: []uint64{1, n, n, n, 1, fx.NoLimit, 0}, In: []uint64{0, 1}, Shape: []uint64{n * n}}
	best := 0.0
	for range 4 {
		start := time.Now()
		if err := d.Run(node, x[:2], x[2]); err != nil {
			b.Fatal(err)
		}
		best = max(best, 2*n*n*n/time.Since(start).Seconds()/1e9)
	}
	return best
}
