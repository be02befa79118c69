// SPDX-License-Identifier: Apache-2.0

package detrand

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"strconv"
	"testing"
)

var update = flag.Bool("update", false, "write docs/spec/vectors/draw.json instead of comparing")

const vectorFile = "../../docs/spec/vectors/draw.json"

// Words are decimal strings, because JSON readers differ above 2^53.
type vectors struct {
	About    string           `json:"about"`
	Clauses  []string         `json:"clauses"`
	Words    []wordsVector    `json:"words"`
	Below    []belowVector    `json:"below"`
	Samples  []sampleVector   `json:"samples"`
	SplitMix []splitMixVector `json:"splitmix"`
	Shuffles []shuffleVector  `json:"shuffles"`
	PoASeeds []poaVector      `json:"poa_seeds"`
}

type input struct {
	Seed    string `json:"seed"`
	Purpose string `json:"purpose"`
	ID      string `json:"id"`
}

type wordsVector struct {
	input
	Words []string `json:"words"`
}

type belowVector struct {
	input
	Bound  string   `json:"bound"`
	Values []string `json:"values"`
}

type sampleVector struct {
	Name string `json:"name"`
	input
	Weights []string `json:"weights"`
	K       int      `json:"k"`
	Picks   []int    `json:"picks"`
}

type splitMixVector struct {
	Seed  string   `json:"seed"`
	Words []string `json:"words"`
	Bound string   `json:"bound"`
	Below []string `json:"below"` // of a fresh stream
}

type shuffleVector struct {
	Seed string `json:"seed"`
	N    int    `json:"n"`
	Perm []int  `json:"perm"`
}

type poaVector struct {
	Seed    string `json:"seed"`
	Purpose string `json:"purpose"`
	Index   string `json:"index"`
	Want    string `json:"splitmix_seed"`
}

func filled(b byte) (a [32]byte) {
	for i := range a {
		a[i] = b
	}
	return a
}

func hexOf(a [32]byte) string { return hex.EncodeToString(a[:]) }

func dec(x uint64) string { return strconv.FormatUint(x, 10) }

func take(n int, next func() uint64) (out []string) {
	for range n {
		out = append(out, dec(next()))
	}
	return out
}

func allVectors() vectors {
	v := vectors{
		About: "Written random streams. words, below and samples follow EXE-05 over SHA-256(dom(\"draw\", seed, purpose, id, counter)); " +
			"splitmix, shuffles and poa_seeds follow ARC-04. Integers beyond 32 bits are decimal strings.",
		Clauses: []string{"EXE-05", "ARC-04"},
	}
	seed, id := filled(1), filled(2)
	in := func(purpose string) input { return input{hexOf(seed), purpose, hexOf(id)} }
	for _, purpose := range []string{"", "checker", "sample"} {
		v.Words = append(v.Words, wordsVector{in(purpose), take(9, New(seed, purpose, id).Uint64)})
	}
	// 2^63 + 1 rejects almost every second word, so the rejection rule shows.
	for _, bound := range []uint64{1, 2, 3, 10, 1000, 1 << 32, 1<<63 + 1, 1<<64 - 1} {
		d := New(seed, "below", id)
		v.Below = append(v.Below, belowVector{in("below"), dec(bound), take(6, func() uint64 { return d.Below(bound) })})
	}
	for _, c := range sampleCases {
		out := sampleVector{Name: c.name, input: in("checker"), K: c.k, Weights: []string{}, Picks: []int{}}
		for _, w := range c.weights {
			out.Weights = append(out.Weights, dec(w))
		}
		out.Picks = append(out.Picks, New(seed, "checker", id).Sample(c.weights, c.k)...)
		v.Samples = append(v.Samples, out)
	}
	for _, s := range []uint64{0, 1, 42, 1234567, 1<<64 - 1} {
		b := NewSplitMix(s)
		v.SplitMix = append(v.SplitMix, splitMixVector{dec(s), take(6, NewSplitMix(s).Next), "10", take(6, func() uint64 { return b.Below(10) })})
	}
	for _, n := range []int{0, 1, 2, 5, 20} {
		v.Shuffles = append(v.Shuffles, shuffleVector{"7", n, NewSplitMix(7).Perm(n)})
	}
	for i := range uint64(3) {
		v.PoASeeds = append(v.PoASeeds, poaVector{hexOf(seed), "permutation", dec(i), dec(PoASeed(seed, "permutation", i))})
	}
	return v
}

var sampleCases = []struct {
	name    string
	weights []uint64
	k       int
}{
	{"nobody", nil, 3},
	{"nobody with weight", []uint64{0, 0}, 3},
	{"the only one", []uint64{5}, 3},
	{"none asked for", []uint64{5, 6}, 0},
	{"three of eight equal ones", []uint64{1, 1, 1, 1, 1, 1, 1, 1}, 3},
	{"all of five, in drawn order", []uint64{10, 20, 30, 40, 50}, 9},
	{"zero weights are never drawn", []uint64{0, 7, 0, 7, 0, 7, 0}, 7},
	{"one holds nearly everything", []uint64{1, 1 << 62, 1, 1}, 2},
	{"bonds in base units", []uint64{1_000_000_000_000, 2_500_000_000_000, 1_000_000_000_001, 999_999_999_999}, 3},
	{"the sum is 2^64-1", []uint64{1 << 63, 1<<63 - 1}, 2},
	{"the sum is 2^64: nothing is drawn", []uint64{1 << 63, 1 << 63}, 2},
}

func TestEXE05VectorsAreCurrent(t *testing.T) {
	text, err := json.MarshalIndent(allVectors(), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *update {
		if err := os.WriteFile(vectorFile, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, text) {
		t.Fatalf("%s differs from the results of this package; review and run go test ./internal/detrand -update", vectorFile)
	}
}
