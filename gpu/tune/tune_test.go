// SPDX-License-Identifier: Apache-2.0

package tune_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/cpu"
	"github.com/openledger/openledger/gpu/format/hf"
	"github.com/openledger/openledger/gpu/format/hftest"
	"github.com/openledger/openledger/gpu/format/pack"
	"github.com/openledger/openledger/gpu/format/safetensors"
	"github.com/openledger/openledger/gpu/lm"
	"github.com/openledger/openledger/gpu/ref"
	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/gpu/tune"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/decoder"
	"github.com/openledger/openledger/poa/program"
)

// tiny is the smallest decoder that has everything: two layers, grouped heads.
func tiny() hf.Config {
	c := hftest.Tiny()
	a := &c.Arch
	a.Hidden, a.Inner, a.Heads, a.KVHeads, a.HeadDim, a.Vocab, a.Positions = 12, 20, 4, 2, 4, 29, 16
	c.EOS = nil
	return c
}

// task is a job over a text with a pattern that can be learned.
func task(c hf.Config, change func(j *tune.Job)) tune.Job {
	text := make([]uint32, 75)
	for i := range text {
		text[i] = uint32(i*i+i/7) % c.Arch.Vocab
	}
	data, n, err := tune.Records(text, 8)
	if err != nil {
		panic(err)
	}
	j := tune.Job{Task: [32]byte{7}, SegmentSteps: 2, Data: data, Spec: decoder.Train{
		Net: lm.NetOf(c.Arch, 8), Seqs: 4, Tokens: 8, Records: n, Steps: 5, Seed: 3, Micro: 4,
		Optimizer: decoder.AdamW, Beta1: fx.Bits(0.9), Beta2: fx.Bits(0.95), Eps: fx.Bits(1e-8), Decay: fx.Bits(0.1), Clip: fx.Bits(1)}}
	if change != nil {
		change(&j)
	}
	if j.Rates == nil {
		j.Rates = tune.Linear(0.01, 2, j.Spec.Steps)
	}
	return j
}

func fast(t testing.TB) gpu.Device {
	t.Helper()
	d, err := cpu.New(cpu.Options{Memory: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// begin draws a model and prepares a run of j on d.
func begin(t testing.TB, d gpu.Device, c hf.Config, j tune.Job) (*tune.Trainer, *lm.Model) {
	t.Helper()
	m, err := lm.Init(d, c, 5, lm.Options{Context: j.Spec.Net.Arch.Positions, Int8: j.Spec.Net.Int8})
	if err != nil {
		t.Fatal(err)
	}
	r, err := tune.New(m, j)
	if err != nil {
		t.Fatal(err)
	}
	return r, m
}

func finish(t testing.TB, r *tune.Trainer, o tune.Options) *tune.Result {
	t.Helper()
	res, err := r.Run(o)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// kinds are runs that together use everything.
func kinds() map[string]func(c *hf.Config, j *tune.Job) {
	return map[string]func(c *hf.Config, j *tune.Job){
		"adamw": func(*hf.Config, *tune.Job) {},
		"sgd, tied": func(c *hf.Config, j *tune.Job) {
			c.Arch.Tied = true
			j.Spec.Optimizer, j.Spec.Momentum, j.Spec.Clip = decoder.SGD, fx.Bits(0.9), 0
		},
		"biases": func(c *hf.Config, _ *tune.Job) { c.Arch.BiasQKV, c.Arch.BiasOut, c.Arch.BiasMLP = true, true, true },
		"lora":   func(_ *hf.Config, j *tune.Job) { j.Spec.Net.LoRA = pack.LoRA(2, 4, nil) },
		"lora on q,v": func(c *hf.Config, j *tune.Job) {
			c.Arch.BiasQKV = true
			j.Spec.Net.LoRA = pack.LoRA(3, 3, []string{"v", "q"})
		},
		"lora, int8": func(c *hf.Config, j *tune.Job) {
			c.Arch.Tied = true
			j.Spec.Net.Int8 = true
			j.Spec.Net.LoRA = pack.LoRA(2, 4, nil)
		},
	}
}

// of applies a kind to the tiny model.
func of(kind func(c *hf.Config, j *tune.Job), change func(j *tune.Job)) (hf.Config, tune.Job) {
	c := tiny()
	j := task(c, nil)
	kind(&c, &j)
	net := lm.NetOf(c.Arch, 8)
	net.Int8, net.LoRA = j.Spec.Net.Int8, j.Spec.Net.LoRA
	j.Spec.Net = net
	if change != nil {
		change(&j)
	}
	return c, j
}

// TestCHK01TheRootsOfEveryBackendAreEqual is the table of the issue: one run, the root
// of each segment on the definition and on every path of the CPU.
func TestCHK01TheRootsOfEveryBackendAreEqual(t *testing.T) {
	golden := map[string]string{}
	for name, kind := range kinds() {
		c, j := of(kind, nil)
		want := finish(t, first(begin(t, ref.New(1<<28), c, j)), tune.Options{})
		golden[name] = fmt.Sprintf("%x", want.Commitment.Root[:8])
		for _, path := range []string{"ref", "avx2", "avx512"} {
			d, err := cpu.New(cpu.Options{Force: path})
			if err != nil {
				t.Logf("%s: %v", path, err)
				continue
			}
			got := finish(t, first(begin(t, d, c, j)), tune.Options{})
			t.Logf("%-12s %-6s %x %x %x", name, path, got.Leaves[0].Out[:4], got.Leaves[1].Out[:4], got.Leaves[2].Out[:4])
			if got.Commitment != want.Commitment || !slices.Equal(got.Leaves, want.Leaves) {
				t.Errorf("%s on %s: %x, on the definition %x", name, path, got.Commitment.Root, want.Commitment.Root)
			}
		}
	}
	for name, want := range frozen {
		if golden[name] != want {
			t.Errorf("%s: the root of the run is %s, was %s", name, golden[name], want)
		}
	}
}

// frozen are the roots of these runs on every machine, forever.
var frozen = map[string]string{"adamw": "8d2af49963e9bc26", "sgd, tied": "06c42f78b4780c48", "biases": "6ef66f97411fca31", "lora": "a5e7d3f3825d7599", "lora on q,v": "25c7816a34e90b9a", "lora, int8": "09413a269b16db32"}

func first(r *tune.Trainer, _ *lm.Model) *tune.Trainer { return r }

// TestTNS04MicroBatchesChangeNoBit runs the same steps with 1, 2 and 4 records at once.
func TestTNS04MicroBatchesChangeNoBit(t *testing.T) {
	for name, kind := range kinds() {
		var want *tune.Result
		for _, micro := range []uint64{4, 2, 1} {
			c, j := of(kind, func(j *tune.Job) { j.Spec.Micro = micro })
			got := finish(t, first(begin(t, fast(t), c, j)), tune.Options{})
			if want == nil {
				want = got
			}
			if got.Commitment != want.Commitment {
				t.Errorf("%s: micro-batches of %d give other bits", name, micro)
			}
		}
	}
}

// TestOP05GradientsAreSlopes compares what plain SGD does in one step with the slope of
// the loss along it.
func TestOP05GradientsAreSlopes(t *testing.T) {
	for name, kind := range kinds() {
		loss := func(rate float32, steps uint64) (float64, float64) {
			c, j := of(kind, func(j *tune.Job) {
				j.Spec.Optimizer, j.Spec.Momentum, j.Spec.Decay, j.Spec.Clip = decoder.SGD, 0, 0, 0
				j.Spec.Beta1, j.Spec.Beta2, j.Spec.Eps = 0, 0, 0
				j.Spec.Seqs, j.Spec.Micro = j.Spec.Records, j.Spec.Records // all steps see all records
				j.Spec.Steps, j.Rates = steps, tune.Constant(rate, steps)
			})
			r, _ := begin(t, fast(t), c, j)
			var norm float64
			for range steps {
				x, err := r.Step()
				if err != nil {
					t.Fatal(err)
				}
				if r.Steps() == 1 {
					norm = r.GradientSquares()
				}
				if r.Steps() == steps {
					return float64(x), norm
				}
			}
			return 0, 0
		}
		rate, most := float32(1)/2048, 0.05
		if strings.Contains(name, "lora") {
			rate = 1.0 / 64
		}
		if strings.Contains(name, "int8") { // its steps are not smooth
			most = 0.25
		}
		before, norm := loss(rate, 1)
		after, _ := loss(rate, 2)
		fall := (before - after) / float64(rate)
		if norm == 0 || math.Abs(fall/norm-1) > most {
			t.Errorf("%s: the loss falls by %.4f per rate, the gradient says %.4f", name, fall, norm)
		}
	}
}

// TestARunThatWasKilledEndsInTheSameBits stops after each step, resumes, and compares.
func TestARunThatWasKilledEndsInTheSameBits(t *testing.T) {
	for _, name := range []string{"adamw", "lora, int8"} {
		c, j := of(kinds()[name], nil)
		want := finish(t, first(begin(t, fast(t), c, j)), tune.Options{})
		for stop := range 6 {
			file := filepath.Join(t.TempDir(), "state.safetensors")
			r, _ := begin(t, fast(t), c, j)
			asked := 0
			_, err := r.Run(tune.Options{File: file, Stop: func() bool { asked++; return asked > stop }})
			if stop < 5 && !errors.Is(err, train.ErrStopped) {
				t.Fatalf("%s: stopped after %d steps: %v", name, stop, err)
			}
			j.Spec.Micro = 2 // what does not change bits may change
			r, _ = begin(t, fast(t), c, j)
			if got := finish(t, r, tune.Options{File: file}); got.Commitment != want.Commitment || got.StateRoot != want.StateRoot {
				t.Errorf("%s: stopped after %d steps and resumed: other bits", name, stop)
			}
			j.Spec.Micro = 4
		}
	}
}

func TestSavedStatesOfOtherJobsAreRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.safetensors")
	c, j := of(kinds()["adamw"], nil)
	finish(t, first(begin(t, fast(t), c, j)), tune.Options{File: file})
	for name, change := range map[string]func(j *tune.Job){
		"another rate": func(j *tune.Job) { j.Rates = tune.Constant(0.5, j.Spec.Steps) },
		"another text": func(j *tune.Job) { j.Data = slices.Clone(j.Data); j.Data[3]++ },
		"another task": func(j *tune.Job) { j.Task[0]++ },
		"another seed": func(j *tune.Job) { j.Spec.Seed++ },
	} {
		_, k := of(kinds()["adamw"], change)
		if _, err := first(begin(t, fast(t), c, k)).Run(tune.Options{File: file}); !errors.Is(err, train.ErrSaved) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{len(good) - 1, len(good) / 2, len(good) - 700} {
		bad := bytes.Clone(good)
		bad[at] ^= 1
		if err := os.WriteFile(file, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := first(begin(t, fast(t), c, j)).Run(tune.Options{File: file}); err == nil {
			t.Errorf("a state with another bit at %d of %d is taken", at, len(bad))
		}
	}
}

// breaking fails or poisons at one of its runs.
type breaking struct {
	gpu.Device
	at  int
	err error
	nan bool
}

func (b *breaking) Run(n program.Node, in []gpu.Buffer, out gpu.Buffer) error {
	if b.at--; b.at == 0 && b.err != nil {
		return b.err
	}
	err := b.Device.Run(n, in, out)
	if b.at == 0 && b.nan {
		nan := binary.LittleEndian.AppendUint32(nil, fx.NaNBits)
		return b.Upload(out, bytes.Repeat(nan, int(out.Len())))
	}
	return err
}

// TestNothingHalfDoneIsTakenAsState loses the device, or gets a NaN, in the middle of
// the third step: the file holds the state of the second, and ends in the same bits.
func TestNothingHalfDoneIsTakenAsState(t *testing.T) {
	c, j := of(kinds()["adamw"], nil)
	want := finish(t, first(begin(t, fast(t), c, j)), tune.Options{})
	for name, b := range map[string]*breaking{"lost": {err: gpu.ErrLost}, "nan": {nan: true}} {
		file := filepath.Join(t.TempDir(), "state.safetensors")
		b.Device = fast(t)
		r, _ := begin(t, b, c, j)
		steps := 0
		res, err := r.Run(tune.Options{File: file, Step: func(done uint64, _ float32) {
			if steps++; done == 2 {
				b.at = 60
			}
		}})
		is := b.err
		if b.nan {
			is = train.ErrDiverged
		}
		if res != nil || !errors.Is(err, is) || !strings.Contains(err.Error(), "step 2") {
			t.Errorf("%s: %v, %v", name, res, err)
		}
		if _, e := r.Step(); !errors.Is(e, is) {
			t.Errorf("%s: a step on a spoilt state: %v", name, e)
		}
		if _, e := r.Root(); !errors.Is(e, is) {
			t.Errorf("%s: a root of a spoilt state: %v", name, e)
		}
		if got := finish(t, first(begin(t, fast(t), c, j)), tune.Options{File: file}); got.Commitment != want.Commitment {
			t.Errorf("%s: resumed, the run ends in other bits", name)
		}
	}
}

func TestJobsThatCannotBeRunAreRefused(t *testing.T) {
	for _, text := range [][]uint32{nil, {1}} {
		if _, _, err := tune.Records(text, 8); !errors.Is(err, train.ErrData) {
			t.Errorf("a text of %d tokens: %v", len(text), err)
		}
	}
	data, n, err := tune.Records([]uint32{1, 2, 3, 4}, 2)
	if err != nil || n != 2 || !slices.Equal(data, []int32{1, 2, 3, 3, 4, tune.Ignored}) {
		t.Errorf("%d in %d records, %v", data, n, err)
	}
	for name, change := range map[string]func(j *tune.Job){
		"no data":           func(j *tune.Job) { j.Data = nil },
		"unknown ids":       func(j *tune.Job) { j.Data = slices.Clone(j.Data); j.Data[0] = 29 },
		"too few rates":     func(j *tune.Job) { j.Rates = j.Rates[1:] },
		"a rate of NaN":     func(j *tune.Job) { j.Rates = tune.Constant(float32(math.NaN()), j.Spec.Steps) },
		"empty segments":    func(j *tune.Job) { j.SegmentSteps = 0 },
		"too many segments": func(j *tune.Job) { j.SegmentSteps = 1; j.Spec.Steps = 5000; j.Rates = tune.Constant(1, 5000) },
		"another net":       func(j *tune.Job) { j.Spec.Net.Arch.Tied = true },
	} {
		c, j := of(kinds()["adamw"], change)
		d := fast(t)
		m, err := lm.Init(d, c, 5, lm.Options{Context: 8})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tune.New(m, j); !errors.Is(err, train.ErrData) && !errors.Is(err, program.ErrSpec) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c, j := of(kinds()["adamw"], nil)
	m, err := lm.Init(fast(t), c, 5, lm.Options{Context: 8})
	if err != nil {
		t.Fatal(err)
	}
	small, err := cpu.New(cpu.Options{Memory: m.Net.Bytes() + 1000})
	if err != nil {
		t.Fatal(err)
	}
	if m, err = lm.Init(small, c, 5, lm.Options{Context: 8}); err != nil {
		t.Fatal(err)
	}
	if _, err := tune.New(m, j); !errors.Is(err, gpu.ErrMemory) || !strings.Contains(err.Error(), "micro-batches") {
		t.Errorf("a step that does not fit: %v", err)
	}
}

func TestLinearRisesAndFalls(t *testing.T) {
	if got := tune.Linear(1, 2, 6); !slices.Equal(got, []float32{0.5, 1, 1, 0.75, 0.5, 0.25}) {
		t.Errorf("%v", got)
	}
	if got := tune.Linear(1, 0, 2); !slices.Equal(got, []float32{1, 0.5}) {
		t.Errorf("%v", got)
	}
}

// TestTNS05FinetunedModelsComeBackTheSame fine-tunes a folder, exports it merged, imports
// that and compares answers; the adapters alone have PEFT's names.
func TestTNS05FinetunedModelsComeBackTheSame(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	if err := hftest.Write(dir, hftest.Options{Config: hftest.Tiny(), Seed: 2}); err != nil {
		t.Fatal(err)
	}
	f, err := hf.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := fast(t)
	m, err := lm.Load(d, f, lm.Options{Context: 64})
	if err != nil {
		t.Fatal(err)
	}
	plain := answer(t, m)
	docs, err := os.ReadFile("../../docs/spec/compute.md") // the project's own words
	if err != nil {
		t.Fatal(err)
	}
	text, err := f.Tokenizer.Encode(string(docs[:min(len(docs), 1200)]), true)
	if err != nil {
		t.Fatal(err)
	}
	data, n, err := tune.Records(text, 32)
	if err != nil {
		t.Fatal(err)
	}
	net := m.Net
	net.LoRA = pack.LoRA(4, 8, nil)
	j := tune.Job{SegmentSteps: 10, Data: data, Rates: tune.Constant(0.01, 20), Spec: decoder.Train{Net: net, Seqs: 4, Tokens: 32, Records: n, Steps: 20,
		Seed: 1, Micro: 4, Optimizer: decoder.AdamW, Beta1: fx.Bits(0.9), Beta2: fx.Bits(0.99), Eps: fx.Bits(1e-8)}}
	r, err := tune.New(m, j)
	if err != nil {
		t.Fatal(err)
	}
	var losses []float32
	finish(t, r, tune.Options{Step: func(_ uint64, x float32) { losses = append(losses, x) }})
	if losses[19] > losses[0]*3/4 {
		t.Errorf("the loss goes from %v to %v", losses[0], losses[19])
	}
	if err := r.SaveAdapters(out, "tiny", 8); err != nil {
		t.Fatal(err)
	}
	if err := r.SaveAdapters(out, "tiny", 8); !errors.Is(err, fs.ErrExist) {
		t.Errorf("adapters are written over: %v", err)
	}
	a, err := safetensors.Open(filepath.Join(out, pack.AdapterWeights))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if at, ok := a.Lookup("base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight"); !ok || !slices.Equal(at.Shape, []uint64{4, 64}) || len(a.Tensors) != 28 {
		t.Errorf("%+v of %d", at, len(a.Tensors))
	}
	if err := errors.Join(r.Merge(), r.Close()); err != nil {
		t.Fatal(err)
	}
	tuned := answer(t, m)
	if slices.Equal(tuned, plain) {
		t.Error("fine-tuning changes no answer")
	}
	fresh, err := lm.Load(fast(t), f, lm.Options{Context: 64})
	if err != nil {
		t.Fatal(err)
	}
	if err := tune.Apply(fresh, out); err != nil {
		t.Fatal(err)
	}
	if got := answer(t, fresh); !slices.Equal(got, tuned) {
		t.Errorf("with the adapters it says %d, merged %d", got, tuned)
	}
	list, err := m.Sources()
	if err != nil {
		t.Fatal(err)
	}
	if err := hf.Save(filepath.Join(out, "merged"), f.Config, f.JSON, safetensors.Meta{}, list, 50_000); err != nil {
		t.Fatal(err)
	}
	g, err := hf.Open(filepath.Join(out, "merged"))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	again, err := lm.Load(fast(t), g, lm.Options{Context: 64})
	if err != nil {
		t.Fatal(err)
	}
	if got := answer(t, again); !slices.Equal(got, tuned) {
		t.Errorf("exported and imported it says %d, before %d", got, tuned)
	}
}

// TestTNS05AdaptersThatAreRefused changes one field of a good folder at a time.
func TestTNS05AdaptersThatAreRefused(t *testing.T) {
	const good = `{"peft_type":"LORA","r":2,"lora_alpha":4,"bias":"none","target_modules":["q_proj"],"base_model_name_or_path":"x","rank_pattern":{},"layers_to_transform":null}`
	c := tiny()
	for _, x := range []struct{ old, new, want string }{
		{`"LORA"`, `"IA3"`, "peft_type"},
		{`"none"`, `"all"`, "bias"},
		{`"r":2`, `"r":0`, "r 0"},
		{`"r":2`, `"r":2,"use_rslora":true`, "use_rslora"},
		{`"r":2`, `"r":2,"use_dora":true`, "use_dora"},
		{`"rank_pattern":{}`, `"rank_pattern":{"q_proj":3}`, "rank_pattern"},
		{`null`, `[0]`, "layers_to_transform"},
		{`"q_proj"`, `"lm_head"`, "lm_head"},
		{`["q_proj"]`, `"all-linear"`, "target_modules"},
		{`"lora_alpha":4`, `"lora_alpha":-1`, "lora_alpha"},
		{`{"peft`, `["peft`, "adapter_config.json"},
		{`"q_proj"`, `"q_proj","v_proj"`, "4 tensors"},
		{`"r":2`, `"r":3`, "q_proj.lora_A"},
	} {
		dir := t.TempDir()
		m, err := lm.Init(fast(t), c, 5, lm.Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, j := of(func(_ *hf.Config, j *tune.Job) { j.Spec.Net.LoRA = pack.LoRA(2, 4, []string{"q"}) }, nil)
		r, _ := begin(t, fast(t), c, j)
		if err := r.SaveAdapters(dir, "x", 4); err != nil {
			t.Fatal(err)
		}
		at := filepath.Join(dir, pack.AdapterConfig)
		for text, want := range map[string]string{good: "", strings.Replace(good, x.old, x.new, 1): x.want} {
			if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := tune.Apply(m, dir); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", text, err, want)
			}
		}
	}
	m, err := lm.Init(fast(t), c, 5, lm.Options{Int8: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := tune.Apply(m, t.TempDir()); !errors.Is(err, gpu.ErrUnsupported) {
		t.Errorf("adapters on fx/int8: %v", err)
	}
}

func answer(t testing.TB, m *lm.Model) (ids []uint32) {
	t.Helper()
	s, err := m.Session(0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Generate(lm.Request{Prompt: []uint32{0, 90, 75, 72}, Max: 20}, func(id uint32) error { ids = append(ids, id); return nil }); err != nil {
		t.Fatal(err)
	}
	return ids
}
