// SPDX-License-Identifier: Apache-2.0

package pack_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/gpu/format"
	"github.com/openledger/openledger/gpu/format/hf"
	"github.com/openledger/openledger/gpu/format/hftest"
	"github.com/openledger/openledger/gpu/format/pack"
	"github.com/openledger/openledger/gpu/format/safetensors"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/decoder"
)

// folder writes a small model with tensors that no weight needs.
func folder(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := hftest.Write(dir, hftest.Options{Config: hftest.Tiny(), Seed: 3, Mixed: true, Shard: 30_000}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// lora writes a folder of adapters of rank 2 for one matrix.
func lora(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	config, err := pack.WritePEFT("base", pack.LoRA(2, 4, []string{"q"}), 4)
	if err != nil {
		t.Fatal(err)
	}
	const name = "base_model.model.model.layers.0.self_attn.q_proj.lora_"
	err = errors.Join(os.WriteFile(filepath.Join(dir, pack.AdapterConfig), config, 0o600),
		safetensors.Save(filepath.Join(dir, pack.AdapterWeights), safetensors.Meta{}, []safetensors.Source{
			safetensors.Float32s(name+"A.weight", []uint64{2, 3}, make([]float32, 6)),
			safetensors.Float32s(name+"B.weight", []uint64{5, 2}, make([]float32, 10))}))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func wrap(t testing.TB, dir string) ([]byte, [32]byte) {
	t.Helper()
	p, err := pack.Folder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var b bytes.Buffer
	root, err := p.Write(&b)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), root
}

func read(b []byte) (*pack.Package, error) { return pack.New(bytes.NewReader(b), int64(len(b))) }

// TestTNS06AFolderComesOutOfItsPackage: folder, package and folder again have one root,
// equal folders equal bytes, and the root is that of the file's tensors.
func TestTNS06AFolderComesOutOfItsPackage(t *testing.T) {
	for name, dir := range map[string]string{"model": folder(t), "adapters": lora(t)} {
		b, root := wrap(t, dir)
		f, err := safetensors.New("package", bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := f.Root(); err != nil || got != root {
			t.Errorf("%s: the file's root is %x, the package's %x, %v", name, got, root, err)
		}
		p, err := read(b)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.Root(); err != nil || got != root {
			t.Errorf("%s: read again its root is %x, %v", name, got, err)
		}
		out := filepath.Join(t.TempDir(), "new")
		if err := p.Extract(out); err != nil {
			t.Fatal(err)
		}
		again, _ := wrap(t, out)
		if !bytes.Equal(b, again) {
			t.Errorf("%s: packed again it has other bytes", name)
		}
		if err := p.Extract(out); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: it is written over: %v", name, err)
		}
		if _, err := p.Model(); (err == nil) != (name == "model") {
			t.Errorf("%s: Model: %v", name, err)
		}
		file := filepath.Join(t.TempDir(), "p")
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		q, err := pack.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := q.Root(); err != nil || got != root || q.Close() != nil {
			t.Errorf("%s: from a file its root is %x, %v", name, got, err)
		}
	}
}

// TestACrashWhileExtractingLeavesNoModel breaks Extract before its last file.
func TestACrashWhileExtractingLeavesNoModel(t *testing.T) {
	for name, dir := range map[string]string{safetensors.SingleName: folder(t), pack.AdapterWeights: lora(t)} {
		b, _ := wrap(t, dir)
		p, err := read(b)
		if err != nil {
			t.Fatal(err)
		}
		out := t.TempDir()
		if err := p.Extract(out); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(out, name)); err != nil { // it comes last, by rename
			t.Fatal(err)
		}
		if _, err := pack.Folder(out); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("without %s: %v", name, err)
		}
		if err := p.Extract(out); err != nil {
			t.Errorf("again: %v", err)
		}
	}
}

// TestTNS06BadPackagesAreRefused changes what stands in a good one.
func TestTNS06BadPackagesAreRefused(t *testing.T) {
	p, err := pack.Folder(folder(t))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	l, err := pack.Folder(lora(t))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	list := func(p *pack.Package, skip string) (out []safetensors.Source) {
		for _, x := range p.Weights.Tensors {
			if x.Name != skip {
				out = append(out, safetensors.Copy(p.Weights, x, x.Name))
			}
		}
		return out
	}
	config, tok := safetensors.Blob(hf.ConfigName, p.Config), safetensors.Blob(hf.TokenizerName, p.Tokenizer)
	adapter := safetensors.Blob(pack.AdapterConfig, l.Adapters)
	for name, c := range map[string]struct {
		list []safetensors.Source
		want string
	}{
		"no files":                {list(p, ""), "config.json and tokenizer.json of a model"},
		"no tokenizer":            {append(list(p, ""), config), "config.json and tokenizer.json of a model"},
		"a model with adapters":   {append(list(p, ""), config, tok, adapter), "config.json and tokenizer.json of a model"},
		"a config of floats":      {append(list(p, ""), tok, safetensors.Float32s(hf.ConfigName, []uint64{1}, []float32{1})), "as U8"},
		"a config too large":      {append(list(p, ""), tok, safetensors.Blob(hf.ConfigName, make([]byte, hf.MaxConfig+1))), "as U8"},
		"an empty config":         {append(list(p, ""), tok, safetensors.Blob(hf.ConfigName, nil)), "as U8"},
		"a config that lies":      {append(list(p, ""), tok, safetensors.Blob(hf.ConfigName, bytes.Replace(p.Config, []byte(`"vocab_size": 320`), []byte(`"vocab_size": 321`), 1))), "embed_tokens"},
		"a missing weight":        {append(list(p, "model.norm.weight"), config, tok), "model.norm.weight"},
		"an unknown tensor":       {append(list(p, ""), config, tok, safetensors.Blob("run.py", []byte("x"))), "run.py"},
		"a broken tokenizer":      {append(list(p, ""), config, safetensors.Blob(hf.TokenizerName, []byte("{}"))), "tokenizer.json"},
		"adapters of no rank":     {append(list(l, ""), safetensors.Blob(pack.AdapterConfig, bytes.Replace(l.Adapters, []byte(`"r": 2`), []byte(`"r": 3`), 1))), "rank 3"},
		"adapters and more":       {append(list(l, ""), adapter, safetensors.Blob("more", []byte("x"))), "more"},
		"adapters without any":    {[]safetensors.Source{adapter}, "without a tensor"},
		"adapters of another art": {append(list(l, ""), safetensors.Blob(pack.AdapterConfig, []byte(`{"peft_type":"IA3"}`))), "peft_type"},
	} {
		var b bytes.Buffer
		if err := safetensors.Write(&b, safetensors.Meta{}, c.list); err != nil {
			t.Fatal(err)
		}
		_, err := read(b.Bytes())
		if !errors.Is(err, format.ErrFormat) && !errors.Is(err, format.ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	b, _ := wrap(t, folder(t))
	for _, n := range []int{0, 7, 8, 100, len(b) / 2, len(b) - 1} {
		if _, err := read(b[:n]); !errors.Is(err, format.ErrFormat) {
			t.Errorf("%d of %d bytes: %v", n, len(b), err)
		}
	}
	if _, err := pack.Write(&bytes.Buffer{}, pack.Files{}, nil); !errors.Is(err, format.ErrFormat) {
		t.Errorf("a package of nothing: %v", err)
	}
}

// TestTNS05AlphaGivesTheScaleAgain for whatever α and rank the scale came from.
func TestTNS05AlphaGivesTheScaleAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := pack.LoRA(rapid.Uint64Range(1, decoder.MaxRank).Draw(t, "r"), rapid.Float32Range(1e-3, 1e6).Draw(t, "alpha"), nil)
		a, err := pack.Alpha(l)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := pack.WritePEFT("base", l, a)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := pack.ReadPEFT(raw); err != nil || got.Rank != l.Rank || got.Scale != l.Scale || !slices.Equal(got.Targets, l.Targets) {
			t.Fatalf("%+v, %v; want %+v", got, err, l)
		}
	})
	for _, bits := range []uint32{0, 0x80000000, fx.Bits(-1), 0x7f800000, fx.NaNBits} {
		if a, err := pack.Alpha(decoder.LoRA{Rank: 4, Scale: bits}); !errors.Is(err, format.ErrFormat) {
			t.Errorf("the scale %08x comes from α = %v, %v", bits, a, err)
		}
	}
}

// FuzzNew: no input panics, and what is accepted has one root, written again too.
func FuzzNew(f *testing.F) {
	for _, dir := range []string{lora(f)} {
		b, _ := wrap(f, dir)
		f.Add(b)
	}
	small := hftest.Tiny()
	small.Arch.Layers, small.Arch.Hidden, small.Arch.Inner, small.Arch.Heads, small.Arch.KVHeads, small.Arch.HeadDim = 1, 4, 4, 1, 1, 4
	dir := f.TempDir()
	if err := hftest.Write(dir, hftest.Options{Config: small, Seed: 1}); err != nil {
		f.Fatal(err)
	}
	b, _ := wrap(f, dir)
	f.Add(b)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := read(data)
		if err != nil {
			return
		}
		var again bytes.Buffer
		want, err := p.Root()
		if got, e := p.Write(&again); err != nil || e != nil || got != want {
			t.Fatalf("roots %x and %x, %v, %v", want, got, err, e)
		}
		if _, err := read(again.Bytes()); err != nil {
			t.Fatal(err)
		}
	})
}
