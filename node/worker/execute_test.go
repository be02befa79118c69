// SPDX-License-Identifier: Apache-2.0

package worker_test

import (
	"cmp"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/table"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/publish"
	"github.com/openledger/openledger/node/worker"
	"github.com/openledger/openledger/poa/decoder"
	"github.com/openledger/openledger/poa/program"
)

func dataset(t *testing.T, id byte, owner keys.Address, height, index uint64, csv string) worker.Dataset {
	t.Helper()
	tab, err := table.Parse("rows.csv", []byte(csv), table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return worker.Dataset{ID: tx.ID{id}, Record: state.Dataset{Owner: owner, Height: height, TxIndex: index}, Table: tab}
}

const (
	rows  = "1,2,0\n9,9,1\n3,1,0\n8,9,1\n"
	other = "0,3,0\n7,8,1\n"
	judge = "1,1,0\n9,8,1\n2,2,0\n8,8,1\n"
)

// TestATM02OfTwoCopiesInOneBlockTheEarlierTransactionCounts whatever the ids are.
func TestATM02OfTwoCopiesInOneBlockTheEarlierTransactionCounts(t *testing.T) {
	a, b := keys.ModuleAddress("a"), keys.ModuleAddress("b")
	for name, c := range map[string]struct {
		heightA, indexA, heightB, indexB uint64
		copier                           keys.Address
	}{
		"the smaller id came second in the block":   {7, 1, 7, 0, a},
		"the larger id came second in the block":    {7, 0, 7, 1, b},
		"the earlier block wins over the index":     {6, 9, 7, 0, b},
		"the earlier block wins over the larger id": {8, 0, 7, 5, a},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := worker.Execute(worker.Inputs{
				Spec: task.Spec{Kind: task.Attribute, Segments: 2, Attribute: &program.Attribute{Method: program.KNN, K: 2, Rows: 2}},
				Datasets: []worker.Dataset{dataset(t, 1, a, c.heightA, c.indexA, rows), dataset(t, 2, b, c.heightB, c.indexB, rows),
					dataset(t, 3, keys.ModuleAddress("c"), 9, 0, other)},
				Validation: dataset(t, 4, a, 1, 0, judge),
			}, worker.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if out.Result.Duplicates != 4 {
				t.Fatalf("%d duplicates", out.Result.Duplicates)
			}
			for _, o := range out.Result.Owners {
				if o.Owner == c.copier && o.Weight != 0 {
					t.Errorf("the copier has weight %d", o.Weight)
				}
				if o.Owner != c.copier && (o.Owner == a || o.Owner == b) && o.Weight == 0 {
					t.Error("the one who was copied has nothing")
				}
			}
		})
	}
}

func training(t *testing.T) worker.Inputs {
	return worker.Inputs{ID: tx.ID{1}, Operator: keys.ModuleAddress("op"),
		Spec: task.Spec{Kind: task.Train, Segments: 4, Train: &program.Train{Model: program.Softmax, Features: 2, Classes: 2, Scale: 16,
			Batch: 2, StepsPerSegment: 3, Segments: 4, LR: math.Float32bits(0.5)}},
		Datasets:   []worker.Dataset{dataset(t, 1, keys.ModuleAddress("a"), 1, 0, rows)},
		Validation: dataset(t, 2, keys.ModuleAddress("b"), 1, 0, judge)}
}

// learning makes a very small language model in 4 segments.
func learning(t *testing.T) worker.Inputs {
	text, err := publish.ParseText("text", []byte("one wrong bit shows\nwhoever works is paid\nwhoever checks is paid\nnothing else\n"))
	if err != nil {
		t.Fatal(err)
	}
	return worker.Inputs{ID: tx.ID{3}, Operator: keys.ModuleAddress("op"), Datasets: []worker.Dataset{{ID: tx.ID{4}, Text: text}},
		Spec: task.Spec{Kind: task.Learn, Segments: 4, Learn: &decoder.Learn{Net: decoder.Net{Arch: decoder.Arch{Layers: 1, Hidden: 8, Inner: 12, Heads: 1,
			KVHeads: 1, HeadDim: 8, Vocab: 270, Positions: 12, Eps: math.Float32bits(1e-5), Tied: true}}, Seqs: 2, Tokens: 12, Steps: 8, StepsPerSegment: 2, Seed: 5,
			Optimizer: decoder.SGD, Rate: math.Float32bits(0.1)}}}
}

// evaluating asks what a learning task made about its own texts, a line per segment.
func evaluating(in worker.Inputs, made worker.Output) worker.Inputs {
	in.Spec = task.Spec{Kind: task.Evaluate, Segments: 4, Ask: &decoder.Ask{Rows: 1, Tokens: 12}}
	in.Model = &worker.Model{Record: state.Model{AttrMethod: tx.NoAttribution}, Blob: made.Blob}
	return in
}

// TestATrainingThatWasStoppedEndsInTheSameBits resumes from what was saved, and
// from damaged bytes.
func TestATrainingThatWasStoppedEndsInTheSameBits(t *testing.T) {
	learn := learning(t)
	made, err := worker.Execute(learn, worker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]worker.Inputs{"training": training(t), "learning": learn, "evaluating": evaluating(learn, made)} {
		t.Run(name, func(t *testing.T) { endsInTheSameBits(t, in) })
	}
}

func endsInTheSameBits(t *testing.T, in worker.Inputs) {
	whole, err := worker.Execute(in, worker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "state")
	segments := uint64(0)
	_, err = worker.Execute(in, worker.Options{File: file, Progress: func(done, _ uint64) { segments = done }, Stop: func() bool { return segments >= 2 }})
	saved, readErr := os.ReadFile(file)
	if !errors.Is(err, train.ErrStopped) || readErr != nil {
		t.Fatalf("stopped with %v, %v", err, readErr)
	}
	for name, resume := range map[string][]byte{"saved state": saved, "damaged state": saved[:len(saved)-1], "foreign state": {1}} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(file, resume, 0o600); err != nil {
				t.Fatal(err)
			}
			first := uint64(0)
			got, err := worker.Execute(in, worker.Options{File: file, Progress: func(done, _ uint64) { first = cmp.Or(first, done) }})
			if err != nil || got.Verdict != whole.Verdict || got.Content != whole.Content || (first == 3) != (name == "saved state") {
				t.Fatalf("%+v, %v", got.Verdict, err)
			}
		})
	}
}

func TestALieIsInTheChainOfStatesAlone(t *testing.T) {
	in := training(t)
	honest, err1 := worker.Execute(in, worker.Options{})
	lie, err2 := worker.Execute(in, worker.Options{Lie: true})
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if lie.Verdict.Root == honest.Verdict.Root || lie.Verdict.OutputRoot != honest.Verdict.OutputRoot {
		t.Fatal("the lie does not show in the root, or shows elsewhere")
	}
}

func TestWhatCannotBeComputedIsErrTask(t *testing.T) {
	tests := map[string]func(*worker.Inputs){
		"an unknown kind":                  func(in *worker.Inputs) { in.Spec.Kind = 9 },
		"another number of segments":       func(in *worker.Inputs) { in.Spec.Segments = 3 },
		"another number of features":       func(in *worker.Inputs) { in.Spec.Train.Features = 3 },
		"a label beyond the classes":       func(in *worker.Inputs) { in.Datasets[0] = dataset(t, 1, keys.Address{}, 1, 0, "1,2,5\n") },
		"a text in place of a table":       func(in *worker.Inputs) { in.Datasets = learning(t).Datasets },
		"a text to judge a table by":       func(in *worker.Inputs) { in.Validation = learning(t).Datasets[0] },
		"a table in place of a text":       func(in *worker.Inputs) { d := in.Datasets; *in = learning(t); in.Datasets = d },
		"questions to no model":            func(in *worker.Inputs) { *in = evaluating(learning(t), worker.Output{}); in.Model = nil },
		"questions to no package":          func(in *worker.Inputs) { *in = evaluating(learning(t), worker.Output{Blob: []byte("x")}) },
		"an attribution over wrong labels": func(in *worker.Inputs) { *in = wrongLabels(t, *in) },
	}
	for name, edit := range tests {
		t.Run(name, func(t *testing.T) {
			in := training(t)
			edit(&in)
			if _, err := worker.Execute(in, worker.Options{}); !errors.Is(err, worker.ErrTask) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func wrongLabels(t *testing.T, in worker.Inputs) worker.Inputs {
	in.Spec = task.Spec{Kind: task.Attribute, Segments: 2, Attribute: &program.Attribute{Method: program.KNN, K: 2, Rows: 2}}
	in.Datasets[0] = dataset(t, 1, keys.Address{}, 1, 0, "1,2,300\n")
	return in
}
