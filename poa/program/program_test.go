// SPDX-License-Identifier: Apache-2.0

package program

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/enc"
)

func softmax() Train {
	return Train{Model: Softmax, Features: 64, Classes: 10, Scale: 16, Batch: 32, StepsPerSegment: 50, Segments: 8,
		LR: math.Float32bits(0.5), Seed: 7}
}

func mlp() Train {
	t := softmax()
	t.Model, t.Hidden, t.Momentum, t.L2 = MLP, 32, math.Float32bits(0.9), math.Float32bits(1e-4)
	return t
}

func TestGoodDescriptionsPass(t *testing.T) {
	for _, x := range []Train{softmax(), mlp()} {
		if err := x.Check(); err != nil {
			t.Error(err)
		}
	}
	if err := (Attribute{Method: KNN, K: 5, Soft: true, Rows: 25}).Check(); err != nil {
		t.Error(err)
	}
	if n := softmax().Params(); n != 650 {
		t.Errorf("softmax has %d parameters", n)
	}
	if n := mlp().Params(); n != 65*32+33*10 {
		t.Errorf("mlp has %d parameters", n)
	}
}

func TestTASK02DescriptionsOutOfBounds(t *testing.T) {
	for name, f := range map[string]func(x *Train){
		"an unknown model":          func(x *Train) { x.Model = "gpt/1" },
		"an mlp without a layer":    func(x *Train) { x.Hidden = 0 },
		"an mlp that is too wide":   func(x *Train) { x.Hidden = MaxHidden + 1 },
		"softmax with a layer":      func(x *Train) { x.Model = Softmax },
		"no features":               func(x *Train) { x.Features = 0 },
		"too many features":         func(x *Train) { x.Features = MaxFeatures + 1 },
		"one class":                 func(x *Train) { x.Classes = 1 },
		"too many classes":          func(x *Train) { x.Classes = MaxClasses + 1 },
		"no scale":                  func(x *Train) { x.Scale = 0 },
		"too large a scale":         func(x *Train) { x.Scale = MaxScale + 1 },
		"empty batches":             func(x *Train) { x.Batch = 0 },
		"too large batches":         func(x *Train) { x.Batch = MaxBatch + 1 },
		"no steps":                  func(x *Train) { x.StepsPerSegment = 0 },
		"too many steps":            func(x *Train) { x.StepsPerSegment = MaxSteps + 1 },
		"no segments":               func(x *Train) { x.Segments = 0 },
		"too many segments":         func(x *Train) { x.Segments = MaxSegments + 1 },
		"a rate of zero":            func(x *Train) { x.LR = 0 },
		"a negative rate":           func(x *Train) { x.LR = math.Float32bits(-0.5) },
		"an infinite rate":          func(x *Train) { x.LR = math.Float32bits(float32(math.Inf(1))) },
		"a rate that is no number":  func(x *Train) { x.LR = 0x7fc00000 },
		"a negative penalty":        func(x *Train) { x.L2 = math.Float32bits(-1) },
		"an infinite penalty":       func(x *Train) { x.L2 = 0x7f800000 },
		"a negative zero":           func(x *Train) { x.L2 = 0x80000000 },
		"momentum of one":           func(x *Train) { x.Momentum = math.Float32bits(1) },
		"negative momentum":         func(x *Train) { x.Momentum = math.Float32bits(-0.1) },
		"more work than is allowed": func(x *Train) { x.Features, x.Batch, x.Segments, x.StepsPerSegment = 4_096, 4_096, 4_096, 1_000 },
		"work beyond 64 bits": func(x *Train) {
			x.Features, x.Hidden, x.Batch, x.Segments, x.StepsPerSegment = 4_096, 1_024, 4_096, 4_096, 65_536
		},
	} {
		x := mlp()
		f(&x)
		if err := x.Check(); !errors.Is(err, ErrSpec) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, f := range map[string]func(x *Attribute){
		"an unknown method":   func(x *Attribute) { x.Method = "knn/2" },
		"no neighbours":       func(x *Attribute) { x.K = 0 },
		"too many neighbours": func(x *Attribute) { x.K = MaxK + 1 },
		"empty segments":      func(x *Attribute) { x.Rows = 0 },
		"too large segments":  func(x *Attribute) { x.Rows = MaxRows + 1 },
	} {
		x := Attribute{Method: KNN, K: 5, Rows: 25}
		f(&x)
		if err := x.Check(); !errors.Is(err, ErrSpec) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatPassesIsBounded(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		x := Train{
			Model:    rapid.SampledFrom([]string{Softmax, MLP, ""}).Draw(rt, "model"),
			Features: rapid.Uint64().Draw(rt, "features"), Classes: rapid.Uint64Range(0, 300).Draw(rt, "classes"),
			Hidden: rapid.Uint64Range(0, 1_100).Draw(rt, "hidden"), Scale: rapid.Uint64Range(0, 1<<25).Draw(rt, "scale"),
			Batch: rapid.Uint64Range(0, 5_000).Draw(rt, "batch"), StepsPerSegment: rapid.Uint64Range(0, 1<<17).Draw(rt, "steps"),
			Segments: rapid.Uint64().Draw(rt, "segments"), LR: rapid.Uint32().Draw(rt, "lr"),
			L2: rapid.Uint32().Draw(rt, "l2"), Momentum: rapid.Uint32().Draw(rt, "momentum"),
		}
		if x.Check() != nil {
			return
		}
		lr, m := math.Float32frombits(x.LR), math.Float32frombits(x.Momentum)
		if x.Cost() > MaxCost || !(lr > 0) || math.IsInf(float64(lr), 0) || !(m >= 0 && m < 1) {
			rt.Fatalf("%+v", x)
		}
		var back Train
		if err := enc.Decode(enc.Encode(x), &back); err != nil || back != x {
			rt.Fatalf("%v", err)
		}
	})
}

func TestAttributionSegmentsCoverTheRowsOnce(t *testing.T) {
	for _, x := range []struct{ rows, per, want uint64 }{{100, 25, 4}, {101, 25, 5}, {1, 25, 1}, {0, 25, 0}, {^uint64(0), 1, ^uint64(0)}, {^uint64(0), 2, 1 << 63}} {
		if got := (Attribute{Rows: x.per}).Segments(x.rows); got != x.want {
			t.Errorf("%d rows in %d: %d segments, want %d", x.rows, x.per, got, x.want)
		}
	}
}
