// SPDX-License-Identifier: Apache-2.0

package fixed

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"sort"
	"testing"

	"github.com/openledger/openledger/internal/enc"
	"pgregory.net/rapid"
)

func big64(x uint64) *big.Int { return new(big.Int).SetUint64(x) }

// edgy draws numbers that sit at borders as often as in the middle.
func edgy() *rapid.Generator[uint64] {
	return rapid.OneOf(
		rapid.SampledFrom([]uint64{0, 1, 2, 1<<32 - 1, 1 << 32, 1 << 40, 1 << 63, math.MaxUint64 - 1, math.MaxUint64}),
		rapid.Uint64(), rapid.Uint64Range(0, 100),
	)
}

// weightsWithin draws weights whose sum fits 64 bits.
func weightsWithin(t *rapid.T) []uint64 {
	n := rapid.IntRange(0, 20).Draw(t, "n")
	var out []uint64
	left := uint64(math.MaxUint64)
	for range n {
		w := min(edgy().Draw(t, "w"), left)
		out, left = append(out, w), left-w
	}
	return out
}

// naiveSplit is PAY-02 in big integers.
func naiveSplit(total uint64, weights []uint64) []*big.Int {
	w := new(big.Int)
	for _, x := range weights {
		w.Add(w, big64(x))
	}
	var parts []*big.Int
	c, before := new(big.Int), new(big.Int)
	for _, x := range weights {
		c.Add(c, big64(x))
		upTo := new(big.Int)
		if w.Sign() > 0 {
			upTo.Div(new(big.Int).Mul(big64(total), c), w)
		}
		parts, before = append(parts, new(big.Int).Sub(upTo, before)), upTo
	}
	return parts
}

// naiveHamilton is SHR-02 with exact fractions.
func naiveHamilton(pool uint64, weights []uint64) []*big.Int {
	s := new(big.Int)
	for _, x := range weights {
		s.Add(s, big64(x))
	}
	parts, left := make([]*big.Int, len(weights)), big64(pool)
	var order []int
	rest := make([]*big.Rat, len(weights))
	for i, x := range weights {
		parts[i], rest[i], order = new(big.Int), new(big.Rat), append(order, i)
		if s.Sign() > 0 {
			exact := new(big.Rat).SetFrac(new(big.Int).Mul(big64(pool), big64(x)), s)
			parts[i].Div(exact.Num(), exact.Denom())
			rest[i].Sub(exact, new(big.Rat).SetInt(parts[i]))
			left.Sub(left, parts[i])
		}
	}
	sort.SliceStable(order, func(a, b int) bool { return rest[order[a]].Cmp(rest[order[b]]) > 0 })
	for i := 0; s.Sign() > 0 && big64(uint64(i)).Cmp(left) < 0; i++ {
		parts[order[i]].Add(parts[order[i]], big.NewInt(1))
	}
	return parts
}

func TestPAY02SHR02SplitsEqualTheirNaiveTwins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total, weights := edgy().Draw(t, "total"), weightsWithin(t)
		for name, f := range map[string]struct {
			fast  func(uint64, []uint64) ([]uint64, error)
			naive func(uint64, []uint64) []*big.Int
		}{"split": {Split, naiveSplit}, "hamilton": {Hamilton, naiveHamilton}} {
			got, err := f.fast(total, weights)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			want := f.naive(total, weights)
			if len(got) != len(want) {
				t.Fatalf("%s: %d parts", name, len(got))
			}
			for i := range want {
				if big64(got[i]).Cmp(want[i]) != 0 {
					t.Fatalf("%s: part %d is %d, want %v", name, i, got[i], want[i])
				}
			}
			checkSplit(t, name, total, weights, got)
		}
	})
}

// checkSplit states the promises of PAY-02 and SHR-02 directly: the parts sum
// to the total, each is within one unit of its exact share, zero gets zero.
func checkSplit(t *rapid.T, name string, total uint64, weights, parts []uint64) {
	s, sum := new(big.Int), new(big.Int)
	for i := range weights {
		s.Add(s, big64(weights[i]))
		sum.Add(sum, big64(parts[i]))
	}
	if s.Sign() == 0 {
		if sum.Sign() != 0 {
			t.Fatalf("%s: parts without weights", name)
		}
		return
	}
	if sum.Cmp(big64(total)) != 0 {
		t.Fatalf("%s: parts sum to %v, want %d", name, sum, total)
	}
	for i := range weights {
		// |part·S − total·w| < S
		d := new(big.Int).Mul(big64(parts[i]), s)
		d.Sub(d, new(big.Int).Mul(big64(total), big64(weights[i])))
		if d.CmpAbs(s) >= 0 || (weights[i] == 0 && parts[i] != 0) {
			t.Fatalf("%s: part %d of weight %d is %d", name, i, weights[i], parts[i])
		}
	}
}

func TestSHR02EqualWeightsDifferByOneUnitAtMost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total, n := rapid.Uint64().Draw(t, "total"), rapid.IntRange(1, 30).Draw(t, "n")
		weights := make([]uint64, n)
		for i := range weights {
			weights[i] = 7
		}
		parts, err := Hamilton(total, weights)
		if err != nil {
			t.Fatal(err)
		}
		for i := 1; i < n; i++ {
			if parts[i] > parts[i-1] || parts[0]-parts[i] > 1 {
				t.Fatalf("%v", parts)
			}
		}
	})
}

func TestACC02SplitsRefuseWeightsAbove64Bits(t *testing.T) {
	for _, f := range []func(uint64, []uint64) ([]uint64, error){Split, Hamilton} {
		if parts, err := f(5, []uint64{math.MaxUint64, 1}); !errors.Is(err, ErrArith) || parts != nil {
			t.Errorf("%v, %v", parts, err)
		}
	}
}

// fits returns x as uint64, or ErrArith where it is negative or too large.
func fits(x *big.Int) (uint64, error) {
	if !x.IsUint64() {
		return 0, ErrArith
	}
	return x.Uint64(), nil
}

func TestACC02AmountsAreChecked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := edgy().Draw(t, "a"), edgy().Draw(t, "b"), edgy().Draw(t, "c")
		sum, sumErr := Add(Amount(a), Amount(b))
		dif, difErr := Sub(Amount(a), Amount(b))
		pro, proErr := Mul(Amount(a), b)
		quo, quoErr := MulDiv(a, b, c)
		product := new(big.Int).Mul(big64(a), big64(b))
		quotient := big.NewInt(-1)
		if c > 0 {
			quotient = new(big.Int).Div(product, big64(c))
		}
		for _, x := range []struct {
			op   string
			got  uint64
			err  error
			want *big.Int
		}{
			{"+", uint64(sum), sumErr, new(big.Int).Add(big64(a), big64(b))},
			{"-", uint64(dif), difErr, new(big.Int).Sub(big64(a), big64(b))},
			{"*", uint64(pro), proErr, product},
			{"*/", quo, quoErr, quotient},
		} {
			want, wantErr := fits(x.want)
			if x.got != want || !errors.Is(x.err, wantErr) {
				t.Fatalf("%d %d %d %s: %d, %v; want %d, %v", a, b, c, x.op, x.got, x.err, want, wantErr)
			}
		}
	})
}

func TestAmountTextAndEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Amount(edgy().Draw(t, "a"))
		if back, err := ParseAmount(a.String()); err != nil || back != a {
			t.Fatalf("%s came back as %d, %v", a, back, err)
		}
		text, err := json.Marshal(a)
		var back, decoded Amount
		if err != nil || json.Unmarshal(text, &back) != nil || back != a {
			t.Fatalf("%s came back as %d, %v", text, back, err)
		}
		if b := enc.Encode(a); string(b) != string(enc.Encode(uint64(a))) || enc.Decode(b, &decoded) != nil || decoded != a {
			t.Fatalf("%x is decoded as %d", b, decoded)
		}
	})
}

func TestRPC02AmountJSONIsStrict(t *testing.T) {
	for _, s := range []string{`"01"`, `"+1"`, `"-1"`, `""`, `" 1"`, `"1.0"`, `"1e3"`, `"18446744073709551616"`, `"0x1"`, `1`, `1.5`, `true`} {
		a := Amount(42)
		if err := json.Unmarshal([]byte(s), &a); err == nil || a != 42 {
			t.Errorf("%s was read as %d", s, a)
		}
	}
}

func FuzzParseAmount(f *testing.F) {
	for _, s := range append(append([]string{}, goodAmounts...), badAmounts...) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAmount(s)
		if err != nil {
			if !errors.Is(err, ErrAmount) || a != 0 {
				t.Fatalf("%q: %d, %v", s, a, err)
			}
			return
		}
		if back, err := ParseAmount(a.String()); err != nil || back != a {
			t.Fatalf("%q is %d, printed %s, read %d, %v", s, a, a, back, err)
		}
	})
}

func BenchmarkSplit1000(b *testing.B) {
	weights := make([]uint64, 1000)
	for i := range weights {
		weights[i] = uint64(i)*2_654_435_761 + 1
	}
	for b.Loop() {
		if _, err := Split(1_000_000_007, weights); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHamilton16(b *testing.B) {
	weights := make([]uint64, 16)
	for i := range weights {
		weights[i] = uint64(i)*2_654_435_761 + 1
	}
	for b.Loop() {
		if _, err := Hamilton(1<<40, weights); err != nil {
			b.Fatal(err)
		}
	}
}
