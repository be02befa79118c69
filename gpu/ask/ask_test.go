// SPDX-License-Identifier: Apache-2.0

package ask_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/ask"
	"github.com/openledger/openledger/gpu/cpu"
	"github.com/openledger/openledger/gpu/format/pack"
	"github.com/openledger/openledger/gpu/host/hosttest"
	"github.com/openledger/openledger/gpu/infer"
	"github.com/openledger/openledger/gpu/learn"
	"github.com/openledger/openledger/gpu/lm"
	"github.com/openledger/openledger/gpu/model"
	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/gpu/tune"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/table"
	"github.com/openledger/openledger/poa/decoder"
	"github.com/openledger/openledger/poa/program"
)

// fast is the fastest path of the processor.
func fast(t testing.TB) gpu.Device {
	t.Helper()
	d, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

var (
	id    = [32]byte{7}
	who   = keys.ModuleAddress("worker")
	words = []string{
		"The ledger pays whoever worked.\nA claim is a string of bits that any machine can reproduce.\n",
		"Nothing is accepted within tolerance.\nSo one wrong bit shows.\n\nThe ledger pays whoever checked, too.\n",
	}
)

// small learns from words in 4 steps of 2 records of 12 tokens.
func small() decoder.Learn {
	return decoder.Learn{Net: decoder.Net{Arch: decoder.Arch{Layers: 1, Hidden: 16, Inner: 24, Heads: 2, KVHeads: 1, HeadDim: 8, Vocab: 270,
		Positions: 12, Eps: fx.Bits(1e-5), Tied: true}}, Seqs: 2, Tokens: 12, Steps: 4, StepsPerSegment: 2, Seed: 5, Optimizer: decoder.AdamW,
		Beta1: fx.Bits(0.9), Beta2: fx.Bits(0.95), Eps: fx.Bits(1e-8), Clip: fx.Bits(1), Rate: fx.Bits(0.01), Warm: 1}
}

// onBase is small for adapters of rank 2.
func onBase(int8 bool) decoder.Learn {
	s := small()
	s.Net.LoRA, s.Net.Int8 = pack.LoRA(2, 4, []string{"q", "v", "down"}), int8
	return s
}

func open(t testing.TB, b []byte) *pack.Package {
	t.Helper()
	p, err := pack.New(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func learned(t testing.TB, d gpu.Device, s decoder.Learn, base []byte) *learn.Result {
	t.Helper()
	j := learn.Job{Task: id, Operator: who, Spec: s, Texts: words}
	if base != nil {
		j.Base = open(t, base)
	}
	r, err := learn.New(j)
	if err != nil {
		t.Fatal(err)
	}
	res, err := r.On(d, nil, tune.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// lines are what is asked: a text's lines, one of them longer than the context.
func lines() (out [][]byte) {
	for _, w := range words {
		for l := range strings.Lines(w) {
			out = append(out, []byte(strings.TrimSpace(l)))
		}
	}
	return append(slices.DeleteFunc(out, func(l []byte) bool { return len(l) == 0 }), []byte("x"), []byte(strings.Repeat("bits ", 40)))
}

func evaluate(rows uint64, int8 bool) decoder.Ask {
	return decoder.Ask{Rows: rows, Tokens: 12, Int8: int8}
}

func answer(rows uint64, int8 bool) decoder.Ask {
	return decoder.Ask{Rows: rows, Tokens: 12, Int8: int8, Max: 4, Temperature: fx.Bits(0.9), TopP: fx.Bits(0.95), TopK: 60, Seed: 3}
}

func asked(t testing.TB, d gpu.Device, s decoder.Ask, m, adapters []byte) *ask.Result {
	t.Helper()
	j := ask.Job{Task: id, Operator: who, Spec: s, Model: open(t, m), Lines: lines()}
	if adapters != nil {
		j.Adapters = open(t, adapters)
	}
	res, err := ask.Run(j, d, ask.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// frozen are the first bytes of the roots of each task of the table, leaves and
// output, on every machine, forever.
var frozen = map[string]string{
	"learn from nothing": "89c1a899 d2790863", "learn on a base": "90736ed0 34781e52", "adapters": "faea1079 c39488e6",
	"adapters of an int8 base": "9ec8ace6 6033f9c3", "evaluate": "8c50f315 bc5a1f3c", "evaluate in int8": "336f4e7c 1515b38d",
	"answer": "f0411f36 45a00558", "answer with adapters": "67a86e80 9f2e2569", "answer with adapters in int8": "723339ff 2b963bc2",
}

// TestCHK04EveryDeviceLearnsAndAnswersTheSame runs each kind of task on texts on every
// device. With -v it prints the table of docs/bench/engine.md.
func TestCHK04EveryDeviceLearnsAndAnswersTheSame(t *testing.T) {
	type result struct {
		root, output [32]byte
		blob         []byte
	}
	var whole, adapters []byte // of the definition
	of := func(r *learn.Result) result { return result{r.Commitment.Root, r.Root, r.Blob} }
	says := func(r *ask.Result) result { return result{r.Commitment.Root, r.Root, r.Blob} }
	all := hosttest.Devices(t)
	for _, c := range []struct {
		name string
		run  func(d gpu.Device) result
	}{
		{"learn from nothing", func(d gpu.Device) result { return of(learned(t, d, small(), nil)) }},
		{"learn on a base", func(d gpu.Device) result { return of(learned(t, d, small(), whole)) }},
		{"adapters", func(d gpu.Device) result { return of(learned(t, d, onBase(false), whole)) }},
		{"adapters of an int8 base", func(d gpu.Device) result { return of(learned(t, d, onBase(true), whole)) }},
		{"evaluate", func(d gpu.Device) result { return says(asked(t, d, evaluate(2, false), whole, nil)) }},
		{"evaluate in int8", func(d gpu.Device) result { return says(asked(t, d, evaluate(2, true), whole, nil)) }},
		{"answer", func(d gpu.Device) result { return says(asked(t, d, answer(2, false), whole, nil)) }},
		{"answer with adapters", func(d gpu.Device) result { return says(asked(t, d, answer(2, false), whole, adapters)) }},
		{"answer with adapters in int8", func(d gpu.Device) result { return says(asked(t, d, answer(2, true), whole, adapters)) }},
	} {
		want := c.run(all["reference"])
		t.Logf("| %s | `%x` | `%x` |", c.name, want.root, want.output)
		if got := fmt.Sprintf("%x %x", want.root[:4], want.output[:4]); got != frozen[c.name] {
			t.Errorf("%s: roots %s, were %s", c.name, got, frozen[c.name])
		}
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if got := c.run(all[name]); got.root != want.root || got.output != want.output || !bytes.Equal(got.blob, want.blob) {
				t.Errorf("%s on %s: %x, %x", c.name, name, got.root, got.output)
			}
		}
		switch c.name {
		case "learn from nothing":
			whole = want.blob
		case "adapters":
			adapters = want.blob
		}
	}
	for name, d := range all {
		if err := d.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOP03SegmentsChangeNoResult asks in segments of every length and in batches of
// whatever fits: the results are the same bytes.
func TestOP03SegmentsChangeNoResult(t *testing.T) {
	d := fast(t)
	m := learned(t, d, small(), nil).Blob
	tab, err := table.Parse("rows.csv", []byte("1,2,0\n9,9,1\n3,1,0\n8,9,1\n0,0,1\n"), table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := infer.New(model.Init(model.Arch{Model: program.MLP, Features: 2, Hidden: 3, Classes: 2, Scale: 16}, 1))
	kinds := map[string]func(rows uint64) ask.Job{
		"evaluate": func(n uint64) ask.Job { return ask.Job{Spec: evaluate(n, false), Model: open(t, m), Lines: lines()} },
		"answer":   func(n uint64) ask.Job { return ask.Job{Spec: answer(n, false), Model: open(t, m), Lines: lines()} },
		"judge": func(n uint64) ask.Job {
			return ask.Job{Spec: decoder.Ask{Rows: n}, Table: w, Tables: []*table.Table{tab, tab}}
		},
		"tell": func(n uint64) ask.Job {
			return ask.Job{Spec: decoder.Ask{Rows: n, Max: 1}, Table: w, Tables: []*table.Table{tab, tab}}
		},
	}
	for name, job := range kinds {
		want, err := ask.Run(job(4096), d, ask.Options{})
		if err != nil {
			t.Fatal(name, err)
		}
		if list, err := ask.Decode(want.Blob); err != nil || uint64(list.Len()) != job(1).Rows() || want.Commitment.Segments != 1 {
			t.Fatalf("%s: %d results in %d segments, %v", name, list.Len(), want.Commitment.Segments, err)
		}
		for rows := uint64(1); rows < 4; rows++ {
			got, err := ask.Run(job(rows), d, ask.Options{})
			if err != nil || !bytes.Equal(got.Blob, want.Blob) || got.Commitment.Segments != (job(1).Rows()+rows-1)/rows {
				t.Errorf("%s in segments of %d: other results, or %v", name, rows, err)
			}
		}
	}
}

// TestOP03ALineIsJudgedByItself draws lines and compares a batch with each line alone,
// and with the loss that follows from the logits of a session.
func TestOP03ALineIsJudgedByItself(t *testing.T) {
	d := fast(t)
	m := learned(t, d, small(), nil).Blob
	f, err := open(t, m).Model()
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := lm.Load(d, f, lm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := loaded.Session(0)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		list := rapid.SliceOfN(rapid.Map(rapid.StringMatching(`[a-z ]{1,30}`), func(s string) []byte { return []byte("a" + s) }), 1, 5).Draw(rt, "lines")
		run := func(list [][]byte) []ask.Score {
			res, err := ask.Run(ask.Job{Spec: evaluate(64, false), Model: open(t, m), Lines: list}, d, ask.Options{})
			if err != nil {
				rt.Fatal(err)
			}
			r, err := ask.Decode(res.Blob)
			if err != nil {
				rt.Fatal(err)
			}
			return r.Scores
		}
		together := run(list)
		for i, l := range list {
			if alone := run([][]byte{l}); alone[0] != together[i] {
				rt.Fatalf("line %q: %+v alone, %+v among others", l, alone[0], together[i])
			}
			ids, err := f.Tokenizer.Encode(string(l), true)
			if err != nil {
				rt.Fatal(err)
			}
			var sum float32
			for at := 0; at+1 < len(ids); at++ { // one token at a time, anew every 12
				if at%12 == 0 {
					s.Truncate(0)
				}
				if err := s.Feed(ids[at : at+1]); err != nil {
					rt.Fatal(err)
				}
				z, err := s.Logits()
				if err != nil {
					rt.Fatal(err)
				}
				e, top := make([]float32, len(z)), fx.RedMax(z)
				for k := range z {
					e[k] = fx.Exp(fx.Sub(z[k], top))
				}
				sum = fx.Add(sum, fx.Sub(fx.Log(fx.RedSum(e)), fx.Sub(z[ids[at+1]], top)))
			}
			if together[i].Tokens != uint64(len(ids)-1) || together[i].Loss != fx.Bits(sum) {
				rt.Fatalf("line %q: %+v, by a session %d tokens, %08x", l, together[i], len(ids)-1, fx.Bits(sum))
			}
		}
	})
}

// TestARunThatWasKilledGoesOn stops after each question, damages what is saved, and
// ends in the same bytes.
func TestARunThatWasKilledGoesOn(t *testing.T) {
	d := fast(t)
	m := learned(t, d, small(), nil).Blob
	for _, spec := range []decoder.Ask{evaluate(2, false), answer(2, false)} {
		j := ask.Job{Task: id, Operator: who, Spec: spec, Model: open(t, m), Lines: lines()}
		want, err := ask.Run(j, d, ask.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for stop := range 6 {
			file := filepath.Join(t.TempDir(), "results")
			n, first := 0, uint64(0)
			_, err := ask.Run(j, d, ask.Options{File: file, Stop: func() bool { n++; return n > 3*stop }, Progress: func(done, _ uint64) { first = done }})
			if err != nil && !errors.Is(err, train.ErrStopped) {
				t.Fatal(err)
			}
			for cut := range 3 {
				b, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if cut == 1 { // torn
					b = b[:len(b)-len(b)/3]
				} else if cut == 2 && len(b) > 80 { // another bit
					b[79] ^= 1
				}
				if err := os.WriteFile(file, b, 0o600); err != nil {
					t.Fatal(err)
				}
				asked := 0
				got, err := ask.Run(j, d, ask.Options{File: file, Stop: func() bool { asked++; return false }})
				if err != nil || got.Commitment != want.Commitment || !slices.Equal(got.Leaves, want.Leaves) || !bytes.Equal(got.Blob, want.Blob) {
					t.Fatalf("stopped at %d of the questions, damage %d: other bytes, or %v", 3*stop, cut, err)
				}
				if cut == 0 && first == want.Commitment.Segments && asked > 0 {
					t.Error("a finished run asks again")
				}
			}
			j.Spec.Rows = 3 // another task finds the file of this one
			if got, err := ask.Run(j, d, ask.Options{File: file}); err != nil || !bytes.Equal(got.Blob, want.Blob) {
				t.Errorf("on the file of another task: %v", err)
			}
			j.Spec.Rows = 2
		}
	}
}

func TestQuestionsThatCannotBeAnswered(t *testing.T) {
	d := fast(t)
	m := learned(t, d, small(), nil).Blob
	a := learned(t, d, onBase(false), m).Blob
	other := small()
	other.Net.Arch.Layers = 2
	deep := learned(t, d, other, nil).Blob
	bare, err := table.Parse("rows.csv", []byte("1,2\n"), table.Options{Unlabeled: true})
	if err != nil {
		t.Fatal(err)
	}
	w := infer.New(model.Init(model.Arch{Model: program.Softmax, Features: 2, Classes: 2, Scale: 16}, 1))
	base := ask.Job{Spec: evaluate(2, false), Model: open(t, m), Lines: lines()}
	for name, c := range map[string]struct {
		change func(j *ask.Job)
		want   string
	}{
		"no rows":                     {func(j *ask.Job) { j.Lines = nil }, "no rows"},
		"no model":                    {func(j *ask.Job) { j.Model = nil }, "language model"},
		"a table of a language model": {func(j *ask.Job) { j.Lines, j.Tables = nil, []*table.Table{bare} }, "language model"},
		"adapters as the model":       {func(j *ask.Job) { j.Model = open(t, a) }, "holds adapters"},
		"a model as adapters":         {func(j *ask.Job) { j.Adapters = open(t, m) }, "adapter_config.json"},
		"adapters of another model":   {func(j *ask.Job) { j.Model, j.Adapters = open(t, deep), open(t, a) }, "tensors"},
		"no tokens":                   {func(j *ask.Job) { j.Spec.Rows = 0 }, "rows 0"},
		"a text that is no UTF-8":     {func(j *ask.Job) { j.Lines = [][]byte{{0xff, 0xfe}} }, "UTF-8"},
		"rows without labels": {func(j *ask.Job) {
			*j = ask.Job{Spec: decoder.Ask{Rows: 1}, Table: w, Tables: []*table.Table{bare}}
		}, "labels"},
		"other features": {func(j *ask.Job) {
			*j = ask.Job{Spec: decoder.Ask{Rows: 1, Max: 1}, Table: infer.New(model.Init(model.Arch{Model: program.Softmax, Features: 3, Classes: 2, Scale: 1}, 1)),
				Tables: []*table.Table{bare}}
		}, "features"},
	} {
		j := base
		c.change(&j)
		if _, err := ask.Run(j, d, ask.Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	f, err := open(t, m).Model()
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range []decoder.Ask{evaluate(2, false), answer(2, true)} {
		if err := ask.Fits(spec, f.Config.Arch, true, 1<<20); err != nil {
			t.Error(err)
		}
		if err := ask.Fits(spec, f.Config.Arch, true, 10_000); !errors.Is(err, gpu.ErrMemory) {
			t.Errorf("in 10,000 bytes: %v", err)
		}
		tiny, err := cpu.New(cpu.Options{Memory: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		j := base
		j.Spec = spec
		if _, err := ask.Run(j, tiny, ask.Options{}); !errors.Is(err, gpu.ErrMemory) {
			t.Errorf("on a device of 10,000 bytes: %v", err)
		}
	}
}

// FuzzDecode: no input panics, and what is accepted has one encoding.
func FuzzDecode(f *testing.F) {
	f.Add(ask.Results{Answers: []infer.Answer{{Label: 1, Logits: []uint32{0, 1}}}}.Encode())
	f.Add(ask.Results{Judged: []ask.Judged{{Right: true, Loss: 7}, {}}}.Encode())
	f.Add(ask.Results{Scores: []ask.Score{{Tokens: 1 << 40, Loss: 1}}}.Encode())
	f.Add(ask.Results{Said: []ask.Said{{Tokens: []uint32{1, 2}, Reason: "end"}, {Reason: "context"}}}.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ask.Decode(b)
		if err == nil && !bytes.Equal(r.Encode(), b) {
			t.Fatal("two encodings of one list")
		}
		_ = r.Summary()
	})
}
