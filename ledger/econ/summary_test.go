// SPDX-License-Identifier: Apache-2.0

package econ

import (
	"errors"
	"testing"

	"github.com/openledger/openledger/internal/fixed"
	"pgregory.net/rapid"
)

func TestPAY06SummaryBalancesAfterEverySettlement(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Summary
		var gross fixed.Amount
		for range rapid.IntRange(0, 20).Draw(t, "steps") {
			x := fixed.Amount(rapid.Uint64Range(0, supply/32).Draw(t, "x"))
			gross += x
			var err error
			if rapid.Bool().Draw(t, "refund") {
				s, err = s.Refund(x)
			} else {
				split, e := SplitGross(x, drawPrice(t), DefaultRates())
				if e != nil {
					t.Fatal(e)
				}
				s, err = s.Settle(split, fixed.Amount(rapid.Uint64Range(0, uint64(split.Contributors)).Draw(t, "lines")))
			}
			if err != nil || s.Check() != nil || s.Gross != gross {
				t.Fatalf("%+v: %v", s, err)
			}
		}
	})
}

func TestPAY06SummaryRefusesWhatCannotBe(t *testing.T) {
	split, err := SplitGross(1_000, Price{Ask: 1, Royalty: 1}, DefaultRates())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (Summary{}).Settle(split, split.Contributors+1); !errors.Is(err, fixed.ErrArith) {
		t.Errorf("lines above the contributors' part: %v", err)
	}
	if _, err := (Summary{Gross: 1, Refunds: 1}).Refund(^fixed.Amount(0)); !errors.Is(err, fixed.ErrArith) {
		t.Errorf("overflow: %v", err)
	}
	if err := (Summary{Gross: 2, Burn: 1}).Check(); !errors.Is(err, fixed.ErrArith) {
		t.Errorf("unbalanced: %v", err)
	}
}
