// SPDX-License-Identifier: Apache-2.0

package table

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestOFF01FaultsNameTheirPlace(t *testing.T) {
	wide := strings.Repeat("1,", MaxColumns) + "1"
	for _, c := range []struct{ name, text, want string }{
		{"an empty file", "", `f.csv:1: column 1: file is empty`},
		{"a byte order mark alone", "\ufeff", `f.csv:1: column 1: file is empty`},
		{"an empty line", "\n", `f.csv:1: column 1: line is empty`},
		{"a line of blanks", "1,2\n \t\n", `f.csv:2: column 1: line is empty`},
		{"an empty line at the end", "1,2\n\n", `f.csv:2: column 1: line is empty`},
		{"an empty line between", "1,2\r\n\r\n1,2", `f.csv:2: column 1: line is empty`},
		{"a header alone", "a,b\n", `f.csv:1: column 1: no data rows: line 1 is a header, for "a" is not a number`},
		{"a typing error in the only line", "1,2,3x,0\n", `f.csv:1: column 3: no data rows: line 1 is a header, for "3x" is not a number`},
		{"no feature", "1\n2\n", `f.csv:1: column 1: label missing: a row needs at least one feature and a label`},
		{"no feature under a header", "label\n1\n", `f.csv:1: column 1: label missing: a row needs at least one feature and a label`},
		{"a row with a cell too few", "1,2,3\n1,2\n", `f.csv:2: column 3: line has 2 columns, line 1 has 3`},
		{"a row with a cell too many", "1,2\n1,2,3\n", `f.csv:2: column 3: line has 3 columns, line 1 has 2`},
		{"a row narrower than the header", "a,b,c\n1,2\n", `f.csv:2: column 3: line has 2 columns, line 1 has 3`},
		{"a word", "1,2,3\n1,x1,3\n", `f.csv:2: column 2: "x1" is not a number`},
		{"a word under a header", "a,b\n1,2\nq,2\n", `f.csv:3: column 1: "q" is not a number`},
		{"an empty cell", "1,,3\n", `f.csv:1: column 2: cell is empty`},
		{"an empty cell below", "1,2,3\n , 2,3", `f.csv:2: column 1: cell is empty`},
		{"NaN in line 1 is no header", "1,NaN,3\n1,2,3\n", `f.csv:1: column 2: "NaN" is not a finite number`},
		{"an infinity in line 1 is no header", "-inf,2\n1,2\n", `f.csv:1: column 1: "-inf" is not a finite number`},
		{"infinity spelled out", "1,2\n+Infinity,2\n", `f.csv:2: column 1: "+Infinity" is not a finite number`},
		{"a number too large", "1,2\n1e309,2\n", `f.csv:2: column 1: "1e309" is not a finite number`},
		{"a hexadecimal number", "1,2\n0x10,2\n", `f.csv:2: column 1: "0x10" is not a number`},
		{"grouped digits", "1,2\n1_000,2\n", `f.csv:2: column 1: "1_000" is not a number`},
		{"a quoted number", "1,2\n\"1\",2\n", `f.csv:2: column 1: "\"1\"" is not a number`},
		{"two points", "1,2\n1.2.3,2\n", `f.csv:2: column 1: "1.2.3" is not a number`},
		{"only a point", "1,2\n.,2\n", `f.csv:2: column 1: "." is not a number`},
		{"only a sign", "1,2\n-,2\n", `f.csv:2: column 1: "-" is not a number`},
		{"two signs", "1,2\n--1,2\n", `f.csv:2: column 1: "--1" is not a number`},
		{"an exponent without digits", "1,2\n1e+,2\n", `f.csv:2: column 1: "1e+" is not a number`},
		{"digits beyond ASCII", "1,2\n٣,2\n", `f.csv:2: column 1: "٣" is not a number`},
		{"a zero byte", "1,2\n1\x00,2\n", `f.csv:2: column 1: "1\x00" is not a number`},
		{"a long cell is cut", "1,2\n" + strings.Repeat("é", 40) + ",2\n", `f.csv:2: column 1: "éééééééééééé"… is not a number`},
		{"a label with a point", "1,2.0\n", `f.csv:1: column 2: label "2.0" is not an integer`},
		{"a label that is a word", "1,2\n1,cat\n", `f.csv:2: column 2: label "cat" is not an integer`},
		{"a label left out", "1,2\n1,\n", `f.csv:2: column 2: label missing`},
		{"a label below int64", "1,-9223372036854775809\n", `f.csv:1: column 2: label "-9223372036854775809" is not an integer`},
		{"a label of 20 digits", "1,00000000000000000001\n", `f.csv:1: column 2: label "00000000000000000001" is not an integer`},
		{"a label above int64", "1,9223372036854775808\n", `f.csv:1: column 2: label "9223372036854775808" is not an integer`},
		{"text that is not UTF-8", "12,34\n56,\xff\n", `f.csv:2: column 2: text is not UTF-8`},
		{"a header that is not UTF-8", "a,\xc3\x28\n1,2\n", `f.csv:1: column 2: text is not UTF-8`},
		{"a comma inside a quoted name", "\"a,b\",c\n1,2\n", `f.csv:1: column 1: column name "\"a": commas and quotes inside a name are not supported`},
		{"too many columns", wide, fmt.Sprintf("f.csv:1: column %d: line has %d columns, at most %d", MaxColumns+1, MaxColumns+1, MaxColumns)},
	} {
		tab, err := Parse("f.csv", []byte(c.text), Options{})
		var e *Error
		if tab != nil || !errors.As(err, &e) || err.Error() != c.want {
			t.Errorf("%s:\n got %v\nwant %s", c.name, err, c.want)
		}
	}
}

func TestOFF01Bounds(t *testing.T) {
	rows := bytes.Repeat([]byte("1,2\n"), MaxRows)
	tab, err := Parse("f", rows, Options{})
	if err != nil || tab.Rows != MaxRows {
		t.Errorf("MaxRows rows: %v", err)
	}
	_, err = Parse("f", append(rows, "1,2\n"...), Options{})
	if want := fmt.Sprintf("f:%d: column 1: more than %d rows", MaxRows+1, MaxRows); err == nil || err.Error() != want {
		t.Errorf("MaxRows+1 rows: %v", err)
	}
}

// TestOFF01SizeBounds sets the counters of the parser, which saves gigabytes.
func TestOFF01SizeBounds(t *testing.T) {
	_, err := Parse("f", make([]byte, MaxBytes+1), Options{})
	if want := "f:1: column 1: file has 1073741825 bytes, at most 1073741824"; err == nil || err.Error() != want {
		t.Errorf("MaxBytes+1 bytes: %v", err)
	}
	widest := []byte(strings.Repeat("1,", MaxColumns-1) + "1")
	if tab, err := Parse("f", widest, Options{}); err != nil || tab.Features != MaxColumns-1 || MaxColumns != 65_536 {
		t.Errorf("MaxColumns columns: %v", err)
	}
	const features = 1 << 10
	row := []byte(strings.Repeat("1,", features) + "1")
	for rows, want := range map[int]string{
		MaxCells/features - 1: "",
		MaxCells / features:   "f:5: column 1: more than 268435456 cells",
	} {
		p := &parser{t: &Table{Name: "f", Rows: rows, Features: features}, width: features + 1, line: 5}
		if err := p.row(row); (err == nil) != (want == "") || (err != nil && err.Error() != want) {
			t.Errorf("%d rows before: %v", rows, err)
		}
	}
}

func TestOFF01WhatIsAccepted(t *testing.T) {
	for _, c := range []struct {
		name, text string
		opt        Options
		header     []string
		floats     []float64
		labels     []int64
		bytes, int bool
	}{
		{"integers", "0,255,7\n1,2,0\n", Options{}, nil, []float64{0, 255, 1, 2}, []int64{7, 0}, true, true},
		{"no line end at the end", "1,2", Options{}, nil, []float64{1}, []int64{2}, true, true},
		{"CR LF", "1,2\r\n3,4\r\n", Options{}, nil, []float64{1, 3}, []int64{2, 4}, true, true},
		{"blanks and tabs around cells", " 1 ,\t2 \n", Options{}, nil, []float64{1}, []int64{2}, true, true},
		{"a byte order mark", "\ufeff1,2\n", Options{}, nil, []float64{1}, []int64{2}, true, true},
		{"a header", "x,y,label\n1,2,3\n", Options{}, []string{"x", "y", "label"}, []float64{1, 2}, []int64{3}, true, true},
		{"a quoted header", "\"x\", \"\",\"label\"\n1,2,3\n", Options{}, []string{"x", "", "label"}, []float64{1, 2}, []int64{3}, true, true},
		{"a header with an empty name", ",y,label\n1,2,3\n", Options{}, []string{"", "y", "label"}, []float64{1, 2}, []int64{3}, true, true},
		{"one word makes line 1 a header", "1,2,n\n1,2,3\n", Options{}, []string{"1", "2", "n"}, []float64{1, 2}, []int64{3}, true, true},
		{"leading zeros and plus signs", "007,+5,+1\n", Options{}, nil, []float64{7, 5}, []int64{1}, true, true},
		{"256 is no byte", "256,1\n", Options{}, nil, []float64{256}, []int64{1}, false, true},
		{"a negative feature", "3,1\n-1,1\n", Options{}, nil, []float64{3, -1}, []int64{1, 1}, false, true},
		{"minus zero is zero", "-0,1\n", Options{}, nil, []float64{0}, []int64{1}, true, true},
		{"a negative label", "3,-1\n", Options{}, nil, []float64{3}, []int64{-1}, false, true},
		{"a label of 255", "3,255\n", Options{}, nil, []float64{3}, []int64{255}, true, true},
		{"a label of 256", "3,256\n", Options{}, nil, []float64{3}, []int64{256}, false, true},
		{"int64 bounds", "-9223372036854775808,9223372036854775807\n", Options{}, nil, []float64{-1 << 63}, []int64{math.MaxInt64}, false, true},
		{"an integer beyond int64", "9223372036854775808,1\n", Options{}, nil, []float64{1 << 63}, []int64{1}, false, false},
		{"an integer of 24 digits", "1" + strings.Repeat("0", 23) + ",1\n", Options{}, nil, []float64{1e23}, []int64{1}, false, false},
		{"an integer below int64", "-9223372036854775809,1\n", Options{}, nil, []float64{-1 << 63}, []int64{1}, false, false},
		{"5.0 is not written as an integer", "5.0,1\n", Options{}, nil, []float64{5}, []int64{1}, false, false},
		{"a float after bytes", "1,2,0\n3,0.5,0\n", Options{}, nil, []float64{1, 2, 3, 0.5}, []int64{0, 0}, false, false},
		{"a float after wide integers", "1000,2,0\n-3,1e-2,0\n", Options{}, nil, []float64{1000, 2, -3, 0.01}, []int64{0, 0}, false, false},
		{"a float first", "-0.0,2,0\n300,4,0\n", Options{}, nil, []float64{0, 2, 300, 4}, []int64{0, 0}, false, false},
		{"every spelling of a float", ".5,5.,1E3,1e+3,-1.5e-3,1\n", Options{}, nil, []float64{.5, 5, 1000, 1000, -.0015}, []int64{1}, false, false},
		{"a float below the smallest is zero", "1e-400,1\n", Options{}, nil, []float64{0}, []int64{1}, false, false},
		{"rows that ask for an answer", "1,2\n3,4\n", Options{Unlabeled: true}, nil, []float64{1, 2, 3, 4}, nil, true, true},
		{"one column that asks for an answer", "1\n3\n", Options{Unlabeled: true}, nil, []float64{1, 3}, nil, true, true},
	} {
		tab, err := Parse("f", []byte(c.text), c.opt)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		u8, isBytes := tab.Uint8()
		if isBytes && !slices.EqualFunc(u8, c.floats, func(b uint8, x float64) bool { return float64(b) == x }) {
			t.Errorf("%s: bytes %v", c.name, u8)
		}
		ints, isInt := tab.Int64()
		if !slices.Equal(tab.Header, c.header) || !slices.Equal(tab.Labels, c.labels) || (tab.Labels == nil) != (c.labels == nil) {
			t.Errorf("%s: header %q, labels %v", c.name, tab.Header, tab.Labels)
		}
		if got := tab.Float64(); !slices.Equal(got, c.floats) || tab.Rows*tab.Features != len(got) {
			t.Errorf("%s: %v, %d rows of %d", c.name, got, tab.Rows, tab.Features)
		}
		if isBytes != c.bytes || isInt != c.int || (tab.NotUint8() == nil) != c.bytes {
			t.Errorf("%s: bytes %v, integers %v, first other cell %v", c.name, isBytes, isInt, tab.NotUint8())
		}
		for k, v := range ints {
			if float64(v) != c.floats[k] {
				t.Errorf("%s: integer %d is %d", c.name, k, v)
			}
		}
		for k, v := range tab.Float64() {
			if v == 0 && math.Signbit(v) {
				t.Errorf("%s: cell %d is minus zero", c.name, k)
			}
		}
	}
}

func TestOFF01NotUint8NamesTheFirstCell(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a float", "1,2,3\n1,2.5,3\n300,1,1\n", `f:2: column 2: "2.5" is not an integer`},
		{"a large integer", "h,h,h\n1,2,3\n1,256,3\n", `f:3: column 2: "256" is not in 0..255`},
		{"a label before a later cell", "1,2,-3\n1,256,3\n", `f:1: column 3: label "-3" is not in 0..255`},
	} {
		tab, err := Parse("f", []byte(c.text), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if e := tab.NotUint8(); e == nil || e.Error() != c.want {
			t.Errorf("%s: %v", c.name, e)
		}
	}
}

func TestErrorfNamesTheLineOfARow(t *testing.T) {
	for text, want := range map[string]string{
		"1,2\n3,4\n":    "f:2: column 1: x 7",
		"a,b\n1,2\n3,4": "f:3: column 1: x 7",
	} {
		tab, err := Parse("f", []byte(text), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := tab.Errorf(1, 0, "x %d", 7).Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestOFF01RandomTablesComeBack prints random tables with Shortest and expects
// the same cells, bit for bit, in the narrowest form.
func TestOFF01RandomTablesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cell := rapid.OneOf(
			rapid.Map(rapid.Uint8(), func(v uint8) string { return strconv.Itoa(int(v)) }),
			rapid.Map(rapid.Int64(), func(v int64) string { return strconv.FormatInt(v, 10) }),
			rapid.Map(rapid.Float64().Filter(func(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }), Shortest),
		)
		rows, features := rapid.IntRange(1, 6).Draw(t, "rows"), rapid.IntRange(1, 5).Draw(t, "features")
		var text strings.Builder
		var want []float64
		for range rows {
			for range features {
				c := cell.Draw(t, "cell")
				v, err := strconv.ParseFloat(c, 64)
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, v)
				text.WriteString(c + ",")
			}
			text.WriteString("1\n")
		}
		tab, err := Parse("f", []byte(text.String()), Options{})
		if err != nil || tab.Rows != rows || tab.Features != features {
			t.Fatalf("%q: %v", text.String(), err)
		}
		for k, got := range tab.Float64() {
			if math.Float64bits(got) != math.Float64bits(want[k]) {
				t.Fatalf("cell %d is %v, want %v", k, got, want[k])
			}
		}
	})
}

// TestOFF01ShortestIsTheJSONNumber compares with encoding/json, which follows
// the same ECMAScript rule, and reads the text back.
func TestOFF01ShortestIsTheJSONNumber(t *testing.T) {
	check := func(x float64) error {
		got := Shortest(x)
		want, err := json.Marshal(x + 0)
		if err != nil || got != string(want) {
			return fmt.Errorf("%s, want %s, %v", got, want, err)
		}
		if back, err := strconv.ParseFloat(got, 64); err != nil || back != x {
			return fmt.Errorf("%s is read back as %v", got, back)
		}
		return nil
	}
	for _, x := range []float64{0, math.Copysign(0, -1), 1, -1, 0.1, 1e-6, 9.999999999999999e-7, 1e-7, 1e20, 1e21, -1.5e21, 1.5e-10, 5e-324, math.MaxFloat64, 1e100, 123456789.125} {
		if err := check(x); err != nil {
			t.Errorf("%v: %v", x, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		x := math.Float64frombits(rapid.Uint64().Draw(t, "bits"))
		if !math.IsNaN(x) && !math.IsInf(x, 0) {
			if err := check(x); err != nil {
				t.Fatal(err)
			}
		}
	})
	if Shortest(math.NaN()) != "null" || Shortest(math.Inf(-1)) != "null" || Shortest(math.Inf(1)) != "null" {
		t.Error("a number that is not finite has a text")
	}
}

func TestOFF01ExactIsTheWholeValue(t *testing.T) {
	for x, want := range map[float64]string{
		0.1: "0.1000000000000000055511151231257827021181583404541015625", -0.5: "-0.5", 3: "3", 1e21: "1000000000000000000000", math.Copysign(0, -1): "0",
	} {
		if got := Exact(x); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	check := func(t interface{ Fatalf(string, ...any) }, x float64) {
		text := Exact(x)
		r, ok := new(big.Rat).SetString(text)
		if !ok || r.Cmp(new(big.Rat).SetFloat64(x)) != 0 || strings.Contains(text, ".") && strings.HasSuffix(text, "0") {
			t.Fatalf("%v is printed as %s", x, text)
		}
	}
	check(t, 5e-324)
	check(t, -math.MaxFloat64)
	rapid.Check(t, func(t *rapid.T) {
		x := math.Float64frombits(rapid.Uint64().Draw(t, "bits"))
		if !math.IsNaN(x) && !math.IsInf(x, 0) {
			check(t, x)
		}
	})
	if Exact(math.NaN()) != "null" || Exact(math.Inf(1)) != "null" || Exact(math.Inf(-1)) != "null" {
		t.Error("a number that is not finite has a text")
	}
}

// FuzzParse wants no panic, errors on one line with a true place, and finite
// cells whose count fits the shape.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "1,2\n", "a,b\n1,2\n", "1,2.5,3\r\n4,5,6", "\ufeff1,2", "1,NaN\n", "1,,2\n", "1,2\n1\n", "-1,1e300,0\n1e-9,-0,5\n", "\"x\",y\n1,2\n", "1,\xff\n", " 1\t, 2 \n", "9223372036854775808,1\n", ",\n1,2",
	} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, unlabeled bool) {
		tab, err := Parse("f", data, Options{Unlabeled: unlabeled})
		lines := bytes.Count(data, []byte{'\n'}) + 1
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || strings.ContainsAny(e.Error(), "\n\r") || e.Line < 1 || e.Line > lines || e.Column < 1 {
				t.Fatalf("%q: %v", data, err)
			}
			return
		}
		cells := tab.Float64()
		if tab.Rows < 1 || tab.Features < 1 || len(cells) != tab.Rows*tab.Features || tab.Line(tab.Rows-1) > lines || (len(tab.Labels) == tab.Rows) == unlabeled {
			t.Fatalf("%q: %d rows, %d features, %d cells, %d labels", data, tab.Rows, tab.Features, len(cells), len(tab.Labels))
		}
		for _, v := range cells {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("%q: cell %v", data, v)
			}
		}
		if u, ok := tab.Uint8(); ok && len(u) != len(cells) {
			t.Fatalf("%q: %d bytes", data, len(u))
		}
	})
}

func BenchmarkParseDigitsShape(b *testing.B) {
	row := strings.Repeat("12,", 64) + "7\n"
	data := []byte(strings.Repeat(row, 1797))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := Parse("f", data, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
