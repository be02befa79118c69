// SPDX-License-Identifier: Apache-2.0

package content

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/spec/vectors/content.json instead of comparing")

const vectorFile = "../../docs/spec/vectors/content.json"

type vectors struct {
	About    string          `json:"about"`
	Clauses  []string        `json:"clauses"`
	Contents []contentVector `json:"contents"`
	Trees    []treeVector    `json:"trees"`
	BadIDs   []badText       `json:"invalid_ids"`
	BadPages []badPage       `json:"invalid_pages"`
}

// contentVector is a content of the pattern below with its ids and the
// chaining values of its units.
type contentVector struct {
	Size   uint64   `json:"size"`
	BLAKE3 string   `json:"blake3"`
	ID     ID       `json:"id"`
	SHA256 ID       `json:"sha256_id"`
	Units  []string `json:"unit_cvs"`
}

// treeVector is the tree over made-up chaining values, so that trees of many
// pages can be checked without gigabytes: unit i has SHA-256("unit" ‖ i as 8
// big-endian bytes).
type treeVector struct {
	Units uint64       `json:"units"`
	Size  uint64       `json:"size"`
	Root  string       `json:"root"`
	Pages []pageVector `json:"pages"`
}

type pageVector struct {
	Index    uint64   `json:"index"`
	Values   int      `json:"values"`
	Siblings []string `json:"siblings"`
}

type badText struct {
	Name string `json:"name"`
	Text string `json:"text,omitempty"`
	Hex  string `json:"hex,omitempty"`
}

// badPage is an encoded page that must not verify for id and size.
type badPage struct {
	Name  string `json:"name"`
	ID    ID     `json:"id"`
	Size  uint64 `json:"size"`
	Hex   string `json:"hex"`
	Error string `json:"error"`
}

// pattern returns the test content of n bytes: byte i is (i·i + i/251) mod 256.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*i + i/251)
	}
	return b
}

func madeUpCVs(n uint64) []CV {
	cvs := make([]CV, n)
	for i := range cvs {
		cvs[i] = sha256.Sum256(binary.BigEndian.AppendUint64([]byte("unit"), uint64(i)))
	}
	return cvs
}

// madeUpTree returns the tree over made-up values of n full units.
func madeUpTree(n uint64) *Tree {
	cvs := madeUpCVs(n)
	return &Tree{id: FromHash(BLAKE3, join(cvs, true)), size: n * UnitSize, cvs: cvs}
}

var vectorSizes = []int{0, 1, 63, 64, 65, 1023, 1024, 1025, 2048, 3073, 16384, 16385, 65535, 65536, 65537, 131072, 131073, 200_000}

var vectorUnits = []uint64{2, 3, 1023, 1024, 1025, 2048, 2049, 3500}

func allVectors(t *testing.T) vectors {
	t.Helper()
	v := vectors{
		About: "Content ids and their tree. Byte i of a content of the given size is (i*i + i/251) mod 256, integer division. unit_cvs are BLAKE3 chaining values of the 64 KiB units. " +
			"trees are built over made-up values: unit i has SHA-256(\"unit\" || i as 8 big-endian bytes); a page holds the values of 1,024 units and the siblings, lowest first. " +
			"invalid_pages must be refused for id and size.",
		Clauses:  []string{"ENC-04", "P2P-13"},
		BadIDs:   badIDs(),
		BadPages: badPages(t),
	}
	for _, n := range vectorSizes {
		b := pattern(n)
		h := Sum(b).Hash()
		c := contentVector{Size: uint64(n), BLAKE3: hex.EncodeToString(h[:]), ID: Sum(b), SHA256: SumSHA256(b)}
		for i := range UnitCount(uint64(n)) {
			cv, err := UnitCV(uint64(n), i, b[i*UnitSize:min(n, int(i+1)*UnitSize)])
			if err != nil {
				t.Fatal(err)
			}
			c.Units = append(c.Units, hex.EncodeToString(cv[:]))
		}
		v.Contents = append(v.Contents, c)
	}
	for _, n := range vectorUnits {
		v.Trees = append(v.Trees, treeResult(t, n))
	}
	return v
}

func treeResult(t *testing.T, n uint64) treeVector {
	t.Helper()
	tree := madeUpTree(n)
	h := tree.ID().Hash()
	out := treeVector{Units: n, Size: tree.Size(), Root: hex.EncodeToString(h[:])}
	for i := range PageCount(tree.Size()) {
		p, err := tree.Page(i)
		if err != nil {
			t.Fatal(err)
		}
		pv := pageVector{Index: i, Values: len(p.CVs), Siblings: []string{}}
		for _, s := range p.Siblings {
			pv.Siblings = append(pv.Siblings, hex.EncodeToString(s[:]))
		}
		out.Pages = append(out.Pages, pv)
	}
	return out
}

func badIDs() []badText {
	good := Sum(nil)
	hexOf := func(f func(b []byte) []byte) string { return hex.EncodeToString(f(bytes.Clone(good[:]))) }
	text := good.String()
	return []badText{
		{Name: "no bytes", Hex: ""},
		{Name: "33 bytes", Hex: hexOf(func(b []byte) []byte { return b[:33] })},
		{Name: "35 bytes", Hex: hexOf(func(b []byte) []byte { return append(b, 0) })},
		{Name: "the code of SHA2-512", Hex: hexOf(func(b []byte) []byte { b[0] = 0x13; return b })},
		{Name: "the identity code", Hex: hexOf(func(b []byte) []byte { b[0] = 0; return b })},
		{Name: "a length of 31", Hex: hexOf(func(b []byte) []byte { b[1] = 31; return b })},
		{Name: "a length of 33", Hex: hexOf(func(b []byte) []byte { b[1] = 33; return b })},
		{Name: "a code in two bytes", Hex: hexOf(func(b []byte) []byte { return append([]byte{0x9e, 0x00}, b[1:33]...) })},
		{Name: "all zero", Hex: strings.Repeat("00", 34)},
		{Name: "no text", Text: ""},
		{Name: "text without the multibase letter", Text: text[1:]},
		{Name: "upper case", Text: strings.ToUpper(text)},
		{Name: "the multibase letter of base58", Text: "z" + text[1:]},
		{Name: "a character too few", Text: text[:55]},
		{Name: "a character too many", Text: text + "a"},
		{Name: "padding", Text: text[:55] + "="},
		{Name: "a character that base32 lacks", Text: text[:20] + "1" + text[21:]},
		{Name: "stray bits in the last character", Text: text[:55] + string(text[55]+1)},
		{Name: "another code in base32", Text: "b" + base32Lower.EncodeToString(append([]byte{0x13, 0x40}, good[2:]...))},
		{Name: "a line end", Text: text[:55] + "\n"},
	}
}

// badPages damages page 1 of a tree of 3 pages in every field, and lies about
// id and size.
func badPages(t *testing.T) []badPage {
	t.Helper()
	tree := madeUpTree(2*PageUnits + 3) // small last page keeps the file short
	last, err := tree.Page(2)
	if err != nil {
		t.Fatal(err)
	}
	var out []badPage
	add := func(name, class string, id ID, size uint64, f func(p *Page)) {
		p := Page{Index: last.Index, CVs: append([]CV(nil), last.CVs...), Siblings: append([]CV(nil), last.Siblings...)}
		f(&p)
		out = append(out, badPage{name, id, size, hex.EncodeToString(EncodePage(p)), class})
	}
	id, size := tree.ID(), tree.Size()
	same := func(*Page) {}
	add("a flipped bit in a value", "page", id, size, func(p *Page) { p.CVs[1][5] ^= 4 })
	add("a flipped bit in a sibling", "page", id, size, func(p *Page) { p.Siblings[0][31] ^= 1 })
	add("two values swapped", "page", id, size, func(p *Page) { p.CVs[0], p.CVs[1] = p.CVs[1], p.CVs[0] })
	add("a value too few", "page", id, size, func(p *Page) { p.CVs = p.CVs[:2] })
	add("a value too many", "page", id, size, func(p *Page) { p.CVs = append(p.CVs, CV{}) })
	add("a sibling too few", "page", id, size, func(p *Page) { p.Siblings = nil })
	add("a sibling too many", "page", id, size, func(p *Page) { p.Siblings = append(p.Siblings, CV{}) })
	add("no values", "page", id, size, func(p *Page) { p.CVs = nil })
	add("the index of another page", "page", id, size, func(p *Page) { p.Index = 1 })
	add("an index past the end", "size", id, size, func(p *Page) { p.Index = 3 })
	add("an index of 2^64-1", "page", id, size, func(p *Page) { p.Index = 1<<64 - 1 })
	add("another content", "page", Sum([]byte("other")), size, same)
	add("a SHA2-256 id", "id", SumSHA256(nil), size, same)
	add("a size with a unit more", "page", id, size+1, same)
	add("a size with a unit less", "page", id, size-UnitSize, same)
	add("a size of one page", "size", id, PageUnits*UnitSize, same)
	add("a size above the bound", "size", id, MaxSize+1, same)
	add("the largest size", "size", id, 1<<64-1, same)
	return out
}

// verifyBytes decodes and verifies a page and names the class of the error.
func verifyBytes(id ID, size uint64, b []byte) string {
	p, err := DecodePage(b)
	if err == nil {
		_, err = VerifyPage(id, size, p)
	}
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrID):
		return "id"
	case errors.Is(err, ErrSize):
		return "size"
	case errors.Is(err, ErrPage):
		return "page"
	}
	return "unknown"
}

func TestENC04VectorsAreCurrent(t *testing.T) {
	text, err := json.MarshalIndent(allVectors(t), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *update {
		if err := os.WriteFile(vectorFile, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, text) {
		t.Fatalf("%s differs from the results of this package; review and run go test ./internal/content -update", vectorFile)
	}
}

func TestENC04BadIDsAreRefused(t *testing.T) {
	for _, c := range badIDs() {
		b, err := hex.DecodeString(c.Hex)
		if err != nil {
			t.Fatal(err)
		}
		if c.Text == "" {
			if id, err := FromBytes(b); !errors.Is(err, ErrID) {
				t.Errorf("%s: read as %v, %v", c.Name, id, err)
			}
			continue
		}
		if id, err := ParseID(c.Text); !errors.Is(err, ErrID) {
			t.Errorf("%s: read as %v, %v", c.Name, id, err)
		}
	}
}

func TestP2P13BadPagesAreRefused(t *testing.T) {
	for _, c := range badPages(t) {
		b, err := hex.DecodeString(c.Hex)
		if err != nil {
			t.Fatal(err)
		}
		if got := verifyBytes(c.ID, c.Size, b); got != c.Error {
			t.Errorf("%s: class %q, want %q", c.Name, got, c.Error)
		}
	}
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}
