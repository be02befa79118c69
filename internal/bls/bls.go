// SPDX-License-Identifier: Apache-2.0

package bls

import (
	"errors"
	"fmt"

	curve "github.com/cloudflare/circl/ecc/bls12381"

	"github.com/openledger/openledger/internal/keys"
)

// Sizes in bytes of compressed points.
const (
	PublicKeySize = 96
	SignatureSize = 48
)

var (
	// ErrKey reports bytes that are no public key: no canonical compressed point
	// of the group, or the identity.
	ErrKey = errors.New("invalid BLS key")
	// ErrSignature reports a signature that is no canonical compressed point of
	// the group, is the identity, or does not hold.
	ErrSignature = errors.New("invalid BLS signature")
)

// PublicKey is a compressed point of G2. Any 96 bytes can be held; Check says
// whether they are a key. Text form: 0x and 192 hex digits.
type PublicKey [PublicKeySize]byte

// Signature is a compressed point of G1: a share, a proof of possession or a
// sum of shares. Text form: 0x and 96 hex digits.
type Signature [SignatureSize]byte

// Verify reports whether sig is the signature of msg by the holder of pk. It
// never panics. Errors: ErrKey, ErrSignature. Cost: about 2 ms. Spec: CONS-12.
func Verify(pk PublicKey, msg []byte, sig Signature) error {
	return verify(pk, msg, sig, keys.TagBLSSign)
}

// VerifyPossession reports whether sig proves that somebody knows the secret of
// pk. It never panics. Errors: ErrKey, ErrSignature. Cost: about 2 ms.
// Spec: CONS-12.
func VerifyPossession(pk PublicKey, sig Signature) error {
	return verify(pk, pk[:], sig, keys.TagBLSPop)
}

func verify(pk PublicKey, msg []byte, sig Signature, tag keys.Tag) error {
	key, err := pk.point()
	if err != nil {
		return err
	}
	s, err := sig.point()
	if err != nil {
		return err
	}
	return pair(hash(msg, tag), s, key)
}

// pair checks e(h, key) = e(sig, g2). Errors: ErrSignature.
func pair(h, sig *curve.G1, key *curve.G2) error {
	// With the identity on one side the equation says nothing about the key.
	if sig.IsIdentity() || key.IsIdentity() {
		return fmt.Errorf("%w: the identity", ErrSignature)
	}
	if !curve.ProdPairFrac([]*curve.G1{h, sig}, []*curve.G2{key, curve.G2Generator()}, []int{1, -1}).IsIdentity() {
		return fmt.Errorf("%w: it does not hold", ErrSignature)
	}
	return nil
}

// Aggregate returns the sum of sigs, unchecked but for their form: it holds iff
// their errors, if any, add up to nothing. Errors: ErrSignature for no
// signatures, a malformed one, or a sum that is the identity. Cost: about
// 0.12 ms per signature. Spec: CONS-12.
func Aggregate(sigs []Signature) (Signature, error) {
	var sum curve.G1
	sum.SetIdentity()
	for i, sig := range sigs {
		p, err := sig.point()
		if err != nil {
			return Signature{}, fmt.Errorf("share %d: %w", i, err)
		}
		sum.Add(&sum, p)
	}
	if sum.IsIdentity() {
		return Signature{}, fmt.Errorf("%w: the sum is the identity", ErrSignature)
	}
	return Signature(sum.BytesCompressed()), nil
}

// Check reports whether p is a canonical compressed point of G2 other than the
// identity. It does not show that anybody knows the secret: VerifyPossession
// does. Errors: ErrKey. Cost: about 0.25 ms. Spec: CONS-12.
func (p PublicKey) Check() error {
	_, err := p.point()
	return err
}

func (p PublicKey) point() (*curve.G2, error) {
	// circl reads 192 bytes too; 96 with the bit of compression clear are
	// refused, since the length then does not fit.
	k := new(curve.G2)
	if err := k.SetBytes(p[:]); err != nil {
		return nil, fmt.Errorf("%w: no compressed point of G2: %v", ErrKey, err)
	}
	if k.IsIdentity() {
		return nil, fmt.Errorf("%w: the identity", ErrKey)
	}
	return k, nil
}

func (s Signature) point() (*curve.G1, error) {
	p := new(curve.G1)
	if err := p.SetBytes(s[:]); err != nil {
		return nil, fmt.Errorf("%w: no compressed point of G1: %v", ErrSignature, err)
	}
	if p.IsIdentity() {
		return nil, fmt.Errorf("%w: the identity", ErrSignature)
	}
	return p, nil
}

// String returns 0x and lower-case hex.
func (p PublicKey) String() string { return keys.HexText(p[:]) }

// MarshalText implements encoding.TextMarshaler with String.
func (p PublicKey) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what String writes and nothing else. It does not Check.
// Errors: keys.ErrKey.
func (p *PublicKey) UnmarshalText(b []byte) error { return keys.ParseHex(p[:], b) }

// String returns 0x and lower-case hex.
func (s Signature) String() string { return keys.HexText(s[:]) }

// MarshalText implements encoding.TextMarshaler with String.
func (s Signature) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what String writes and nothing else. Errors:
// keys.ErrKey.
func (s *Signature) UnmarshalText(b []byte) error { return keys.ParseHex(s[:], b) }
