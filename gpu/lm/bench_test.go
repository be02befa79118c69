// SPDX-License-Identifier: Apache-2.0

package lm_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/cpu"
	"github.com/openledger/openledger/gpu/format/hf"
	"github.com/openledger/openledger/gpu/lm"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// hundred is a decoder of 97 million weights.
func hundred() hf.Config {
	return hf.Config{Arch: hf.Arch{Layers: 12, Hidden: 768, Inner: 2048, Heads: 12, KVHeads: 12, HeadDim: 64, Vocab: 16_000, Positions: 1024,
		Tied: true, EpsBits: fx.Bits(1e-5), Rope: hf.Rope{ThetaBits: fx.Bits(10000)}}}
}

// bandwidth reads n bytes on d over and over and returns bytes per second at best: the
// bound of decoding, which reads as many once per token. Calls of 2 KiB are the fastest
// reader that was found: its loads do not run ahead of the processor's own requests.
func bandwidth(b *testing.B, d gpu.Device, n uint64) float64 {
	const cols = 512
	rows := n / 4 / cols
	x, err := d.Alloc(fx.F32, rows*cols)
	if err != nil {
		b.Fatal(err)
	}
	y, err := d.Alloc(fx.F32, rows)
	if err != nil {
		b.Fatal(err)
	}
	run := func(op fx.Op, attrs []uint64, out gpu.Buffer, in ...gpu.Buffer) {
		if err := d.Run(program.Node{Op: op, Attrs: attrs, In: make([]uint64, len(in)), Shape: []uint64{out.Len()}}, in, out); err != nil {
			b.Fatal(err)
		}
	}
	run(fx.OpFill, []uint64{uint64(fx.F32), rows * cols, 0x3f800000}, x)
	best := 0.0
	for range 8 {
		start := time.Now()
		run(fx.OpRedMax, []uint64{1, rows, cols, 0}, y, x)
		best = max(best, float64(4*rows*cols)/time.Since(start).Seconds())
	}
	if err := errors.Join(d.Free(x), d.Free(y)); err != nil {
		b.Fatal(err)
	}
	return best
}

// BenchmarkDecode prints tokens per second of greedy decoding of 128 tokens behind a
// prompt of 64, over and over, from the median time of a token, and their part of what
// the memory's bandwidth allows: every weight read once per token, as fast as that much
// memory was read in the same run.
func BenchmarkDecode(b *testing.B) {
	for name, int8 := range map[string]bool{"fx1": false, "int8": true} {
		var took []time.Duration
		b.Run(name, func(b *testing.B) {
			d, err := cpu.New(cpu.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer d.Close()
			m, err := lm.Init(d, hundred(), 1, lm.Options{Context: 512, Int8: int8})
			if err != nil {
				b.Fatal(err)
			}
			read := m.Net.Bytes()
			if int8 { // the embedding is looked up, not read
				read -= 4 * 16_000 * 768
			}
			limit := bandwidth(b, d, read)
			s, err := m.Session(0)
			if err != nil {
				b.Fatal(err)
			}
			if err := s.Feed(text(64)); err != nil {
				b.Fatal(err)
			}
			next := func() {
				row, err := s.Logits()
				if err != nil {
					b.Fatal(err)
				}
				if s.Len() == 64+128 {
					s.Truncate(64)
				}
				if err := s.Feed([]uint32{uint32(fx.Argmax(row))}); err != nil {
					b.Fatal(err)
				}
			}
			next()
			for took = took[:0]; b.Loop(); {
				start := time.Now()
				next()
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			rate := 1 / took[len(took)/2].Seconds()
			b.ReportMetric(rate, "tokens/s")
			b.ReportMetric(limit/1e9, "GB/s")
			b.ReportMetric(rate*float64(read)/limit, "of_bandwidth")
		})
	}
}

// BenchmarkPrefill prints tokens per second of a prompt of 512 tokens.
func BenchmarkPrefill(b *testing.B) {
	d, err := cpu.New(cpu.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	m, err := lm.Init(d, hundred(), 1, lm.Options{Context: 512})
	if err != nil {
		b.Fatal(err)
	}
	s, err := m.Session(0)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s.Truncate(0)
		if err := s.Feed(text(512)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(512*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}
