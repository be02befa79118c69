// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
)

// sameDecoders checks that what the quick decoder takes, the general one takes with
// the same result.
func sameDecoders(t testing.TB, raw []byte) {
	t.Helper()
	got, ok := quickTransfer(raw)
	if !ok {
		return
	}
	want := Signed{Body: Body{Payload: &Transfer{}}}
	if err := enc.Decode(raw, &want); err != nil {
		t.Fatalf("the quick decoder takes %x: %v", raw, err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%x: quick %+v, general %+v", raw, got, want)
	}
}

// TestTheQuickDecoderTakesEveryTransferOfOneKey and, of those bytes with one byte
// changed, cut or added, only what the general decoder takes.
func TestTheQuickDecoderTakesEveryTransferOfOneKey(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		number := func(name string) uint64 {
			return rapid.Uint64().Draw(rt, name) >> rapid.IntRange(0, 63).Draw(rt, name+" bits")
		}
		p := &Transfer{To: keys.Address{byte(number("to"))}, Amount: fixed.Amount(number("amount")),
			Memo: rapid.SliceOfN(rapid.Byte(), 0, 70).Draw(rt, "memo")}
		s := Sign(testChain, Body{Nonce: number("nonce"), MaxFee: fixed.Amount(number("fee")), Tip: fixed.Amount(number("tip")),
			ValidUntil: number("until"), Payload: p}, testKey())
		raw := s.Encode()
		if _, ok := quickTransfer(raw); !ok {
			rt.Fatalf("refuses %x", raw)
		}
		sameDecoders(t, raw)
		changed := append([]byte{}, raw...)
		changed[rapid.IntRange(0, len(raw)-1).Draw(rt, "at")] ^= byte(rapid.IntRange(1, 255).Draw(rt, "by"))
		sameDecoders(t, changed)
		if _, ok := quickTransfer(append(raw, 0)); ok {
			rt.Fatal("takes a trailing byte")
		}
		if _, ok := quickTransfer(raw[:rapid.IntRange(0, len(raw)-1).Draw(rt, "cut")]); ok {
			rt.Fatal("takes cut bytes")
		}
	})
}
