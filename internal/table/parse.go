// SPDX-License-Identifier: Apache-2.0

package table

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// utf8Mark is the byte order mark that some programs put in front of UTF-8.
var utf8Mark = []byte("\xef\xbb\xbf")

// Parse reads a whole CSV file. name is used in errors only; data is not kept.
//
// Lines end with LF or CR LF, the last may lack its end. Cells are separated by
// commas; blanks and tabs around a cell are dropped, and so is a byte order
// mark. Line 1 is a header iff one of its non-empty cells is not a number;
// header cells may be quoted. Every other cell is a finite decimal number, and
// the last of a row, unless opt.Unlabeled, an integer that fits int64. A cell
// written as an integer is held exactly; "5.0" is not written as one.
//
// Errors: *Error at the first fault in file order. Cost: one pass; memory 1 or
// 8 bytes per cell. Spec: OFF-01.
func Parse(name string, data []byte, opt Options) (*Table, error) {
	p := &parser{t: &Table{Name: name}, opt: opt, line: 1}
	if err := p.run(data); err != nil {
		return nil, err
	}
	return p.t, nil
}

// parser holds the state of one Parse.
type parser struct {
	t     *Table
	opt   Options
	line  int // of the row being read, from 1
	width int // columns of every row, 0 before the first
	named int // first column, from 0, whose cell makes line 1 a header
}

func (p *parser) fail(column int, format string, args ...any) *Error {
	return &Error{File: p.t.Name, Line: p.line, Column: column, Reason: fmt.Sprintf(format, args...)}
}

func (p *parser) run(data []byte) error {
	if len(data) > MaxBytes {
		return p.fail(1, "file has %d bytes, at most %d", len(data), MaxBytes)
	}
	rest := bytes.TrimPrefix(data, utf8Mark)
	if len(rest) == 0 {
		return p.fail(1, "file is empty")
	}
	for len(rest) > 0 {
		var row []byte
		row, rest, _ = bytes.Cut(rest, []byte{'\n'})
		if err := p.row(bytes.TrimSuffix(row, []byte{'\r'})); err != nil {
			return err
		}
		p.line++
	}
	if p.t.Rows == 0 {
		p.line = 1
		return p.fail(p.named+1, "no data rows: line 1 is a header, for %s is not a number", quote(p.t.Header[p.named]))
	}
	return nil
}

// row reads one line.
func (p *parser) row(row []byte) error {
	if err := p.shape(row); err != nil {
		return err
	}
	if p.line == 1 {
		if p.named = headerAt(row); p.named >= 0 {
			return p.header(row)
		}
	}
	if p.t.Rows == MaxRows {
		return p.fail(1, "more than %d rows", MaxRows)
	}
	if (p.t.Rows+1)*p.t.Features > MaxCells {
		return p.fail(1, "more than %d cells", MaxCells)
	}
	for j := range p.t.Features {
		var cell []byte
		cell, row, _ = bytes.Cut(row, []byte{','})
		if err := p.feature(j, trim(cell)); err != nil {
			return err
		}
	}
	if !p.opt.Unlabeled {
		if err := p.label(trim(row)); err != nil {
			return err
		}
	}
	p.t.Rows++
	return nil
}

// shape checks text and width of a line and fixes the width at the first.
func (p *parser) shape(row []byte) error {
	if !utf8.Valid(row) {
		return p.fail(1+badColumn(row), "text is not UTF-8")
	}
	if len(trim(row)) == 0 {
		return p.fail(1, "line is empty")
	}
	n := bytes.Count(row, []byte{','}) + 1
	switch {
	case n > MaxColumns:
		return p.fail(MaxColumns+1, "line has %d columns, at most %d", n, MaxColumns)
	case p.width == 0 && n == 1 && !p.opt.Unlabeled:
		return p.fail(1, "label missing: a row needs at least one feature and a label")
	case p.width == 0:
		p.width, p.t.Features = n, n-1
		if p.opt.Unlabeled {
			p.t.Features = n
		}
	case n != p.width:
		return p.fail(min(n, p.width)+1, "line has %d columns, line 1 has %d", n, p.width)
	}
	return nil
}

// badColumn returns how many commas stand before the first invalid byte.
func badColumn(row []byte) (commas int) {
	for len(row) > 0 {
		r, n := utf8.DecodeRune(row)
		if r == utf8.RuneError && n == 1 {
			break
		}
		if r == ',' {
			commas++
		}
		row = row[n:]
	}
	return commas
}

// headerAt returns the first column, from 0, that holds something else than a
// number, or -1. Empty cells do not count: they are faults, or names left out.
func headerAt(row []byte) int {
	for j, cell := range bytes.Split(row, []byte{','}) {
		cell = trim(cell)
		if k, _, _ := scan(cell); len(cell) > 0 && k == notNumber {
			return j
		}
	}
	return -1
}

// header keeps the column names.
func (p *parser) header(row []byte) error {
	p.t.Header = strings.Split(string(row), ",")
	for j, cell := range p.t.Header {
		cell = strings.Trim(cell, " \t")
		if len(cell) >= 2 && cell[0] == '"' && cell[len(cell)-1] == '"' {
			cell = cell[1 : len(cell)-1]
		}
		if strings.ContainsRune(cell, '"') {
			return p.fail(j+1, "column name %s: commas and quotes inside a name are not supported", quote(cell))
		}
		p.t.Header[j] = cell
	}
	return nil
}

// feature reads cell j of a row and stores it, widening all cells if needed.
func (p *parser) feature(j int, cell []byte) error {
	k, i, f := scan(cell)
	switch {
	case len(cell) == 0:
		return p.fail(j+1, "cell is empty")
	case k == notNumber:
		return p.fail(j+1, "%s is not a number", quote(string(cell)))
	case k == notFinite:
		return p.fail(j+1, "%s is not a finite number", quote(string(cell)))
	case k == decimal:
		p.offExact(j+1, "%s is not an integer", cell)
		p.t.pushFloat(f)
		return nil
	}
	if i < 0 || i > 255 {
		p.offExact(j+1, "%s is not in 0..255", cell)
	}
	p.t.pushInt(i)
	return nil
}

// label reads the last cell of a row.
func (p *parser) label(cell []byte) error {
	if len(cell) == 0 {
		return p.fail(p.width, "label missing")
	}
	v, ok := scanInt(cell)
	if !ok {
		return p.fail(p.width, "label %s is not an integer", quote(string(cell)))
	}
	if v < 0 || v > 255 {
		p.offExact(p.width, "label %s is not in 0..255", cell)
	}
	p.t.Labels = append(p.t.Labels, v)
	return nil
}

// offExact notes the first cell that the exact path cannot take.
func (p *parser) offExact(column int, format string, cell []byte) {
	if p.t.off == nil {
		p.t.off = p.fail(column, format, quote(string(cell)))
	}
}

// pushInt appends a cell in the form the table has, widening bytes if needed.
func (t *Table) pushInt(v int64) {
	switch {
	case t.f64 != nil:
		t.f64 = append(t.f64, float64(v))
	case t.i64 != nil:
		t.i64 = append(t.i64, v)
	case v >= 0 && v <= 255:
		t.u8 = append(t.u8, uint8(v))
	default:
		t.i64 = append(widen[int64](t.u8), v)
		t.u8 = nil
	}
}

// pushFloat appends a cell that is not written as an int64.
func (t *Table) pushFloat(v float64) {
	if t.f64 == nil {
		t.f64 = t.Float64()
		if t.f64 == nil {
			t.f64 = []float64{}
		}
		t.u8, t.i64 = nil, nil
	}
	t.f64 = append(t.f64, v)
}

func trim(b []byte) []byte { return bytes.Trim(b, " \t") }

// quote shows a cell in an error: quoted, on one line, at most 24 bytes.
func quote(s string) string {
	const most = 24
	if len(s) > most {
		cut := most
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		return fmt.Sprintf("%q…", s[:cut])
	}
	return fmt.Sprintf("%q", s)
}
