// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/openledger/openledger/internal/merkle"
)

var update = flag.Bool("update", false, "write docs/spec/vectors/snapshot.json instead of comparing")

const vectorDir = "../../docs/spec/vectors"

type (
	entryJSON struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	chunkJSON struct {
		Name  string `json:"name"`
		Bytes string `json:"bytes"`
	}
	cutJSON struct {
		Depth  uint64      `json:"depth"`
		Chunks []chunkJSON `json:"chunks"`
	}
	stateJSON struct {
		Entries []entryJSON `json:"entries"`
		Root    string      `json:"root"`
		Cuts    []cutJSON   `json:"cuts"`
	}
	invalidJSON struct {
		Name  string `json:"name"`
		Root  string `json:"root"`
		Bytes string `json:"bytes"`
		Error string `json:"error"`
	}
	vectorsJSON struct {
		About   string        `json:"about"`
		Clauses []string      `json:"clauses"`
		States  []stateJSON   `json:"states"`
		Invalid []invalidJSON `json:"invalid"`
	}
)

// class names an error as the vectors do.
func class(err error) string {
	switch {
	case errors.Is(err, ErrChunk):
		return "chunk"
	case errors.Is(err, merkle.ErrShape):
		return "shape"
	case errors.Is(err, merkle.ErrRoot):
		return "root"
	}
	return "unknown"
}

func makeVectors(t *testing.T) vectorsJSON {
	v := vectorsJSON{
		About: "Chunks of whole states. states: entries, their root, and for each depth every chunk in order with its bytes and its name (SHA2-256 multihash). " +
			"invalid: chunks that are refused under root with the error class.",
		Clauses: []string{"STA-02", "STA-09"},
	}
	for _, n := range []int{0, 1, 2, 5, 40} {
		s := stateJSON{Entries: []entryJSON{}}
		for _, kv := range entries(n) {
			s.Entries = append(s.Entries, entryJSON{hex.EncodeToString(kv.Key), hex.EncodeToString(kv.Value)})
		}
		for depth := range uint64(2) {
			chunks, root := cutState(t, entries(n), depth)
			s.Root = hex.EncodeToString(root[:])
			cut := cutJSON{Depth: depth}
			for i := range chunks {
				b := chunks[i].Encode()
				id := Name(b)
				cut.Chunks = append(cut.Chunks, chunkJSON{hex.EncodeToString(id[:]), hex.EncodeToString(b)})
			}
			s.Cuts = append(s.Cuts, cut)
		}
		v.States = append(v.States, s)
	}
	chunks, root := cutState(t, entries(40), 1)
	for _, c := range []struct {
		name string
		lie  func(c *Chunk) []byte
	}{
		{"an entry left out", func(c *Chunk) []byte { c.Entries = c.Entries[1:]; return c.Encode() }},
		{"entries in another order", func(c *Chunk) []byte { c.Entries[0], c.Entries[1] = c.Entries[1], c.Entries[0]; return c.Encode() }},
		{"a value changed", func(c *Chunk) []byte { c.Entries[0].Value = []byte("lie"); return c.Encode() }},
		{"a sibling changed", func(c *Chunk) []byte { c.Proof.Siblings[1][5] ^= 1; return c.Encode() }},
		{"a sibling missing", func(c *Chunk) []byte { c.Proof.Siblings = c.Proof.Siblings[1:]; return c.Encode() }},
		{"another subtree's place", func(c *Chunk) []byte { c.Prefix.Index ^= 1; return c.Encode() }},
		{"a terminal beside entries", func(c *Chunk) []byte { c.Proof.Terminal = &merkle.Terminal{}; return c.Encode() }},
		{"a subtree that is none", func(c *Chunk) []byte { c.Prefix.Index = 16; return c.Encode() }},
		{"a depth above four", func(c *Chunk) []byte { c.Prefix = merkle.Prefix{Depth: 5}; return c.Encode() }},
		{"a byte too many", func(c *Chunk) []byte { return append(c.Encode(), 0) }},
		{"cut short", func(c *Chunk) []byte { b := c.Encode(); return b[:len(b)-1] }},
		{"nothing", func(*Chunk) []byte { return nil }},
	} {
		x := chunks[2]
		x.Entries = append([]merkle.KV{}, x.Entries...)
		x.Proof.Siblings = append([][32]byte{}, x.Proof.Siblings...)
		b := c.lie(&x)
		got, err := Decode(b)
		if err == nil {
			err = got.Verify(root)
		}
		if err == nil {
			t.Fatalf("%s: accepted", c.name)
		}
		v.Invalid = append(v.Invalid, invalidJSON{c.name, hex.EncodeToString(root[:]), hex.EncodeToString(b), class(err)})
	}
	return v
}

func TestSTA09VectorsAreCurrentAndHoldInPython(t *testing.T) {
	text, err := json.MarshalIndent(makeVectors(t), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	file := filepath.Join(vectorDir, "snapshot.json")
	if *update {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, text) {
		t.Errorf("%s differs from what this package computes; review and run go test ./ledger/snapshot -update: %v", file, err)
	}
	out, err := exec.Command("python3", filepath.Join(vectorDir, "snapshot_check.py")).CombinedOutput()
	if err != nil {
		t.Fatalf("tests need python3: %v\n%s", err, out)
	}
}
