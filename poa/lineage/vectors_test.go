// SPDX-License-Identifier: Apache-2.0

package lineage

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"testing"

	"github.com/openledger/openledger/internal/table"
)

var update = flag.Bool("update", false, "write docs/spec/vectors/lineage.json instead of comparing")

const vectorFile = "../../docs/spec/vectors/lineage.json"

type vectors struct {
	About   string        `json:"about"`
	Clauses []string      `json:"clauses"`
	Tables  []tableVector `json:"tables"`
	Texts   []textVector  `json:"texts"`
	Paths   []pathVector  `json:"paths"`
	Invalid []pathVector  `json:"invalid"`
}

type tableVector struct {
	Name string   `json:"name"`
	CSV  string   `json:"csv"`
	Rows []string `json:"rows"`
	Root string   `json:"root"`
}

type textVector struct {
	Name string   `json:"name"`
	Text string   `json:"text"`
	Rows []string `json:"rows"`
	Root string   `json:"root"`
}

type pathVector struct {
	Name  string `json:"name"`
	Path  string `json:"path"` // encoding
	Row   string `json:"row"`
	Root  string `json:"root"`
	Error string `json:"error,omitempty"` // index, path or encoding
}

func hexOf(h [32]byte) string { return hex.EncodeToString(h[:]) }

func makeVectors(t *testing.T) vectors {
	v := vectors{
		About:   "Row hashes of labelled tables and of texts, dataset roots and the paths of rows to them. invalid: decoding or verification fails with the error class.",
		Clauses: []string{"LIN-01"},
	}
	var five [][32]byte
	for _, c := range []struct{ name, csv string }{
		{"integers", "0,5,13,9,1\n-7,0,300,2,0\n9223372036854775807,-9223372036854775808,0,0,-3\n"},
		{"numbers with a fraction", "0.5,-2.25,0\n1,1e-3,1\n"},
		{"five equal rows", "1,2,0\n1,2,0\n1,2,0\n1,2,0\n1,2,0\n"},
	} {
		tab, err := table.Parse(c.name, []byte(c.csv), table.Options{})
		if err != nil {
			t.Fatal(err)
		}
		rows := TableRows(tab)
		w := tableVector{Name: c.name, CSV: c.csv, Root: hexOf(Root(rows))}
		for _, r := range rows {
			w.Rows = append(w.Rows, hexOf(r))
		}
		v.Tables = append(v.Tables, w)
		five = rows
	}
	for _, c := range []struct {
		name, text string
		lines      []string
	}{
		{"one line without an end", "abc", []string{"abc"}},
		{"blank lines are no rows", "a\n\n \t\nb c\n \n", []string{"a", "b c"}},
		{"ends of both kinds, spaces kept", " a\r\nb \n\r\n\r\r\nc\rd\r", []string{" a", "b ", "c\rd\r"}},
		{"beyond ASCII", "na\u00efve \u2014 \u03c0\n\u65e5\u672c\u8a9e\n\u00a0\n", []string{"na\u00efve \u2014 \u03c0", "\u65e5\u672c\u8a9e", "\u00a0"}},
	} {
		var lines [][]byte
		for _, l := range c.lines {
			lines = append(lines, []byte(l))
		}
		rows := TextRows(lines)
		w := textVector{Name: c.name, Text: c.text, Root: hexOf(Root(rows))}
		for _, r := range rows {
			w.Rows = append(w.Rows, hexOf(r))
		}
		v.Texts = append(v.Texts, w)
	}
	five[4][0] ^= 1
	good, err := Prove(five, 4)
	if err != nil {
		t.Fatal(err)
	}
	add := func(name, class string, row [32]byte, edit func(*Path)) {
		p := good
		p.Shard = append([][32]byte(nil), good.Shard...)
		edit(&p)
		w := pathVector{Name: name, Path: hex.EncodeToString(p.Encode()), Row: hexOf(row), Root: hexOf(Root(five)), Error: class}
		if class == "" {
			v.Paths = append(v.Paths, w)
		} else {
			v.Invalid = append(v.Invalid, w)
		}
	}
	add("the last row of five", "", five[4], func(*Path) {})
	add("another row", "path", five[0], func(*Path) {})
	add("an index past the end", "index", five[4], func(p *Path) { p.Index = 5 })
	add("another index", "path", five[4], func(p *Path) { p.Index = 3 })
	add("a path that is too long", "path", five[4], func(p *Path) { p.Shard = append(p.Shard, [32]byte{}) })
	add("another shard root", "path", five[4], func(p *Path) { p.Root[31] ^= 1 })
	w := v.Paths[0]
	w.Name, w.Path, w.Error = "a trailing byte", w.Path+"00", "encoding"
	v.Invalid = append(v.Invalid, w)
	return v
}

func TestLIN01VectorsAreUnchanged(t *testing.T) {
	v := makeVectors(t)
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
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what this code computes:\n%s", vectorFile, got)
	}
	for _, c := range append(v.Paths, v.Invalid...) {
		if class := classOf(t, c); class != c.Error {
			t.Errorf("%s: error class %q, want %q", c.Name, class, c.Error)
		}
	}
}

func classOf(t *testing.T, c pathVector) string {
	t.Helper()
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	p, err := DecodePath(unhex(c.Path))
	if err != nil {
		return "encoding"
	}
	switch err := p.Verify([32]byte(unhex(c.Root)), [32]byte(unhex(c.Row))); {
	case errors.Is(err, ErrIndex):
		return "index"
	case errors.Is(err, ErrPath):
		return "path"
	case err != nil:
		t.Fatal(err)
	}
	return ""
}

// TestLIN01VectorsAgreeWithPython computes hashes and roots again, also of the
// digits, from the text of the clause.
func TestLIN01VectorsAgreeWithPython(t *testing.T) {
	out, err := exec.Command("python3", "../../docs/spec/vectors/lineage_check.py", vectorFile, "../../testnet/demo/data/digits.csv", digitsRoot).CombinedOutput()
	if err != nil {
		t.Fatalf("tests need python3: %v\n%s", err, out)
	}
}
