// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"bytes"
	"errors"
	"testing"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/node/settle"
)

func requests() []Request {
	row, account, object := []byte{1, 2, 3}, keys.Address{4}, ID{5}
	v := channel.Sign(keys.FromSeed([32]byte{1}), [32]byte{2}, channel.Voucher{Nonce: 1, Cum: 2, ExpiryMS: 3})
	return []Request{
		{Kind: AskAnswer, Voucher: &v, Row: &row},
		{Kind: AskWhy, Account: &account, Object: &object},
		{Kind: AskClaim, Account: &account, Object: &object},
		{Kind: AskOwed, Account: &account},
		{Kind: AskLanes, Object: &object},
	}
}

func replies() []Reply {
	body := enc.Encode(LanesReply{Vouchers: []channel.SignedVoucher{}})
	return []Reply{{Body: &body}, {Refusal: &Refusal{Class: 32040, Code: "VOUCHER_OLD", Message: "old", Hint: "sign a new one"}}}
}

func TestRequestsRoundTrip(t *testing.T) {
	for _, r := range requests() {
		got, err := DecodeRequest(r.Encode())
		if err != nil || !bytes.Equal(got.Encode(), r.Encode()) {
			t.Errorf("kind %d: %+v, %v", r.Kind, got, err)
		}
	}
	for _, r := range replies() {
		got, err := DecodeReply(r.Encode())
		if err != nil || !bytes.Equal(got.Encode(), r.Encode()) {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

func TestFramesThatCannotBeRight(t *testing.T) {
	all := requests()
	extra, missing, unsigned := all[3], all[1], all[0]
	extra.Object = all[4].Object
	missing.Object = nil
	v := *unsigned.Voucher
	v.Voucher.Cum = 0
	unsigned.Voucher = &v
	for name, b := range map[string][]byte{
		"nothing":                     {},
		"an unknown kind":             Request{Kind: 6}.Encode(),
		"a field that is not asked":   extra.Encode(),
		"a field that is missing":     missing.Encode(),
		"a voucher without an amount": unsigned.Encode(),
		"trailing bytes":              append(all[3].Encode(), 0),
		"too many bytes":              make([]byte, MaxRequest+1),
	} {
		if _, err := DecodeRequest(b); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %v", name, err)
		}
	}
	body := []byte{0x80}
	for name, b := range map[string][]byte{
		"nothing":                    {},
		"neither refusal nor body":   Reply{}.Encode(),
		"both":                       Reply{Body: &body, Refusal: &Refusal{Code: "X"}}.Encode(),
		"a refusal without a code":   Reply{Refusal: &Refusal{}}.Encode(),
		"a refusal with a long text": Reply{Refusal: &Refusal{Code: "X", Hint: string(make([]byte, maxText+1))}}.Encode(),
		"too many bytes":             make([]byte, MaxReply+1),
	} {
		if _, err := DecodeReply(b); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var a settle.Answer
	if err := DecodeBody([]byte{0xff}, &a); !errors.Is(err, ErrFrame) {
		t.Errorf("a body: %v", err)
	}
}

// FuzzDecodeRequest: no input panics, and what is accepted has one encoding.
func FuzzDecodeRequest(f *testing.F) {
	for _, r := range requests() {
		f.Add(r.Encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeRequest(b)
		if err == nil && !bytes.Equal(r.Encode(), b) {
			t.Fatal("two encodings of one request")
		}
	})
}

// FuzzDecodeReply: as FuzzDecodeRequest.
func FuzzDecodeReply(f *testing.F) {
	for _, r := range replies() {
		f.Add(r.Encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeReply(b)
		if err == nil && !bytes.Equal(r.Encode(), b) {
			t.Fatal("two encodings of one reply")
		}
	})
}

// FuzzDecodeBody reads every kind of body.
func FuzzDecodeBody(f *testing.F) {
	f.Add(enc.Encode(LanesReply{Vouchers: []channel.SignedVoucher{*requests()[0].Voucher}}))
	f.Add(enc.Encode(OwedReply{Items: []settle.Owed{{Commit: ID{1}, First: 2, Amount: 3}}}))
	f.Add(enc.Encode(settle.Answer{Logits: []uint32{1}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, v := range []any{&ClaimReply{}, &OwedReply{}, &LanesReply{}, &settle.Answer{}} {
			if err := DecodeBody(b, v); err == nil && !bytes.Equal(enc.Encode(v), b) {
				t.Fatalf("two encodings of one %T", v)
			}
		}
	})
}
