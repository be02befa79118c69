// SPDX-License-Identifier: Apache-2.0

package learn_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/cpu"
	"github.com/openledger/openledger/gpu/format"
	"github.com/openledger/openledger/gpu/format/pack"
	"github.com/openledger/openledger/gpu/learn"
	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/gpu/tune"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/decoder"
	"github.com/openledger/openledger/poa/program"
)

var words = []string{"one wrong bit shows, and one right bit pays\n", strings.Repeat("whoever worked is paid. ", 8)}

func small() decoder.Learn {
	return decoder.Learn{Net: decoder.Net{Arch: decoder.Arch{Layers: 1, Hidden: 16, Inner: 24, Heads: 2, KVHeads: 1, HeadDim: 8, Vocab: 270,
		Positions: 12, Eps: fx.Bits(1e-5), Tied: true}}, Seqs: 6, Tokens: 12, Steps: 6, StepsPerSegment: 2, Seed: 5, Optimizer: decoder.AdamW,
		Beta1: fx.Bits(0.9), Beta2: fx.Bits(0.95), Eps: fx.Bits(1e-8), Clip: fx.Bits(1), Rate: fx.Bits(0.01), Warm: 1}
}

func device(t testing.TB, memory uint64) gpu.Device {
	t.Helper()
	d, err := cpu.New(cpu.Options{Threads: 1, Memory: memory})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func open(t testing.TB, b []byte) *pack.Package {
	t.Helper()
	p, err := pack.New(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func job(t testing.TB, s decoder.Learn, base []byte) *learn.Run {
	t.Helper()
	j := learn.Job{Spec: s, Texts: words}
	if base != nil {
		j.Base = open(t, base)
	}
	r, err := learn.New(j)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func on(t testing.TB, r *learn.Run, d gpu.Device, o tune.Options) *learn.Result {
	t.Helper()
	res, err := r.On(d, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// TestTNS04ARunThatWasKilledGoesOn stops after each step, damages the saved state in
// two ways, and ends in the same package.
func TestTNS04ARunThatWasKilledGoesOn(t *testing.T) {
	d := device(t, 0)
	base := on(t, job(t, small(), nil), d, tune.Options{}).Blob
	adapters := small()
	adapters.Net.LoRA = pack.LoRA(2, 3, []string{"q"})
	for name, r := range map[string]*learn.Run{"from nothing": job(t, small(), nil), "adapters": job(t, adapters, base)} {
		want := on(t, r, d, tune.Options{})
		for stop := range 7 {
			file := filepath.Join(t.TempDir(), "state")
			n := 0
			if _, err := r.On(d, nil, tune.Options{File: file, Stop: func() bool { n++; return n > stop }}); (stop < 6) != errors.Is(err, train.ErrStopped) {
				t.Fatalf("%s: stopped after %d steps: %v", name, stop, err)
			}
			for damage := range 3 {
				if b, err := os.ReadFile(file); err == nil && damage > 0 {
					if b = b[:len(b)/damage]; damage == 1 {
						b[len(b)-1] ^= 1
					}
					if err := os.WriteFile(file, b, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				got := on(t, r, d, tune.Options{File: file})
				if got.Commitment != want.Commitment || got.Root != want.Root || !bytes.Equal(got.Blob, want.Blob) {
					t.Errorf("%s: stopped after %d steps, damage %d: other bytes", name, stop, damage)
				}
			}
		}
	}
}

// TestMemoryDecidesOverMicroBatchesNotOverBits finds the least memory in which a run
// fits; there, with more, and with plenty the bytes are equal, and below nothing runs.
func TestMemoryDecidesOverMicroBatchesNotOverBits(t *testing.T) {
	r := job(t, small(), nil)
	want := on(t, r, device(t, 0), tune.Options{})
	low, high := uint64(1000), uint64(1<<24)
	for high-low > 1000 {
		mid := (low + high) / 2
		got, err := r.On(device(t, mid), nil, tune.Options{})
		switch {
		case errors.Is(err, gpu.ErrMemory):
			low = mid
		case err != nil || !bytes.Equal(got.Blob, want.Blob):
			t.Fatalf("in %d bytes: other bytes, or %v", mid, err)
		default:
			high = mid
		}
	}
	one := small()
	one.Seqs = 1
	need, err := tune.Memory(one.Step(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("fits in %d bytes; a step of one record alone would take %d", high, need)
	if err := learn.Fits(small(), nil, 500, 4*high); err != nil {
		t.Errorf("in %d bytes: %v", 4*high, err)
	}
	if err := learn.Fits(small(), nil, 500, high-1000); !errors.Is(err, gpu.ErrMemory) {
		t.Errorf("in %d bytes: %v", high-1000, err)
	}
}

func TestJobsThatDoNotFitTheirTexts(t *testing.T) {
	d := device(t, 0)
	base := on(t, job(t, small(), nil), d, tune.Options{}).Blob
	lora := func(s *decoder.Learn) { s.Net.LoRA = pack.LoRA(2, 3, []string{"q"}) }
	for name, c := range map[string]struct {
		change func(s *decoder.Learn)
		texts  []string
		base   []byte
		want   error
		says   string
	}{
		"a small vocabulary":       {change: func(s *decoder.Learn) { s.Net.Arch.Vocab = 257 }, want: program.ErrSpec, says: "258"},
		"no texts":                 {texts: []string{}, want: train.ErrData, says: "nothing to learn"},
		"a text that is no UTF-8":  {texts: []string{"\xff"}, want: train.ErrData, says: "UTF-8"},
		"adapters of nothing":      {change: lora, want: program.ErrSpec, says: "need a base"},
		"another base":             {change: func(s *decoder.Learn) { s.Net.Arch.Layers = 2 }, base: base, want: program.ErrSpec, says: "another architecture"},
		"more tokens than it has":  {change: func(s *decoder.Learn) { s.Tokens = 20 }, base: base, want: program.ErrSpec, says: "20 tokens"},
		"a scale that no α has":    {change: func(s *decoder.Learn) { lora(s); s.Net.LoRA.Scale = fx.Bits(-1) }, base: base, want: format.ErrFormat, says: "lora_alpha"},
		"int8 without adapters":    {change: func(s *decoder.Learn) { s.Net.Int8 = true }, base: base, want: program.ErrSpec, says: "int8"},
		"a width that no file has": {change: func(s *decoder.Learn) { s.Net.Arch.BiasOut = true }, want: nil, says: "biases"},
	} {
		s, texts := small(), words
		if c.change != nil {
			c.change(&s)
		}
		if c.texts != nil {
			texts = c.texts
		}
		j := learn.Job{Spec: s, Texts: texts}
		if c.base != nil {
			j.Base = open(t, c.base)
		}
		if _, err := learn.New(j); err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

// TestNothingComesOfALossThatIsNoNumber learns at a rate that no model survives.
func TestNothingComesOfALossThatIsNoNumber(t *testing.T) {
	s := small()
	s.Rate, s.Clip, s.Optimizer, s.Momentum, s.Warm = fx.Bits(1e30), 0, decoder.SGD, 0, 0
	file := filepath.Join(t.TempDir(), "state")
	res, err := job(t, s, nil).On(device(t, 0), nil, tune.Options{File: file})
	if !errors.Is(err, train.ErrDiverged) || res != nil {
		t.Fatalf("%v, %v", res, err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a state is kept: %v", err)
	}
}
