// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	le "encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openledger/openledger/gpu/format/hftest"
)

// hostile are what someone may put into a folder that is said to be a model: the
// file, its bytes made of the good ones, and what every command says of it.
var hostile = map[string]struct {
	file string
	make func(good []byte) []byte
	want string
}{
	"weights: an empty file":                 {"model.safetensors", cut(0), "model.safetensors"},
	"weights: a header longer than the file": {"model.safetensors", header(1<<62, "{}", 0), "model.safetensors"},
	"weights: a shape beyond all memory": {"model.safetensors",
		header(0, `{"model.norm.weight":{"dtype":"F32","shape":[4294967295,4294967295,1073741824],"data_offsets":[0,4]}}`, 4), "model.norm.weight"},
	"weights: a shape that wraps to its size": {"model.safetensors",
		header(0, `{"model.norm.weight":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}}`, 4), "model.norm.weight"},
	"weights: two tensors of the same bytes": {"model.safetensors",
		header(0, `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), "overlap"},
	"weights: cut within a tensor":   {"model.safetensors", less(1), "model.safetensors"},
	"weights: cut within the header": {"model.safetensors", cut(40), "model.safetensors"},
	"weights: an index to another folder": {"model.safetensors.index.json",
		text(`{"weight_map":{"model.norm.weight":"../model.safetensors"}}`), "not the name"},
	"words: an empty file":              {"tokenizer.json", cut(0), "tokenizer.json"},
	"words: cut in the middle":          {"tokenizer.json", less(100), "tokenizer.json"},
	"words: a nest without end":         {"tokenizer.json", text(strings.Repeat(`{"model":`, 1_000_000)), "tokenizer.json"},
	"words: a merge of no tokens":       {"tokenizer.json", replace(`"merges":[`, `"merges":["xyz zyx",`), "tokenizer.json"},
	"words: an id above all":            {"tokenizer.json", replace(`"id":`, `"id":4294967295,"i":`), "tokenizer.json"},
	"config: cut in the middle":         {"config.json", less(10), "config.json"},
	"config: a model beyond all memory": {"config.json", replace(`"num_hidden_layers": 2`, `"num_hidden_layers": 2000000000`), "config.json"},
	"config: a width beyond all memory": {"config.json", replace(`"hidden_size": 64`, `"hidden_size": 9223372036854775807`), "config.json"},
	"config: no heads":                  {"config.json", replace(`"num_attention_heads": 4`, `"num_attention_heads": 0`), "config.json"},
	"template: not JSON":                {"tokenizer_config.json", text("[["), "tokenizer_config.json"},
}

func text(s string) func([]byte) []byte { return func([]byte) []byte { return []byte(s) } }
func cut(n int) func([]byte) []byte     { return func(b []byte) []byte { return b[:n] } }
func less(n int) func([]byte) []byte    { return func(b []byte) []byte { return b[:len(b)-n] } }

func replace(old, with string) func([]byte) []byte {
	return func(b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(with), 1) }
}

// header is a file of safetensors with zeros behind; n is the length that it says its
// header has, 0 for the true one.
func header(n uint64, json string, zeros int) func([]byte) []byte {
	return func([]byte) []byte {
		json += strings.Repeat(" ", (8-len(json)%8)%8)
		if n == 0 {
			n = uint64(len(json))
		}
		return append(append(le.LittleEndian.AppendUint64(nil, n), json...), make([]byte, zeros)...)
	}
}

// TestTNS03HostileFoldersAreRefusedByEveryCommand gives a folder with one bad file to
// everything that reads folders: one line that names the file, no result, no crash.
func TestTNS03HostileFoldersAreRefusedByEveryCommand(t *testing.T) {
	book := filepath.Join(t.TempDir(), "book.txt")
	if err := os.WriteFile(book, []byte("The ledger pays those whose data made an answer good."), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range hostile {
		t.Run(name, func(t *testing.T) {
			dir, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
			if err := hftest.Write(dir, hftest.Options{Config: hftest.Tiny(), Seed: 1}); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, c.file)
			good, err := os.ReadFile(path)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			bad := c.make(good)
			if bytes.Equal(good, bad) {
				t.Fatal("the file is as it was")
			}
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			refused(t, dir, out, book, c.want)
		})
	}
	t.Run("weights: a link to itself", func(t *testing.T) {
		dir := t.TempDir()
		if err := hftest.Write(dir, hftest.Options{Config: hftest.Tiny(), Seed: 1}); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "model.safetensors")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("model.safetensors", path); err != nil {
			t.Fatal(err)
		}
		refused(t, dir, filepath.Join(t.TempDir(), "out"), book, "model.safetensors")
	})
}

func refused(t *testing.T, dir, out, book, want string) {
	t.Helper()
	for _, args := range [][]string{
		{"model", "import", dir},
		{"generate", "--model", dir, "--prompt", "The", "--max-tokens", "1"},
		{"finetune", "--base", dir, "--lora", "r=1", "--data", book, "--out", out, "--steps", "1"},
		{"finetune", "--base", dir, "--data", book, "--out", out, "--steps", "1"},
	} {
		said, code := gpuCommand(t, args...)
		if code == exitOK || !strings.Contains(said, want) || strings.Count(said, "\n") != 1 || len(said) > 1000 {
			t.Errorf("%s %s: code %d, %q, want one line with %q", args[0], args[1], code, said, want)
		}
		if left, err := filepath.Glob(filepath.Join(out, "*.safetensors")); err != nil || len(left) > 0 {
			t.Errorf("%s %s left %v %v", args[0], args[1], left, err)
		}
	}
}
