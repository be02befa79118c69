// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/econ"
	"pgregory.net/rapid"
)

var (
	operator = keys.FromSeed([32]byte{7})
	chainID  = [32]byte{0x11}
	price    = econ.Price{Ask: 20_000, Royalty: 10_000}
)

func account(i byte) keys.Address { return keys.Address{31: i} }

func sample() Receipt {
	return Receipt{
		Offer: ID{0x0f}, Channel: ID{0xc0}, Nonce: 1, Cum: 30_000, ReqCommit: ID{1}, RespCommit: ID{2},
		Units: 1, Gross: 30_000, TimeMS: 1_700_000_000_000, Rule: Rule, Model: ID{0x0d},
		Attr: []Attr{{Owner: account(1), Weight: econ.TotalWeight / 4}, {Owner: account(2), Weight: 3 * (econ.TotalWeight / 4)}},
	}
}

func TestRCP01EveryReasonToRefuseAReceipt(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(r *Receipt)
		err  error
	}{
		{"a good receipt is accepted", func(*Receipt) {}, nil},
		{"a receipt may name nobody", func(r *Receipt) { r.Attr = nil }, nil},
		{"a receipt may leave weight open", func(r *Receipt) { r.Attr = r.Attr[:1] }, nil},
		{"two units are refused", func(r *Receipt) { r.Units = 2 }, ErrFormat},
		{"a free answer is refused", func(r *Receipt) { r.Gross = 0 }, ErrFormat},
		{"a gross above cum is refused", func(r *Receipt) { r.Cum = 29_999 }, ErrFormat},
		{"another rule is refused", func(r *Receipt) { r.Rule = "poa/2" }, ErrFormat},
		{"unsorted owners are refused", func(r *Receipt) { slices.Reverse(r.Attr) }, ErrFormat},
		{"an owner named twice is refused", func(r *Receipt) { r.Attr[1].Owner = r.Attr[0].Owner }, ErrFormat},
		{"a zero weight is refused", func(r *Receipt) { r.Attr[0].Weight = 0 }, ErrFormat},
		{"weights above the total are refused", func(r *Receipt) { r.Attr[0].Weight++ }, ErrFormat},
		{"weights that wrap are refused", func(r *Receipt) { r.Attr[0].Weight = ^uint64(0) }, ErrFormat},
		{"seventeen owners are refused", func(r *Receipt) { r.Attr = owners(17) }, ErrFormat},
		{"sixteen owners are accepted", func(r *Receipt) { r.Attr = owners(16) }, nil},
		{"another price is refused", func(r *Receipt) { r.Gross-- }, ErrPrice},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := sample()
			c.edit(&r)
			if _, _, err := r.Shares(price, econ.DefaultRates()); !errors.Is(err, c.err) {
				t.Fatalf("got %v, want %v", err, c.err)
			}
			if errors.Is(c.err, ErrFormat) && Sign(operator, chainID, r).Verify(chainID, operatorAddr()) == nil {
				t.Fatal("its signature is accepted")
			}
		})
	}
}

func owners(n int) (out []Attr) {
	for i := range n {
		out = append(out, Attr{Owner: account(byte(i)), Weight: 1})
	}
	return out
}

func operatorAddr() keys.Address { return keys.SingleAuth(operator.Public()).Address() }

func TestReceiptIsBoundToOperatorAndChain(t *testing.T) {
	s := Sign(operator, chainID, sample())
	if err := s.Verify(chainID, operatorAddr()); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]error{
		"another chain":    s.Verify([32]byte{}, operatorAddr()),
		"another operator": s.Verify(chainID, account(9)),
		"another key":      Sign(keys.FromSeed([32]byte{8}), chainID, sample()).Verify(chainID, operatorAddr()),
	} {
		if !errors.Is(bad, ErrSignature) {
			t.Errorf("%s: %v", name, bad)
		}
	}
}

func TestReceiptRoundTripsAsBytesAndText(t *testing.T) {
	s := Sign(operator, chainID, sample())
	got, err := Decode(enc.Encode(s))
	if err != nil || !reflect.DeepEqual(got, s) {
		t.Fatalf("%+v, %v", got, err)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back SignedReceipt
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, s) {
		t.Fatalf("%s: %v", text, err)
	}
}

func TestEverySingleBitOfASignedReceiptCounts(t *testing.T) {
	b := enc.Encode(Sign(operator, chainID, sample()))
	for i := range 8 * len(b) {
		m := slices.Clone(b)
		m[i/8] ^= 1 << (i % 8)
		s, err := Decode(m)
		if err == nil {
			err = s.Verify(chainID, operatorAddr())
		}
		if err == nil {
			t.Fatalf("bit %d of byte %d changes nothing", i%8, i/8)
		}
	}
}

func TestPendingRemembersWhoPaid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p Pending
		want := map[keys.Address]fixed.Amount{}
		for range rapid.IntRange(0, 40).Draw(t, "redeems") {
			who, x := account(byte(rapid.IntRange(0, 5).Draw(t, "payer"))), fixed.Amount(rapid.Uint64Range(1, 100).Draw(t, "x"))
			next, ok, err := p.Add(who, x)
			if !ok || err != nil {
				t.Fatal(ok, err)
			}
			p, want[who] = next, want[who]+x
		}
		var sum fixed.Amount
		for i, x := range p.Parts {
			if want[x.Payer] != x.Amount || i > 0 && p.Parts[i-1].Payer.Compare(x.Payer) >= 0 {
				t.Fatalf("%+v, want %v", p.Parts, want)
			}
			sum += x.Amount
		}
		if len(p.Parts) != len(want) || sum != p.Total {
			t.Fatalf("%+v", p)
		}
	})
}

func TestPendingHasRoomFor256Payers(t *testing.T) {
	var p Pending
	for i := range MaxPayers {
		p, _, _ = p.Add(keys.Address{0: byte(i), 1: 1}, 1)
	}
	if _, ok, err := p.Add(keys.Address{1: 2}, 1); ok || err != nil {
		t.Fatalf("payer 257 is accepted (%v)", err)
	}
	if q, ok, err := p.Add(keys.Address{1: 1}, 1); !ok || err != nil || q.Total != MaxPayers+1 || p.Total != MaxPayers {
		t.Fatalf("a known payer is refused: %v %v", ok, err)
	}
	if _, _, err := p.Add(keys.Address{1: 1}, ^fixed.Amount(0)); !errors.Is(err, fixed.ErrArith) {
		t.Fatalf("overflow: %v", err)
	}
}

func TestRCP04MinBondIsASixteenthRoundedUp(t *testing.T) {
	for sum, want := range map[fixed.Amount]fixed.Amount{0: 0, 1: 1, 16: 1, 17: 2, 30_000: 1_875, ^fixed.Amount(0): 1 << 60} {
		if got := MinBond(sum); got != want {
			t.Errorf("MinBond(%d) = %d, want %d", sum, got, want)
		}
	}
}

func FuzzDecodeReceipt(f *testing.F) {
	f.Add(enc.Encode(Sign(operator, chainID, sample())))
	f.Add([]byte{0x83, 0x8c})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Decode(b)
		if err != nil {
			return
		}
		if string(enc.Encode(s)) != string(b) {
			t.Fatalf("two encodings of %+v", s)
		}
		_ = s.Verify(chainID, operatorAddr())
	})
}

func TestRCP01TopAttrKeepsTheSixteenHeaviest(t *testing.T) {
	var all []Attr
	for i := range byte(20) { // 19 down to 0: the last weighs nothing
		all = append(all, Attr{Owner: account(200 - i), Weight: uint64(19 - i)})
	}
	got, err := TopAttr(all)
	if err != nil || len(got) != MaxAttr {
		t.Fatalf("%d owners, %v", len(got), err)
	}
	for i, a := range got {
		if a.Owner != account(byte(185+i)) || a.Weight != uint64(4+i) {
			t.Errorf("entry %d is %v with %d", i, a.Owner, a.Weight)
		}
	}
	if tie, err := TopAttr(owners(17)); err != nil || tie[15].Owner != account(15) {
		t.Errorf("a tie keeps %v, %v", tie, err)
	}
	for name, bad := range map[string][]Attr{
		"an owner twice":             {{Owner: account(1), Weight: 1}, {Owner: account(1), Weight: 2}},
		"weights above the total":    {{Owner: account(1), Weight: 1 << 40}, {Owner: account(2), Weight: 1}},
		"weights that wrap":          {{Owner: account(1), Weight: ^uint64(0)}, {Owner: account(2), Weight: 1}},
		"a cut-off owner that wraps": append(owners(16), Attr{Owner: account(99), Weight: ^uint64(0)}),
	} {
		if _, err := TopAttr(bad); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
