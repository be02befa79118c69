// SPDX-License-Identifier: Apache-2.0

package decoder

import (
	"errors"
	"fmt"
	"testing"

	"github.com/openledger/openledger/poa/program"
)

func small() Net {
	return Net{Arch: Arch{Layers: 2, Hidden: 12, Inner: 20, Heads: 4, KVHeads: 2, HeadDim: 4, Vocab: 30, Positions: 16, Eps: 0x3727c5ac}}
}

func step() Train {
	return Train{Net: small(), Seqs: 4, Tokens: 8, Records: 9, Steps: 5, Seed: 7, Optimizer: AdamW,
		Beta1: 0x3f666666, Beta2: 0x3f733333, Eps: 0x322bcc77, Decay: 0x3dcccccd, Clip: 0x3f800000, Micro: 4}
}

// TestOP01ProgramIDsAreFrozen: another id is another program, and what was committed
// under the old one cannot be replayed.
func TestOP01ProgramIDsAreFrozen(t *testing.T) {
	lora, sgd, int8 := step(), step(), small()
	lora.Net.LoRA = LoRA{Rank: 2, Scale: 0x40000000, Targets: []string{"q", "v"}}
	lora.Net.Int8, lora.Net.Arch.BiasQKV, lora.Micro = true, true, 2
	sgd.Optimizer, sgd.Net.Arch.Tied = SGD, true
	int8.Int8 = true
	for name, c := range map[string]struct {
		build func() (program.Graph, error)
		id    string
	}{
		"answer":            {func() (program.Graph, error) { return small().Forward(2, 5) }, "9bb69b592adb973a1b93e44514767d930670a154a63d33bb1aa8188794ef80c2"},
		"answer in fx/int8": {func() (program.Graph, error) { return int8.Forward(1, 5) }, "6d61b8d0fb70cadaaadef75bee61cb5473084f8f623c34ad5fca4a6fca40a959"},
		"training":          {step().Graph, "5b6b1cb593e81dec09707a2dc8a206d45083fbc98a023844f3e8b0548d7c5cbc"},
		"sgd, tied":         {sgd.Graph, "30f4fca77365ca1d151c6231d6f4c06fbbcfd24e84986feddfa2b8814f8ceb81"},
		"adapters, biases":  {lora.Graph, "0d2c6ff80f75ff10c2a0c18f91f968da9659949b0cd453e65a2981ffea69cc61"},
	} {
		g, err := c.build()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := g.CheckReferee(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if id := fmt.Sprintf("%x", g.ID()); id != c.id {
			t.Errorf("%s: %d nodes, id %s, want %s", name, len(g.Nodes), id, c.id)
		}
	}
}

func TestTheStateIsWhatAStepTakesAndGives(t *testing.T) {
	for _, s := range []Train{step(), func() Train { s := step(); s.Optimizer = SGD; return s }(),
		func() Train {
			s := step()
			s.Net.LoRA = LoRA{Rank: 3, Scale: 1 << 30, Targets: []string{"down", "q"}}
			return s
		}()} {
		g, err := s.Graph()
		if err != nil {
			t.Fatal(err)
		}
		in, out := map[string]bool{}, map[string]bool{}
		for _, x := range g.Inputs {
			in[x.Name] = true
		}
		for _, x := range g.Outputs {
			out[x.Name] = true
		}
		for _, x := range s.State() {
			if !in[x.Name] || !out[x.Name] {
				t.Errorf("%s: input %v, output %v", x.Name, in[x.Name], out[x.Name])
			}
		}
		for _, x := range s.Trained() {
			if !out["norm/"+x.Name] {
				t.Errorf("no norm of %s", x.Name)
			}
		}
	}
}

func TestRecordsOutOfBoundsAreRefused(t *testing.T) {
	for name, change := range map[string]func(s *Train){
		"no layer":                 func(s *Train) { s.Net.Arch.Layers = 0 },
		"heads that do not divide": func(s *Train) { s.Net.Arch.KVHeads = 3 },
		"odd heads":                func(s *Train) { s.Net.Arch.HeadDim = 3 },
		"more tokens than places":  func(s *Train) { s.Tokens = 17 },
		"no record":                func(s *Train) { s.Records = 0 },
		"uneven micro-batches":     func(s *Train) { s.Micro = 3 },
		"no optimizer":             func(s *Train) { s.Optimizer = 0 },
		"beta1 of one":             func(s *Train) { s.Beta1 = 0x3f800000 },
		"a negative decay":         func(s *Train) { s.Decay = 0x80000001 },
		"an endless clip":          func(s *Train) { s.Clip = 0x7f800000 },
		"codes that learn":         func(s *Train) { s.Net.Int8 = true },
		"a rank for nothing":       func(s *Train) { s.Net.LoRA.Rank = 2 },
		"targets without a rank":   func(s *Train) { s.Net.LoRA.Targets = []string{"q"} },
		"an unknown target":        func(s *Train) { s.Net.LoRA = LoRA{Rank: 2, Targets: []string{"embed"}} },
		"targets out of order":     func(s *Train) { s.Net.LoRA = LoRA{Rank: 2, Targets: []string{"v", "q"}} },
		"a target twice":           func(s *Train) { s.Net.LoRA = LoRA{Rank: 2, Targets: []string{"q", "q"}} },
		"a rank of 257":            func(s *Train) { s.Net.LoRA = LoRA{Rank: 257, Targets: []string{"q"}} },
	} {
		s := step()
		change(&s)
		if _, err := s.Graph(); !errors.Is(err, program.ErrSpec) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := small().Forward(1, 17); !errors.Is(err, program.ErrSpec) {
		t.Errorf("a text beyond the positions: %v", err)
	}
}
