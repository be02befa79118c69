// SPDX-License-Identifier: Apache-2.0

package publish_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/publish"
	"github.com/openledger/openledger/poa/lineage"
)

func prepareText(t testing.TB, text string) publish.Manifest {
	t.Helper()
	m, err := publish.PrepareText("a.txt", []byte(text), publish.Input{Name: "text", Source: "me", Terms: tx.ID{3}, Owner: owner})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// record is what the ledger says after the upload of a manifest.
func record(m publish.Manifest) state.Dataset {
	up := m.Upload(tx.ID{4}, 5)
	return state.Dataset{Content: up.Content, RowRoot: up.RowRoot, Manifest: up.Manifest, Rows: up.Rows, Features: up.Features, Bytes: up.Bytes}
}

func TestDAT02AManifestSaysWhatTheTextHolds(t *testing.T) {
	const text = "one\n\n \t\ntwo words\r\nlast, without an end"
	m := prepareText(t, text)
	rows := [][]byte{[]byte("one"), []byte("two words"), []byte("last, without an end")}
	if m.Format != publish.FormatText || m.Rows != 3 || m.Features != 0 || m.Bytes != uint64(len(text)) ||
		m.Content != content.Sum([]byte(text)) || m.RowRoot != lineage.Root(lineage.TextRows(rows)) {
		t.Fatalf("%+v", m)
	}
	again, err := publish.Decode(m.Encode())
	if err != nil || again != m {
		t.Fatalf("%+v, %v", again, err)
	}
	if err := m.Upload(tx.ID{4}, 5).Check(); err != nil {
		t.Fatal(err)
	}
	d, err := publish.LoadData(record(m), []byte(text))
	if err != nil || d.Table != nil || string(d.Text.Bytes) != text || !slices.EqualFunc(d.Text.Rows, rows, bytes.Equal) || d.Rows() != 3 || d.Features() != 0 {
		t.Fatalf("%+v, %v", d, err)
	}
	a := publish.Announce(chainID, publish.KindDataset, tx.ID{9}, m.Encode(), nil, key)
	if _, err := publish.DecodeAnnouncement(chainID, a.Encode()); err != nil {
		t.Fatal(err)
	}
}

func TestAFileThatIsNoTextIsRefusedByLine(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no bytes":                 {"", "a.txt:1: no line with text in it"},
		"blank lines alone":        {"\n \t\r\n\r\n", "a.txt:3: no line with text in it"},
		"a NUL":                    {"one\ntw\x00o\n", "a.txt:2: byte 3 is NUL"},
		"a byte of another code":   {"one\ntwo\n\xe4\n", "a.txt:3: byte 1 (0xe4) is not UTF-8"},
		"half a character":         {"one\nna\xc3\n", "a.txt:2: byte 3 (0xc3) is not UTF-8"},
		"a surrogate":              {"\xed\xa0\x80", "a.txt:1: byte 1 (0xed) is not UTF-8"},
		"UTF-16":                   {"\xff\xfeo\x00n\x00", "a.txt:1: byte 4 is NUL"},
		"a NUL in a blank line":    {"one\n \x00\n", "a.txt:2: byte 2 is NUL"},
		"wrong bytes after spaces": {"one\n  \x80\n", "a.txt:2: byte 3 (0x80) is not UTF-8"},
		"too many bytes":           {strings.Repeat("line\n", tx.MaxTextBytes/5+1), "a.txt:1: 67108865 bytes, a text has at most 67108864"},
		"too many rows":            {strings.Repeat("x\n", tx.MaxDatasetRows+1), "16777217 rows, a dataset has at most 16777216"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := publish.PrepareText("a.txt", []byte(c.text), publish.Input{})
			var at *publish.TextError
			if !errors.As(err, &at) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestContentThatIsNotTheTextIsRefused(t *testing.T) {
	good, csv := record(prepareText(t, "one\ntwo\n")), prepare(t, "1,2,0\n3,4,1\n")
	table := record(csv)
	for name, c := range map[string]struct {
		rec  state.Dataset
		edit func(*state.Dataset)
		data string
	}{
		"other bytes":               {good, func(*state.Dataset) {}, "one\ntwa\n"},
		"blank lines more":          {good, func(*state.Dataset) {}, "one\n\ntwo\n"},
		"another root":              {good, func(d *state.Dataset) { d.RowRoot[0] ^= 1 }, "one\ntwo\n"},
		"another number of rows":    {good, func(d *state.Dataset) { d.Rows++ }, "one\ntwo\n"},
		"a text that is a table":    {good, func(d *state.Dataset) { d.Features = 2 }, "one\ntwo\n"},
		"bytes that are no text":    {good, func(d *state.Dataset) { d.Content = content.Sum([]byte("\x00")) }, "\x00"},
		"a table that is a text":    {table, func(d *state.Dataset) { d.Features = 0 }, "1,2,0\n3,4,1\n"},
		"a table of other features": {table, func(d *state.Dataset) { d.Features = 3 }, "1,2,0\n3,4,1\n"},
		"a table of other rows":     {table, func(d *state.Dataset) { d.Rows = 3 }, "1,2,0\n3,4,1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			c.edit(&c.rec)
			if d, err := publish.LoadData(c.rec, []byte(c.data)); err == nil || d != (publish.Data{}) {
				t.Fatalf("%+v, %v", d, err)
			}
		})
	}
	if d, err := publish.LoadData(table, []byte("1,2,0\n3,4,1\n")); err != nil || d.Text != nil || d.Rows() != 2 || d.Features() != 2 {
		t.Fatalf("%+v, %v", d, err)
	}
}

func TestAManifestOfAnotherFormatIsRefused(t *testing.T) {
	for name, edit := range map[string]func(m *publish.Manifest){
		"format 0":                func(m *publish.Manifest) { m.Format = 0 },
		"format 3":                func(m *publish.Manifest) { m.Format = 3 },
		"a text with features":    func(m *publish.Manifest) { m.Format = publish.FormatText },
		"a table without feature": func(m *publish.Manifest) { m.Features = 0 },
	} {
		m := prepare(t, "1,2,0\n")
		edit(&m)
		if _, err := publish.Decode(m.Encode()); !errors.Is(err, publish.ErrManifest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzParseText: what is taken is UTF-8 without NUL; its rows in order, with ends and
// blank lines between them, are its bytes.
func FuzzParseText(f *testing.F) {
	for _, s := range []string{"", "a", "a\n\n b\r\n", "\r\r\n\rx\r", "\x00", "\xff\n", "né\n日本"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := publish.ParseText("x", b)
		if err != nil {
			var at *publish.TextError
			if !errors.As(err, &at) || at.Line < 1 || at.Line > 1+bytes.Count(b, []byte("\n")) {
				t.Fatalf("error without its place: %v", err)
			}
			return
		}
		if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 || len(x.Rows) == 0 {
			t.Fatalf("%q is taken", b)
		}
		rest := b
		for _, r := range x.Rows {
			i := bytes.Index(rest, r)
			if i < 0 || len(bytes.Trim(rest[:i], " \t\r\n")) > 0 || len(bytes.Trim(r, " \t\r")) == 0 || bytes.IndexByte(r, '\n') >= 0 {
				t.Fatalf("row %q of %q", r, b)
			}
			rest = rest[i+len(r):]
		}
		if len(bytes.Trim(rest, " \t\r\n")) > 0 {
			t.Fatalf("%q is left of %q", rest, b)
		}
	})
}
