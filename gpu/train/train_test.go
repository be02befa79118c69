// SPDX-License-Identifier: Apache-2.0

package train_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/openledger/openledger/gpu/model"
	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/poa/checkpoint"
	"github.com/openledger/openledger/poa/program"
)

// small is a job of a few milliseconds: 60 rows of the digits.
func small(t testing.TB, name string) train.Job {
	t.Helper()
	fit, _ := digits(t, archOf(name))
	fit.Rows, fit.X, fit.Y = 60, fit.X[:60*64], fit.Y[:60]
	spec := program.Train{Model: name, Features: 64, Classes: 10, Scale: 16, Batch: 7, StepsPerSegment: 4, Segments: 6,
		LR: fx.Bits(0.1), L2: fx.Bits(1e-3), Momentum: fx.Bits(0.9), Seed: 5}
	if name == program.MLP {
		spec.Hidden = 8
	}
	return train.Job{Task: [32]byte{1}, Operator: keys.Address{2}, Spec: spec, Data: fit}
}

func run(t testing.TB, j train.Job, o train.Options) *train.Result {
	t.Helper()
	res, err := train.Run(j, o)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestCHK04AReplayGivesTheSameBits(t *testing.T) {
	for _, name := range []string{program.Softmax, program.MLP} {
		j := small(t, name)
		a, b := run(t, j, train.Options{}), run(t, j, train.Options{})
		if a.Commitment != b.Commitment || a.WeightsRoot != b.WeightsRoot || a.Output != b.Output || string(a.Blob) != string(b.Blob) {
			t.Errorf("%s: two runs differ", name)
		}
		if err := checkpoint.CheckChain(a.Leaves); err != nil {
			t.Error(err)
		}
		if a.Commitment.Segments != j.Spec.Segments || checkpoint.Root(a.Leaves) != a.Commitment.Root {
			t.Errorf("%s: the commitment is not over the leaves", name)
		}
		w, err := model.Decode(a.Blob)
		if err != nil || w.Root() != a.WeightsRoot {
			t.Errorf("%s: the blob does not hold the committed weights: %v", name, err)
		}
	}
}

func TestCHK04ASegmentReplaysAlone(t *testing.T) {
	for _, name := range []string{program.Softmax, program.MLP} {
		j := small(t, name)
		whole := run(t, j, train.Options{})
		s := train.Start(j.Spec)
		for i, want := range whole.Leaves {
			start, err := train.DecodeState(model.ArchOf(j.Spec), s.Encode())
			if err != nil {
				t.Fatal(err)
			}
			leaf, end, err := train.Replay(j, start, train.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if leaf != want {
				t.Errorf("%s: segment %d replayed alone gives another leaf", name, i)
			}
			s = end
		}
		if s.Params.Root() != whole.WeightsRoot {
			t.Errorf("%s: the last state does not hold the weights", name)
		}
		if _, _, err := train.Replay(j, s, train.Options{}); !errors.Is(err, train.ErrSaved) {
			t.Errorf("%s: a segment past the end: %v", name, err)
		}
		s.Step = 2
		if _, _, err := train.Replay(j, s, train.Options{}); !errors.Is(err, train.ErrSaved) {
			t.Errorf("%s: a start inside a segment: %v", name, err)
		}
	}
}

func TestTASK01SegmentBoundariesDoNotChangeTheWeights(t *testing.T) {
	j := small(t, program.MLP)
	want := run(t, j, train.Options{})
	for _, segments := range []uint64{1, 2, 3, 8, 24} {
		k := j
		k.Spec.Segments, k.Spec.StepsPerSegment = segments, 24/segments
		got := run(t, k, train.Options{})
		if got.WeightsRoot != want.WeightsRoot || got.Output != want.Output {
			t.Errorf("%d segments of %d steps give other weights", segments, 24/segments)
		}
		if segments != 6 && got.Commitment == want.Commitment {
			t.Errorf("%d segments have the commitment of 6", segments)
		}
	}
}

func TestCHK01AChangedBitChangesTheCommitment(t *testing.T) {
	base := small(t, program.MLP)
	want := run(t, base, train.Options{})
	flip := func(x []float32, i int) []float32 {
		x = slices.Clone(x)
		for x[i] == 0 { // a zero with that bit is too small to matter
			i++
		}
		x[i] = fx.FromBits(fx.Bits(x[i]) ^ 1<<16)
		return x
	}
	for _, c := range []struct {
		name string
		edit func(*train.Job)
		same bool // weights stay the same
	}{
		{"a middle bit of a feature (the lowest may be rounded away)", func(j *train.Job) { d := *j.Data; d.X = flip(d.X, 64*30+20); j.Data = &d }, false},
		{"a label", func(j *train.Job) { d := *j.Data; d.Y = slices.Clone(d.Y); d.Y[3] = (d.Y[3] + 1) % 10; j.Data = &d }, false},
		{"the last bit of the learning rate", func(j *train.Job) { j.Spec.LR ^= 1 }, false},
		{"the last bit of the penalty", func(j *train.Job) { j.Spec.L2 ^= 1 }, false},
		{"the last bit of the momentum", func(j *train.Job) { j.Spec.Momentum ^= 1 }, false},
		{"the seed", func(j *train.Job) { j.Spec.Seed++ }, false},
		{"the task", func(j *train.Job) { j.Task[31] ^= 1 }, true},
		{"the operator", func(j *train.Job) { j.Operator[31] ^= 1 }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := base
			c.edit(&j)
			got := run(t, j, train.Options{})
			if got.Commitment.Root == want.Commitment.Root {
				t.Error("the commitment is the same")
			}
			if (got.WeightsRoot == want.WeightsRoot) != c.same {
				t.Errorf("the weights are the same: %v, want %v", !c.same, c.same)
			}
		})
	}
}

// TestCHK04AWrongSegmentIsNamed lies in one bit of the state before segment 3.
func TestCHK04AWrongSegmentIsNamed(t *testing.T) {
	j := small(t, program.Softmax)
	honest := run(t, j, train.Options{})
	b := checkpoint.NewBuilder(j.Task, j.Operator, train.Start(j.Spec).Root())
	s := train.Start(j.Spec)
	for i := range j.Spec.Segments {
		leaf, end, err := train.Replay(j, s, train.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if s = end; i == 3 {
			s.Params.Tensors[1].Data[77] = fx.FromBits(fx.Bits(s.Params.Tensors[1].Data[77]) ^ 1)
		}
		if err := b.Add(s.Root(), leaf.Trace); err != nil {
			t.Fatal(err)
		}
	}
	if b.Commitment() == honest.Commitment {
		t.Error("the lie has the honest commitment")
	}
	if at, differ := checkpoint.FirstDifference(honest.Leaves, b.Leaves()); !differ || at != 3 {
		t.Errorf("the lie is found in segment %d, want 3", at)
	}
}

func TestARunStopsAndResumes(t *testing.T) {
	for _, name := range []string{program.Softmax, program.MLP} {
		j := small(t, name)
		want := run(t, j, train.Options{})
		for _, stopAt := range []int{0, 1, 4, 5, 13, 23} {
			steps := 0
			var saved []byte
			_, err := train.Run(j, train.Options{
				Stop: func() bool { steps++; return steps > stopAt },
				Save: func(b []byte) error { saved = b; return nil },
			})
			if !errors.Is(err, train.ErrStopped) {
				t.Fatalf("stopped after %d steps: %v", stopAt, err)
			}
			if (saved != nil) != (stopAt >= 4) {
				t.Fatalf("stopped after %d steps there is a saved state: %v", stopAt, saved != nil)
			}
			var seen []train.Progress
			got := run(t, j, train.Options{Resume: saved, Progress: func(p train.Progress) { seen = append(seen, p) }})
			if got.Commitment != want.Commitment || got.Output != want.Output {
				t.Errorf("%s stopped after %d steps and resumed gives other bits", name, stopAt)
			}
			if done := stopAt / 4; len(seen) != 6-done || seen[0].Segment != uint64(done+1) || seen[0].Segments != 6 {
				t.Errorf("progress after %d steps: %+v", stopAt, seen)
			}
		}
	}
}

func TestAFinishedRunResumesToItsResult(t *testing.T) {
	j := small(t, program.Softmax)
	var saved []byte
	want := run(t, j, train.Options{Save: func(b []byte) error { saved = b; return nil }})
	got := run(t, j, train.Options{Resume: saved})
	if got.Commitment != want.Commitment || got.Output != want.Output {
		t.Error("the result differs")
	}
}

func TestResumeRefuses(t *testing.T) {
	j := small(t, program.Softmax)
	var states [][]byte
	run(t, j, train.Options{Save: func(b []byte) error { states = append(states, b); return nil }})
	good := states[2]
	for _, c := range []struct {
		name string
		edit func(*train.Job, []byte) []byte
	}{
		{"another task", func(j *train.Job, b []byte) []byte { j.Task[0]++; return b }},
		{"another operator", func(j *train.Job, b []byte) []byte { j.Operator[0]++; return b }},
		{"another spec", func(j *train.Job, b []byte) []byte { j.Spec.Seed++; return b }},
		{"other data", func(j *train.Job, b []byte) []byte {
			d := *j.Data
			d.Y = slices.Clone(d.Y)
			d.Y[0] = (d.Y[0] + 1) % 10
			j.Data = &d
			return b
		}},
		{"nothing", func(_ *train.Job, b []byte) []byte { return []byte{} }},
		{"a cut file", func(_ *train.Job, b []byte) []byte { return b[:len(b)-1] }},
		{"a trailing byte", func(_ *train.Job, b []byte) []byte { return append(b, 0) }},
		{"a flipped bit of a parameter", func(_ *train.Job, b []byte) []byte { b[200] ^= 1; return b }},
		{"a flipped bit of a leaf", func(_ *train.Job, b []byte) []byte { b[len(b)-50] ^= 1; return b }},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := j
			b := c.edit(&k, slices.Clone(good))
			if _, err := train.Run(k, train.Options{Resume: b}); !errors.Is(err, train.ErrSaved) {
				t.Errorf("got %v, want ErrSaved", err)
			}
		})
	}
}

func TestAnErrorOfSaveEndsTheRun(t *testing.T) {
	full := errors.New("disk full")
	_, err := train.Run(small(t, program.Softmax), train.Options{Save: func([]byte) error { return full }})
	if !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}

func TestADivergingRunCommitsNothing(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*train.Job)
	}{
		{"a huge learning rate", func(j *train.Job) { j.Spec.LR = fx.Bits(1e30) }},
		{"a huge penalty", func(j *train.Job) { j.Spec.L2 = fx.Bits(3e38) }},
		{"an infinite feature", func(j *train.Job) {
			d := *j.Data
			d.X = slices.Clone(d.X)
			d.X[10*64+5] = fx.FromBits(0x7f800000)
			j.Data = &d
		}},
		{"a NaN feature", func(j *train.Job) {
			d := *j.Data
			d.X = slices.Clone(d.X)
			d.X[10*64+5] = fx.FromBits(fx.NaNBits)
			j.Data = &d
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := small(t, program.MLP)
			j.Spec.Segments = 40
			c.edit(&j)
			res, err := train.Run(j, train.Options{})
			if !errors.Is(err, train.ErrDiverged) || res != nil {
				t.Fatalf("got %v, want ErrDiverged", err)
			}
			if !strings.Contains(err.Error(), "the loss of step") {
				t.Errorf("the error does not name the first bad loss: %v", err)
			}
			if again, err2 := train.Run(j, train.Options{}); again != nil || err2.Error() != err.Error() {
				t.Errorf("a replay fails otherwise: %v, then %v", err, err2)
			}
		})
	}
}

func TestADivergingLastStepCommitsNothing(t *testing.T) {
	j := small(t, program.Softmax)
	j.Spec.Segments, j.Spec.StepsPerSegment, j.Spec.LR = 1, 1, 0x7f7fffff
	j.Data.X[0] = 1e9 // the loss of the only step is finite, its update is not
	for i := range j.Data.X {
		j.Data.X[i] = float32(1e3 * j.Data.X[i])
	}
	_, err := train.Run(j, train.Options{})
	if !errors.Is(err, train.ErrDiverged) || !errors.Is(err, model.ErrNotFinite) {
		t.Errorf("got %v, want ErrDiverged and ErrNotFinite", err)
	}
}

func TestJobCheckRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*train.Job)
		want error
	}{
		{"an unknown model", func(j *train.Job) { j.Spec.Model = "x" }, program.ErrSpec},
		{"no steps", func(j *train.Job) { j.Spec.StepsPerSegment = 0 }, program.ErrSpec},
		{"a learning rate that is NaN", func(j *train.Job) { j.Spec.LR = fx.NaNBits }, program.ErrSpec},
		{"too many parameters", func(j *train.Job) { j.Spec.Features, j.Spec.Hidden = 4096, 1024 }, model.ErrArch},
		{"no data", func(j *train.Job) { j.Data = nil }, train.ErrData},
		{"no rows", func(j *train.Job) { j.Data = &model.Data{Features: 64} }, train.ErrData},
		{"other features", func(j *train.Job) { d := *j.Data; d.Features = 32; j.Data = &d }, train.ErrData},
		{"missing labels", func(j *train.Job) { d := *j.Data; d.Y = d.Y[1:]; j.Data = &d }, train.ErrData},
		{"a label past the classes", func(j *train.Job) { j.Spec.Classes = 9 }, train.ErrData},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := small(t, program.MLP)
			c.edit(&j)
			if _, err := train.Run(j, train.Options{}); !errors.Is(err, c.want) {
				t.Errorf("Run: got %v, want %v", err, c.want)
			}
			if _, _, err := train.Replay(j, &train.State{}, train.Options{}); !errors.Is(err, c.want) {
				t.Errorf("Replay: got %v, want %v", err, c.want)
			}
		})
	}
}

var update = flag.Bool("update", false, "write docs/spec/vectors/train.json instead of comparing")

const vectorFile = "../../docs/spec/vectors/train.json"

// golden is what a default run on the digits gives, on any machine.
type golden struct {
	Model       string   `json:"model"`
	Spec        string   `json:"spec"`      // encoding
	Loss        []string `json:"loss"`      // bits of the last step of each segment
	Root        string   `json:"root"`      // commitment, task 01…, operator 02…
	Weights     string   `json:"weights"`   // root
	Output      string   `json:"output"`    // content id of the blob
	Correct     int      `json:"correct"`   // of the 600 validation rows
	LastLeaf    string   `json:"last_leaf"` // encoding
	FirstTraces []string `json:"traces"`
}

// TestTNS04TheDigitsAreLearnt runs the defaults and compares every figure with
// the committed one.
func TestTNS04TheDigitsAreLearnt(t *testing.T) {
	var all []golden
	for _, c := range []struct {
		name  string
		least float64
	}{{program.Softmax, 0.93}, {program.MLP, 0.95}} {
		fit, val := digits(t, archOf(c.name))
		spec, err := train.Defaults(c.name, 64, 10, 16, uint64(fit.Rows))
		if err != nil {
			t.Fatal(err)
		}
		g := golden{Model: c.name}
		res := run(t, train.Job{Task: [32]byte{1}, Operator: keys.Address{2}, Spec: spec, Data: fit},
			train.Options{Progress: func(p train.Progress) { g.Loss = append(g.Loss, fmt.Sprintf("%08x", fx.Bits(p.Loss))) }})
		g.Correct, _ = res.Accuracy(val)
		if acc := float64(g.Correct) / float64(val.Rows); acc < c.least {
			t.Errorf("%s labels %.4f of the validation rows right, want at least %.2f", c.name, acc, c.least)
		} else {
			t.Logf("%s: validation accuracy %.4f, loss %.4f", c.name, acc, res.Loss)
		}
		g.Spec = hex.EncodeToString(encode(spec))
		g.Root, g.Weights, g.Output = hex.EncodeToString(res.Commitment.Root[:]), hex.EncodeToString(res.WeightsRoot[:]), res.Output.String()
		g.LastLeaf = hex.EncodeToString(res.Leaves[len(res.Leaves)-1].Encode())
		for _, l := range res.Leaves[:3] {
			g.FirstTraces = append(g.FirstTraces, hex.EncodeToString(l.Trace[:]))
		}
		all = append(all, g)
	}
	got, err := json.MarshalIndent(map[string]any{
		"about": "Default training runs on testnet/demo/data/digits.csv: rows perm(2024, 0, 1797, i), the first 1,197 to train on, the others to validate with; " +
			"task id 01 00…, operator 02 00….",
		"clauses": []string{"TNS-01", "TNS-04", "CHK-01"},
		"runs":    all,
	}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(vectorFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s differs from what this machine computes:\n%s", vectorFile, got)
	}
}
