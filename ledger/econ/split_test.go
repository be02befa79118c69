// SPDX-License-Identifier: Apache-2.0

package econ

import (
	"errors"
	"math/big"
	"testing"

	"github.com/openledger/openledger/internal/fixed"
	"pgregory.net/rapid"
)

const supply = 1_000_000_000 * uint64(fixed.OPEN)

func (s Split) parts() []fixed.Amount {
	return []fixed.Amount{s.Contributors, s.Trainer, s.Operator, s.Burn, s.Treasury, s.Validators}
}

func total(parts []fixed.Amount) (sum fixed.Amount) {
	for _, p := range parts {
		sum += p
	}
	return sum
}

func TestPAY01SplitOfKnownAmounts(t *testing.T) {
	for _, c := range []struct {
		name    string
		gross   fixed.Amount
		price   Price
		want    Split
		wantErr error
	}{
		{"ten thousand units divide without dust", 10_000, Price{Ask: 3, Royalty: 1},
			Split{Contributors: 1_487, Trainer: 638, Operator: 6_375, Burn: 500, Treasury: 500, Validators: 500}, nil},
		{"one unit goes to whoever the last prefix reaches", 1, Price{Ask: 1, Royalty: 1},
			Split{Validators: 1}, nil},
		{"a model without royalty pays no contributor", 2_000, Price{Ask: 2_000},
			Split{Operator: 1_700, Burn: 100, Treasury: 100, Validators: 100}, nil},
		{"an offer without ask pays the operator nothing", 2_000, Price{Royalty: 2_000},
			Split{Contributors: 1_190, Trainer: 510, Burn: 100, Treasury: 100, Validators: 100}, nil},
		{"nothing splits into nothing", 0, Price{}, Split{}, nil},
		{"money without a price is refused", 5, Price{}, Split{}, ErrPrice},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := SplitGross(c.gross, c.price, DefaultRates())
			if !errors.Is(err, c.wantErr) {
				t.Fatalf("error %v, want %v", err, c.wantErr)
			}
			if err == nil {
				c.want.Gross = c.gross
			}
			if got != c.want {
				t.Fatalf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestPAY01RatesHaveBounds(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*Rates)
		ok   bool
	}{
		{"the defaults are in bounds", func(*Rates) {}, true},
		{"takes may sum to a quarter", func(r *Rates) { r.Burn, r.Treasury, r.Validators = 1_500, 900, 100 }, true},
		{"a take below one percent is refused", func(r *Rates) { r.Burn = 99 }, false},
		{"a take above fifteen percent is refused", func(r *Rates) { r.Validators = 1_501 }, false},
		{"takes above a quarter are refused", func(r *Rates) { r.Burn, r.Treasury, r.Validators = 1_000, 1_000, 501 }, false},
		{"contributors below half are refused", func(r *Rates) { r.Contributors, r.Trainers = 4_999, 5_001 }, false},
		{"contributors and trainers must make a whole", func(r *Rates) { r.Trainers = 2_999 }, false},
		{"a rate that wraps around is refused", func(r *Rates) { r.Contributors, r.Trainers = BPS+1, ^uint64(0) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := DefaultRates()
			c.edit(&r)
			if err := r.Check(); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrRates) {
				t.Fatalf("got %v", err)
			}
			if _, err := SplitGross(10, Price{Ask: 1}, r); (err == nil) != c.ok {
				t.Fatalf("SplitGross: %v", err)
			}
		})
	}
}

func drawRates(t *rapid.T) Rates {
	take := rapid.Uint64Range(MinTakeBPS, MaxTakeSum/3)
	c := rapid.Uint64Range(BPS/2, BPS).Draw(t, "contributors")
	return Rates{Burn: take.Draw(t, "burn"), Treasury: take.Draw(t, "treasury"), Validators: take.Draw(t, "validators"),
		Contributors: c, Trainers: BPS - c}
}

func drawPrice(t *rapid.T) Price {
	x := rapid.OneOf(rapid.Uint64Range(0, 50), rapid.Uint64Range(0, supply))
	p := Price{Ask: fixed.Amount(x.Draw(t, "ask")), Royalty: fixed.Amount(x.Draw(t, "royalty"))}
	if p.Ask == 0 && p.Royalty == 0 {
		p.Ask = 1
	}
	return p
}

func drawAmount(t *rapid.T, name string) fixed.Amount {
	return fixed.Amount(rapid.OneOf(rapid.Uint64Range(0, 100), rapid.Uint64Range(0, supply)).Draw(t, name))
}

func TestINV05SplitSumsToItsInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawAmount(t, "gross")
		s, err := SplitGross(g, drawPrice(t), drawRates(t))
		if err != nil {
			t.Fatal(err)
		}
		if got := total(s.parts()); got != g || s.Gross != g {
			t.Fatalf("%+v sums to %d, want %d", s, got, g)
		}
	})
}

// The reference: exact rational shares. A part of the i-th nested split may be
// off by one unit per level.
func TestPAY01SplitIsWithinThreeUnitsOfTheExactShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, p, r := drawAmount(t, "gross"), drawPrice(t), drawRates(t)
		s, err := SplitGross(g, p, r)
		if err != nil {
			t.Fatal(err)
		}
		exact := func(num, den uint64) *big.Rat {
			return new(big.Rat).SetFrac(new(big.Int).SetUint64(num), new(big.Int).SetUint64(den))
		}
		price := uint64(p.Ask + p.Royalty)
		mul := func(xs ...*big.Rat) *big.Rat {
			out := exact(uint64(g), 1)
			for _, x := range xs {
				out.Mul(out, x)
			}
			return out
		}
		rest, roy := exact(BPS-r.take(), BPS), exact(uint64(p.Royalty), price)
		want := []*big.Rat{
			mul(rest, roy, exact(r.Contributors, BPS)), mul(rest, roy, exact(r.Trainers, BPS)), mul(rest, exact(uint64(p.Ask), price)),
			mul(exact(r.Burn, BPS)), mul(exact(r.Treasury, BPS)), mul(exact(r.Validators, BPS)),
		}
		for i, got := range s.parts() {
			diff := new(big.Rat).Sub(exact(uint64(got), 1), want[i])
			if diff.Abs(diff).Cmp(exact(3, 1)) > 0 {
				t.Fatalf("part %d is %d, exactly %s", i, got, want[i].FloatString(3))
			}
		}
	})
}

func TestPAY01ContributorsOfPartsFitIntoContributorsOfTheSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, r := drawPrice(t), drawRates(t)
		var sum, parts fixed.Amount
		for _, g := range rapid.SliceOfN(rapid.Uint64Range(0, supply/64), 1, 40).Draw(t, "receipts") {
			s, err := SplitGross(fixed.Amount(g), p, r)
			if err != nil {
				t.Fatal(err)
			}
			sum, parts = sum+fixed.Amount(g), parts+s.Contributors
		}
		whole, err := SplitGross(sum, p, r)
		if err != nil {
			t.Fatal(err)
		}
		if parts > whole.Contributors {
			t.Fatalf("parts %d, whole %d", parts, whole.Contributors)
		}
	})
}

func TestPriceOverflowIsAnError(t *testing.T) {
	for _, p := range []Price{{Ask: 1 << 63, Royalty: 1 << 63}, {Ask: 1 << 62}} {
		if _, err := p.Gross(4); !errors.Is(err, fixed.ErrArith) {
			t.Fatalf("%+v: %v", p, err)
		}
	}
}
