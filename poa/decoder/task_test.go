// SPDX-License-Identifier: Apache-2.0

package decoder

import (
	"errors"
	"testing"

	"github.com/openledger/openledger/poa/program"
)

func nano() Learn {
	return Learn{Net: Net{Arch: Arch{Layers: 3, Hidden: 64, Inner: 192, Heads: 4, KVHeads: 2, HeadDim: 16, Vocab: 512, Positions: 128, Eps: 0x3727c5ac, Tied: true}},
		Seqs: 8, Tokens: 128, Steps: 100, StepsPerSegment: 30, Seed: 1, Optimizer: AdamW, Beta1: 0x3f666666, Beta2: 0x3f733333,
		Eps: 0x322bcc77, Decay: 0x3c23d70a, Clip: 0x3f800000, Rate: 0x3b449ba6, Warm: 10}
}

func TestTASK02MemoryOfALayer(t *testing.T) {
	for layers := range uint64(4) {
		for _, lora := range []LoRA{{}, {Rank: 3, Targets: []string{"down", "k", "q"}}} {
			for _, c := range []struct{ int8, tied, bias bool }{{}, {true, false, true}, {true, true, false}, {false, true, true}} {
				n := Net{Arch: nano().Net.Arch, Int8: c.int8, LoRA: lora}
				n.Arch.Layers, n.Arch.Tied, n.Arch.BiasQKV, n.Arch.BiasMLP = layers, c.tied, c.bias, c.bias
				want := 4 * n.Arch.Positions * n.Arch.HeadDim
				for _, w := range append(n.Held(), n.Adapters()...) {
					want += w.Len() * w.Type.Size()
				}
				if got := n.Bytes(); got != want {
					t.Errorf("%+v: %d bytes, want %d", n, got, want)
				}
			}
		}
	}
}

// TestTASK02CheckingIsCheap: anybody may send descriptions, and they are checked
// before their signatures.
func TestTASK02CheckingIsCheap(t *testing.T) {
	allocs := func(layers uint64) float64 {
		l := nano()
		l.Net.Arch.Layers = layers
		return testing.AllocsPerRun(10, func() { _ = l.Check() })
	}
	if few, many := allocs(1), allocs(256); many > few+8 {
		t.Errorf("%v allocations for one layer, %v for 256", few, many)
	}
}

func TestTASK02LearnBounds(t *testing.T) {
	if l := nano(); l.Check() != nil || l.Segments() != 4 {
		t.Fatal(l.Check(), l.Segments())
	}
	// Matrices of a layer: q and o 64·64, k and v 32·64, three of 192·64; the head 512·64; attention 2·128·64.
	if got, want := nano().Cost(), uint64(3*(512*64+3*(2*64*64+2*32*64+3*192*64)+2*3*128*64)*128*8*100); got != want {
		t.Fatalf("cost %d, want %d", got, want)
	}
	for name, edit := range map[string]func(l *Learn){
		"no records":               func(l *Learn) { l.Seqs = 0 },
		"more records than fit":    func(l *Learn) { l.Seqs = MaxTaskSeqs + 1 },
		"no tokens":                func(l *Learn) { l.Tokens = 0 },
		"longer than the model":    func(l *Learn) { l.Tokens = 129 },
		"no steps":                 func(l *Learn) { l.Steps = 0 },
		"segments of nothing":      func(l *Learn) { l.StepsPerSegment = 0 },
		"segments beyond the run":  func(l *Learn) { l.StepsPerSegment = 101 },
		"too many segments":        func(l *Learn) { l.Steps, l.StepsPerSegment = program.MaxSegments+1, 1 },
		"a rise beyond the run":    func(l *Learn) { l.Warm = 101 },
		"no rate":                  func(l *Learn) { l.Rate = 0 },
		"an infinite rate":         func(l *Learn) { l.Rate = 0x7f800000 },
		"an unknown optimizer":     func(l *Learn) { l.Optimizer = 3 },
		"int8 without adapters":    func(l *Learn) { l.Net.Int8 = true },
		"no layers":                func(l *Learn) { l.Net.Arch.Layers = 0 },
		"adapters of unknown kind": func(l *Learn) { l.Net.LoRA = LoRA{Rank: 4, Targets: []string{"x"}} },
		"weights beyond the bound": func(l *Learn) { l.Net.Arch.Hidden, l.Net.Arch.Vocab = 65_536, 1<<20 },
		"more work than allowed":   func(l *Learn) { l.Steps, l.StepsPerSegment, l.Seqs = MaxTaskSteps, MaxTaskSteps, MaxTaskSeqs },
	} {
		t.Run(name, func(t *testing.T) {
			l := nano()
			edit(&l)
			if err := l.Check(); !errors.Is(err, program.ErrSpec) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestTASK02AskBounds(t *testing.T) {
	for name, a := range map[string]Ask{
		"a table evaluated": {Rows: 50},
		"a table answered":  {Rows: 50, Max: 1},
		"a text evaluated":  {Rows: 10, Tokens: 128, Int8: true},
		"a text continued":  {Rows: 10, Tokens: 128, Max: 32, Temperature: 0x3f000000, TopP: 0x3f000000, TopK: 40, Seed: 7},
	} {
		if err := a.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := (Ask{Rows: 50}).Segments(101); got != 3 {
		t.Errorf("%d segments, want 3", got)
	}
	for name, a := range map[string]Ask{
		"no rows":                {Tokens: 8},
		"too many rows":          {Rows: program.MaxRows + 1},
		"too long a context":     {Rows: 1, Tokens: MaxTaskTokens + 1},
		"too long an answer":     {Rows: 1, Tokens: 8, Max: MaxTaskTokens + 1},
		"a table in int8":        {Rows: 1, Int8: true},
		"two answers of a table": {Rows: 1, Max: 2},
		"a table that is drawn":  {Rows: 1, Max: 1, Seed: 1},
		"an evaluation drawn":    {Rows: 1, Tokens: 8, Temperature: 1},
		"too hot":                {Rows: 1, Tokens: 8, Max: 1, Temperature: bitsHundred + 1},
		"a negative temperature": {Rows: 1, Tokens: 8, Max: 1, Temperature: 0x80000000},
		"top_p above one":        {Rows: 1, Tokens: 8, Max: 1, TopP: bitsOne + 1},
		"top_k above all":        {Rows: 1, Tokens: 8, Max: 1, TopK: 1<<20 + 1},
	} {
		if err := a.Check(); !errors.Is(err, program.ErrSpec) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
