// SPDX-License-Identifier: Apache-2.0

package hftest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openledger/openledger/gpu/format/hf"
	"github.com/openledger/openledger/gpu/format/safetensors"
)

// ids is a short text that uses much of the vocabulary.
func ids(n int) []uint32 {
	out := make([]uint32, n)
	for i := range out {
		out[i] = uint32(i*i*7+3*i) % 320
	}
	return out
}

func TestTNS03FoldersAreWhole(t *testing.T) {
	for name, c := range Kinds() {
		dir := t.TempDir()
		if err := Write(dir, Options{Config: c, Seed: 1, Mixed: true, Shard: 60_000}); err != nil {
			t.Fatal(err)
		}
		f, err := hf.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if f.Config.Arch != c.Arch || len(f.Weights) != len(f.File.Tensors) || f.Tokenizer.Size() != int(c.Arch.Vocab) || f.Chat.Style != hf.StyleUnknown {
			t.Errorf("%s: %+v, %d tensors of %d, %d tokens", name, f.Config.Arch, len(f.Weights), len(f.File.Tensors), f.Tokenizer.Size())
		}
		text := "The ledger's answer: 12 bits,\nnaïve."
		tokens, err := f.Tokenizer.Encode(text, true)
		if err != nil || tokens[0] != 0 || len(tokens) > len(text) {
			t.Errorf("%s: %d, %v", name, tokens, err)
		}
		if back, err := f.Tokenizer.Decode(tokens, true); err != nil || back != text {
			t.Errorf("%s: %q, %v", name, back, err)
		}
		again := exported(t, f)
		for _, at := range []func(f *hf.Folder) string{
			func(f *hf.Folder) string { return fmt.Sprint(f.Config) },
			func(f *hf.Folder) string { return string(f.JSON) },
			func(f *hf.Folder) string { r, err := f.File.Root(); return fmt.Sprint(r, err) },
		} {
			if at(f) != at(again) {
				t.Errorf("%s: %.200s, exported and imported %.200s", name, at(f), at(again))
			}
		}
		if err := errors.Join(f.Close(), again.Close()); err != nil {
			t.Error(err)
		}
		rows, err := Logits(dir, [][]uint32{ids(3), ids(2)})
		if err != nil || len(rows[0]) != 3 || len(rows[1]) != 2 || len(rows[0][0]) != int(c.Arch.Vocab) {
			t.Fatalf("%s: %v", name, err)
		}
		var most float64
		for i, x := range rows[0][1] {
			if x != rows[1][1][i] {
				t.Fatalf("%s: what follows changes a row", name)
			}
			most = max(most, math.Abs(x))
		}
		if most < 1 || most > 30 {
			t.Errorf("%s: the largest logit is %v", name, most)
		}
	}
}

// exported writes f into another folder, in other shards, and opens that.
func exported(t *testing.T, f *hf.Folder) *hf.Folder {
	t.Helper()
	var list []safetensors.Source
	for _, w := range f.Weights {
		list = append(list, safetensors.Copy(f.File, w.At, w.HF))
	}
	dir := filepath.Join(t.TempDir(), "new", "folder")
	if err := hf.Save(dir, f.Config, f.JSON, safetensors.Meta{Program: "p"}, list, 100_000); err != nil {
		t.Fatal(err)
	}
	if err := hf.Save(dir, f.Config, f.JSON, safetensors.Meta{}, nil, 0); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a model is written over: %v", err)
	}
	again, err := hf.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return again
}

func TestEqualOptionsGiveEqualBytes(t *testing.T) {
	var first []byte
	for range 2 {
		dir := t.TempDir()
		if err := Write(dir, Options{Config: Tiny(), Seed: 5}); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dir, safetensors.SingleName))
		if err != nil || first != nil && !bytes.Equal(first, b) {
			t.Fatalf("two folders differ: %v", err)
		}
		first = b
	}
}

// TestTNS03FoldersThatAreRefused damages one file of a good folder at a time.
func TestTNS03FoldersThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string // no text: the file is deleted
		want       string
	}{
		"no config":               {"config.json", "", "config.json"},
		"no tokenizer":            {"tokenizer.json", "", "SentencePiece"},
		"no weights":              {"model.safetensors", "", "neither"},
		"a damaged config":        {"config.json", "{", "config.json"},
		"a damaged tokenizer":     {"tokenizer.json", "{", "tokenizer.json"},
		"damaged weights":         {"model.safetensors", "{", "model.safetensors"},
		"a damaged template file": {"tokenizer_config.json", "{", "tokenizer_config.json"},
		"more words than weights": {"tokenizer.json", string(TokenizerJSON(corpus, 321)), "vocab_size 320"},
		"weights of something else": {"config.json", `{"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":64,"intermediate_size":96,"num_hidden_layers":3,"num_attention_heads":4,"num_key_value_heads":2,"vocab_size":320,"max_position_embeddings":256,"rms_norm_eps":1e-5}`,
			"model.layers.2"},
	} {
		dir := t.TempDir()
		if err := Write(dir, Options{Config: Tiny(), Seed: 1}); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, c.file)
		err := os.Remove(path)
		if c.text != "" {
			err = os.WriteFile(path, []byte(c.text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if f, err := hf.Open(dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v, want an error with %q", name, f, err, c.want)
		}
	}
	dir := t.TempDir()
	if err := Write(dir, Options{Config: Tiny(), Seed: 1}); err != nil {
		t.Fatal(err)
	}
	template := `{"chat_template":"{% for message in messages %}{{ message['content'] }}{% endfor %}"}`
	if err := os.WriteFile(filepath.Join(dir, "tokenizer_config.json"), []byte(template), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := hf.Open(dir)
	if err != nil || f.Chat.Style != hf.StylePlain {
		t.Fatalf("%v, %v", f, err)
	}
	f.Close()
}
