// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/poa/lineage"
)

// Text is a text as a dataset: UTF-8 without NUL, at most tx.MaxTextBytes. Rows are
// its lines that have more than spaces, tabs and carriage returns, without their \n
// or \r\n; they are parts of Bytes. Neither is changed after ParseText. Spec: DAT-02.
type Text struct {
	Bytes []byte
	Rows  [][]byte
}

// blank are the bytes of lines that are no rows, ends included.
const blank = " \t\r\n"

// TextError names the place of a fault: "FILE:LINE: reason", with lines counted
// from 1.
type TextError struct {
	File   string
	Line   int
	Reason string
}

// Error implements error.
func (e *TextError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason) }

// ParseText reads a text; file names it in errors. The Text keeps b, which must not
// change. Errors: *TextError.
func ParseText(file string, b []byte) (*Text, error) {
	if len(b) > tx.MaxTextBytes {
		return nil, &TextError{file, 1, fmt.Sprintf("%d bytes, a text has at most %d; split it into several datasets", len(b), tx.MaxTextBytes)}
	}
	if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
		return nil, faultOf(file, b)
	}
	rows, lines := 0, 0 // counted first: a slice that grows would take the memory twice
	for row := range bytes.Lines(b) {
		lines++
		if isRow(row) {
			rows++
		}
	}
	switch {
	case rows == 0:
		return nil, &TextError{file, max(1, lines), "no line with text in it"}
	case rows > tx.MaxDatasetRows:
		return nil, &TextError{file, lines, fmt.Sprintf("%d rows, a dataset has at most %d; split it into several", rows, tx.MaxDatasetRows)}
	}
	t := &Text{Bytes: b, Rows: make([][]byte, 0, rows)}
	for row := range bytes.Lines(b) {
		if !isRow(row) {
			continue
		}
		if cut, ended := bytes.CutSuffix(row, []byte{'\n'}); ended {
			row = bytes.TrimSuffix(cut, []byte{'\r'})
		}
		t.Rows = append(t.Rows, row[:len(row):len(row)])
	}
	return t, nil
}

// isRow reports whether a line, its end included, has more than blanks.
func isRow(line []byte) bool { return len(bytes.TrimLeft(line, blank)) > 0 }

// faultOf finds the line that makes b no text.
func faultOf(file string, b []byte) *TextError {
	line := 0
	for row := range bytes.Lines(b) {
		line++
		if i := bytes.IndexByte(row, 0); i >= 0 {
			return &TextError{file, line, fmt.Sprintf("byte %d is NUL; a text has none", i+1)}
		}
		if i := notUTF8(row); i >= 0 {
			return &TextError{file, line, fmt.Sprintf("byte %d (0x%02x) is not UTF-8; save the file as UTF-8", i+1, row[i])}
		}
	}
	return &TextError{file, line, "not a text"}
}

// notUTF8 is the index of the first byte that belongs to no character, -1 if there
// is none.
func notUTF8(b []byte) int {
	if utf8.Valid(b) {
		return -1
	}
	for i := 0; ; {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
}

// Root is the dataset root over the rows. Spec: LIN-01.
func (t *Text) Root() tx.ID { return lineage.Root(lineage.TextRows(t.Rows)) }

// PrepareText is Prepare for a text. Errors: *TextError.
func PrepareText(file string, text []byte, in Input) (Manifest, error) {
	t, err := ParseText(file, text)
	if err != nil {
		return Manifest{}, err
	}
	return in.manifest(FormatText, text, t.Root(), len(t.Rows), 0), nil
}

// LoadText is Load for a text. Errors: ErrManifest, *TextError.
func LoadText(cid content.ID, rowRoot tx.ID, text []byte) (*Text, error) {
	if !cid.Matches(text) {
		return nil, fmt.Errorf("%w: content does not match %v", ErrManifest, cid)
	}
	t, err := ParseText(cid.String(), text)
	if err != nil {
		return nil, err
	}
	if t.Root() != rowRoot {
		return nil, fmt.Errorf("%w: rows do not match root %v", ErrManifest, rowRoot)
	}
	return t, nil
}
