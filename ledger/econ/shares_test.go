// SPDX-License-Identifier: Apache-2.0

package econ

import (
	"errors"
	"slices"
	"testing"

	"github.com/openledger/openledger/internal/fixed"
	"pgregory.net/rapid"
)

func TestSHR05SharesOfKnownLists(t *testing.T) {
	const w = TotalWeight
	for _, c := range []struct {
		name    string
		part    fixed.Amount
		weights []uint64
		want    []fixed.Amount
		left    fixed.Amount
		err     error
	}{
		{"a full list leaves nothing", 10, []uint64{w / 2, w / 4, w / 4}, []fixed.Amount{5, 3, 2}, 0, nil},
		{"a tie goes to the lower index", 1, []uint64{w / 2, w / 2}, []fixed.Amount{1, 0}, 0, nil},
		{"half a list leaves half", 10, []uint64{w / 4, w / 4}, []fixed.Amount{3, 2}, 5, nil},
		{"an empty list leaves all", 10, nil, []fixed.Amount{}, 10, nil},
		{"one unit of weight below W leaves the dust", 7, []uint64{w - 1}, []fixed.Amount{6}, 1, nil},
		{"weights above W are refused", 10, []uint64{w, 1}, nil, 0, ErrWeights},
		{"weights that wrap are refused", 10, []uint64{1, ^uint64(0)}, nil, 0, ErrWeights},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, left, err := Shares(c.part, c.weights)
			if !errors.Is(err, c.err) || !slices.Equal(got, c.want) || left != c.left {
				t.Fatalf("got %v left %d error %v", got, left, err)
			}
		})
	}
}

func drawWeights(t *rapid.T) []uint64 {
	n := rapid.IntRange(0, 16).Draw(t, "owners")
	left, out := TotalWeight, make([]uint64, n)
	for i := range out {
		out[i] = rapid.Uint64Range(0, left).Draw(t, "weight")
		left -= out[i]
	}
	return out
}

func TestINV05SharesSumToTheirInputAndFollowTheWeights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part, weights := drawAmount(t, "part"), drawWeights(t)
		shares, left, err := Shares(part, weights)
		if err != nil {
			t.Fatal(err)
		}
		if total(shares)+left != part {
			t.Fatalf("%v and %d do not sum to %d", shares, left, part)
		}
		for i := range weights {
			if weights[i] == 0 && shares[i] != 0 {
				t.Fatalf("weight 0 was paid %d", shares[i])
			}
			for j := range i {
				if weights[i] > weights[j] && shares[i] < shares[j] {
					t.Fatalf("weights %d > %d, shares %d < %d", weights[i], weights[j], shares[i], shares[j])
				}
			}
		}
	})
}

func TestPAY02RefundIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var paid []fixed.Amount
		var sum fixed.Amount
		for _, p := range rapid.SliceOfN(rapid.Uint64Range(1, supply/256), 1, 20).Draw(t, "paid") {
			paid, sum = append(paid, fixed.Amount(p)), sum+fixed.Amount(p)
		}
		back := fixed.Amount(rapid.Uint64Range(0, uint64(sum)).Draw(t, "back"))
		got, err := Refund(back, paid)
		if err != nil || total(got) != back {
			t.Fatalf("%v sums to %d, want %d: %v", got, total(got), back, err)
		}
		for i := range got {
			if got[i] > paid[i]+1 {
				t.Fatalf("payer %d paid %d and gets %d", i, paid[i], got[i])
			}
		}
		if all, err := Refund(sum, paid); err != nil || !slices.Equal(all, paid) {
			t.Fatalf("full refund %v of %v: %v", all, paid, err)
		}
		if _, err := Refund(sum+1, paid); !errors.Is(err, fixed.ErrArith) {
			t.Fatalf("refund above what was paid: %v", err)
		}
	})
}

func FuzzSplitGross(f *testing.F) {
	f.Add(uint64(1), uint64(1), uint64(1))
	f.Add(^uint64(0), ^uint64(0), ^uint64(0))
	f.Fuzz(func(t *testing.T, gross, ask, royalty uint64) {
		s, err := SplitGross(fixed.Amount(gross), Price{Ask: fixed.Amount(ask), Royalty: fixed.Amount(royalty)}, DefaultRates())
		if err == nil && total(s.parts()) != fixed.Amount(gross) {
			t.Fatalf("%+v", s)
		}
	})
}

func BenchmarkSplitGross(b *testing.B) {
	p, r := Price{Ask: 20_000, Royalty: 10_000}, DefaultRates()
	for b.Loop() {
		if _, err := SplitGross(30_000, p, r); err != nil {
			b.Fatal(err)
		}
	}
}
