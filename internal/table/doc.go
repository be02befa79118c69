// SPDX-License-Identifier: Apache-2.0

// Package table reads strict CSV tables: numeric features, the last column an
// integer label, an optional header line.
//
// It is made so that the same file gives the same numbers on every machine and
// a mistake is named by file, line and column. A file whose cells are all
// integers 0..255 keeps them as bytes, the exact path of attribution and
// training; other integers stay int64; anything else is binary64, correctly
// rounded from the text. Numbers are printed back by [Shortest] or [Exact].
//
// It refuses quotes around numbers, blank lines, ragged rows, NaN, infinities,
// hexadecimal and grouped digits, invalid UTF-8, and tables above its bounds.
// It never opens a file: the caller passes the bytes.
//
// The main type is [Table].
//
//	t, err := table.Parse("train.csv", data, table.Options{})
//	// err: train.csv:7: column 3: "x1" is not a number
//	if x, ok := t.Uint8(); ok { … }      // row-major, t.Rows × t.Features
//
// Spec: OFF-01, CLI-05; number text for OFF-01 outputs.
package table
