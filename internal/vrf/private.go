// SPDX-License-Identifier: Apache-2.0

package vrf

import (
	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/zk/dleq"

	"github.com/openledger/openledger/internal/keys"
)

// PrivateKey is a secret scalar x with its public key. Every way of printing it
// gives "[redacted]" or an address. Its zero value is no key. Copies share the
// secret, which never changes. Safe for concurrent use.
type PrivateKey struct {
	keys.Redacted
	k func() *secret // a function, so that fmt cannot look into it
}

type secret struct {
	x      group.Scalar
	raw    []byte // x, 32 bytes
	point  group.Element
	public PublicKey
}

// NewKey derives the key of a 32-byte secret seed: x = HashToScalar(seed) under
// keys.TagVRFKey, a uniform scalar. Spec: CONS-34.
func NewKey(seed [32]byte) PrivateKey {
	s := &secret{x: curve.HashToScalar(seed[:], []byte(keys.TagVRFKey)), point: curve.NewElement()}
	s.point.MulGen(s.x)
	s.raw = bytesOf(s.x)
	s.public = PublicKey(bytesOf(s.point))
	return PrivateKey{k: func() *secret { return s }}
}

// Derive returns the VRF key that belongs to a validator's vote key. Who holds
// or backs up the one has the other. It panics if vote is the zero value.
// Spec: CONS-34, docs/adr/0010.
func Derive(vote keys.PrivateKey) PrivateKey {
	seed := vote.Seed()
	return NewKey(keys.Sum(keys.DomainVRFKey, seed[:]))
}

// IsZero reports whether p is the zero value.
func (p PrivateKey) IsZero() bool { return p.k == nil }

// Public returns the public key. It panics if p is the zero value.
func (p PrivateKey) Public() PublicKey { return p.k().public }

// Prove returns the output β on alpha and the proof Γ ‖ c ‖ s that Verify
// accepts. The same key and alpha give the same bytes. It panics if p is the
// zero value. Cost: about 0.3 ms. Spec: CONS-34.
func (p PrivateKey) Prove(alpha []byte) (proof [ProofSize]byte, beta [OutputSize]byte) {
	s := p.k()
	// Two proofs with one nonce and different challenges give x away; the nonce
	// depends on all that the challenge depends on.
	nonce := curve.HashToScalar(append(s.raw[:len(s.raw):len(s.raw)], alpha...), []byte(keys.TagVRFNonce))
	proof = s.prove(alpha, nonce)
	return proof, output(proof[:32])
}

func (s *secret) prove(alpha []byte, nonce group.Scalar) (proof [ProofSize]byte) {
	h := inputPoint(s.public, alpha)
	gamma := curve.NewElement().Mul(h, s.x)
	p, err := dleq.Prover{Params: params}.ProveWithRandomness(s.x, curve.Generator(), s.point, h, gamma, nonce)
	if err != nil {
		panic("vrf: ristretto255 points do not encode: " + err.Error())
	}
	copy(proof[:], bytesOf(gamma))
	copy(proof[32:], bytesOf(p))
	return proof
}

// bytesOf returns the encoding of a scalar, point or proof, which never fails
// in ristretto255.
func bytesOf(v interface{ MarshalBinary() ([]byte, error) }) []byte {
	b, err := v.MarshalBinary()
	if err != nil {
		panic("vrf: ristretto255 does not encode: " + err.Error())
	}
	return b
}
