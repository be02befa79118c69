// SPDX-License-Identifier: Apache-2.0

package state

import (
	"bytes"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
)

func drawAccount(t *rapid.T) Account {
	word := rapid.Custom(func(t *rapid.T) uint64 { return rapid.Uint64().Draw(t, "v") >> rapid.IntRange(0, 63).Draw(t, "shift") })
	a := Account{Nonce: word.Draw(t, "nonce"), Free: fixed.Amount(word.Draw(t, "free"))}
	key := rapid.Custom(func(t *rapid.T) keys.PublicKey {
		return keys.PublicKey(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key"))
	})
	switch rapid.IntRange(0, 5).Draw(t, "form") {
	case 0:
		auth := keys.Auth{Threshold: 1, Keys: []keys.PublicKey{{1}, {2}}}
		a.Auth = &auth
	case 1, 2, 3:
		auth := keys.SingleAuth(key.Draw(t, "auth"))
		a.Auth = &auth
	}
	if rapid.IntRange(0, 9).Draw(t, "vests") == 0 {
		v := word.Draw(t, "vest")
		a.Vest = &v
	}
	if rapid.IntRange(0, 9).Draw(t, "delegates") == 0 {
		a.Delegates = []uint64{word.Draw(t, "delegate")}
	}
	return a
}

func TestAnAccountIsWrittenAndReadByHandAsByTheCodec(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawAccount(t)
		b := a.Encode()
		if want := enc.Encode(a); !bytes.Equal(b, want) {
			t.Fatalf("%+v is %x, want %x", a, b, want)
		}
		var want Account
		if err := enc.Decode(b, &want); err != nil {
			t.Fatal(err)
		}
		if got, err := DecodeAccount(b); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%x is %+v, want %+v, error %v", b, got, want, err)
		}
	})
}

// FuzzDecodeAccount takes what the codec takes, to the same account.
func FuzzDecodeAccount(f *testing.F) {
	one := keys.SingleAuth(keys.PublicKey{1})
	for _, a := range []Account{{}, {Nonce: 23, Free: 24}, {Nonce: 255, Free: 256}, {Nonce: 65_535, Free: 65_536}, {Auth: &one, Nonce: 1 << 32, Free: 1<<32 - 1}} {
		b := a.Encode()
		f.Add(b)
		f.Add(b[:len(b)-1])
		f.Add(append(bytes.Clone(b), 0))
	}
	f.Add([]byte{0x85, 0xf6, 24, 23, 0, 0x80, 0xf6})
	f.Add([]byte{0x85, 0xf6, 25, 0, 255, 0, 0x80, 0xf6})
	f.Add([]byte{0x85, 0xf6, 26, 0, 0, 255, 255, 0, 0x80, 0xf6})
	f.Add([]byte{0x85, 0xf6, 27, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0x80, 0xf6})
	f.Fuzz(func(t *testing.T, b []byte) {
		var want Account
		err := enc.Decode(b, &want)
		got, quick := quickAccount(b)
		if quick && (err != nil || !reflect.DeepEqual(got, want)) {
			t.Fatalf("%x is read as %+v, the codec says %+v, error %v", b, got, want, err)
		}
	})
}
