// SPDX-License-Identifier: Apache-2.0

package infer

import (
	"errors"
	"slices"
	"testing"

	"github.com/openledger/openledger/gpu/model"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/internal/table"
	"github.com/openledger/openledger/poa/program"
	"pgregory.net/rapid"
)

var arch = model.Arch{Model: program.MLP, Features: 3, Hidden: 5, Classes: 4, Scale: 2}

func parse(t testing.TB, text string, opt table.Options) *table.Table {
	t.Helper()
	tab, err := table.Parse("rows.csv", []byte(text), opt)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func load(t testing.TB, w *model.Weights) *Model {
	t.Helper()
	m, err := Load(w.Encode(), w.Root())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func equal(a, b Answer) bool { return a.Label == b.Label && slices.Equal(a.Logits, b.Logits) }

func TestTNS01OnlyTheRecordedWeightsAreServed(t *testing.T) {
	w := model.Init(arch, 1)
	other := model.Init(arch, 2)
	if _, err := Load(w.Encode(), other.Root()); !errors.Is(err, ErrRoot) {
		t.Errorf("weights of another model: %v", err)
	}
	if _, err := Load(w.Encode()[1:], w.Root()); !errors.Is(err, model.ErrBlob) {
		t.Errorf("a damaged blob: %v", err)
	}
	if m := load(t, w); m.Arch() != arch {
		t.Errorf("architecture %+v", m.Arch())
	}
}

func TestOP03AnAnswerDependsOnItsRowAlone(t *testing.T) {
	m := load(t, model.Init(arch, 1))
	whole, err := m.Table(parse(t, "0,1,2\n-1,0.25,7\n0,1,2\n", table.Options{Unlabeled: true}))
	if err != nil {
		t.Fatal(err)
	}
	alone, err := m.Clone().Table(parse(t, "-1,0.25,7,3\n", table.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	if len(whole) != 3 || !equal(whole[0], whole[2]) || !equal(whole[1], alone[0]) || equal(whole[0], whole[1]) {
		t.Errorf("answers %v and alone %v", whole, alone)
	}
}

func TestTheLabelIsTheLowestOfTheGreatestLogits(t *testing.T) {
	w := model.New(arch)
	copy(w.Tensors[1].Data, []float32{-1, 3, 3, 2}) // b2
	a, err := load(t, w).Table(parse(t, "5,5,5\n", table.Options{Unlabeled: true}))
	if err != nil {
		t.Fatal(err)
	}
	if a[0].Label != 1 || !slices.Equal(a[0].Floats(), []float32{-1, 3, 3, 2}) {
		t.Errorf("answer %+v", a[0])
	}
}

func TestAccuracyCountsTheRightLabels(t *testing.T) {
	w := model.New(arch)
	copy(w.Tensors[1].Data, []float32{0, 0, 1, 0})
	m := load(t, w)
	d, err := model.Load(arch, parse(t, "1,1,1,2\n1,1,1,0\n0,0,0,2\n", table.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	if correct, rows := m.Accuracy(d); correct != 2 || rows != 3 {
		t.Errorf("%d of %d right, want 2 of 3", correct, rows)
	}
}

func TestRowsThatDoNotFitAreRefused(t *testing.T) {
	w := model.Init(arch, 1)
	huge := model.New(arch)
	huge.Tensors[0].Data[0] = 3e38 // b1
	huge.Tensors[3].Data[0] = 3e38 // w2
	for _, c := range []struct {
		name string
		w    *model.Weights
		csv  string
		want error
	}{
		{"too few features", w, "1,2\n", model.ErrData},
		{"too many features", w, "1,2,3,4\n", model.ErrData},
		{"a logit that overflows", huge, "1,2,3\n", model.ErrNotFinite},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := load(t, c.w).Table(parse(t, c.csv, table.Options{Unlabeled: true})); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	var place *table.Error
	if _, err := load(t, w).Table(parse(t, "1,2,3\n1,1e300,3\n", table.Options{Unlabeled: true})); !errors.As(err, &place) || place.Line != 2 || place.Column != 2 {
		t.Errorf("a number beyond binary32: %v", err)
	}
	if _, err := load(t, w).Data(&model.Data{Rows: 1, Features: 2, X: []float32{1, 2}}); !errors.Is(err, model.ErrData) {
		t.Errorf("data of another model: %v", err)
	}
}

func TestAnswersSurviveEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []Answer
		for range rapid.IntRange(0, 5).Draw(t, "n") {
			l := rapid.SliceOfN(rapid.Uint32(), 1, 6).Draw(t, "logits")
			list = append(list, Answer{Label: uint64(rapid.IntRange(0, len(l)-1).Draw(t, "label")), Logits: l})
		}
		again, err := Decode(Encode(list))
		if err != nil || !slices.EqualFunc(list, again, equal) {
			t.Fatalf("%v became %v: %v", list, again, err)
		}
	})
	if _, err := Decode(Encode([]Answer{{Label: 1, Logits: []uint32{0}}})); !errors.Is(err, ErrAnswers) {
		t.Errorf("a label past the classes: %v", err)
	}
}

// FuzzDecode: no input panics, and what is accepted has one encoding.
func FuzzDecode(f *testing.F) {
	f.Add(Encode(nil))
	f.Add(Encode([]Answer{{Label: 1, Logits: []uint32{0, fx.Bits(1)}}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := Decode(data)
		if err == nil && string(Encode(list)) != string(data) {
			t.Fatal("two encodings of one list")
		}
	})
}

func BenchmarkData(b *testing.B) {
	big := model.Arch{Model: program.MLP, Features: 64, Hidden: 32, Classes: 10, Scale: 16}
	d := &model.Data{Rows: 600, Features: 64, X: make([]float32, 600*64)}
	for i := range d.X {
		d.X[i] = float32(i*7%17) / 16
	}
	m := New(model.Init(big, 1))
	for b.Loop() {
		if _, err := m.Data(d); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/600, "ns/row")
}
