// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
)

// ErrKey reports bytes or text that are no usable key, signature or auth.
var ErrKey = errors.New("invalid key")

// PublicKey is an Ed25519 public key. Any 32 bytes can be held; Check says
// whether they are fit to own something. Text form: 0x and 64 hex digits.
type PublicKey [32]byte

// Signature is an Ed25519 signature, R ‖ S. Text form: 0x and 128 hex digits.
type Signature [64]byte

var zip215 = &ed25519.Options{Verify: ed25519.VerifyOptionsZIP_215}

// Verify reports whether sig is pk's signature of msg under ZIP-215: S below
// the group order, A and R any encodings of curve points, the equation checked
// times the cofactor. It never panics. Spec: KEY-01.
func Verify(pk PublicKey, msg []byte, sig Signature) bool {
	return ed25519.VerifyWithOptions(pk[:], msg, sig[:], zip215)
}

// Check reports whether k is a canonical encoding of a curve point of large
// order. Verify accepts more than that, by ZIP-215; but for a key of small
// order anybody can sign, so no new Auth may hold one. Errors: ErrKey. Cost:
// one point decompression. Spec: KEY-01, ENC-06.
func (k PublicKey) Check() error {
	y := curve.CompressedEdwardsY(k)
	var p curve.EdwardsPoint
	if _, err := p.SetCompressedY(&y); err != nil {
		return fmt.Errorf("%w: %v is not on the curve", ErrKey, k)
	}
	if !y.IsCanonicalVartime() {
		return fmt.Errorf("%w: %v is not the canonical encoding", ErrKey, k)
	}
	if p.IsSmallOrder() {
		return fmt.Errorf("%w: %v has small order", ErrKey, k)
	}
	return nil
}

// CheckSigner is Check for a key whose signature is verified too, which shows that
// it is the encoding of a curve point: it compares bytes and decompresses nothing.
// Errors: ErrKey. Spec: KEY-01, ENC-06.
func (k PublicKey) CheckSigner() error {
	y := curve.CompressedEdwardsY(k)
	if !y.IsCanonicalVartime() {
		return fmt.Errorf("%w: %v is not the canonical encoding", ErrKey, k)
	}
	k[31] &= 0x7f
	for i := range smallOrderY {
		if k == smallOrderY[i] {
			return fmt.Errorf("%w: %v has small order", ErrKey, k)
		}
	}
	return nil
}

// smallOrderY lists the y coordinates of the eight points of small order: 1 (order
// 1), −1 (2), 0 (4) and ±y8 (8), each with x and −x.
var smallOrderY = [5]PublicKey{
	{1},
	{0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
	{},
	{0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
	{0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
}

// Compare orders keys by their bytes, the order of an Auth.
func (k PublicKey) Compare(o PublicKey) int { return bytes.Compare(k[:], o[:]) }

// String returns 0x and lower-case hex.
func (k PublicKey) String() string { return HexText(k[:]) }

// MarshalText implements encoding.TextMarshaler with String.
func (k PublicKey) MarshalText() ([]byte, error) { return []byte(HexText(k[:])), nil }

// UnmarshalText reads what String writes and nothing else. It does not Check.
// Errors: ErrKey.
func (k *PublicKey) UnmarshalText(b []byte) error { return ParseHex(k[:], b) }

// String returns 0x and lower-case hex.
func (s Signature) String() string { return HexText(s[:]) }

// MarshalText implements encoding.TextMarshaler with String.
func (s Signature) MarshalText() ([]byte, error) { return []byte(HexText(s[:])), nil }

// UnmarshalText reads what String writes and nothing else. Errors: ErrKey.
func (s *Signature) UnmarshalText(b []byte) error { return ParseHex(s[:], b) }

// HexText returns 0x and lower-case hex, the text form of keys and signatures.
func HexText(b []byte) string { return "0x" + hex.EncodeToString(b) }

// ParseHex fills dst from the text that HexText writes and leaves it unchanged
// on error. Errors: ErrKey.
func ParseHex(dst, text []byte) error {
	raw, err := hex.DecodeString(string(bytes.TrimPrefix(text, []byte("0x"))))
	if err != nil || len(raw) != len(dst) || HexText(raw) != string(text) {
		return fmt.Errorf("%w: want 0x and %d lower-case hex digits", ErrKey, 2*len(dst))
	}
	copy(dst, raw)
	return nil
}
