// SPDX-License-Identifier: Apache-2.0

package bls

import (
	"crypto/hkdf"
	"crypto/sha256"

	curve "github.com/cloudflare/circl/ecc/bls12381"

	"github.com/openledger/openledger/internal/keys"
)

// PrivateKey is a secret scalar with its public key. Every way of printing it
// gives "[redacted]" or an address. Its zero value is no key. Copies share the
// secret, which never changes. Safe for concurrent use.
type PrivateKey struct {
	keys.Redacted
	k func() *secret // a function, so that fmt cannot look into it
}

type secret struct {
	scalar curve.Scalar
	public PublicKey
}

// NewKey derives the key of a 32-byte secret seed. Spec: KeyGen of
// draft-irtf-cfrg-bls-signature-05 section 2.3 with empty key_info.
func NewKey(seed [32]byte) PrivateKey {
	s := new(secret)
	salt := sha256.Sum256([]byte(keys.TagBLSSalt))
	for s.scalar.IsZero() == 1 { // once, but for one seed in 2^255
		s.scalar.SetBytes(okm(seed, salt[:]))
		salt = sha256.Sum256(salt[:])
	}
	var p curve.G2
	p.ScalarMult(&s.scalar, curve.G2Generator())
	s.public = PublicKey(p.BytesCompressed())
	return PrivateKey{k: func() *secret { return s }}
}

// okm returns the 48 bytes that KeyGen reduces to a scalar.
func okm(seed [32]byte, salt []byte) []byte {
	prk, err := hkdf.Extract(sha256.New, append(seed[:], 0), salt)
	if err == nil {
		var out []byte
		if out, err = hkdf.Expand(sha256.New, prk, "\x00\x30", 48); err == nil {
			return out
		}
	}
	panic("bls: HKDF refuses constant lengths: " + err.Error())
}

// Derive returns the BLS key that belongs to a validator's vote key. Who holds
// or backs up the one has the other. It panics if vote is the zero value.
// Spec: CONS-12, docs/adr/0010.
func Derive(vote keys.PrivateKey) PrivateKey {
	seed := vote.Seed()
	return NewKey(keys.Sum(keys.DomainBLSKey, seed[:]))
}

// IsZero reports whether p is the zero value.
func (p PrivateKey) IsZero() bool { return p.k == nil }

// Public returns the public key. It panics if p is the zero value.
func (p PrivateKey) Public() PublicKey { return p.k().public }

// Sign returns the signature sk·H(msg), the same bytes every time. msg should
// come from keys.Dom. It panics if p is the zero value. Cost: about 0.3 ms.
// Spec: CONS-12.
func (p PrivateKey) Sign(msg []byte) Signature { return p.sign(msg, keys.TagBLSSign) }

// ProvePossession returns the signature of the public key under a tag of its
// own: it shows that the holder knows the secret, and signs nothing else. It
// panics if p is the zero value. Spec: CONS-12.
func (p PrivateKey) ProvePossession() Signature {
	pub := p.Public()
	return p.sign(pub[:], keys.TagBLSPop)
}

func (p PrivateKey) sign(msg []byte, tag keys.Tag) Signature {
	h := hash(msg, tag)
	h.ScalarMult(&p.k().scalar, h)
	return Signature(h.BytesCompressed())
}

// hash returns the point H(msg) of G1 under tag. Spec: RFC 9380, suite
// BLS12381G1_XMD:SHA-256_SSWU_RO_.
func hash(msg []byte, tag keys.Tag) *curve.G1 {
	h := new(curve.G1)
	h.Hash(msg, []byte(tag))
	return h
}
