// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"bytes"
	"errors"
	"testing"

	"github.com/openledger/openledger/internal/keys"
)

func TestABodyComesBackAndItsDamageDoesNot(t *testing.T) {
	b := Body{Kind: KindTransfer, Sender: keys.Address{1}, Nonce: 3, MaxFee: 7, ValidUntil: 9, Payload: &Transfer{To: keys.Address{2}, Amount: 5}}
	got, err := DecodeBody(b.Bytes())
	if err != nil || !bytes.Equal(got.Bytes(), b.Bytes()) {
		t.Fatalf("%+v %v", got, err)
	}
	raw := b.Bytes()
	for i := range raw {
		if _, err := DecodeBody(raw[:i]); !errors.Is(err, ErrInvalid) {
			t.Errorf("prefix of %d bytes: %v", i, err)
		}
	}
	if _, err := DecodeBody(append(raw, 0)); !errors.Is(err, ErrInvalid) {
		t.Errorf("trailing byte: %v", err)
	}
}

func FuzzDecodeBody(f *testing.F) {
	b := Body{Kind: KindTransfer, Sender: keys.Address{1}, Payload: &Transfer{To: keys.Address{2}, Amount: 5}}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, raw []byte) {
		if got, err := DecodeBody(raw); err == nil && !bytes.Equal(got.Bytes(), raw) {
			t.Fatalf("two encodings of one body")
		}
	})
}
