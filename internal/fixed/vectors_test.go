// SPDX-License-Identifier: Apache-2.0

package fixed

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"math"
	"os"
	"strconv"
	"testing"
)

var update = flag.Bool("update", false, "write docs/spec/vectors/split.json instead of comparing")

const vectorFile = "../../docs/spec/vectors/split.json"

// All integers of the vectors are decimal strings, because JSON readers differ
// above 2^53. An empty result with an error class means that the operation is
// refused.
type vectors struct {
	About        string         `json:"about"`
	Clauses      []string       `json:"clauses"`
	Split        []splitVector  `json:"split"`
	Hamilton     []splitVector  `json:"hamilton"`
	MulDiv       []mulDivVector `json:"mul_div"`
	Accumulators []accVector    `json:"accumulators"`
	Amounts      []amountVector `json:"amounts"`
	BadAmounts   []string       `json:"invalid_amounts"`
}

type splitVector struct {
	Name    string   `json:"name"`
	Total   string   `json:"total"`
	Weights []string `json:"weights"`
	Parts   []string `json:"parts,omitempty"`
	Error   string   `json:"error,omitempty"`
}

type mulDivVector struct {
	Name  string `json:"name"`
	A     string `json:"a"`
	B     string `json:"b"`
	C     string `json:"c"`
	Want  string `json:"result,omitempty"`
	Error string `json:"error,omitempty"`
}

// accVector is PAY-04: acc grows by ⌊A·2^64/W⌋ for each A, and an owner of
// weight w that saw nothing is due ⌊w·acc/2^64⌋.
type accVector struct {
	Name   string   `json:"name"`
	W      string   `json:"total_weight"`
	Add    []string `json:"add"`
	Acc    string   `json:"acc_hex"`
	Weight string   `json:"weight"`
	Due    string   `json:"due"`
}

type amountVector struct {
	Text   string `json:"text"`
	Base   string `json:"base_units"`
	Output string `json:"output"`
}

func allVectors(t *testing.T) vectors {
	t.Helper()
	v := vectors{
		About: "Exact splits and amounts. Integers are decimal strings. split is PAY-02, hamilton is SHR-02, mul_div and accumulators are ACC-02 and PAY-04. " +
			"error arith: refused.",
		Clauses:    []string{"ACC-02", "PAY-02", "PAY-04", "SHR-02", "CLI-01"},
		BadAmounts: badAmounts,
	}
	for _, c := range splitCases {
		v.Split = append(v.Split, splitResult(c, Split))
		v.Hamilton = append(v.Hamilton, splitResult(c, Hamilton))
	}
	for _, c := range mulDivCases {
		out := mulDivVector{Name: c.name, A: dec(c.a), B: dec(c.b), C: dec(c.c)}
		if q, err := MulDiv(c.a, c.b, c.c); err != nil {
			out.Error = "arith"
		} else {
			out.Want = dec(q)
		}
		v.MulDiv = append(v.MulDiv, out)
	}
	for _, c := range accCases {
		v.Accumulators = append(v.Accumulators, accResult(t, c))
	}
	for _, s := range goodAmounts {
		a, err := ParseAmount(s)
		if err != nil {
			t.Fatal(err)
		}
		v.Amounts = append(v.Amounts, amountVector{s, dec(uint64(a)), a.String()})
	}
	return v
}

func dec(x uint64) string { return strconv.FormatUint(x, 10) }

func splitResult(c splitCase, f func(uint64, []uint64) ([]uint64, error)) splitVector {
	out := splitVector{Name: c.name, Total: dec(c.total), Weights: []string{}}
	for _, w := range c.weights {
		out.Weights = append(out.Weights, dec(w))
	}
	parts, err := f(c.total, c.weights)
	if err != nil {
		out.Error = "arith"
	}
	for _, p := range parts {
		out.Parts = append(out.Parts, dec(p))
	}
	return out
}

func accResult(t *testing.T, c accCase) accVector {
	t.Helper()
	out := accVector{Name: c.name, W: dec(c.w), Weight: dec(c.weight)}
	var acc U256
	for _, a := range c.add {
		out.Add = append(out.Add, dec(a))
		step, err := NewU256(a).Shl64()
		if err != nil {
			t.Fatal(err)
		}
		step, _, err = step.Div(c.w)
		if err != nil {
			t.Fatal(err)
		}
		if acc, err = acc.Add(step); err != nil {
			t.Fatal(err)
		}
	}
	due, err := acc.Mul(c.weight)
	if err != nil {
		t.Fatal(err)
	}
	paid, err := due.Shr64().Uint64()
	if err != nil {
		t.Fatal(err)
	}
	b := acc.Bytes32()
	out.Acc, out.Due = hex.EncodeToString(b[:]), dec(paid)
	return out
}

type splitCase struct {
	name    string
	total   uint64
	weights []uint64
}

var splitCases = []splitCase{
	{"nobody", 100, nil},
	{"one payee takes all", 7, []uint64{3}},
	{"thirds of a hundred", 100, []uint64{1, 1, 1}},
	{"thirds of two", 2, []uint64{1, 1, 1}},
	{"nothing to split", 0, []uint64{5, 6}},
	{"zero weights between others", 10, []uint64{0, 1, 0, 2, 0}},
	{"all weights zero", 10, []uint64{0, 0}},
	{"equal remainders go to the lower index", 5, []uint64{1, 1, 1, 1}},
	{"the largest remainder wins", 10, []uint64{33, 33, 34}},
	{"a weight list of 2^40", 1_500_000_000, []uint64{1 << 39, 1 << 38, 1 << 38}},
	{"the whole supply", 1_000_000_000_000_000_000, []uint64{1, 2, 3, 4, 5, 6, 7}},
	{"the largest total and weights", math.MaxUint64, []uint64{math.MaxUint64 - 2, 1, 1}},
	{"weights at the bound", math.MaxUint64, []uint64{math.MaxUint64}},
	{"weights above the bound", 1, []uint64{math.MaxUint64, 1}},
	{"weights far above the bound", 0, []uint64{math.MaxUint64, math.MaxUint64, 2}},
}

var mulDivCases = []struct {
	name    string
	a, b, c uint64
}{
	{"a floor", 7, 3, 2},
	{"five per cent", 1_000_000_001, 500, 10_000},
	{"a product above 64 bits", 1_000_000_000_000_000_000, 1 << 40, 1 << 41},
	{"the largest result", math.MaxUint64, math.MaxUint64, math.MaxUint64},
	{"zero", 0, 5, 7},
	{"division by zero", 1, 1, 0},
	{"zero by zero", 0, 0, 0},
	{"a quotient of 2^64", 1 << 63, 2, 1},
	{"a quotient of 2^64 by a little", math.MaxUint64, math.MaxUint64, math.MaxUint64 - 1},
}

type accCase struct {
	name   string
	w      uint64
	add    []uint64
	weight uint64
}

var accCases = []accCase{
	{"a third", 3, []uint64{1, 1, 1}, 1},
	{"the same in one step", 3, []uint64{3}, 1},
	{"a weight list of 2^40", 1 << 40, []uint64{1_500_000_000, 1, 2, 3}, 1 << 39},
	{"the whole supply", 1 << 40, []uint64{1_000_000_000_000_000_000}, 1 << 40},
	{"one of the largest weight", math.MaxUint64, []uint64{math.MaxUint64}, math.MaxUint64},
}

var goodAmounts = []string{
	"0", "20", "20OPEN", "20 OPEN", "0.5 OPEN", "0.000000001", "1.5", "007.25", " 3 ", "5nOPEN", "5 nOPEN", "0nOPEN",
	"18446744073.709551615", "18446744073709551615nOPEN",
}

var badAmounts = []string{
	"", " ", "OPEN", "nOPEN", ".5", "5.", ".", "1.2.3", "-1", "+1", "1e9", "0x10", "1_000", "1,5", "1 000", "1.0000000001", "1.50 nOPEN", "1.5nOPEN",
	"-5nOPEN", "+5nOPEN", "5 open", "5OPENOPEN", "OPEN5", "18446744073.709551616", "18446744074", "18446744073709551616nOPEN", "99999999999999999999999999",
	"NaN", "inf", "٣", "1\n2", "0.5\x00",
}

func TestPAY02VectorsAreCurrent(t *testing.T) {
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
		t.Fatalf("%s differs from the results of this package; review and run go test ./internal/fixed -update", vectorFile)
	}
}

func TestCLI01AmountTextIsRefused(t *testing.T) {
	for _, s := range badAmounts {
		if a, err := ParseAmount(s); !errors.Is(err, ErrAmount) {
			t.Errorf("%q was read as %v, %v", s, a, err)
		}
	}
}

func TestCLI01PrintedAmountsAreReadBack(t *testing.T) {
	for _, s := range goodAmounts {
		a, err := ParseAmount(s)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if back, err := ParseAmount(a.String()); err != nil || back != a {
			t.Errorf("%q: %s came back as %d, %v", s, a, back, err)
		}
	}
}
