// SPDX-License-Identifier: Apache-2.0

package header

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write docs/spec/vectors/header.json instead of comparing")

const vectorFile = "../../docs/spec/vectors/header.json"

// vectors is header.json. All bytes are hex.
type vectors struct {
	About    string       `json:"about"`
	Genesis  named        `json:"genesis"`
	Headers  []named      `json:"headers"`  // decode, with the verdict of Check
	Children []child      `json:"children"` // with the verdict of CheckChild
	Refused  []refused    `json:"refused"`  // bytes that are no header
	Payload  []payloadSum `json:"payload_roots"`
}

type named struct {
	Name  string `json:"name"`
	Bytes string `json:"bytes"`
	Hash  string `json:"hash"`
	Error string `json:"error,omitempty"` // field
}

type child struct {
	Name   string `json:"name"`
	Parent string `json:"parent"`
	Bytes  string `json:"bytes"`
	Error  string `json:"error,omitempty"`
}

type refused struct {
	Name  string `json:"name"`
	Bytes string `json:"bytes"`
	Error string `json:"error"` // malformed
}

type payloadSum struct {
	Digests []string `json:"digests"`
	Root    string   `json:"root"`
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }

func hash(h *Header) string { x := h.Hash(); return hexOf(x[:]) }

func makeVectors() vectors {
	g, h := sample()
	good := h.Encode()
	v := vectors{
		About:   "Headers (CONS-31): encoding, hash, rules on the face and against the parent, payload roots (CONS-26). The error is the first refusal's class.",
		Genesis: named{Name: "genesis of chain 01…, set 02…", Bytes: hexOf(g.Encode()), Hash: hash(&g)},
		Refused: []refused{
			{"nothing", "", "malformed"},
			{"cut short", hexOf(good[:len(good)-1]), "malformed"},
			{"a byte too many", hexOf(append(bytes.Clone(good), 0)), "malformed"},
			{"version in two bytes", hexOf(append([]byte{good[0], 0x18, 1}, good[2:]...)), "malformed"},
			{"an array of 21", hexOf(append([]byte{0x95}, good[1:]...)), "malformed"},
		},
	}
	verdict := func(ok bool) string {
		if ok {
			return ""
		}
		return "field"
	}
	for _, c := range faceCases() {
		_, h := sample()
		c.change(&h)
		v.Headers = append(v.Headers, named{c.name, hexOf(h.Encode()), hash(&h), verdict(c.ok)})
	}
	for _, c := range childCases() {
		p, h := c.pair()
		c.change(&h)
		v.Children = append(v.Children, child{c.name, hexOf(p.Encode()), hexOf(h.Encode()), verdict(c.ok)})
	}
	for n := range 4 {
		p := payloadSum{Digests: []string{}}
		var list [][32]byte
		for i := range n {
			d := [32]byte{byte(i + 1)}
			list = append(list, d)
			p.Digests = append(p.Digests, hexOf(d[:]))
		}
		r := PayloadRoot(list)
		p.Root = hexOf(r[:])
		v.Payload = append(v.Payload, p)
	}
	return v
}

func TestVectorsAreCurrent(t *testing.T) {
	want, err := json.MarshalIndent(makeVectors(), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile(vectorFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("header.json differs from what this code makes; if the change is meant, run with -args -update")
	}
}

// TestVectorsHold reads the file alone, as another implementation would.
func TestVectorsHold(t *testing.T) {
	raw, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	load := func(s string) (Header, error) {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return Decode(b)
	}
	for _, c := range append(v.Headers, v.Genesis) {
		h, err := load(c.Bytes)
		if err != nil || hash(&h) != c.Hash {
			t.Errorf("%s: hash %s, want %s (%v)", c.Name, hash(&h), c.Hash, err)
		}
		if c.Name != v.Genesis.Name && (h.Check() != nil) != (c.Error != "") {
			t.Errorf("%s: %v, want %q", c.Name, h.Check(), c.Error)
		}
	}
	for _, c := range v.Children {
		p, err := load(c.Parent)
		h, err2 := load(c.Bytes)
		if err != nil || err2 != nil || (p.CheckChild(p.Hash(), &h) != nil) != (c.Error != "") {
			t.Errorf("%s: want %q", c.Name, c.Error)
		}
	}
	for _, c := range v.Refused {
		if _, err := load(c.Bytes); err == nil {
			t.Errorf("%s is accepted", c.Name)
		}
	}
}
