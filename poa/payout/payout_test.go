// SPDX-License-Identifier: Apache-2.0

package payout

import (
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/poa"
	"github.com/openledger/openledger/poa/knn"
)

func bigs(x ...int64) []*big.Int {
	out := make([]*big.Int, len(x))
	for i, v := range x {
		out[i] = big.NewInt(v)
	}
	return out
}

func TestHamilton(t *testing.T) {
	for _, c := range []struct {
		name    string
		pool    int64
		weights []int64
		want    []int64
	}{
		{"shares without a rest", 10, []int64{1, 4}, []int64{2, 8}},
		{"equal rests go to the lower index", 10, []int64{1, 1, 1}, []int64{4, 3, 3}},
		{"the largest rest comes first", 10, []int64{50, 35, 15}, []int64{5, 4, 1}},
		{"a rest beats an index", 1, []int64{1, 2}, []int64{0, 1}},
		{"zero weights get nothing", 7, []int64{0, 3, 0}, []int64{0, 7, 0}},
		{"negative weights get nothing", 7, []int64{-5, 3}, []int64{0, 7}},
		{"no positive weight, nothing is split", 7, []int64{0, -1}, []int64{0, 0}},
		{"an empty pool", 0, []int64{3, 4}, []int64{0, 0}},
		{"more payees than units", 2, []int64{1, 1, 1, 1}, []int64{1, 1, 0, 0}},
		{"nobody", 5, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Hamilton(big.NewInt(c.pool), bigs(c.weights...))
			for i, w := range c.want {
				if got[i].Int64() != w {
					t.Errorf("part %d is %v, want %d", i, got[i], w)
				}
			}
		})
	}
}

// TestHamiltonProperties checks SHR-02 over weights of up to 256 bits: the sum,
// the quota, the order of rests, and that names do not matter.
func TestHamiltonProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "n")
		size := rapid.SampledFrom([]int{1, 8, 32}).Draw(t, "bytes")
		number := func(name string) *big.Int {
			return new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 0, size).Draw(t, name))
		}
		pool, sum := number("pool"), new(big.Int)
		weights := make([]*big.Int, n)
		for i := range weights {
			weights[i] = number("w")
			sum.Add(sum, weights[i])
		}
		parts := Hamilton(pool, weights)
		total := new(big.Int)
		rest := make([]*big.Int, n)
		extra := make([]bool, n)
		for i, p := range parts {
			total.Add(total, p)
			if sum.Sign() == 0 {
				continue
			}
			q, r := new(big.Int).QuoRem(new(big.Int).Mul(pool, weights[i]), sum, new(big.Int))
			rest[i] = r
			d := new(big.Int).Sub(p, q)
			if d.Sign() < 0 || d.Cmp(big.NewInt(1)) > 0 || p.Sign() > 0 && weights[i].Sign() == 0 {
				t.Fatalf("part %d is %v, its quota %v", i, p, q)
			}
			extra[i] = d.Sign() > 0
		}
		if sum.Sign() == 0 {
			if total.Sign() != 0 {
				t.Fatal("paid without weights")
			}
			return
		}
		if total.Cmp(pool) != 0 {
			t.Fatalf("parts sum to %v, the pool is %v", total, pool)
		}
		for i := range parts {
			for j := range parts {
				if extra[j] && !extra[i] && (rest[i].Cmp(rest[j]) > 0 || rest[i].Cmp(rest[j]) == 0 && i < j) {
					t.Fatalf("part %d got a unit before %d", j, i)
				}
			}
		}
	})
}

func TestHamiltonAgreesWithTheFastPath(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 9).Draw(t, "n")
		pool := rapid.Uint64().Draw(t, "pool")
		small := make([]uint64, n)
		wide := make([]*big.Int, n)
		for i := range small {
			small[i] = rapid.Uint64Max(1<<60).Draw(t, "w")
			wide[i] = new(big.Int).SetUint64(small[i])
		}
		fast, err := fixed.Hamilton(pool, small)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range Hamilton(new(big.Int).SetUint64(pool), wide) {
			if p.Uint64() != fast[i] {
				t.Fatalf("part %d: %v and %d", i, p, fast[i])
			}
		}
	})
}

func TestWeights(t *testing.T) {
	neg := knn.Wide{Hi: -1, Lo: ^uint64(0)} // −1
	for _, c := range []struct {
		name   string
		totals []knn.Wide
		want   []uint64
		why    []poa.Reason
	}{
		{"in proportion", []knn.Wide{{Lo: 1}, {Lo: 3}}, []uint64{poa.W / 4, poa.W * 3 / 4}, []poa.Reason{poa.ReasonNone, poa.ReasonNone}},
		{"negative totals are clipped", []knn.Wide{{Lo: 1}, neg, {}}, []uint64{poa.W, 0, 0}, []poa.Reason{poa.ReasonNone, poa.ReasonNegative, poa.ReasonNegative}},
		{"nobody helped", []knn.Wide{neg, {}}, []uint64{0, 0}, []poa.Reason{poa.ReasonUnattributed, poa.ReasonUnattributed}},
		{"totals past 64 bits", []knn.Wide{{Hi: 1}, {Hi: 3}}, []uint64{poa.W / 4, poa.W * 3 / 4}, []poa.Reason{0, 0}},
		{"sums past 64 bits", []knn.Wide{{Lo: 1 << 63}, {Lo: 1 << 63}}, []uint64{poa.W / 2, poa.W / 2}, []poa.Reason{0, 0}},
		{"a speck beside a mountain", []knn.Wide{{Lo: 1}, {Hi: 1 << 60}}, []uint64{0, poa.W}, []poa.Reason{poa.ReasonBelowResolution, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, attributed := Weights(c.totals)
			if !slices.Equal(got, c.want) || attributed != (c.why[0] != poa.ReasonUnattributed) {
				t.Errorf("got %v %v, want %v", got, attributed, c.want)
			}
			for i, want := range c.why {
				if r := Why(c.totals, got, i); r != want {
					t.Errorf("owner %d: %v, want %v", i, r, want)
				}
			}
		})
	}
}

func TestTop(t *testing.T) {
	for _, c := range []struct {
		name    string
		weights []uint64
		n       int
		want    []Part
	}{
		{"all that have a weight, by owner", []uint64{3, 0, 9}, 16, []Part{{0, 3}, {2, 9}}},
		{"the largest stay", []uint64{3, 7, 9}, 2, []Part{{1, 7}, {2, 9}}},
		{"ties go to the lower owner", []uint64{5, 5, 5}, 2, []Part{{0, 5}, {1, 5}}},
		{"nobody", []uint64{0, 0}, 16, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Top(c.weights, c.n); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestParseFile(t *testing.T) {
	one := new(big.Int).Lsh(big.NewInt(1), 40)
	times := func(n int64) *big.Int { return new(big.Int).Mul(one, big.NewInt(n)) }
	huge, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	for _, c := range []struct {
		name, text string
		weights    []*big.Int
		owners     []string
	}{
		{"a list", "[1, 2]", []*big.Int{one, times(2)}, nil},
		{"a list under its name", `{"weights":[-3]}`, []*big.Int{times(-3)}, nil},
		{"owners in the order of the file", `{"b":1,"a":2}`, []*big.Int{one, times(2)}, []string{"b", "a"}},
		{"an owner called weights", `{"weights":1}`, []*big.Int{one}, []string{"weights"}},
		{"escapes in a name", `{"\u00e9\n":1}`, []*big.Int{one}, []string{"é\n"}},
		{"decimals", "[0.5,1e2,2.5e-1]", []*big.Int{big.NewInt(1 << 39), times(100), big.NewInt(1 << 38)}, nil},
		{"halves to even", "[4.547473508864641189575195312500000e-13,1.3642420526593923568725585937500000e-12,-4.5474735088646411895751953125e-13]", bigs(0, 2, 0), nil},
		{"large integers", "[123456789012345678901234567890]", []*big.Int{new(big.Int).Lsh(huge, 40)}, nil},
		{"white space", " [ 1 ]\n", []*big.Int{one}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := ParseFile([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(f.Owners, c.owners) || len(f.Weights) != len(c.weights) {
				t.Fatalf("got %v %q", f.Weights, f.Owners)
			}
			for i, w := range c.weights {
				if f.Weights[i].Cmp(w) != 0 {
					t.Errorf("weight %d is %v, want %v", i, f.Weights[i], w)
				}
			}
		})
	}
}

var refusedFiles = []struct{ name, text, err string }{
	{"nothing", "", "1: column 1: expected a JSON array or object of weights"},
	{"a number", "5", "1: column 1: expected a JSON array or object of weights"},
	{"an empty list", "[]", "1: column 1: no weights"},
	{"an empty object", " {}", "1: column 1: no weights"},
	{"an empty list under its name", `{"weights":[]}`, "1: column 1: no weights"},
	{"text for a number", `["1"]`, `1: column 2: expected a number, found '"'`},
	{"not a number", "[1,\nNaN]", "2: column 1: number is not finite"},
	{"infinity", "[1,-inf]", "1: column 4: number is not finite"},
	{"a list inside", "[[1]]", "1: column 2: expected a number, found '['"},
	{"weights beside others", `{"a":1,"weights":[1]}`, "1: column 18: expected a number, found '['"},
	{"others beside weights", `{"weights":[1],"a":1}`, "1: column 15: expected '}', found ','"},
	{"an owner twice", `{"a":1,"\u0061":1}`, `1: column 8: "a" appears twice`},
	{"no colon", `{"a" 1}`, `1: column 6: expected ':', found "1"`},
	{"a name without quotes", `{a:1}`, `1: column 2: expected '"', found "a"`},
	{"cut in a name", `{"a`, `1: column 2: a string that does not end`},
	{"cut in an escape", `{"a\`, `1: column 2: a string that does not end`},
	{"a raw line end in a name", "{\"a\nb\":1}", `1: column 2: not a valid string`},
	{"cut", "[1,2", "1: column 5: expected ',' or ']', found the end"},
	{"a comma at the end", "[1,]", "1: column 4: a comma before ']'"},
	{"two values", "[1] [2]", "1: column 5: text after the end: '['"},
	{"too many digits", "[" + strings.Repeat("1", 10_001) + "]", "1: column 2: a number of more than 10000 digits"},
	{"a huge exponent", "[1e5000]", "1: column 2: the exponent of 1e5000 is outside ±400"},
}

func TestParseFileRefuses(t *testing.T) {
	for _, c := range refusedFiles {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseFile([]byte(c.text))
			if err == nil || err.Error() != c.err || !errors.Is(err, poa.ErrInput) {
				t.Errorf("got  %v\nwant %v", err, c.err)
			}
		})
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add([]byte(`[1,0.5,-2e3]`))
	f.Add([]byte(`{"weights":[1,2]}`))
	f.Add([]byte(`{"a":1,"\u00e9":2.5}`))
	for _, c := range refusedFiles {
		f.Add([]byte(c.text))
	}
	pool := big.NewInt(1_000_003)
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := ParseFile(b)
		if err != nil {
			var at *poa.ScanError
			if !errors.As(err, &at) || at.Line < 1 || at.Column < 1 || strings.ContainsAny(at.Reason, "\r\n") {
				t.Fatalf("an error that is not one line with a place: %q", err)
			}
			return
		}
		s := w.Divide(pool)
		if new(big.Int).Add(s.Total, s.Unallocated).Cmp(pool) != 0 || s.Total.Sign() != 0 && s.Unallocated.Sign() != 0 {
			t.Fatalf("paid %v, left %v of %v", s.Total, s.Unallocated, pool)
		}
	})
}
