// SPDX-License-Identifier: Apache-2.0

package model

import (
	"encoding/hex"
	"math"
	"slices"
	"testing"

	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
	"pgregory.net/rapid"
)

// values draws features that make ties and zeros, rarely something extreme.
func values() *rapid.Generator[float32] {
	return rapid.Custom(func(t *rapid.T) float32 {
		if rapid.IntRange(0, 199).Draw(t, "kind") == 0 {
			return rapid.SampledFrom([]float32{float32(math.Inf(1)), 3e38, -3e38, 1e-44, -1e-44, float32(math.NaN())}).Draw(t, "special")
		}
		return float32(rapid.IntRange(-4, 16).Draw(t, "x")) / 16
	})
}

func TestOP03StepsHaveTheBitsOfTheNodeList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		arch := Arch{Model: program.Softmax, Features: rapid.Uint64Range(1, 40).Draw(t, "features"),
			Classes: rapid.Uint64Range(2, 40).Draw(t, "classes"), Scale: 1}
		if rapid.Bool().Draw(t, "mlp") {
			arch.Model, arch.Hidden = program.MLP, rapid.Uint64Range(1, 40).Draw(t, "hidden")
		}
		w := Init(arch, rapid.Uint64().Draw(t, "seed"))
		ref, net := newNaive(w), NewNet(w)
		lr := rapid.Float32Range(1e-3, 2).Draw(t, "lr")
		l2 := rapid.SampledFrom([]float32{0, 1e-3}).Draw(t, "l2")
		mu := rapid.SampledFrom([]float32{0, 0.9}).Draw(t, "mu")
		for range rapid.IntRange(1, 3).Draw(t, "steps") {
			rows := rapid.IntRange(1, 6).Draw(t, "rows")
			x := rapid.SliceOfN(values(), rows*int(arch.Features), rows*int(arch.Features)).Draw(t, "x")
			y := rapid.SliceOfN(rapid.IntRange(0, int(arch.Classes)-1), rows, rows).Draw(t, "y")
			fx.CanonAll(x)
			want := ref.step(x, y, lr, l2, mu)
			net.Begin()
			g := fx.Div(1, fx.FromInt(int32(rows)))
			losses := make([]float32, rows)
			for r := range rows {
				losses[r] = net.Row(x[r*int(arch.Features):(r+1)*int(arch.Features)], y[r], g)
			}
			got := net.Update(lr, l2, mu, []uint32{fx.Bits(fx.Mul(fx.RedSum(losses), g))})
			if !slices.Equal(got, want) {
				t.Fatalf("record %08x, want %08x", got, want)
			}
			if !equalBits(net.Weights(), ref.w) || !equalBits(net.Momentum(), ref.v) {
				t.Fatal("parameters or momentum differ from the node list")
			}
		}
	})
}

func TestOP03ARowDoesNotFeelItsNeighbours(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := Init(mlp, rapid.Uint64().Draw(t, "seed"))
		rows := rapid.IntRange(1, 8).Draw(t, "rows")
		x := rapid.SliceOfN(values(), rows*5, rows*5).Draw(t, "x")
		_, out := newNaive(w).forward(x, rows)
		net, got := NewNet(w), make([]float32, 3)
		order := rapid.Permutation(slices.Collect(func(yield func(int) bool) {
			for i := range rows {
				if !yield(i) {
					return
				}
			}
		})).Draw(t, "order")
		for _, r := range order {
			net.Logits(x[r*5:(r+1)*5], got)
			if string(fx.AppendBits(nil, got)) != string(fx.AppendBits(nil, out[1][r*3:(r+1)*3])) {
				t.Fatalf("row %d: %v, want %v", r, got, out[1][r*3:(r+1)*3])
			}
		}
	})
}

// TestGradientsPointDownhill compares with finite differences in binary64.
func TestGradientsPointDownhill(t *testing.T) {
	for _, arch := range []Arch{softmax, mlp} {
		w := Init(arch, 11)
		x := make([]float32, 4*5)
		fx.Stream{Seed: 1, Purpose: fx.PurposeBench}.FillNormal(x)
		y := []int{0, 2, 1, 1}
		net := NewNet(w)
		net.Begin()
		for r := range 4 {
			net.Row(x[r*5:(r+1)*5], y[r], 0.25)
		}
		net.Update(1, 0, 0, nil) // p − g, so that g is the difference
		after := net.Weights()
		for i, tensor := range w.Tensors {
			for j := range tensor.Data {
				const h = 1e-5
				p := float64(tensor.Data[j])
				up, down := loss64(w, x, y, i, j, p+h), loss64(w, x, y, i, j, p-h)
				want, got := (up-down)/(2*h), p-float64(after.Tensors[i].Data[j])
				if math.Abs(got-want) > 1e-4 {
					t.Errorf("%s: gradient of %s[%d] is %g, want %g", arch.Model, tensor.Name, j, got, want)
				}
			}
		}
	}
}

// loss64 is the mean cross-entropy in binary64 with one parameter replaced.
func loss64(w *Weights, x []float32, y []int, ti, tj int, p float64) (sum float64) {
	get := func(name string, k int) float64 {
		i := w.index(name)
		if i == ti && k == tj {
			return p
		}
		return float64(w.Tensors[i].Data[k])
	}
	for r := range y {
		in := make([]float64, 5)
		for k := range in {
			in[k] = float64(x[r*5+k])
		}
		var z []float64
		for li, l := range w.Arch.layers() {
			if li > 0 {
				in = z
				for k := range in {
					in[k] = max(in[k], 0)
				}
			}
			z = make([]float64, l.out)
			for o := range z {
				z[o] = get(l.b, o)
				for k := range in {
					z[o] += float64(in[k] * get(l.w, o*l.in+k))
				}
			}
		}
		total := 0.0
		for _, v := range z {
			total += math.Exp(v)
		}
		sum += (math.Log(total) - z[y[r]]) / float64(len(y))
	}
	return sum
}

func TestEqualLogitsGiveTheLowestLabel(t *testing.T) {
	net := NewNet(New(softmax))
	if got := net.Label(make([]float32, 5), make([]float32, 3)); got != 0 {
		t.Errorf("label %d of equal logits, want 0", got)
	}
}

func BenchmarkRow(b *testing.B) {
	for _, arch := range []Arch{
		{Model: program.Softmax, Features: 64, Classes: 10, Scale: 16},
		{Model: program.MLP, Features: 64, Hidden: 32, Classes: 10, Scale: 16},
	} {
		b.Run(arch.Model, func(b *testing.B) {
			net, x := NewNet(Init(arch, 1)), make([]float32, 64)
			for i := range x {
				x[i] = float32(i*7%17) / 16
			}
			net.Begin()
			b.ReportAllocs()
			for b.Loop() {
				net.Row(x, 3, 0.03125)
			}
		})
	}
}

func TestRowsAllocateNothing(t *testing.T) {
	net, x, out := NewNet(Init(mlp, 1)), make([]float32, 5), make([]float32, 3)
	net.Begin()
	norms := make([]uint32, 0, 16)
	if n := testing.AllocsPerRun(100, func() {
		net.Row(x, 1, 1)
		net.Logits(x, out)
		net.Update(0.1, 0, 0, norms[:0])
	}); n != 0 {
		t.Errorf("a row and an update allocate %v times", n)
	}
}

func TestTNS01RootsAreUnchanged(t *testing.T) {
	for _, c := range []struct {
		arch Arch
		want string
	}{
		{softmax, "6abf2dedb1153a4ba89c1e2ccca9c71710859e503c2f4c30701369811171a361"},
		{mlp, "13bf37cf1e3b901283430493632be4cd6eeea69e764c9c78d2c7fc83b471bf48"},
	} {
		r := Init(c.arch, 2024).Root()
		if got := hex.EncodeToString(r[:]); got != c.want {
			t.Errorf("%s of seed 2024 has root %s, want %s", c.arch.Model, got, c.want)
		}
	}
}
