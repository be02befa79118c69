// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"pgregory.net/rapid"
)

var (
	payer   = keys.FromSeed([32]byte{1})
	other   = keys.FromSeed([32]byte{2})
	chainID = [32]byte{0x11}
	chanID  = ID{0xc0}
	offer   = ID{0x0f}
)

func open() Channel {
	return Channel{
		Payer: keys.SingleAuth(payer.Public()).Address(), Payee: keys.SingleAuth(other.Public()).Address(),
		Deposit: 1_000, WindowMS: 100, ExpiryMS: 10_000, MaxLanes: 2,
	}
}

func voucher() Voucher {
	return Voucher{Channel: chanID, Offer: offer, Nonce: 3, Cum: 300, ExpiryMS: 9_000}
}

func TestCHN03EveryReasonToRefuseAVoucher(t *testing.T) {
	lane := &Lane{Nonce: 3, Redeemed: 200}
	for _, c := range []struct {
		name  string
		edit  func(c *Channel, l **Lane, v *Voucher)
		after func(s *SignedVoucher)
		now   uint64
		delta fixed.Amount
		err   error
	}{
		{name: "a first voucher pays its whole amount", delta: 300},
		{name: "a later voucher pays the difference", edit: func(_ *Channel, l **Lane, _ *Voucher) { *l = lane }, delta: 100},
		{name: "the whole deposit can be spent", edit: func(_ *Channel, _ **Lane, v *Voucher) { v.Cum = 1_000 }, delta: 1_000},
		{name: "the last millisecond of voucher and channel counts", now: 8_999, delta: 300},
		{name: "an equal amount adds nothing", edit: func(_ *Channel, l **Lane, _ *Voucher) { *l = &Lane{Redeemed: 300} }, err: ErrCumLow},
		{name: "a smaller amount adds nothing", edit: func(_ *Channel, l **Lane, _ *Voucher) { *l = &Lane{Redeemed: 301} }, err: ErrCumLow},
		{name: "an older nonce is refused", edit: func(_ *Channel, l **Lane, _ *Voucher) { *l = &Lane{Nonce: 4} }, err: ErrCumLow},
		{name: "one unit above the deposit is refused", edit: func(_ *Channel, _ **Lane, v *Voucher) { v.Cum = 1_001 }, err: ErrCumOver},
		{name: "what other lanes took counts", edit: func(c *Channel, _ **Lane, _ *Voucher) { c.Paid, c.Lanes = 701, 1 }, err: ErrCumOver},
		{name: "a third lane of two is refused", edit: func(c *Channel, _ **Lane, _ *Voucher) { c.Lanes = 2 }, err: ErrLane},
		{name: "an existing lane of a full channel works", edit: func(c *Channel, l **Lane, _ *Voucher) { c.Lanes, *l = 2, lane }, delta: 100},
		{name: "an expired voucher is refused", now: 9_000, err: ErrExpired},
		{name: "an expired channel is refused", edit: func(_ *Channel, _ **Lane, v *Voucher) { v.ExpiryMS = 20_000 }, now: 10_000, err: ErrClosed},
		{name: "a closing channel works until its window ends", edit: func(c *Channel, _ **Lane, _ *Voucher) { c.ClosingMS = 500 }, now: 499, delta: 300},
		{name: "a closed channel is refused", edit: func(c *Channel, _ **Lane, _ *Voucher) { c.ClosingMS = 500 }, now: 500, err: ErrClosed},
		{name: "another channel's voucher is refused", edit: func(_ *Channel, _ **Lane, v *Voucher) { v.Channel[0]++ }, err: ErrChannel},
		{name: "a changed amount is refused", after: func(s *SignedVoucher) { s.Voucher.Cum++ }, err: ErrSignature},
		{name: "a changed signature is refused", after: func(s *SignedVoucher) { s.Sig[63] ^= 1 }, err: ErrSignature},
		{name: "another key is refused", after: func(s *SignedVoucher) { *s = Sign(other, chainID, s.Voucher) }, err: ErrSignature},
		{name: "another chain's voucher is refused", after: func(s *SignedVoucher) { *s = Sign(payer, [32]byte{0x12}, s.Voucher) }, err: ErrSignature},
		{name: "a zero amount is refused", edit: func(_ *Channel, _ **Lane, v *Voucher) { v.Cum = 0 }, err: ErrFormat},
		{name: "a zero expiry is refused", edit: func(_ *Channel, _ **Lane, v *Voucher) { v.ExpiryMS = 0 }, err: ErrFormat},
		{name: "a condition is refused", edit: func(_ *Channel, _ **Lane, v *Voucher) { v.Cond = &Reserved{} }, err: ErrFormat},
		{name: "a PayWord chain is refused", edit: func(_ *Channel, _ **Lane, v *Voucher) { v.PayWord = &Reserved{} }, err: ErrFormat},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch, v := open(), voucher()
			var l *Lane
			if c.edit != nil {
				c.edit(&ch, &l, &v)
			}
			s := Sign(payer, chainID, v)
			if c.after != nil {
				c.after(&s)
			}
			delta, err := CheckVoucher(chainID, chanID, ch, l, s, c.now)
			if !errors.Is(err, c.err) || err == nil && delta != c.delta {
				t.Fatalf("got %d, %v; want %d, %v", delta, err, c.delta, c.err)
			}
		})
	}
}

// INV-04: cum only grows, Σ redeemed over lanes = paid ≤ deposit.
func TestINV04RandomVouchersNeverOverdraw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := open()
		c.Deposit = fixed.Amount(rapid.Uint64Range(1, 2_000).Draw(t, "deposit"))
		c.MaxLanes = rapid.Uint64Range(1, 4).Draw(t, "lanes")
		lanes := make([]*Lane, 5)
		for range rapid.IntRange(1, 60).Draw(t, "vouchers") {
			i := rapid.IntRange(0, 4).Draw(t, "lane")
			v := Voucher{Nonce: rapid.Uint64Range(0, 9).Draw(t, "nonce"), Cum: fixed.Amount(rapid.Uint64Range(0, 900).Draw(t, "cum")), ExpiryMS: 9}
			c2, l2, delta, err := Redeem(c, lanes[i], v, 1)
			if err != nil {
				continue
			}
			var before Lane
			if lanes[i] != nil {
				before = *lanes[i]
			}
			if delta == 0 || l2.Redeemed != before.Redeemed+delta || l2.Nonce < before.Nonce || c2.Paid != c.Paid+delta {
				t.Fatalf("before %+v %+v, after %+v %+v, delta %d", c, before, c2, l2, delta)
			}
			c, lanes[i] = c2, &l2
			var sum fixed.Amount
			var n uint64
			for _, l := range lanes {
				if l != nil {
					sum, n = sum+l.Redeemed, n+1
				}
			}
			if sum != c.Paid || sum > c.Deposit || n != c.Lanes || n > c.MaxLanes {
				t.Fatalf("%+v with lanes summing to %d", c, sum)
			}
		}
	})
}

func TestVoucherRoundTripsAsBytesAndText(t *testing.T) {
	s := Sign(payer, chainID, voucher())
	got, err := Decode(enc.Encode(s))
	if err != nil || got != s {
		t.Fatalf("%+v, %v", got, err)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back SignedVoucher
	if err := json.Unmarshal(text, &back); err != nil || back != s {
		t.Fatalf("%s: %v", text, err)
	}
	for _, bad := range []string{"", "00", "0x00", "0X" + chanID.String()[2:], chanID.String() + "00", "0xZZ" + chanID.String()[4:], "0xC0" + chanID.String()[4:]} {
		var id ID
		if err := id.UnmarshalText([]byte(bad)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzDecodeVoucher(f *testing.F) {
	f.Add(enc.Encode(Sign(payer, chainID, voucher())))
	f.Add([]byte{0x83, 0x87})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Decode(b)
		if err != nil {
			return
		}
		if string(enc.Encode(s)) != string(b) {
			t.Fatalf("two encodings of %+v", s)
		}
		if err := s.Verify(chainID); err != nil && !errors.Is(err, ErrSignature) {
			t.Fatal(err)
		}
	})
}
