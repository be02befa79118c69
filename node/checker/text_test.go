// SPDX-License-Identifier: Apache-2.0

package checker_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/ask"
	"github.com/openledger/openledger/gpu/cpu"
	"github.com/openledger/openledger/gpu/format/pack"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/publish"
	"github.com/openledger/openledger/node/worker"
	"github.com/openledger/openledger/poa/decoder"
	"github.com/openledger/openledger/poa/program"
)

// texts are two datasets of lines.
var texts = []string{
	"Whoever works is paid by the ledger.\nWhoever checks is paid by the ledger.\n\nA claim is a string of bits.\n",
	"One wrong bit shows.\r\nNothing is accepted within tolerance.\n",
}

// newScriptorium is a town with texts instead of tables.
func newScriptorium(t *testing.T) *town {
	w := newTown(t)
	terms := genesis.CCBY4().ID()
	net := tx.ObjectID(w.must(requester, &tx.DatanetCreate{Name: "texts", Terms: []tx.ID{terms}, StakeBase: 1}), tx.KindDatanetCreate, 0)
	w.data, w.valid = nil, tx.ID{}
	for _, text := range texts {
		m, err := publish.PrepareText("text", []byte(text), publish.Input{Name: "text", Terms: terms, Owner: w.Address(requester)})
		if err != nil {
			t.Fatal(err)
		}
		w.blobs[m.Content] = []byte(text)
		w.data = append(w.data, tx.ObjectID(w.must(requester, m.Upload(net, 1)), tx.KindDatasetUpload, 0))
	}
	slices.SortFunc(w.data, func(a, b tx.ID) int { return slices.Compare(a[:], b[:]) })
	return w
}

// nano is a very small model in 6 steps and 3 segments.
func nano() decoder.Learn {
	return decoder.Learn{Net: decoder.Net{Arch: decoder.Arch{Layers: 1, Hidden: 16, Inner: 24, Heads: 2, KVHeads: 1, HeadDim: 8, Vocab: 280,
		Positions: 16, Eps: fx.Bits(1e-5), Tied: true}}, Seqs: 2, Tokens: 16, Steps: 6, StepsPerSegment: 2, Seed: 5, Optimizer: decoder.AdamW,
		Beta1: fx.Bits(0.9), Beta2: fx.Bits(0.95), Eps: fx.Bits(1e-8), Clip: fx.Bits(1), Rate: fx.Bits(0.01), Warm: 1}
}

func adapters() decoder.Learn {
	s := nano()
	s.Net.LoRA = pack.LoRA(2, 4, []string{"q", "v"})
	return s
}

// fast is a device of the processor, in place of a card.
func fast(t *testing.T) gpu.Device {
	t.Helper()
	d, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func (w *town) learn(s decoder.Learn, base tx.ID) tx.ID {
	w.t.Helper()
	return w.post(&tx.TrainDescriptor{TaskKind: uint8(task.Learn), Learn: &s, Model: base})
}

func (w *town) ask(s decoder.Ask, model tx.ID) tx.ID {
	w.t.Helper()
	kind := task.Evaluate
	if s.Max > 0 {
		kind = task.Answer
	}
	return w.post(&tx.TrainDescriptor{TaskKind: uint8(kind), Ask: &s, Model: model})
}

// done lets person 1 work and all others check, and returns the output.
func (w *town) done(id tx.ID) []byte {
	w.t.Helper()
	p := w.person(1)
	if err := worker.New(p, false, quiet).Turn(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	if list, err := os.ReadDir(p.dir); err != nil || len(list) > 0 {
		w.t.Errorf("%v is left of the work, %v", list, err)
	}
	w.check(w.t, 1)
	got := w.task(id)
	if got.State != task.Settled {
		w.t.Fatalf("%v task is %v", got.Spec.Kind, got.State)
	}
	return w.blobs[got.Output.Content]
}

// publish makes a model of what a task made.
func (w *town) publish(id tx.ID) tx.ID {
	w.t.Helper()
	t := w.task(id)
	return tx.ObjectID(w.must(requester, &tx.ModelManifest{Name: "nano", Task: id, WeightsRoot: t.Output.Verdict.OutputRoot, Weights: t.Output.Content,
		Bytes: t.Output.Bytes, Terms: genesis.CCBY4().ID(), AttrMethod: tx.NoAttribution, Stake: fixed.OPEN}), tx.KindModelManifest, 0)
}

func results(t *testing.T, b []byte) ask.Results {
	t.Helper()
	r, err := ask.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestTASK01TheLifeOfALanguageModel: learned from texts, evaluated, asked, adapted,
// asked again; each a task that one computes and three check, some of them on cards.
func TestTASK01TheLifeOfALanguageModel(t *testing.T) {
	w := newScriptorium(t)
	w.lends = func(i int) worker.Card { // every second one has a card
		if i%2 == 0 {
			return nil
		}
		return lent{&card{fast(t), -1, func(error) {}}}
	}
	first := w.learn(nano(), tx.ID{})
	whole := w.done(first)
	model := w.publish(first)
	judge := decoder.Ask{Rows: 2, Tokens: 16}
	before := results(t, w.done(w.ask(judge, model)))
	if len(before.Scores) != 5 { // lines that are not blank
		t.Fatalf("%d lines are judged, want 5", len(before.Scores))
	}
	second := w.learn(adapters(), model)
	small := w.done(second)
	if len(small) >= len(whole) {
		t.Errorf("adapters of %d bytes, the model has %d", len(small), len(whole))
	}
	adapted := w.publish(second)
	after := results(t, w.done(w.ask(judge, adapted)))
	if a, b := before.Summary(), after.Summary(); b.Loss >= a.Loss || a.Tokens != b.Tokens {
		t.Errorf("adapted to its texts it judges them %+v, before %+v", b, a)
	}
	speak := decoder.Ask{Rows: 3, Tokens: 16, Max: 3, Temperature: fx.Bits(0.7), TopK: 50, Seed: 1}
	said := results(t, w.done(w.ask(speak, adapted)))
	if len(said.Said) != 5 || len(said.Said[4].Tokens) > 3 {
		t.Errorf("%+v", said.Said)
	}
	speak.Int8 = true
	w.done(w.ask(speak, model))
	if again := w.done(w.learn(nano(), tx.ID{})); !bytes.Equal(again, whole) {
		t.Error("the same task makes another model")
	}
}

// TestTASK01ATablesModelIsAskedToo: rows are answered and judged.
func TestTASK01ATablesModelIsAskedToo(t *testing.T) {
	w := newTown(t)
	id := w.train()
	w.done(id)
	made := w.task(id)
	model := tx.ObjectID(w.must(requester, &tx.ModelManifest{Name: "rows", Task: id, WeightsRoot: made.Output.Verdict.OutputRoot, Weights: made.Output.Content,
		Bytes: made.Output.Bytes, Terms: genesis.CCBY4().ID(), AttrMethod: program.KNN, K: 3, Stake: fixed.OPEN}), tx.KindModelManifest, 0)
	w.valid = tx.ID{}
	judged := results(t, w.done(w.ask(decoder.Ask{Rows: 5}, model))).Summary()
	answers := results(t, w.done(w.ask(decoder.Ask{Rows: 7, Max: 1}, model))).Answers
	if judged.Rows != 24 || judged.Right < 12 || len(answers) != 24 {
		t.Errorf("%+v and %d answers", judged, len(answers))
	}
}

// TestAWorkerThatWasKilledGoesOn stops a node after each segment of a learning task;
// a new one on the same home goes on from there and commits the same roots.
func TestAWorkerThatWasKilledGoesOn(t *testing.T) {
	w := newScriptorium(t)
	id := w.learn(nano(), tx.ID{})
	p := w.person(1)
	for stops := range 2 {
		ctx, stop := context.WithCancel(t.Context())
		operations := 0
		w.lends = func(int) worker.Card {
			return lent{&card{counting{fast(t), func() {
				if operations++; operations == 450 { // more than a segment
					stop()
				}
			}}, -1, func(error) {}}}
		}
		if err := worker.New(p, false, quiet).Turn(ctx); err != nil {
			t.Fatal(err)
		}
		if ctx.Err() == nil {
			t.Fatalf("done after %d stops and %d operations: nothing was interrupted", stops, operations)
		}
		if list, err := os.ReadDir(p.dir); err != nil || len(list) != 1 {
			t.Fatalf("stop %d: %v is saved, %v", stops, list, err)
		}
	}
	w.lends = nil
	if err := worker.New(p, false, quiet).Turn(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.check(t, 1)
	if got := w.task(id); got.State != task.Settled || !slices.Equal(p.sent, []tx.Kind{tx.KindTaskClaim, tx.KindTaskCommit}) {
		t.Fatalf("state %v after %v", got.State, p.sent)
	}
}

// TestARunStopsWhenNothingWaitsForIt: of two, the one who has the task goes on.
func TestARunStopsWhenNothingWaitsForIt(t *testing.T) {
	w := newTown(t)
	id := w.train()
	w.must(2, &tx.TaskClaim{Task: id})
	for who, want := range map[int]bool{1: true, 2: false} {
		p := w.person(who)
		synctest.Test(t, func(t *testing.T) {
			stop := worker.Stop(t.Context(), p, id)
			if stop() {
				t.Errorf("person %d stops at once", who)
			}
			time.Sleep(3 * time.Second)
			if stop() != want {
				t.Errorf("person %d: the run stops: %v", who, !want)
			}
		})
	}
}

// counting tells of each operation.
type counting struct {
	gpu.Device
	each func()
}

func (c counting) Run(n program.Node, in []gpu.Buffer, out gpu.Buffer) error {
	c.each()
	return c.Device.Run(n, in, out)
}

// TestWhatCannotBeComputedIsLeftToOthers before it is claimed.
func TestWhatCannotBeComputedIsLeftToOthers(t *testing.T) {
	w := newScriptorium(t)
	first := w.learn(nano(), tx.ID{})
	w.done(first)
	model := w.publish(first)
	huge := nano()
	huge.Net.Arch.Layers, huge.Net.Arch.Hidden, huge.Net.Arch.Inner, huge.Net.Arch.Positions = 16, 1024, 4096, 16384
	huge.Net.Arch.Heads, huge.Seqs, huge.Tokens, huge.Net.Arch.Vocab = 32, 2, 16384, 30_000
	other := nano()
	other.Net.Arch.Layers = 2
	scale := adapters()
	scale.Net.LoRA.Scale = fx.Bits(-1)
	for name, id := range map[string]tx.ID{"a model larger than memory": w.learn(huge, tx.ID{}), "another base": w.learn(other, model),
		"a vocabulary too small":     w.learn(func() decoder.Learn { s := nano(); s.Net.Arch.Vocab = 100; return s }(), tx.ID{}),
		"adapters that no file says": w.learn(scale, model)} {
		p := w.person(1)
		k := worker.New(p, false, quiet)
		for range 2 {
			if err := k.Turn(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got := w.task(id); got.State != task.Posted || len(p.sent) > 0 {
			t.Errorf("%s: state %v after %v", name, got.State, p.sent)
		}
	}
}

// TestOnlyTheRecordedModelIsUsed: content with another root than the ledger's, and a
// package of adapters in place of a model.
func TestOnlyTheRecordedModelIsUsed(t *testing.T) {
	w := newScriptorium(t)
	first := w.learn(nano(), tx.ID{})
	w.done(first)
	second := w.learn(adapters(), w.publish(first))
	w.done(second)
	made, tuned := w.task(first).Output, w.task(second).Output
	v, err := w.chain.View()
	if err != nil {
		t.Fatal(err)
	}
	params, err := state.GetParams(v)
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]tx.ModelManifest{
		"another root": {WeightsRoot: tuned.Verdict.OutputRoot, Weights: made.Content, Bytes: made.Bytes},
		"adapters":     {WeightsRoot: tuned.Verdict.OutputRoot, Weights: tuned.Content, Bytes: tuned.Bytes},
	} {
		m.Name, m.Terms, m.AttrMethod, m.Stake = "bad", genesis.CCBY4().ID(), tx.NoAttribution, 4*params.ModelStake
		model := tx.ObjectID(w.must(requester, &m), tx.KindModelManifest, 0)
		spec := task.Spec{Kind: task.Answer, Model: model, Datasets: w.data, Ask: &decoder.Ask{Rows: 1, Tokens: 8, Max: 1}}
		in, err := worker.Load(t.Context(), w.person(1), tx.ID{1}, spec)
		if err == nil {
			err = worker.Fits(in, 1<<30)
		}
		if !errors.Is(err, worker.ErrTask) || name == "another root" && !strings.Contains(err.Error(), "root") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCHK04WhatIsSavedOfATaskGoesWithIt keeps what belongs to a task that the node
// works on, and nothing else.
func TestCHK04WhatIsSavedOfATaskGoesWithIt(t *testing.T) {
	w := newTown(t)
	mine, theirs, posted := w.train(), w.train(), w.train()
	w.must(1, &tx.TaskClaim{Task: mine})
	w.must(2, &tx.TaskClaim{Task: theirs})
	p := w.person(1)
	var files []string
	for _, id := range []tx.ID{mine, theirs, posted, {9}} {
		file, err := worker.File(p, id)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	files = append(files, files[0]+".123.tmp", files[1]+".tmp", filepath.Join(p.dir, "something"))
	for _, f := range files {
		if err := os.WriteFile(f, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := worker.Sweep(p); err != nil {
		t.Fatal(err)
	}
	for i, f := range files {
		if _, err := os.Stat(f); (err == nil) != (i == 0 || i == 4) {
			t.Errorf("%s: %v", f, err)
		}
	}
}
