// SPDX-License-Identifier: Apache-2.0

package checkpoint

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"testing"

	"github.com/openledger/openledger/internal/keys"
)

var update = flag.Bool("update", false, "write docs/spec/vectors/checkpoint.json instead of comparing")

const vectorFile = "../../docs/spec/vectors/checkpoint.json"

type vectors struct {
	About    string          `json:"about"`
	Clauses  []string        `json:"clauses"`
	Task     string          `json:"task"`
	Operator string          `json:"operator"` // the 32 bytes of the address
	States   []string        `json:"states"`   // roots of the content of states 0, 1, 2 …
	Traces   []string        `json:"traces"`
	Leaves   []string        `json:"leaves"` // encodings
	Root     string          `json:"root"`
	Openings []openingVector `json:"openings"`
	Invalid  []openingVector `json:"invalid"`
}

type openingVector struct {
	Name     string `json:"name"`
	Opening  string `json:"opening"`
	Root     string `json:"root"`
	Segments uint64 `json:"segments"`
	Error    string `json:"error,omitempty"` // encoding, opening or segments
}

func makeVectors(t *testing.T) vectors {
	t.Helper()
	hexOf := func(h [32]byte) string { return hex.EncodeToString(h[:]) }
	v := vectors{
		About:   "The commitment of a run of five segments, and openings of its leaves. invalid: decoding or verification fails with the error class.",
		Clauses: []string{"CHK-01"}, Task: hexOf(task), Operator: hexOf(operator), States: []string{hexOf(root(0))},
	}
	b := chain(t, 5)
	for i, l := range b.Leaves() {
		v.States = append(v.States, hexOf(root(byte(i+1))))
		v.Traces = append(v.Traces, hexOf(l.Trace))
		v.Leaves = append(v.Leaves, hex.EncodeToString(l.Encode()))
	}
	v.Root = hexOf(b.Commitment().Root)
	add := func(name, class string, i uint64, edit func(*Opening, *Commitment)) {
		o, err := b.Open(i)
		if err != nil {
			t.Fatal(err)
		}
		c := b.Commitment()
		edit(&o, &c)
		w := openingVector{Name: name, Opening: hex.EncodeToString(o.Encode()), Root: hexOf(c.Root), Segments: c.Segments, Error: class}
		if class == "" {
			v.Openings = append(v.Openings, w)
		} else {
			v.Invalid = append(v.Invalid, w)
		}
	}
	keep := func(*Opening, *Commitment) {}
	add("the first segment", "", 0, keep)
	add("the last segment", "", 4, keep)
	add("a changed out state", "opening", 2, func(o *Opening, _ *Commitment) { o.Leaf.Out[0] ^= 1 })
	add("a changed trace", "opening", 2, func(o *Opening, _ *Commitment) { o.Leaf.Trace[31] ^= 1 })
	add("another index", "opening", 2, func(o *Opening, _ *Commitment) { o.Leaf.Index = 3 })
	add("an index past the end", "opening", 2, func(o *Opening, _ *Commitment) { o.Leaf.Index = 5 })
	add("another root", "opening", 2, func(_ *Opening, c *Commitment) { c.Root[7] ^= 1 })
	add("more segments than committed", "opening", 2, func(_ *Opening, c *Commitment) { c.Segments = 9 })
	add("no segments", "segments", 2, func(_ *Opening, c *Commitment) { c.Segments = 0 })
	add("more segments than a task has", "segments", 2, func(_ *Opening, c *Commitment) { c.Segments = MaxSegments + 1 })
	w := v.Openings[0]
	w.Name, w.Opening, w.Error = "a trailing byte", w.Opening+"00", "encoding"
	v.Invalid = append(v.Invalid, w)
	return v
}

func classOf(t *testing.T, c openingVector) string {
	t.Helper()
	data, err := hex.DecodeString(c.Opening)
	if err != nil {
		t.Fatal(err)
	}
	o, err := DecodeOpening(data)
	if err != nil {
		return "encoding"
	}
	var want Commitment
	if _, err := hex.Decode(want.Root[:], []byte(c.Root)); err != nil {
		t.Fatal(err)
	}
	want.Segments = c.Segments
	switch err := o.Verify(want); {
	case errors.Is(err, ErrSegments):
		return "segments"
	case errors.Is(err, ErrOpening):
		return "opening"
	case err != nil:
		t.Fatal(err)
	}
	return ""
}

func TestCHK01VectorsAreUnchanged(t *testing.T) {
	v := makeVectors(t)
	for _, c := range append(v.Openings, v.Invalid...) {
		if class := classOf(t, c); class != c.Error {
			t.Errorf("%s: error class %q, want %q", c.Name, class, c.Error)
		}
	}
	got, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(vectorFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s differs from what this code computes:\n%s", vectorFile, got)
	}
}

func TestCHK01VectorsAgreeWithPython(t *testing.T) {
	out, err := exec.Command("python3", "../../docs/spec/vectors/checkpoint_check.py", vectorFile).CombinedOutput()
	if err != nil {
		t.Fatalf("tests need python3: %v\n%s", err, out)
	}
}

func TestTheOperatorEntersAsItsThirtyTwoBytes(t *testing.T) {
	want := keys.Sum(keys.DomainState, task[:], operator[:], uint64(0), make([]byte, 32))
	if StateHash(task, operator, 0, [32]byte{}) != want {
		t.Error("a state hash does not take byte strings")
	}
}
