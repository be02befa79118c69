// SPDX-License-Identifier: Apache-2.0

package table

import "fmt"

// Bounds of a table (OFF-01). Parse reports the line and column that crosses one.
const (
	MaxRows    = 1 << 22 // data rows
	MaxColumns = 1 << 16 // columns with the label
	MaxCells   = 1 << 28 // feature cells in all
	MaxBytes   = 1 << 30 // length of the file
)

// Options change what Parse accepts. The zero value is the rule of OFF-01.
type Options struct {
	// Unlabeled makes every column a feature, for rows that ask for an answer.
	Unlabeled bool
}

// Error names the place of a fault. Its text is "FILE:LINE: column J: reason"
// with lines and columns counted from 1. Every error of Parse is an *Error.
type Error struct {
	File   string // the name given to Parse
	Line   int    // from 1
	Column int    // from 1
	Reason string // one line, lower case
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d: column %d: %s", e.File, e.Line, e.Column, e.Reason)
}

// Table is a parsed file. Feature cells are held in the narrowest of three
// forms that is exact for all of them. A Table is not changed after Parse and
// is safe for concurrent use; slices that it returns may be shared and must not
// be changed.
type Table struct {
	Name     string   // the name given to Parse
	Header   []string // column names, nil if line 1 holds numbers
	Rows     int      // ≥ 1
	Features int      // ≥ 1, columns without the label
	Labels   []int64  // one per row; nil if Unlabeled

	u8  []uint8   // exactly one of the three is non-nil,
	i64 []int64   // row-major, Rows × Features
	f64 []float64 // finite

	off *Error // the first cell that is no integer 0..255, else nil
}

// Line returns the line of the file that holds row i, counted from 1.
func (t *Table) Line(i int) int {
	if t.Header != nil {
		return i + 2
	}
	return i + 1
}

// Uint8 returns the features as bytes, row-major, if every cell of the table,
// labels included, is written as an integer 0..255: the exact path of OFF-01.
// ok is false otherwise. Shared, do not change.
func (t *Table) Uint8() (cells []uint8, ok bool) {
	if t.off != nil {
		return nil, false
	}
	return t.u8, true
}

// NotUint8 returns the place of the first cell, in file order, that keeps the
// table off the exact path, or nil if Uint8 succeeds. It serves callers that
// were told to demand that path.
func (t *Table) NotUint8() *Error { return t.off }

// Int64 returns the features as integers, row-major, if every feature cell is
// written as an integer that fits int64. ok is false otherwise. Shared when the
// cells are held so, else a fresh slice; do not change.
func (t *Table) Int64() (cells []int64, ok bool) {
	switch {
	case t.i64 != nil:
		return t.i64, true
	case t.u8 != nil:
		return widen[int64](t.u8), true
	}
	return nil, false
}

// Float64 returns the features as binary64, row-major: the correctly rounded
// value of each cell's text. Always finite, never −0. Shared when the cells are
// held so, else a fresh slice; do not change.
func (t *Table) Float64() []float64 {
	switch {
	case t.u8 != nil:
		return widen[float64](t.u8)
	case t.i64 != nil:
		return widen[float64](t.i64)
	}
	return t.f64
}

// Errorf makes an *Error for row i and column j of the table, both from 0, so
// that later checks name the place in the same way.
func (t *Table) Errorf(i, j int, format string, args ...any) *Error {
	return &Error{File: t.Name, Line: t.Line(i), Column: j + 1, Reason: fmt.Sprintf(format, args...)}
}

// widen converts cells to a wider type; int64 to float64 rounds to nearest
// even, as parsing the same text would.
func widen[W, N int64 | float64 | uint8](in []N) []W {
	out := make([]W, len(in))
	for k, v := range in {
		out[k] = W(v)
	}
	return out
}
