// SPDX-License-Identifier: Apache-2.0

package econ

import (
	"errors"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/fixed"
)

func TestCONS51HowMuchIsSlashed(t *testing.T) {
	for _, c := range []struct{ p, w, want uint64 }{
		{0, 100, 500}, {1, 100, 500}, {1, 60, 500}, {2, 100, 600}, {10, 100, 3_000}, {33, 100, 9_900}, {333, 1_000, 9_990},
		{1, 3, 10_000}, {34, 100, 10_000}, {100, 100, 10_000}, {1 << 60, 1 << 60, 10_000}, {1 << 62, 5, 10_000}, {1 << 58, 1 << 62, 1_875},
	} {
		if got, err := SlashBPS(c.p, c.w); err != nil || got != c.want {
			t.Errorf("%d of %d: %d, want %d, %v", c.p, c.w, got, c.want, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		w := rapid.Uint64Range(1, 1<<52).Draw(t, "w")
		p := rapid.Uint64Range(0, w).Draw(t, "p")
		got, err := SlashBPS(p, w)
		if err != nil || (got == BPS) != (3*p >= w) || got < MinSlashBPS || got > BPS {
			t.Fatalf("%d of %d: %d, %v", p, w, got, err)
		}
	})
}

// A pool against exact fractions: nobody can take out more than his exact share,
// and who buys and sells at once gains nothing.
func TestSTK01RoundingFavoursThePool(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tokens := rapid.Uint64Range(1, 1<<49).Draw(t, "tokens")
		shares := rapid.Uint64Range(tokens, tokens<<rapid.IntRange(0, 10).Draw(t, "slashed")).Draw(t, "shares")
		a := rapid.Uint64Range(1, 1<<40).Draw(t, "amount")
		bought, err := BuyShares(fixed.Amount(a), fixed.Amount(tokens), shares)
		if err != nil {
			return // beyond 64 bits
		}
		// Exactly: bought/shares <= a/tokens.
		if new(big.Rat).SetFrac(n(bought), n(shares)).Cmp(new(big.Rat).SetFrac(n(a), n(tokens))) > 0 {
			t.Fatalf("%d of %d shares for %d of %d tokens", bought, shares, a, tokens)
		}
		back, err := SellShares(bought, fixed.Amount(tokens+a), shares+bought)
		if err != nil || uint64(back) > a {
			t.Fatalf("%d became %d, %v", a, back, err)
		}
		// The others' shares are worth no less after either step.
		rest, err := SellShares(shares, fixed.Amount(tokens+a)-back, shares)
		if err != nil || uint64(rest) < tokens {
			t.Fatalf("%d tokens of the others became %d, %v", tokens, rest, err)
		}
		if all, err := SellShares(shares, fixed.Amount(tokens), shares); err != nil || uint64(all) != tokens {
			t.Fatalf("all shares are worth %d of %d", all, tokens)
		}
	})
	if _, err := SellShares(2, 5, 1); !errors.Is(err, fixed.ErrArith) {
		t.Error("more shares than there are")
	}
	if _, err := BuyShares(1, 0, 1); !errors.Is(err, fixed.ErrArith) {
		t.Error("a pool without tokens")
	}
	if s, err := BuyShares(7, 0, 0); err != nil || s != 7 {
		t.Error("an empty pool")
	}
}

func n(x uint64) *big.Int { return new(big.Int).SetUint64(x) }
