// SPDX-License-Identifier: Apache-2.0

package vrf

import (
	"crypto"
	"crypto/sha512"
	"errors"
	"fmt"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/zk/dleq"

	"github.com/openledger/openledger/internal/keys"
)

// Sizes in bytes.
const (
	PublicKeySize = 32
	ProofSize     = 96 // Γ, c, s of 32 bytes each
	OutputSize    = 32
)

var (
	// ErrKey reports bytes that are no public key: no canonical encoding of a
	// point, or the identity.
	ErrKey = errors.New("invalid VRF key")
	// ErrProof reports a proof that is malformed or does not hold for this key
	// and input.
	ErrProof = errors.New("invalid VRF proof")
)

var (
	curve  = group.Ristretto255
	params = dleq.Params{G: curve, H: crypto.SHA256, DST: []byte(keys.TagVRFProof)}
)

// PublicKey is the canonical encoding of X = xG in ristretto255. Any 32 bytes
// can be held; Check says whether they are a key. Text form: 0x and 64 hex
// digits.
type PublicKey [PublicKeySize]byte

// Check reports whether p encodes a point other than the identity, canonically.
// It does not show that anybody knows the secret. Errors: ErrKey. Cost: about
// 10 µs. Spec: CONS-34.
func (p PublicKey) Check() error {
	_, err := p.point()
	return err
}

func (p PublicKey) point() (group.Element, error) {
	x := curve.NewElement()
	if err := x.UnmarshalBinary(p[:]); err != nil {
		return nil, fmt.Errorf("%w: %v is not the canonical encoding of a point", ErrKey, p)
	}
	if x.IsIdentity() {
		return nil, fmt.Errorf("%w: the identity", ErrKey)
	}
	return x, nil
}

// String returns 0x and lower-case hex.
func (p PublicKey) String() string { return keys.HexText(p[:]) }

// MarshalText implements encoding.TextMarshaler with String.
func (p PublicKey) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what String writes and nothing else. It does not Check.
// Errors: keys.ErrKey.
func (p *PublicKey) UnmarshalText(b []byte) error { return keys.ParseHex(p[:], b) }

// Verify returns the output β that the holder of pk has on alpha. alpha is not
// kept; it should come from keys.Dom.
//
// It accepts only 96 bytes whose three parts are canonical; the identity is
// refused as key and as Γ. It never panics. Errors: ErrKey, ErrProof. Cost:
// about 0.3 ms. Spec: CONS-34.
func Verify(pk PublicKey, alpha, proof []byte) (beta [OutputSize]byte, err error) {
	x, err := pk.point()
	if err != nil {
		return beta, err
	}
	if len(proof) != ProofSize {
		return beta, fmt.Errorf("%w: %d bytes, want %d", ErrProof, len(proof), ProofSize)
	}
	gamma := curve.NewElement()
	if err := gamma.UnmarshalBinary(proof[:32]); err != nil || gamma.IsIdentity() {
		return beta, fmt.Errorf("%w: no canonical point, or the identity", ErrProof)
	}
	var p dleq.Proof
	if err := p.UnmarshalBinary(curve, proof[32:]); err != nil {
		return beta, fmt.Errorf("%w: a scalar is not reduced", ErrProof)
	}
	v := dleq.Verifier{Params: params}
	if !v.Verify(curve.Generator(), x, inputPoint(pk, alpha), gamma, &p) {
		return beta, fmt.Errorf("%w: it does not hold for this key and input", ErrProof)
	}
	return output(proof[:32]), nil
}

// inputPoint returns H = HashToElement(X ‖ α). X is of fixed length, so no other
// pair has these bytes.
func inputPoint(pk PublicKey, alpha []byte) group.Element {
	return curve.HashToElement(append(pk[:], alpha...), []byte(keys.TagVRFInput))
}

// output returns β of the encoded point Γ.
func output(gamma []byte) (beta [OutputSize]byte) {
	sum := sha512.Sum512(append([]byte(keys.TagVRFOut), gamma...))
	copy(beta[:], sum[:])
	return beta
}
