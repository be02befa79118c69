// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
)

func repeat(b byte) (out [32]byte) {
	for i := range out {
		out[i] = b
	}
	return out
}

// testKey is the key of the first vector: seed 00..1f.
func testKey() keys.PrivateKey {
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(i)
	}
	return keys.FromSeed(seed)
}

var testChain = repeat(0x11)

func firstVector() Signed {
	return Sign(testChain, Body{MaxFee: 20_000, ValidUntil: 100,
		Payload: &Transfer{To: repeat(0x22), Amount: 1_500_000_000}}, testKey())
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }

func TestENC06TheFirstVectorOfTheDesignIsReproduced(t *testing.T) {
	s := firstVector()
	raw := s.Encode()
	sum := sha256.Sum256(raw)
	id := s.Body.ID(testChain)
	for _, c := range []struct{ what, got, want string }{
		{"public key", hexOf(s.Reveal.Keys[0][:]), "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"},
		{"address", hexOf(s.Body.Sender[:]), "5a736aadb0c2f09cc9a23775c9a2ece846347d497cdb82006386cfb7fb0b67bb"},
		{"body", hexOf(s.Body.Bytes()), "8819010158205a736aadb0c2f09cc9a23775c9a2ece846347d497cdb82006386cfb7fb0b67bb00194e20001864f683582022222222222222222222222222222222222222222222222222222222222222221a59682f0040"},
		{"tx id", hexOf(id[:]), "53e786d87740cefdf446c2471bdeb2b6398ba97530aa01abef68e51f39db453e"},
		{"signature", hexOf(s.Sigs[0].Sig[:]), "e145317d611bb89792d2481a8fd34b78600e0caf8a2e2252bc66fb88c6f4df68ce2bdcccc4343fa621ca784ad48726b4385acad36640a476ab4b74e1d79f2c0b"},
		{"SHA-256 of the signed bytes", hexOf(sum[:]), "0e6cd981eac1c3f80fe1967b23b41c65e4c70a4fce252cda71dbbaa4cc8ec11c"},
	} {
		if c.got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.what, c.got, c.want)
		}
	}
	if len(raw) != 195 {
		t.Errorf("signed bytes: %d, want 195", len(raw))
	}
	d, err := Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	v, err := Verify(testChain, d)
	if err != nil {
		t.Fatal(err)
	}
	if v.ID() != id || !bytes.Equal(v.Bytes(), raw) {
		t.Errorf("verified: id %v, %d bytes", v.ID(), len(v.Bytes()))
	}
}

func TestTheBodyCutOutOfTheSignedBytesIsTheBody(t *testing.T) {
	s := firstVector()
	if got := bodyOf(s.Encode(), s); !bytes.Equal(got, enc.Encode(s.Body)) {
		t.Errorf("cut body %x", got)
	}
}
