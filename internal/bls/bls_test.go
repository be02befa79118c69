// SPDX-License-Identifier: Apache-2.0

package bls

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	curve "github.com/cloudflare/circl/ecc/bls12381"
	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/keys"
)

func filled(b byte) (out [32]byte) {
	for i := range out {
		out[i] = b
	}
	return out
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.TrimPrefix(s, "0x"))
	if err != nil {
		panic(err)
	}
	return b
}

// TestKeyGenIsThatOfTheDraft holds a constant of EIP-2333 (test case 1, master
// key), whose hkdf_mod_r is KeyGen of the draft.
func TestKeyGenIsThatOfTheDraft(t *testing.T) {
	key := NewKey([32]byte(unhex("3141592653589793238462643383279502884197169399375105820974944592")))
	if got := key.k().scalar.String(); got != "0x41c9e07822b092a93fd6797396338c3ada4170cc81829fdfce6b5d34bd5e7ec7" {
		t.Errorf("secret scalar %s", got)
	}
}

// TestHashIsThatOfRFC9380 holds the first two constants of RFC 9380 appendix
// J.9.1.
func TestHashIsThatOfRFC9380(t *testing.T) {
	for msg, want := range map[string]string{
		"":    "052926add2207b76ca4fa57a8734416c8dc95e24501772c814278700eed6d1e4e8cf62d9c09db0fac349612b759e79a108ba738453bfed09cb546dbb0783dbb3a5f1f566ed67bb6be0e8c67e2e81a4cc68ee29813bb7994998f3eae0c9c6a265",
		"abc": "03567bc5ef9c690c2ab2ecdf6a96ef1c139cc0b2f284dca0a9a7943388a49a3aee664ba5379a7655d3c68900be2f69030b9c15f3fe6e5cf4211f346271d7b01c8f3b28be689c8429c85b67af215533311f0b8dfaaa154fa6b88176c229f2885d",
	} {
		h := hash([]byte(msg), "QUUX-V01-CS02-with-BLS12381G1_XMD:SHA-256_SSWU_RO_")
		if got := hex.EncodeToString(h.Bytes()); got != want {
			t.Errorf("%q: %s", msg, got)
		}
	}
}

func TestCONS12SignaturesHold(t *testing.T) {
	key, other := NewKey(filled(1)), NewKey(filled(2))
	msg := []byte("message")
	sig := key.Sign(msg)
	if err := Verify(key.Public(), msg, sig); err != nil {
		t.Error(err)
	}
	if sig != key.Sign(msg) {
		t.Error("a second signature differs")
	}
	if err := VerifyPossession(key.Public(), key.ProvePossession()); err != nil {
		t.Error(err)
	}
	pub := key.Public()
	for name, err := range map[string]error{
		"another key":                         Verify(other.Public(), msg, sig),
		"another message":                     Verify(key.Public(), []byte("massage"), sig),
		"another's signature":                 Verify(key.Public(), msg, other.Sign(msg)),
		"proof of possession as a signature":  Verify(key.Public(), pub[:], key.ProvePossession()),
		"signature as a proof of possession":  VerifyPossession(pub, key.Sign(pub[:])),
		"another's proof of possession":       VerifyPossession(pub, other.ProvePossession()),
		"the negative of the signature":       Verify(key.Public(), msg, negated(sig)),
		"twice the signature":                 Verify(key.Public(), msg, sum(t, sig, sig)),
		"the identity":                        Verify(key.Public(), msg, identity()),
		"zero bytes":                          Verify(key.Public(), msg, Signature{}),
		"identity with the sign bit":          Verify(key.Public(), msg, Signature{0xe0}),
		"a point outside the group":           Verify(key.Public(), msg, Signature(offGroupG1())),
		"no bit of compression":               Verify(key.Public(), msg, masked(sig, 0x7f)),
		"identity with a coordinate":          Verify(key.Public(), msg, Signature{0: 0xc0, 47: 1}),
		"coordinate at the field's order":     Verify(key.Public(), msg, Signature(append([]byte{0x80 | fieldOrder[0]}, fieldOrder[1:]...))),
		"coordinate of no point on the curve": Verify(key.Public(), msg, Signature{0: 0x80, 47: 1}),
	} {
		if !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// fieldOrder is p, big endian.
var fieldOrder = unhex("1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab")

func identity() Signature { return Signature{0xc0} }

func negated(s Signature) Signature { s[0] ^= 0x20; return s }

func masked(s Signature, m byte) Signature { s[0] &= m; return s }

func sum(t interface{ Fatal(...any) }, sigs ...Signature) Signature {
	s, err := Aggregate(sigs)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// offGroupG1 returns x = 4 of the curve: a point, but not in the group.
func offGroupG1() []byte { b := make([]byte, 48); b[0], b[47] = 0x80, 4; return b }

// offGroupG2 returns x = 2 of the twist: a point, but not in the group.
func offGroupG2() []byte { b := make([]byte, 96); b[0], b[95] = 0x80, 2; return b }

func TestCONS12WrongKeysAreRefused(t *testing.T) {
	key := NewKey(filled(1))
	sig, pub := key.Sign(nil), key.Public()
	uncompressed := pub
	uncompressed[0] &= 0x7f
	for name, pk := range map[string]PublicKey{
		"zero bytes":                      {},
		"the identity":                    {0xc0},
		"identity with the sign bit":      {0xe0},
		"identity with a coordinate":      {0: 0xc0, 95: 1},
		"a point outside the group":       PublicKey(offGroupG2()),
		"no bit of compression":           uncompressed,
		"coordinate at the field's order": PublicKey(slices.Concat([]byte{0x80 | fieldOrder[0]}, fieldOrder[1:], make([]byte, 48))),
		"all ones":                        PublicKey(slices.Repeat([]byte{0xff}, 96)),
	} {
		if err := pk.Check(); !errors.Is(err, ErrKey) {
			t.Errorf("%s: Check says %v", name, err)
		}
		if err := Verify(pk, nil, sig); !errors.Is(err, ErrKey) {
			t.Errorf("%s: Verify says %v", name, err)
		}
		if err := VerifyPossession(pk, sig); !errors.Is(err, ErrKey) {
			t.Errorf("%s: VerifyPossession says %v", name, err)
		}
		if _, err := NewKeys([]PublicKey{pub, pk}); !errors.Is(err, ErrKey) {
			t.Errorf("%s: NewKeys says %v", name, err)
		}
	}
	if err := pub.Check(); err != nil {
		t.Error(err)
	}
}

// TestCONS12EveryBitCounts flips bits of a signature and of a key in turn.
func TestCONS12EveryBitCounts(t *testing.T) {
	key, msg := NewKey(filled(3)), []byte("message")
	for bit := 0; bit < 8*SignatureSize; bit += 7 {
		s := key.Sign(msg)
		s[bit/8] ^= 0x80 >> (bit % 8)
		if err := Verify(key.Public(), msg, s); !errors.Is(err, ErrSignature) {
			t.Errorf("bit %d of the signature: %v", bit, err)
		}
	}
	for bit := 0; bit < 8*PublicKeySize; bit += 13 {
		pk := key.Public()
		pk[bit/8] ^= 0x80 >> (bit % 8)
		if err := Verify(pk, msg, key.Sign(msg)); !errors.Is(err, ErrSignature) && !errors.Is(err, ErrKey) {
			t.Errorf("bit %d of the key: %v", bit, err)
		}
	}
}

func TestDerivedKeysAreTheirOwn(t *testing.T) {
	vote := keys.FromSeed(filled(1))
	d := Derive(vote)
	if d.IsZero() || !(PrivateKey{}).IsZero() {
		t.Error("IsZero is wrong")
	}
	if d.Public() == NewKey(filled(1)).Public() || d.Public() == Derive(keys.FromSeed(filled(2))).Public() {
		t.Error("different secrets give one key")
	}
	if d.Public() != Derive(vote).Public() {
		t.Error("one secret gives two keys")
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	key := NewKey(filled(1))
	secret := key.k().scalar.String()[2:]
	holder := struct {
		Name string
		key  *PrivateKey
	}{"node", &key}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		for _, v := range []any{key, &key, holder} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, secret) {
				t.Errorf("%s prints the secret: %s", verb, text)
			}
		}
		if text := fmt.Sprintf(verb, key); text != "[redacted]" {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}

func TestTextForms(t *testing.T) {
	key := NewKey(filled(1))
	pk, sig := key.Public(), key.Sign(nil)
	var pk2 PublicKey
	var sig2 Signature
	if err := pk2.UnmarshalText([]byte(pk.String())); err != nil || pk2 != pk {
		t.Errorf("%v, %v", pk2, err)
	}
	if err := sig2.UnmarshalText([]byte(sig.String())); err != nil || sig2 != sig {
		t.Errorf("%v, %v", sig2, err)
	}
	if err := sig2.UnmarshalText([]byte(pk.String())); !errors.Is(err, keys.ErrKey) || sig2 != sig {
		t.Errorf("a key read as a signature: %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	key := NewKey(filled(1))
	pk, sig := key.Public(), key.Sign([]byte("message"))
	f.Add(pk[:], []byte("message"), sig[:])
	f.Add(offGroupG2(), []byte{}, offGroupG1())
	f.Add(make([]byte, 96), []byte{}, make([]byte, 48))
	f.Fuzz(func(t *testing.T, pk, msg, sig []byte) {
		if len(pk) != PublicKeySize || len(sig) != SignatureSize {
			return
		}
		err := Verify(PublicKey(pk), msg, Signature(sig))
		if err != nil && !errors.Is(err, ErrKey) && !errors.Is(err, ErrSignature) {
			t.Fatal(err)
		}
		// What can be read has this one encoding.
		if p, err := PublicKey(pk).point(); err == nil && string(p.BytesCompressed()) != string(pk) {
			t.Fatalf("%x has another encoding", pk)
		}
		if p, err := Signature(sig).point(); err == nil && string(p.BytesCompressed()) != string(sig) {
			t.Fatalf("%x has another encoding", sig)
		}
	})
}

// TestPairRefusesTheIdentity: the equation alone would hold for two of them.
func TestPairRefusesTheIdentity(t *testing.T) {
	var sig curve.G1
	var key curve.G2
	sig.SetIdentity()
	key.SetIdentity()
	if err := pair(hash(nil, keys.TagBLSSign), &sig, &key); !errors.Is(err, ErrSignature) {
		t.Error(err)
	}
}

// TestProductsOfPairingsAreBilinear checks the equation that everything rests
// on with small scalars.
func TestProductsOfPairingsAreBilinear(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Uint64Range(1, 1<<40).Draw(t, "a"), rapid.Uint64Range(1, 1<<40).Draw(t, "b")
		var sa, sb, sab curve.Scalar
		sa.SetUint64(a)
		sb.SetUint64(b)
		sab.Mul(&sa, &sb)
		var p, q curve.G1
		var k curve.G2
		p.ScalarMult(&sa, curve.G1Generator())
		k.ScalarMult(&sb, curve.G2Generator())
		q.ScalarMult(&sab, curve.G1Generator())
		if err := pair(&p, &q, &k); err != nil {
			t.Fatal(err)
		}
		q.Add(&q, curve.G1Generator())
		if err := pair(&p, &q, &k); !errors.Is(err, ErrSignature) {
			t.Fatalf("a wrong product: %v", err)
		}
	})
}
