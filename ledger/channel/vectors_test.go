// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"slices"
	"testing"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
)

var update = flag.Bool("update", false, "write the golden vectors instead of checking them")

const vectorFile = "../../docs/spec/vectors/voucher.json"

// vectorCode maps this package's refusals to the ledger's stable codes.
func vectorCode(err error) string {
	for _, c := range []struct {
		err  error
		code string
	}{
		{enc.ErrMalformed, "enc_noncanonical"}, {enc.ErrNonCanonical, "enc_noncanonical"}, {ErrFormat, "enc_field"},
		{ErrSignature, "chn_voucher_sig"}, {ErrChannel, "chn_voucher_sig"}, {ErrCumLow, "chn_cum_low"},
		{ErrCumOver, "chn_cum_over"}, {ErrLane, "chn_lane"}, {ErrExpired, "chn_window"}, {ErrClosed, "chn_window"},
	} {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return ""
}

type vector struct {
	Name    string         `json:"name"`
	Channel Channel        `json:"channel"`
	Lane    *Lane          `json:"lane"`
	CTime   uint64         `json:"ctime_ms"`
	Bytes   string         `json:"bytes"`             // encoding of the signed voucher
	Voucher *SignedVoucher `json:"voucher,omitempty"` // what the bytes mean
	Signed  string         `json:"signed,omitempty"`  // the bytes under the signature
	Delta   *fixed.Amount  `json:"delta,omitempty"`
	Code    string         `json:"code,omitempty"`
}

type vectorSet struct {
	About     string   `json:"about"`
	PayerSeed string   `json:"payer_seed"`
	PayerKey  string   `json:"payer_key"`
	ChainID   ID       `json:"chain_id"`
	ID        ID       `json:"channel_id"`
	Valid     []vector `json:"valid"`
	Invalid   []vector `json:"invalid"`
}

func (v vector) check(chain [32]byte, id ID) (SignedVoucher, fixed.Amount, error) {
	raw, err := hex.DecodeString(v.Bytes)
	if err != nil {
		return SignedVoucher{}, 0, err
	}
	s, err := Decode(raw)
	if err != nil {
		return s, 0, err
	}
	d, err := CheckVoucher(chain, id, v.Channel, v.Lane, s, v.CTime)
	return s, d, err
}

func TestENC06VoucherVectors(t *testing.T) {
	current, err := json.MarshalIndent(makeVectors(), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	current = append(current, '\n')
	if *update {
		if err := os.WriteFile(vectorFile, current, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != string(current) {
		t.Errorf("%s is not what the code makes; if that is meant, run this test with -update", vectorFile)
	}
	var set vectorSet
	if err := json.Unmarshal(b, &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Valid) < 3 || len(set.Invalid) < 20 {
		t.Fatalf("%d valid, %d invalid vectors", len(set.Valid), len(set.Invalid))
	}
	for _, v := range set.Valid {
		s, d, err := v.check(set.ChainID, set.ID)
		if err != nil || s != *v.Voucher || d != *v.Delta {
			t.Errorf("%s: %+v, %d, %v", v.Name, s, d, err)
		}
		if got := hex.EncodeToString(s.Voucher.SigningBytes(set.ChainID)); got != v.Signed {
			t.Errorf("%s: signs %s", v.Name, got)
		}
	}
	for _, v := range set.Invalid {
		if _, _, err := v.check(set.ChainID, set.ID); err == nil || vectorCode(err) != v.Code {
			t.Errorf("%s: %v, want %s", v.Name, err, v.Code)
		}
	}
}

func makeVectors() vectorSet {
	set := vectorSet{
		About: "Vouchers (CHN-02, CHN-03, ENC-05). Valid: bytes decode to voucher, whose signature over signed holds; on channel and lane at ctime_ms " +
			"it adds delta base units. Invalid: the first refusal has this code.",
		PayerSeed: hex.EncodeToString(bytes.Repeat([]byte{0}, 31)) + "01",
		ChainID:   ID(bytes.Repeat([]byte{0x11}, 32)),
		ID:        ID(bytes.Repeat([]byte{0xc0}, 32)),
	}
	key := keys.FromSeed([32]byte{31: 1})
	set.PayerKey = key.Public().String()
	base := Voucher{Channel: set.ID, Offer: ID(bytes.Repeat([]byte{0x0f}, 32)), Nonce: 3, Cum: 300, ExpiryMS: 9_000}
	ch := Channel{Payer: keys.SingleAuth(key.Public()).Address(), Payee: keys.Address{31: 9}, Deposit: 1_000, WindowMS: 100, ExpiryMS: 10_000, MaxLanes: 2}
	add := func(name, code string, edit func(v *vector, x *Voucher), after func(s *SignedVoucher)) {
		v, x := vector{Name: name, Channel: ch, CTime: 1}, base
		if edit != nil {
			edit(&v, &x)
		}
		s := Sign(key, set.ChainID, x)
		if after != nil {
			after(&s)
		}
		v.Bytes = hex.EncodeToString(enc.Encode(s))
		_, d, err := v.check(set.ChainID, set.ID)
		if vectorCode(err) != code || (err == nil) != (code == "") {
			panic(name + ": " + vectorCode(err))
		}
		if err == nil {
			v.Voucher, v.Delta, v.Signed = &s, &d, hex.EncodeToString(x.SigningBytes(set.ChainID))
			set.Valid = append(set.Valid, v)
			return
		}
		v.Code = code
		set.Invalid = append(set.Invalid, v)
	}
	add("a first voucher", "", nil, nil)
	add("a later voucher of the lane", "", func(v *vector, _ *Voucher) { v.Channel.Lanes, v.Lane = 1, &Lane{Nonce: 3, Redeemed: 200} }, nil)
	add("the whole deposit", "", func(_ *vector, x *Voucher) { x.Cum = 1_000 }, nil)
	add("nonce and cum at their largest", "", func(v *vector, x *Voucher) {
		v.Channel.Deposit, x.Cum, x.Nonce, x.ExpiryMS = ^fixed.Amount(0), ^fixed.Amount(0), ^uint64(0), ^uint64(0)
	}, nil)
	add("cum equal to what was redeemed", "chn_cum_low", func(v *vector, _ *Voucher) { v.Lane = &Lane{Redeemed: 300} }, nil)
	add("nonce below the lane's", "chn_cum_low", func(v *vector, _ *Voucher) { v.Lane = &Lane{Nonce: 4} }, nil)
	add("one unit above the deposit", "chn_cum_over", func(_ *vector, x *Voucher) { x.Cum = 1_001 }, nil)
	add("other lanes took the rest", "chn_cum_over", func(v *vector, _ *Voucher) { v.Channel.Paid, v.Channel.Lanes = 701, 1 }, nil)
	add("all lanes in use", "chn_lane", func(v *vector, _ *Voucher) { v.Channel.Lanes = 2 }, nil)
	add("voucher expired", "chn_window", func(v *vector, _ *Voucher) { v.CTime = 9_000 }, nil)
	add("channel closing", "chn_window", func(v *vector, _ *Voucher) { v.Channel.ClosingMS = 1 }, nil)
	add("channel expired", "chn_window", func(v *vector, x *Voucher) { v.CTime, x.ExpiryMS = 10_000, 20_000 }, nil)
	add("another channel", "chn_voucher_sig", func(_ *vector, x *Voucher) { x.Channel[0]++ }, nil)
	add("another chain", "chn_voucher_sig", nil, func(s *SignedVoucher) { *s = Sign(key, ID{}, s.Voucher) })
	add("another payer", "chn_voucher_sig", nil, func(s *SignedVoucher) { *s = Sign(keys.FromSeed([32]byte{}), set.ChainID, s.Voucher) })
	add("amount changed after signing", "chn_voucher_sig", nil, func(s *SignedVoucher) { s.Voucher.Cum-- })
	add("last bit of the signature flipped", "chn_voucher_sig", nil, func(s *SignedVoucher) { s.Sig[0] ^= 1 })
	add("S not below the group order", "chn_voucher_sig", nil, func(s *SignedVoucher) { s.Sig[63] |= 0xf0 })
	add("cum zero", "enc_field", func(_ *vector, x *Voucher) { x.Cum = 0 }, nil)
	add("expiry zero", "enc_field", func(_ *vector, x *Voucher) { x.ExpiryMS = 0 }, nil)
	add("condition not null", "enc_field", func(_ *vector, x *Voucher) { x.Cond = &Reserved{} }, nil)
	add("PayWord not null", "enc_field", func(_ *vector, x *Voucher) { x.PayWord = &Reserved{} }, nil)
	set.Invalid = append(set.Invalid, malformed(ch, enc.Encode(Sign(key, set.ChainID, base)))...)
	return set
}

// malformed damages the encoding of a good signed voucher: 83 87 5820 channel
// 5820 offer 03 19012c 192328 f6 f6 5820 key 5840 sig.
func malformed(ch Channel, good []byte) (out []vector) {
	const nonce = 2 + 2*34
	cut := func(at, n int, with ...byte) []byte { return slices.Concat(good[:at], with, good[at+n:]) }
	for _, c := range []struct {
		name string
		b    []byte
	}{
		{"nothing", nil},
		{"last byte missing", good[:len(good)-1]},
		{"trailing byte", append(slices.Clone(good), 0)},
		{"nonce not in its shortest form", cut(nonce, 1, 0x18, 0x03)},
		{"null for the nonce", cut(nonce, 1, 0xf6)},
		{"negative nonce", cut(nonce, 1, 0x22)},
		{"float for the nonce", cut(nonce, 1, 0xf9, 0x42, 0x00)},
		{"tag before the nonce", cut(nonce, 1, 0xc1, 0x03)},
		{"text for the nonce", cut(nonce, 1, 0x61, 0x33)},
		{"channel id of 31 bytes", cut(2, 34, append([]byte{0x58, 31}, good[4:35]...)...)},
		{"channel id as text", cut(2, 1, 0x78)},
		{"indefinite array", slices.Concat([]byte{0x83, 0x9f}, good[2:nonce+9], []byte{0xff}, good[nonce+9:])},
		{"one field too few", cut(1, 1, 0x86)},
		{"one field too many", cut(nonce+7, 0, 0xf6)},
		{"a map instead of an array", cut(1, 1, 0xa7)},
		{"undefined for the condition", cut(nonce+7, 1, 0xf7)},
	} {
		v := vector{Name: c.name, Channel: ch, CTime: 1, Bytes: hex.EncodeToString(c.b), Code: "enc_noncanonical"}
		if _, err := Decode(c.b); vectorCode(err) != v.Code {
			panic(c.name)
		}
		out = append(out, v)
	}
	return out
}
