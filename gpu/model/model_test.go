// SPDX-License-Identifier: Apache-2.0

package model

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/internal/table"
	"github.com/openledger/openledger/poa/program"
	"pgregory.net/rapid"
)

var (
	softmax = Arch{Model: program.Softmax, Features: 5, Classes: 3, Scale: 16}
	mlp     = Arch{Model: program.MLP, Features: 5, Classes: 3, Hidden: 4, Scale: 16}
)

func equalBits(a, b *Weights) bool {
	return slices.EqualFunc(a.Tensors, b.Tensors, func(x, y Tensor) bool {
		return x.Name == y.Name && slices.Equal(x.Shape, y.Shape) &&
			string(fx.AppendBits(nil, x.Data)) == string(fx.AppendBits(nil, y.Data))
	})
}

func TestTNS01TensorsAreSortedByName(t *testing.T) {
	for _, c := range []struct {
		arch   Arch
		names  []string
		shapes [][]uint64
	}{
		{softmax, []string{"b", "w"}, [][]uint64{{3}, {3, 5}}},
		{mlp, []string{"b1", "b2", "w1", "w2"}, [][]uint64{{4}, {3}, {4, 5}, {3, 4}}},
	} {
		w := New(c.arch)
		for i, x := range w.Tensors {
			if x.Name != c.names[i] || !slices.Equal(x.Shape, c.shapes[i]) {
				t.Errorf("tensor %d of %s is %s %v", i, c.arch.Model, x.Name, x.Shape)
			}
		}
	}
}

func TestTNS01TheRootIsTheTreeOverTensorDigests(t *testing.T) {
	w := Init(mlp, 3)
	var leaves [][]byte
	for _, x := range w.Tensors {
		id := content.Sum(fx.AppendBits(nil, x.Data))
		leaves = append(leaves, enc.Encode([]any{"openledger/tensor/1", x.Name, "f32", x.Shape, id[:]}))
	}
	if w.Root() != merkle.Root(leaves) {
		t.Error("the root is not the RFC 6962 root over [name, type, shape, digest]")
	}
	if got, want := keys.Dom(keys.DomainTensor, "step", "u64", []uint64(nil), content.Sum([]byte{1})), LeafOf("step", "u64", nil, []byte{1}); string(got) != string(want) {
		t.Errorf("leaf of a number %x, want %x", want, got)
	}
}

func TestFX06InitialWeightsComeFromTheirStream(t *testing.T) {
	w := Init(mlp, 0x123456789)
	for _, c := range []struct {
		name   string
		stream uint32
		scale  float64
	}{{"w1", 2, math.Sqrt(2.0 / 5)}, {"w2", 3, 1.0 / 4}} {
		x := w.Tensors[w.index(c.name)]
		s := fx.Stream{Seed: 0x123456789, Stream: c.stream, Purpose: fx.PurposeInit}
		for i, v := range x.Data {
			if want := fx.Mul(float32(c.scale), s.Normal(uint64(i))); math.Abs(float64(v-want)) > 1e-6 || v == 0 {
				t.Fatalf("%s[%d] = %g, want about %g", c.name, i, v, want)
			}
		}
	}
	for _, name := range []string{"b1", "b2"} {
		for _, v := range w.Tensors[w.index(name)].Data {
			if fx.Bits(v) != 0 {
				t.Errorf("bias %s starts at %g, want +0", name, v)
			}
		}
	}
	if w.Root() == Init(mlp, 0x123456788).Root() {
		t.Error("another seed gives the same weights")
	}
}

func TestArchCheckRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*Arch)
	}{
		{"an unknown model", func(a *Arch) { a.Model = "mlp/2" }},
		{"no features", func(a *Arch) { a.Features = 0 }},
		{"one class", func(a *Arch) { a.Classes = 1 }},
		{"no hidden units", func(a *Arch) { a.Hidden = 0 }},
		{"no scale", func(a *Arch) { a.Scale = 0 }},
		{"a model of more than a million parameters", func(a *Arch) { a.Features, a.Hidden = 4096, 1024 }},
		{"hidden units in a softmax", func(a *Arch) { a.Model = program.Softmax }},
		{"features beyond every bound", func(a *Arch) { a.Features = math.MaxUint64 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := mlp
			c.edit(&a)
			if err := a.Check(); !errors.Is(err, ErrArch) {
				t.Errorf("got %v, want ErrArch", err)
			}
		})
	}
}

func TestWeightsSurviveEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		arch := rapid.SampledFrom([]Arch{softmax, mlp}).Draw(t, "arch")
		w := Init(arch, rapid.Uint64().Draw(t, "seed"))
		again, err := Decode(w.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if !equalBits(w, again) || again.Arch != arch || again.Root() != w.Root() {
			t.Fatal("decoded weights differ")
		}
	})
}

func TestDecodeRefuses(t *testing.T) {
	good := func() blob {
		var b blob
		if err := enc.Decode(Init(softmax, 1).Encode(), &b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, c := range []struct {
		name string
		edit func(*blob)
		want error
	}{
		{"another version", func(b *blob) { b.Version = "openledger/weights/2" }, ErrBlob},
		{"an architecture out of bounds", func(b *blob) { b.Arch.Features = 1 << 40 }, ErrArch},
		{"another architecture", func(b *blob) { b.Arch.Features = 6 }, ErrBlob},
		{"a missing tensor", func(b *blob) { b.Tensors = b.Tensors[:1] }, ErrBlob},
		{"a tensor too many", func(b *blob) { b.Tensors = append(b.Tensors, b.Tensors[1]) }, ErrBlob},
		{"another name", func(b *blob) { b.Tensors[0].Name = "a" }, ErrBlob},
		{"another order", func(b *blob) { b.Tensors[0], b.Tensors[1] = b.Tensors[1], b.Tensors[0] }, ErrBlob},
		{"another shape", func(b *blob) { b.Tensors[1].Shape = []uint64{5, 3} }, ErrBlob},
		{"a short tensor", func(b *blob) { b.Tensors[1].Data = b.Tensors[1].Data[4:] }, ErrBlob},
		{"a NaN", func(b *blob) { copy(b.Tensors[1].Data[4:], "\x00\x00\xc0\x7f") }, ErrNotFinite},
		{"an infinity", func(b *blob) { copy(b.Tensors[0].Data, "\x00\x00\x80\xff") }, ErrNotFinite},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := good()
			c.edit(&b)
			if _, err := Decode(enc.Encode(b)); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	data := Init(softmax, 1).Encode()
	for name, b := range map[string][]byte{"nothing": nil, "a cut blob": data[:len(data)-1], "a trailing byte": append(slices.Clone(data), 0)} {
		if _, err := Decode(b); !errors.Is(err, ErrBlob) {
			t.Errorf("%s: got %v, want ErrBlob", name, err)
		}
	}
}

// FuzzDecode: no input makes Decode panic, and what it accepts has one encoding.
func FuzzDecode(f *testing.F) {
	f.Add(Init(Arch{Model: program.Softmax, Features: 1, Classes: 2, Scale: 1}, 1).Encode())
	f.Add(Init(Arch{Model: program.MLP, Features: 1, Hidden: 1, Classes: 2, Scale: 1}, 1).Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		w, err := Decode(data)
		if err != nil {
			return
		}
		if string(w.Encode()) != string(data) {
			t.Fatal("two encodings of one model")
		}
		out := make([]float32, w.Arch.Classes)
		NewNet(w).Logits(make([]float32, w.Arch.Features), out)
	})
}

func parse(t *testing.T, text string, opt table.Options) *table.Table {
	t.Helper()
	tab, err := table.Parse("rows.csv", []byte(text), opt)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func TestLoadDividesByTheScaleAndJoinsTables(t *testing.T) {
	a := parse(t, "0,16,8,1,2,0\n", table.Options{})
	b := parse(t, "0.5,1,2,3,4,2\n-1,1,2,3,4,1\n", table.Options{})
	d, err := Load(softmax, a, b)
	if err != nil {
		t.Fatal(err)
	}
	if d.Rows != 3 || !slices.Equal(d.Y, []int{0, 2, 1}) {
		t.Errorf("%d rows with labels %v", d.Rows, d.Y)
	}
	if want := []float32{0, 1, 0.5, 0.0625, 0.125}; !slices.Equal(d.Row(0), want) {
		t.Errorf("row 0 is %v, want %v", d.Row(0), want)
	}
	if d.Row(1)[0] != 0.03125 || d.Row(2)[0] != -0.0625 {
		t.Errorf("the second table starts with %v and %v", d.Row(1)[0], d.Row(2)[0])
	}
	other, err := Load(softmax, b, a)
	if err != nil {
		t.Fatal(err)
	}
	if other.Digest() == d.Digest() {
		t.Error("another order of tables has the same digest")
	}
}

func TestLoadRefuses(t *testing.T) {
	good := parse(t, "1,2,3,4,5,0\n", table.Options{})
	for _, c := range []struct {
		name   string
		arch   Arch
		tables []*table.Table
		want   string // the error or its end
	}{
		{"no table", softmax, nil, "data does not fit the model: no table"},
		{"another number of features", softmax, []*table.Table{parse(t, "1,2,0\n", table.Options{})},
			"data does not fit the model: rows.csv has 2 features, the model 5"},
		{"labels in one table only", softmax, []*table.Table{good, parse(t, "1,2,3,4,5\n", table.Options{Unlabeled: true})},
			"data does not fit the model: rows.csv and rows.csv: only one has labels"},
		{"a label past the classes", softmax, []*table.Table{parse(t, "1,2,3,4,5,0\n1,2,3,4,5,3\n", table.Options{})},
			"rows.csv:2: column 6: label 3 is not a class 0..2"},
		{"a negative label", softmax, []*table.Table{parse(t, "1,2,3,4,5,-1\n", table.Options{})},
			"rows.csv:1: column 6: label -1 is not a class 0..2"},
		{"a number beyond binary32", softmax, []*table.Table{parse(t, "1,2,1e39,4,5,1\n", table.Options{})},
			"rows.csv:1: column 3: number is too large for the model"},
		{"an unsupported model", Arch{}, []*table.Table{good}, `unsupported model: program out of bounds: unknown model ""`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Load(c.arch, c.tables...); err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}
