// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"fmt"
	"io"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
)

// PrivateKey is an Ed25519 signing key. Every way of printing it gives
// "[redacted]" or, where fmt may not ask it, an address;
// internal/enc refuses to encode it. Its zero value is no key. Copies share the
// secret, which never changes. Safe for concurrent use.
type PrivateKey struct {
	Redacted
	// k returns seed ‖ public key. It is a function because fmt prints the
	// fields of a struct that holds a PrivateKey in an unexported field, through
	// pointers too; it cannot look into a function.
	k func() ed25519.PrivateKey
}

// FromSeed derives the key of a 32-byte secret seed. Spec: RFC 8032 section
// 5.1.5.
func FromSeed(seed [32]byte) PrivateKey {
	k := ed25519.NewKeyFromSeed(seed[:])
	return PrivateKey{k: func() ed25519.PrivateKey { return k }}
}

// Generate makes a key from 32 bytes of rand, which must be a cryptographic
// source. Errors: those of rand.
func Generate(rand io.Reader) (PrivateKey, error) {
	var seed [32]byte
	if _, err := io.ReadFull(rand, seed[:]); err != nil {
		return PrivateKey{}, fmt.Errorf("read key seed: %w", err)
	}
	return FromSeed(seed), nil
}

// IsZero reports whether p is the zero value.
func (p PrivateKey) IsZero() bool { return p.k == nil }

// Seed returns the secret seed from which FromSeed makes the same key. It
// exists for node/keystore and for the keys derived from it (internal/bls,
// internal/vrf). It panics if p is the zero value.
func (p PrivateKey) Seed() [32]byte { return [32]byte(p.k()[:ed25519.SeedSize]) }

// Public returns the public key. It panics if p is the zero value.
func (p PrivateKey) Public() PublicKey { return PublicKey(p.k()[ed25519.SeedSize:]) }

// Sign returns the deterministic signature of msg. msg should come from Dom. It
// panics if p is the zero value. Spec: RFC 8032 section 5.1.6.
func (p PrivateKey) Sign(msg []byte) Signature {
	return Signature(ed25519.Sign(p.k(), msg))
}
