// SPDX-License-Identifier: Apache-2.0

package econ

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"slices"
	"testing"

	"github.com/openledger/openledger/internal/fixed"
)

var update = flag.Bool("update", false, "write the golden vectors instead of checking them")

const vectorFile = "../../docs/spec/vectors/payout.json"

// vectorErrors names the refusals of this package in the vectors.
var vectorErrors = []struct {
	name string
	err  error
}{{"rates", ErrRates}, {"price", ErrPrice}, {"weights", ErrWeights}, {"arith", fixed.ErrArith}}

type splitVector struct {
	Name  string       `json:"name"`
	Gross fixed.Amount `json:"gross"`
	Price Price        `json:"price"`
	Rates Rates        `json:"rates"`
	Split *Split       `json:"split,omitempty"`
	Error string       `json:"error,omitempty"`
}

type shareVector struct {
	Name    string         `json:"name"`
	Part    fixed.Amount   `json:"part"`
	Weights []fixed.Amount `json:"weights"` // of 2^40, as decimal strings
	Shares  []fixed.Amount `json:"shares,omitempty"`
	Left    *fixed.Amount  `json:"left,omitempty"`
	Error   string         `json:"error,omitempty"`
}

type refundVector struct {
	Name   string         `json:"name"`
	Amount fixed.Amount   `json:"amount"`
	Paid   []fixed.Amount `json:"paid"`
	Parts  []fixed.Amount `json:"parts,omitempty"`
	Error  string         `json:"error,omitempty"`
}

type vectorSet struct {
	About   string         `json:"about"`
	Splits  []splitVector  `json:"splits"`
	Shares  []shareVector  `json:"shares"`
	Refunds []refundVector `json:"refunds"`
}

func errorName(err error) string {
	for _, e := range vectorErrors {
		if errors.Is(err, e.err) {
			return e.name
		}
	}
	return ""
}

func (v splitVector) run() splitVector {
	s, err := SplitGross(v.Gross, v.Price, v.Rates)
	if v.Split, v.Error = nil, errorName(err); err == nil {
		v.Split = &s
	}
	return v
}

func (v shareVector) run() shareVector {
	w := make([]uint64, len(v.Weights))
	for i, x := range v.Weights {
		w[i] = uint64(x)
	}
	shares, left, err := Shares(v.Part, w)
	if v.Shares, v.Left, v.Error = shares, nil, errorName(err); err == nil {
		v.Left = &left
	}
	return v
}

func (v refundVector) run() refundVector {
	parts, err := Refund(v.Amount, v.Paid)
	v.Parts, v.Error = parts, errorName(err)
	return v
}

func TestPAY01PayoutVectors(t *testing.T) {
	current, err := json.MarshalIndent(makeVectors(), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	current = append(current, '\n')
	if *update {
		if err := os.WriteFile(vectorFile, current, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != string(current) {
		t.Errorf("%s is not what the code makes; if that is meant, run this test with -update", vectorFile)
	}
	var set vectorSet
	if err := json.Unmarshal(b, &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Splits) < 10 || len(set.Shares) < 8 || len(set.Refunds) < 4 {
		t.Fatal("vectors are missing")
	}
	for _, v := range set.Splits {
		if got := v.run(); got.Error != v.Error || (got.Split == nil) != (v.Split == nil) || v.Split != nil && *got.Split != *v.Split {
			t.Errorf("%s: %+v", v.Name, got.Split)
		}
	}
	for _, v := range set.Shares {
		if got := v.run(); got.Error != v.Error || !slices.Equal(got.Shares, v.Shares) || v.Left != nil && *got.Left != *v.Left {
			t.Errorf("%s: %+v", v.Name, got)
		}
	}
	for _, v := range set.Refunds {
		if got := v.run(); got.Error != v.Error || !slices.Equal(got.Parts, v.Parts) {
			t.Errorf("%s: %+v", v.Name, got)
		}
	}
}

func makeVectors() vectorSet {
	set := vectorSet{About: "Money splits. splits: PAY-01 by three cumulative splits (PAY-02), contributors' side first. shares: of one receipt's " +
		"contributors' part, floor(part*sum/2^40) by largest remainders (SHR-02, SHR-05), left to the treasury. refunds: PAY-02 over what each paid. " +
		"An error names what is refused: rates, price, weights, arith."}
	d, max := DefaultRates(), ^fixed.Amount(0)
	rates := func(burn, treasury, validators, contributors, trainers uint64) Rates {
		return Rates{Burn: burn, Treasury: treasury, Validators: validators, Contributors: contributors, Trainers: trainers}
	}
	for _, v := range []splitVector{
		{Name: "nothing", Rates: d},
		{Name: "one unit", Gross: 1, Price: Price{Ask: 1}, Rates: d},
		{Name: "nineteen units", Gross: 19, Price: Price{Ask: 2, Royalty: 1}, Rates: d},
		{Name: "one answer at 20,000 and 10,000", Gross: 30_000, Price: Price{Ask: 20_000, Royalty: 10_000}, Rates: d},
		{Name: "no royalty", Gross: 999_999_999, Price: Price{Ask: 7}, Rates: d},
		{Name: "no ask", Gross: 999_999_999, Price: Price{Royalty: 7}, Rates: d},
		{Name: "the whole supply", Gross: 1_000_000_000 * fixed.OPEN, Price: Price{Ask: 3, Royalty: 1}, Rates: d},
		{Name: "the largest number", Gross: max, Price: Price{Ask: 1 << 62, Royalty: 1 << 61}, Rates: d},
		{Name: "the least takes, all royalty to contributors", Gross: 12_345, Price: Price{Ask: 1, Royalty: 2}, Rates: rates(100, 100, 100, 10_000, 0)},
		{Name: "the largest takes, half the royalty to trainers", Gross: 12_345, Price: Price{Ask: 1, Royalty: 2}, Rates: rates(1_500, 500, 500, 5_000, 5_000)},
		{Name: "no price", Gross: 1, Rates: d},
		{Name: "a price that overflows", Gross: 1, Price: Price{Ask: max, Royalty: 1}, Rates: d},
		{Name: "a take below its bound", Gross: 1, Price: Price{Ask: 1}, Rates: rates(99, 500, 500, 7_000, 3_000)},
		{Name: "a take above its bound", Gross: 1, Price: Price{Ask: 1}, Rates: rates(500, 1_501, 100, 7_000, 3_000)},
		{Name: "takes above their sum", Gross: 1, Price: Price{Ask: 1}, Rates: rates(1_000, 1_000, 501, 7_000, 3_000)},
		{Name: "contributors below half", Gross: 1, Price: Price{Ask: 1}, Rates: rates(500, 500, 500, 4_999, 5_001)},
		{Name: "contributors and trainers above a whole", Gross: 1, Price: Price{Ask: 1}, Rates: rates(500, 500, 500, 7_000, 3_001)},
	} {
		set.Splits = append(set.Splits, v.run())
	}
	const w = fixed.Amount(TotalWeight)
	for _, v := range []shareVector{
		{Name: "nobody named", Part: 5_950, Weights: []fixed.Amount{}},
		{Name: "one owner has all", Part: 5_950, Weights: []fixed.Amount{w}},
		{Name: "a tie goes to the first", Part: 1, Weights: []fixed.Amount{w / 2, w / 2}},
		{Name: "a quarter and three quarters", Part: 5_950, Weights: []fixed.Amount{w / 4, 3 * (w / 4)}},
		{Name: "two remainders, the larger first", Part: 10, Weights: []fixed.Amount{w / 8, w / 4, 5 * (w / 8)}},
		{Name: "half the weight open", Part: 9, Weights: []fixed.Amount{w / 4, w / 4}},
		{Name: "one unit of weight", Part: 1_000_000_000 * fixed.OPEN, Weights: []fixed.Amount{1}},
		{Name: "a weight of zero gets nothing", Part: 7, Weights: []fixed.Amount{0, w}},
		{Name: "weights above the total", Part: 7, Weights: []fixed.Amount{w, 1}},
		{Name: "weights that wrap", Part: 7, Weights: []fixed.Amount{1, max}},
	} {
		set.Shares = append(set.Shares, v.run())
	}
	for _, v := range []refundVector{
		{Name: "everything", Amount: 90_000, Paid: []fixed.Amount{30_000, 60_000}},
		{Name: "a part", Amount: 20_003, Paid: []fixed.Amount{10_001, 20_003}},
		{Name: "nothing", Amount: 0, Paid: []fixed.Amount{1, 2, 3}},
		{Name: "one unit among three", Amount: 1, Paid: []fixed.Amount{1, 1, 1}},
		{Name: "more than was paid", Amount: 7, Paid: []fixed.Amount{1, 2, 3}},
		{Name: "payments that wrap", Amount: 7, Paid: []fixed.Amount{max, 1}},
	} {
		set.Refunds = append(set.Refunds, v.run())
	}
	return set
}
