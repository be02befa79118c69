// SPDX-License-Identifier: Apache-2.0

package tokenizer

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// golden is what HuggingFace's tokenizers 0.23.3 said (testdata/make_golden.py).
type golden struct {
	Texts []string
	IDs   map[string]struct {
		Digest string
		First  [][]uint32
	}
	Plain   map[string]string
	Decoded map[string][][3]json.RawMessage
}

var names = []string{"gpt2", "llama3", "qwen2", "digits"}

var readGolden = sync.OnceValues(func() (g golden, err error) {
	b, err := os.ReadFile(filepath.Join("testdata", "golden.json.gz"))
	if err != nil {
		return g, err
	}
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return g, err
	}
	return g, json.NewDecoder(r).Decode(&g)
})

func theGolden(t testing.TB) golden {
	t.Helper()
	g, err := readGolden()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func loadFile(t testing.TB, name string) *Tokenizer {
	t.Helper()
	tok, err := Parse(file(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func encodeAll(t *testing.T, tok *Tokenizer, texts []string, template bool) [][]uint32 {
	t.Helper()
	out := make([][]uint32, len(texts))
	for i, s := range texts {
		ids, err := tok.Encode(s, template)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		out[i] = append([]uint32{}, ids...)
	}
	return out
}

func digest(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))
}

// TestTNS03IDsOfTenThousandTexts compares every id with those of the library
// that the files are made for.
func TestTNS03IDsOfTenThousandTexts(t *testing.T) {
	g := theGolden(t)
	if len(g.Texts) != 10_000 {
		t.Fatalf("%d texts", len(g.Texts))
	}
	for _, name := range names {
		tok := loadFile(t, name)
		got := encodeAll(t, tok, g.Texts, true)
		wrong := 0
		for i, want := range g.IDs[name].First {
			if !slices.Equal(got[i], want) {
				if wrong++; wrong <= 5 {
					t.Errorf("%s: %q is %d, want %d", name, g.Texts[i], got[i], want)
				}
			}
		}
		if d := digest(t, got); d != g.IDs[name].Digest {
			t.Errorf("%s: the ids of all texts have digest %s, want %s", name, d, g.IDs[name].Digest)
		}
		if d := digest(t, encodeAll(t, tok, g.Texts, false)); d != g.Plain[name] {
			t.Errorf("%s: the ids without template have digest %s, want %s", name, d, g.Plain[name])
		}
	}
}

// TestTNS03IDsHoldInAnotherLanguage compares a part with a naive reference.
func TestTNS03IDsHoldInAnotherLanguage(t *testing.T) {
	g := theGolden(t)
	texts := g.Texts[1000:2500]
	in, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		cmd := exec.Command("python3", filepath.Join("testdata", "bpe_ref.py"), filepath.Join("testdata", name+".json"))
		cmd.Stdin = bytes.NewReader(in)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("python3 testdata/bpe_ref.py: %v\n%s", err, &stderr)
		}
		var want [][]uint32
		if err := json.Unmarshal(out, &want); err != nil || len(want) != len(texts) {
			t.Fatalf("%d answers, %v", len(want), err)
		}
		wrong := 0
		for i, got := range encodeAll(t, loadFile(t, name), texts, true) {
			if !slices.Equal(got, want[i]) {
				if wrong++; wrong <= 5 {
					t.Errorf("%s: %q is %d, in Python %d", name, texts[i], got, want[i])
				}
			}
		}
	}
}

// TestTNS03TextOfIDs compares Decode, on ids in any order, and the same in steps.
func TestTNS03TextOfIDs(t *testing.T) {
	g := theGolden(t)
	for _, name := range names {
		tok := loadFile(t, name)
		if len(g.Decoded[name]) != 1000 {
			t.Fatalf("%d lists", len(g.Decoded[name]))
		}
		for _, c := range g.Decoded[name] {
			var ids []uint32
			if err := json.Unmarshal(c[0], &ids); err != nil {
				t.Fatal(err)
			}
			for k, skip := range []bool{true, false} {
				var want string
				if err := json.Unmarshal(c[k+1], &want); err != nil {
					t.Fatal(err)
				}
				if got, err := tok.Decode(ids, skip); err != nil || got != want {
					t.Errorf("%s: %d is %q, want %q: %v", name, ids, got, want, err)
				}
			}
		}
	}
}
