// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
)

// PublicKey is an Ed25519 public key.
type PublicKey [32]byte

// Signature is an Ed25519 signature.
type Signature [64]byte

// ErrKey reports bytes that are no key.
var ErrKey = errors.New("invalid key")

var zip215 = &ed25519.Options{Verify: ed25519.VerifyOptionsZIP_215}

// String returns lower-case hex with 0x.
func (k PublicKey) String() string { return "0x" + hex.EncodeToString(k[:]) }

// MarshalText returns String.
func (k PublicKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// PrivateKey is an Ed25519 signing key. Its zero value signs nothing.
type PrivateKey struct{ k ed25519.PrivateKey }

// FromSeed derives the key of a 32-byte seed (RFC 8032).
func FromSeed(seed [32]byte) PrivateKey {
	return PrivateKey{ed25519.NewKeyFromSeed(seed[:])}
}

// Generate reads a seed from r.
func Generate(r io.Reader) (PrivateKey, error) {
	var seed [32]byte
	if _, err := io.ReadFull(r, seed[:]); err != nil {
		return PrivateKey{}, fmt.Errorf("read key seed: %w", err)
	}
	return FromSeed(seed), nil
}

// IsZero reports whether there is no key.
func (p PrivateKey) IsZero() bool { return p.k == nil }

// Seed returns the 32-byte seed, a secret.
func (p PrivateKey) Seed() (s [32]byte) {
	copy(s[:], p.k.Seed())
	return s
}

// Public returns the public key.
func (p PrivateKey) Public() (k PublicKey) {
	copy(k[:], p.k[32:])
	return k
}

// Sign signs msg.
func (p PrivateKey) Sign(msg []byte) (s Signature) {
	copy(s[:], ed25519.Sign(p.k, msg))
	return s
}

// String hides the key.
func (p PrivateKey) String() string { return "[redacted]" }

// GoString hides the key.
func (p PrivateKey) GoString() string { return "[redacted]" }

// LogValue hides the key.
func (p PrivateKey) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// MarshalJSON hides the key.
func (p PrivateKey) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }

// Verify checks one signature under ZIP-215 (KEY-01).
func Verify(pk PublicKey, msg []byte, sig Signature) bool {
	return ed25519.VerifyWithOptions(pk[:], msg, sig[:], zip215)
}

// BatchVerifier checks many signatures at once, with the same verdicts as Verify.
type BatchVerifier struct {
	pks  []PublicKey
	msgs [][]byte
	sigs []Signature
}

// Add queues one signature. msg is kept.
func (b *BatchVerifier) Add(pk PublicKey, msg []byte, sig Signature) {
	b.pks, b.msgs, b.sigs = append(b.pks, pk), append(b.msgs, msg), append(b.sigs, sig)
}

// Verify returns one verdict per queued signature, in order.
func (b *BatchVerifier) Verify(rand io.Reader) []bool {
	v := ed25519.NewBatchVerifierWithCapacity(len(b.pks))
	for i := range b.pks {
		v.AddWithOptions(b.pks[i][:], b.msgs[i], b.sigs[i][:], zip215)
	}
	if ok, each := v.Verify(rand); !ok && len(each) == len(b.pks) {
		return each
	}
	out := make([]bool, len(b.pks))
	for i := range out {
		out[i] = true
	}
	return out
}
