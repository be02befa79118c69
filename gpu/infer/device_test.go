// SPDX-License-Identifier: Apache-2.0

package infer

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/cpu"
	"github.com/openledger/openledger/gpu/model"
	"github.com/openledger/openledger/gpu/ref"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// TestOP03EveryDeviceGivesTheSameAnswers compares plain code with devices on rows
// that fill no batch, one, and more than one, with ties and values that overflow.
func TestOP03EveryDeviceGivesTheSameAnswers(t *testing.T) {
	devices := map[string]gpu.Device{"reference": ref.New(1 << 28)}
	for _, path := range []string{"ref", "avx2", "avx512"} {
		if d, err := cpu.New(cpu.Options{Force: path}); err == nil {
			devices[path] = d
		}
	}
	for _, a := range []model.Arch{arch, {Model: program.Softmax, Features: 7, Classes: 3, Scale: 1}} {
		for _, rows := range []int{1, 30, batch, 2*batch + 5} {
			d := &model.Data{Rows: rows, Features: int(a.Features), X: make([]float32, rows*int(a.Features))}
			fx.Stream{Seed: uint64(rows), Purpose: fx.PurposeBench}.FillNormal(d.X)
			d.X[0] = math.MaxFloat32 // its logits are infinite, or no numbers
			clear(d.X[len(d.X)/2:])  // equal logits, if there is no bias
			m := New(model.Init(a, 3))
			var want outputs
			for i := range rows {
				z := make([]float32, a.Classes)
				want.labels = append(want.labels, m.net.Label(d.Row(i), z))
				want.logits = append(want.logits, z...)
			}
			for name, dev := range devices {
				got, err := m.on(dev, d)
				if err != nil || !slices.Equal(got.labels, want.labels) || string(fx.AppendBits(nil, got.logits)) != string(fx.AppendBits(nil, want.logits)) {
					t.Errorf("%s, %d rows on %s: other bits, %v", a.Model, rows, name, err)
				}
			}
		}
	}
}

func TestLargeTablesHaveTheAnswersOfTheirRows(t *testing.T) {
	a := model.Arch{Model: program.MLP, Features: 64, Hidden: 64, Classes: 10, Scale: 1}
	m := New(model.Init(a, 1))
	d := &model.Data{Rows: 1000, Features: 64, X: make([]float32, 64_000), Y: make([]int, 1000)}
	fx.Stream{Seed: 9, Purpose: fx.PurposeBench}.FillNormal(d.X)
	if uint64(d.Rows)*m.train().Params() < worth {
		t.Fatal("the table is not large")
	}
	all, err := m.Data(d)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i, got := range all {
		one, err := m.Data(&model.Data{Rows: 1, Features: 64, X: d.Row(i)})
		if err != nil || !equal(one[0], got) {
			t.Fatalf("row %d: %+v alone, %+v in the table, %v", i, one[0], got, err)
		}
		if got.Label == 0 {
			right++
		}
	}
	if n, of := m.Accuracy(d); n != right || of != 1000 {
		t.Errorf("%d of %d right, want %d", n, of, right)
	}
	d.X[64*500] = float32(math.Inf(1))
	if _, err := m.Data(d); !errors.Is(err, model.ErrNotFinite) {
		t.Errorf("an infinite feature: %v", err)
	}
}

func TestADeviceWithoutRoomIsAnError(t *testing.T) {
	m := New(model.Init(arch, 1))
	if _, err := m.on(ref.New(50), &model.Data{Rows: 1, Features: 3, X: make([]float32, 3)}); !errors.Is(err, gpu.ErrMemory) {
		t.Error(err)
	}
}
