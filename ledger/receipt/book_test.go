// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"errors"
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"testing"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger/econ"
	"pgregory.net/rapid"
)

// drawReceipts makes receipts of one offer over a few channels and owners.
func drawReceipts(t *rapid.T, p econ.Price) []Receipt {
	gross, err := p.Gross(1)
	if err != nil {
		t.Fatal(err)
	}
	var out []Receipt
	for i := range rapid.IntRange(1, 30).Draw(t, "receipts") {
		r := sample()
		r.Channel = ID{byte(i % 3)}
		r.Nonce, r.Gross, r.Cum = uint64(1+i/3), gross, gross*fixed.Amount(1+i)
		r.Attr = nil
		left := econ.TotalWeight
		for o := range byte(6) {
			if w := rapid.Uint64Range(0, left).Draw(t, "weight"); w > 0 && rapid.Bool().Draw(t, "named") {
				r.Attr = append(r.Attr, Attr{Owner: account(o), Weight: w})
				left -= w
			}
		}
		out = append(out, r)
	}
	return out
}

func drawPrice(t *rapid.T) econ.Price {
	return econ.Price{
		Ask:     fixed.Amount(rapid.OneOf(rapid.Uint64Range(1, 20), rapid.Uint64Range(1, 1<<50)).Draw(t, "ask")),
		Royalty: fixed.Amount(rapid.OneOf(rapid.Uint64Range(0, 20), rapid.Uint64Range(0, 1<<50)).Draw(t, "royalty")),
	}
}

// PAY-05, INV-05, INV-06: the claims of all payees sum to the line tree's sum,
// and with what nobody is named for to no more than the contributors' part of
// the whole.
func TestPAY05ClaimsOfAllPayeesSumToTheLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPrice(t)
		rs := drawReceipts(t, p)
		b, err := NewBook(rs, p, econ.DefaultRates())
		if err != nil {
			t.Fatal(err)
		}
		owed := map[keys.Address]fixed.Amount{}
		for _, r := range rs {
			shares, _, err := r.Shares(p, econ.DefaultRates())
			if err != nil {
				t.Fatal(err)
			}
			for j, x := range shares {
				owed[r.Attr[j].Owner] += x
			}
		}
		var sum fixed.Amount
		for _, payee := range b.Payees() {
			first, last, proof, err := b.Claim(payee)
			if err != nil {
				t.Fatal(err)
			}
			got, err := ClaimAmount(b.LineRoot, payee, first, last, proof)
			if err != nil || got != owed[payee] {
				t.Fatalf("claim %d, %v; owed %d", got, err, owed[payee])
			}
			sum += got
		}
		if len(b.Payees()) != len(owed) || uint64(sum) != b.LineRoot.Sum {
			t.Fatalf("claims sum to %d, lines to %d", sum, b.LineRoot.Sum)
		}
		whole, err := econ.SplitGross(fixed.Amount(b.ReceiptRoot.Sum), p, econ.DefaultRates())
		if err != nil || sum+b.Left > whole.Contributors {
			t.Fatalf("%d and %d exceed %d: %v", sum, b.Left, whole.Contributors, err)
		}
	})
}

func TestBookDoesNotDependOnTheOrderOfArrival(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rs := drawReceipts(t, price)
		a, err := NewBook(rs, price, econ.DefaultRates())
		if err != nil {
			t.Fatal(err)
		}
		mixed := slices.Clone(rs)
		rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed"))).Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		b, err := NewBook(mixed, price, econ.DefaultRates())
		if err != nil || !reflect.DeepEqual(a, b) {
			t.Fatalf("another book: %v", err)
		}
		for i, r := range a.Receipts {
			p, err := a.ProveReceipt(uint64(i))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Verify(a.ReceiptRoot); err != nil || string(p.Body) != string(r.Encode()) {
				t.Fatalf("receipt %d: %v", i, err)
			}
		}
	})
}

func TestRCP03BooksThatCannotBe(t *testing.T) {
	other := func(edit func(*Receipt)) []Receipt {
		r := sample()
		r.Nonce = 2
		edit(&r)
		return []Receipt{sample(), r}
	}
	for _, c := range []struct {
		name string
		list []Receipt
		err  error
	}{
		{"no receipts", nil, ErrBook},
		{"two receipts of one voucher", other(func(r *Receipt) { r.Nonce, r.TimeMS = 1, 5 }), ErrBook},
		{"two offers", other(func(r *Receipt) { r.Offer[0]++ }), ErrBook},
		{"two models", other(func(r *Receipt) { r.Model[0]++ }), ErrBook},
		{"a malformed receipt", other(func(r *Receipt) { r.Units = 0 }), ErrFormat},
		{"a wrong price", other(func(r *Receipt) { r.Gross++; r.Cum++ }), ErrPrice},
		{"one nonce on two channels is fine", other(func(r *Receipt) { r.Nonce, r.Channel = 1, ID{1} }), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := NewBook(c.list, price, econ.DefaultRates()); !errors.Is(err, c.err) {
				t.Fatalf("got %v, want %v", err, c.err)
			}
		})
	}
}

// story is a book in which account 1 has lines 0..2, account 2 has 3..5 and
// account 3 has 6.
func story(t testing.TB) *Book {
	t.Helper()
	var rs []Receipt
	for i := range uint64(3) {
		r := sample()
		r.Nonce, r.Cum = i+1, fixed.Amount(i+1)*r.Gross
		if i == 2 {
			r.Attr = append(slices.Clone(r.Attr), Attr{Owner: account(3), Weight: 1 << 30})
			r.Attr[1].Weight -= 1 << 30
		}
		rs = append(rs, r)
	}
	b, err := NewBook(rs, price, econ.DefaultRates())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPAY05EveryReasonToRefuseAClaim(t *testing.T) {
	b := story(t)
	leaves := lineLeaves(b.Lines)
	run := func(first, last uint64) RangeProof {
		p, err := merkle.ProveSumRange(leaves, first, last)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, c := range []struct {
		name        string
		payee       keys.Address
		first, last uint64
		proof       RangeProof
		want        fixed.Amount
		err         error
	}{
		{"the whole run at the start", account(1), 0, 2, run(0, 2), 1_488 + 1_488 + 1_487, nil},
		{"the whole run in the middle", account(2), 3, 5, run(3, 5), 4_462 + 4_462 + 4_457, nil},
		{"the one line at the end", account(3), 6, 6, run(6, 6), 6, nil},
		{"a run cut at its end", account(1), 0, 1, run(0, 1), 0, ErrRange},
		{"a run cut at its start", account(2), 4, 5, run(4, 5), 0, ErrRange},
		{"a run that takes a neighbour's line", account(1), 0, 3, run(0, 3), 0, ErrRange},
		{"another payee's run", account(3), 3, 5, run(3, 5), 0, ErrRange},
		{"other indices than proven", account(1), 0, 1, run(0, 2), 0, ErrRange},
		{"a missing neighbour", account(2), 3, 5, func() RangeProof { p := run(3, 5); p.After = nil; return p }(), 0, merkle.ErrShape},
		{"a superfluous last line", account(3), 6, 6, func() RangeProof { p := run(6, 6); p.Last = &p.First; return p }(), 0, merkle.ErrShape},
		{"a larger sum in the leaf", account(3), 6, 6, func() RangeProof { p := run(6, 6); p.First.Sum++; return p }(), 0, merkle.ErrRoot},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ClaimAmount(b.LineRoot, c.payee, c.first, c.last, c.proof)
			if !errors.Is(err, c.err) || got != c.want {
				t.Fatalf("got %d, %v; want %d, %v", got, err, c.want, c.err)
			}
		})
	}
}

// A leaf whose counted sum is not the amount its line names is no line at all,
// even if the operator committed to it.
func TestRCP06LeafSumMustBeTheLinesAmount(t *testing.T) {
	l := Line{Payee: account(1), Amount: 5}
	leaves := []merkle.SumLeaf{{Sum: 6, Body: l.Encode()}}
	root, err := merkle.SumTree(leaves)
	if err != nil {
		t.Fatal(err)
	}
	p, err := merkle.ProveSumRange(leaves, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ClaimAmount(root, account(1), 0, 0, p); !errors.Is(err, ErrRange) {
		t.Fatal(err)
	}
}

func TestTST01EverySingleBitOfAClaimProofCounts(t *testing.T) {
	b := story(t)
	first, last, proof, err := b.Claim(account(2))
	if err != nil {
		t.Fatal(err)
	}
	good := enc.Encode(proof)
	for i := range 8 * len(good) {
		m := slices.Clone(good)
		m[i/8] ^= 1 << (i % 8)
		var p RangeProof
		if enc.Decode(m, &p) != nil {
			continue
		}
		if got, err := ClaimAmount(b.LineRoot, account(2), first, last, p); err == nil {
			t.Fatalf("bit %d of byte %d changes nothing (%d)", i%8, i/8, got)
		}
	}
}

func TestTST01EverySingleBitOfAReceiptChangesTheRoot(t *testing.T) {
	b := story(t)
	good := b.Receipts[1].Encode()
	p, err := b.ProveReceipt(1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 * len(good) {
		p.Body = slices.Clone(good)
		p.Body[i/8] ^= 1 << (i % 8)
		if _, err := p.Verify(b.ReceiptRoot); err == nil {
			t.Fatalf("bit %d of byte %d changes nothing", i%8, i/8)
		}
	}
}

func TestAPayeeWithoutLinesHasNoClaim(t *testing.T) {
	if _, _, _, err := story(t).Claim(account(9)); !errors.Is(err, ErrNone) {
		t.Fatal(err)
	}
}

func FuzzClaimAmount(f *testing.F) {
	b := story(f)
	for _, payee := range b.Payees() {
		_, _, p, err := b.Claim(payee)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(enc.Encode(p), uint64(0), uint64(2))
	}
	f.Fuzz(func(t *testing.T, raw []byte, first, last uint64) {
		var p RangeProof
		if enc.Decode(raw, &p) != nil {
			return
		}
		for _, payee := range b.Payees() {
			got, err := ClaimAmount(b.LineRoot, payee, first, last, p)
			if err != nil {
				continue
			}
			from, to, _ := b.Run(payee)
			if from != first || to != last {
				t.Fatalf("a claim of %d over lines %d to %d", got, first, last)
			}
		}
	})
}

func BenchmarkClaim(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("lines=%d", 2*n), func(b *testing.B) {
			rs := make([]Receipt, n)
			for i := range rs {
				rs[i] = sample()
				rs[i].Nonce = uint64(i)
			}
			book, err := NewBook(rs, price, econ.DefaultRates())
			if err != nil {
				b.Fatal(err)
			}
			first, last, p, err := book.Claim(account(2))
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := ClaimAmount(book.LineRoot, account(2), first, last, p); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(enc.Encode(p))), "proof-bytes")
		})
	}
}
