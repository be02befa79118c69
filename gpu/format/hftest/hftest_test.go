// SPDX-License-Identifier: Apache-2.0

package hftest

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
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
		b, err := os.ReadFile(filepath.Join(dir, "config.json"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := hf.ReadConfig(b)
		if err != nil || got.Arch != c.Arch {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		f, err := safetensors.OpenFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		w, err := hf.Match(c.Arch, f)
		if err != nil || len(w) != len(f.Tensors) {
			t.Errorf("%s: %d tensors of %d: %v", name, len(w), len(f.Tensors), err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		rows, err := Logits(dir, [][]uint32{ids(5), ids(2)})
		if err != nil || len(rows[0]) != 5 || len(rows[1]) != 2 || len(rows[0][0]) != int(c.Arch.Vocab) {
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
