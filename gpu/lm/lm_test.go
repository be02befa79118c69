// SPDX-License-Identifier: Apache-2.0

package lm_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/cpu"
	"github.com/openledger/openledger/gpu/format/hf"
	"github.com/openledger/openledger/gpu/format/hftest"
	"github.com/openledger/openledger/gpu/lm"
	"github.com/openledger/openledger/gpu/ref"
	"github.com/openledger/openledger/internal/fx"
)

// device is a CPU device with the fastest path, closed with the test.
func device(t testing.TB) gpu.Device {
	t.Helper()
	d, err := cpu.New(cpu.Options{Memory: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// folder writes a small model and opens it.
func folder(t testing.TB, c hf.Config) (*hf.Folder, string) {
	t.Helper()
	dir := t.TempDir()
	if err := hftest.Write(dir, hftest.Options{Config: c, Seed: 9, Mixed: true, Shard: 60_000}); err != nil {
		t.Fatal(err)
	}
	f, err := hf.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, dir
}

func load(t testing.TB, d gpu.Device, f *hf.Folder, o lm.Options) *lm.Model {
	t.Helper()
	m, err := lm.Load(d, f, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func text(n int) []uint32 {
	out := make([]uint32, n)
	for i := range out {
		out[i] = uint32(i*i*7+3*i) % 320
	}
	return out
}

// rows feeds ids in pieces of these lengths and returns the row after each piece.
func rows(t testing.TB, m *lm.Model, ids []uint32, pieces ...int) (out [][]float32) {
	t.Helper()
	s, err := m.Session(0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, n := range pieces {
		if err := s.Feed(ids[:n]); err != nil {
			t.Fatal(err)
		}
		ids = ids[n:]
		row, err := s.Logits()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, row)
	}
	return out
}

// TestTNS03LogitsAreThoseOfTheReference compares every kind of decoder with
// binary64 in Python on the same folder.
func TestTNS03LogitsAreThoseOfTheReference(t *testing.T) {
	for name, c := range hftest.Kinds() {
		f, dir := folder(t, c)
		ids := text(12)
		want, err := hftest.Logits(dir, [][]uint32{ids})
		if err != nil {
			t.Fatal(err)
		}
		m := load(t, device(t), f, lm.Options{})
		for i, row := range rows(t, m, ids, 7, 1, 1, 3) {
			at := []int{6, 7, 8, 11}[i]
			for k, x := range row {
				if d := math.Abs(float64(x) - want[0][at][k]); !(d < 1e-3) {
					t.Fatalf("%s: logit %d after token %d is %v, the reference says %v", name, k, at, x, want[0][at][k])
				}
			}
		}
	}
}

// TestOP03EveryPathAndEverySplitGivesTheSameBits runs one text on the definition and
// on each path of the CPU, in random pieces, in fx/1 and fx/int8.
func TestOP03EveryPathAndEverySplitGivesTheSameBits(t *testing.T) {
	c := hftest.Kinds()["qwen2"]
	c.Arch.Hidden, c.Arch.Inner, c.Arch.Heads, c.Arch.KVHeads, c.Arch.HeadDim = 24, 40, 4, 2, 6
	f, _ := folder(t, c)
	ids := text(9)
	for _, int8 := range []bool{false, true} {
		slow := ref.New(1 << 28)
		want := rows(t, load(t, slow, f, lm.Options{Context: 32, Int8: int8}), ids, 9)[0]
		for _, path := range []string{"ref", "avx2", "avx512"} {
			d, err := cpu.New(cpu.Options{Force: path})
			if err != nil {
				t.Logf("%s: %v", path, err)
				continue
			}
			m := load(t, d, f, lm.Options{Context: 32, Int8: int8})
			rapid.Check(t, func(rt *rapid.T) {
				var pieces []int
				for left := len(ids); left > 0; left -= pieces[len(pieces)-1] {
					pieces = append(pieces, rapid.IntRange(1, left).Draw(rt, "piece"))
				}
				got := rows(t, m, ids, pieces...)
				if !slices.Equal(got[len(got)-1], want) {
					rt.Fatalf("%s, int8 %v, pieces %d: other bits than the definition", path, int8, pieces)
				}
			})
		}
	}
}

func TestInt8IsCloseAndSmaller(t *testing.T) {
	f, _ := folder(t, hftest.Tiny())
	d := device(t)
	a, b := load(t, d, f, lm.Options{}), load(t, d, f, lm.Options{Int8: true})
	x, y := rows(t, a, text(20), 20)[0], rows(t, b, text(20), 20)[0]
	var dot, xx, yy float64
	for i := range x {
		dot, xx, yy = dot+float64(x[i])*float64(y[i]), xx+float64(x[i])*float64(x[i]), yy+float64(y[i])*float64(y[i])
	}
	if cos := dot / math.Sqrt(xx*yy); cos < 0.999 || slices.Equal(x, y) {
		t.Errorf("logits in fx/int8 have the cosine %v with those in fx/1", cos)
	}
	if n, m := a.Net.Bytes(), b.Net.Bytes(); m > n*2/3 {
		t.Errorf("fx/int8 takes %d bytes, fx/1 %d", m, n)
	}
}

func TestSeededWeightsAreTheSameOnEveryDevice(t *testing.T) {
	c := hftest.Tiny()
	c.Arch.Hidden, c.Arch.Inner, c.Arch.Vocab = 16, 24, 300
	slow := ref.New(1 << 28)
	for _, d := range []gpu.Device{slow, device(t)} {
		m, err := lm.Init(d, c, 7, lm.Options{Context: 16})
		if err != nil {
			t.Fatal(err)
		}
		row := rows(t, m, text(3), 3)[0]
		if got := fx.Bits(row[5]); got != 0x3dbcd851 {
			t.Errorf("%s: logit 5 is %08x", d.Info().Backend, got)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestModelsThatDoNotFitAreRefusedUnread(t *testing.T) {
	f, _ := folder(t, hftest.Tiny())
	d, err := cpu.New(cpu.Options{Memory: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	_, err = lm.Load(d, f, lm.Options{})
	if !errors.Is(err, gpu.ErrMemory) || !strings.Contains(err.Error(), "MiB") {
		t.Errorf("Load = %v", err)
	}
	need := load(t, device(t), f, lm.Options{}).Net.Bytes()
	if d, err = cpu.New(cpu.Options{Memory: need + 20_000}); err != nil {
		t.Fatal(err)
	}
	m := load(t, d, f, lm.Options{})
	if s, err := m.Session(0); !errors.Is(err, gpu.ErrMemory) || !strings.Contains(err.Error(), "cache for 256 tokens") {
		t.Errorf("Session = %v, %v", s, err)
	}
	s, err := m.Session(1) // the failed one gave its memory back
	if err != nil {
		return
	}
	if err := s.Feed([]uint32{1}); !errors.Is(err, gpu.ErrMemory) {
		t.Errorf("Feed = %v", err)
	}
}

func TestTextsBeyondTheContextAreRefused(t *testing.T) {
	f, _ := folder(t, hftest.Tiny())
	m := load(t, device(t), f, lm.Options{Context: 10})
	if _, err := m.Session(11); !errors.Is(err, lm.ErrContext) {
		t.Errorf("Session = %v", err)
	}
	s, err := m.Session(10)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Logits(); !errors.Is(err, gpu.ErrArgs) {
		t.Errorf("Logits of nothing = %v", err)
	}
	if err := s.Feed(text(11)); !errors.Is(err, lm.ErrContext) {
		t.Errorf("Feed = %v", err)
	}
	if err := s.Feed([]uint32{320}); !errors.Is(err, lm.ErrToken) {
		t.Errorf("Feed of an unknown token = %v", err)
	}
	if _, err := s.Generate(lm.Request{Prompt: text(10), Max: 5}, nil); !errors.Is(err, lm.ErrContext) {
		t.Errorf("Generate = %v", err)
	}
	n := 0
	why, err := s.Generate(lm.Request{Prompt: text(4), Max: 50}, func(uint32) error { n++; return nil })
	if err != nil || n > 7 || why == lm.ReasonLength || s.Len() > 10 {
		t.Errorf("%d tokens, %s, %v", n, why, err)
	}
}

func TestINF02GenerateIsTheSameTextEveryTime(t *testing.T) {
	f, _ := folder(t, hftest.Tiny())
	answer := func(int8 bool, s lm.Sampling) (ids []uint32, said string) {
		m := load(t, device(t), f, lm.Options{Int8: int8})
		c, err := m.Session(64)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		prompt, err := f.Tokenizer.Encode("The ledger", true)
		if err != nil {
			t.Fatal(err)
		}
		emit, rest := lm.Texts(f.Tokenizer, func(id uint32, text string) error {
			ids, said = append(ids, id), said+text
			return nil
		})
		if _, err := c.Generate(lm.Request{Prompt: prompt, Max: 12, Sampling: s}, emit); err != nil {
			t.Fatal(err)
		}
		return ids, said + rest()
	}
	warm := lm.Sampling{Temperature: 0.9, TopK: 40, TopP: 0.9, Seed: 3}
	a, said := answer(false, warm)
	if b, again := answer(false, warm); !slices.Equal(a, b) || said != again {
		t.Errorf("%d, then %d", a, b)
	}
	whole, err := f.Tokenizer.Decode(a, true)
	if err != nil || whole != said {
		t.Errorf("%q token by token, %q at once, %v", said, whole, err)
	}
	warm.Seed = 4
	if b, _ := answer(false, warm); slices.Equal(a, b) {
		t.Error("another seed gives the same text")
	}
	greedy, _ := answer(false, lm.Sampling{})
	if b, _ := answer(false, lm.Sampling{Temperature: 2, TopK: 1}); !slices.Equal(greedy, b) {
		t.Errorf("the one greatest is %d, greedy %d", b, greedy)
	}
}
