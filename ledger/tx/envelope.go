// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"errors"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
)

// MaxBytes bounds one encoded transaction (TXN-02).
const MaxBytes = 64 << 10

// format is the only envelope format.
const format = 1

// Roles of a signature. Only RoleSender is accepted so far.
const (
	RoleSender   = 0
	RoleSponsor  = 1
	RoleDelegate = 2
)

// Payload is the part of a transaction that depends on its kind. The types that
// implement it are the structs of this package, always by pointer.
type Payload interface {
	// Kind names the transaction kind.
	Kind() Kind
	// Check verifies bounds and set order without state. Errors: *Error with
	// EncField or EncOrder.
	Check() error
	// Writes bounds the state values that the effects write (FEE-01).
	Writes() uint64
}

// Body is what is signed. MaxFee and Tip are base units; ValidUntil is the last
// height at which it may be included. Kind is set from Payload by Sign and
// Encode. Spec: TXN-01.
type Body struct {
	_          struct{}      `cbor:",toarray"`
	Kind       Kind          `json:"kind"`
	Sender     keys.Address  `json:"sender"`
	Nonce      uint64        `json:"nonce"`
	MaxFee     fixed.Amount  `json:"max_fee"`
	Tip        fixed.Amount  `json:"tip"`
	ValidUntil uint64        `json:"valid_until"`
	Sponsor    *keys.Address `json:"sponsor,omitempty"`
	Payload    Payload       `json:"payload"`
}

// Sig is one signature: who signs in which role with which key of the revealed
// Auth.
type Sig struct {
	_        struct{}       `cbor:",toarray"`
	Role     uint64         `json:"role"`
	KeyIndex uint64         `json:"key_index"`
	Sig      keys.Signature `json:"sig"`
}

// Signed is a transaction as it travels: [1, Body, reveal, sigs].
//
// Reveal carries the sender's Auth in every transaction, so that signatures can
// be checked without state. Deviation: TXN-03 sends it once and reads it from
// the account afterwards; that waits for AuthRotate.
type Signed struct {
	_      struct{}   `cbor:",toarray"`
	Format uint64     `json:"format"`
	Body   Body       `json:"body"`
	Reveal *keys.Auth `json:"reveal,omitempty"`
	Sigs   []Sig      `json:"sigs"`
}

// Encode returns the canonical bytes.
func (s Signed) Encode() []byte { return enc.Encode(s) }

// Bytes returns the canonical bytes of the body.
func (b Body) Bytes() []byte { return enc.Encode(b) }

// ID is H(dom("txid", chainID, Body)), independent of signatures.
func (b Body) ID(chainID [32]byte) ID { return ID(keys.Sum(keys.DomainTxID, chainID, b)) }

// SigningBytes are dom("tx", chainID, Body) of ENC-05.
func (b Body) SigningBytes(chainID [32]byte) []byte { return keys.Dom(keys.DomainTx, chainID, b) }

// Sign completes b (Kind from Payload, Sender from the key) and signs it with a
// single key.
func Sign(chainID [32]byte, b Body, k keys.PrivateKey) Signed {
	auth := keys.SingleAuth(k.Public())
	b.Kind, b.Sender = b.Payload.Kind(), auth.Address()
	sig := Sig{Role: RoleSender, Sig: k.Sign(b.SigningBytes(chainID))}
	return Signed{Format: format, Body: b, Reveal: &auth, Sigs: []Sig{sig}}
}

// Decode reads one transaction and accepts only its canonical bytes. It checks
// no field and no signature; Verify does. Errors: *Error with EncSize, EncKind
// or EncNonCanonical, all ErrInvalid.
func Decode(b []byte) (Signed, error) {
	var s Signed
	if len(b) > MaxBytes {
		return s, Errorf(EncSize, "%d bytes, at most %d", len(b), MaxBytes)
	}
	k, err := peekKind(b)
	if err != nil {
		return s, err
	}
	if k == KindTransfer {
		if s, ok := quickTransfer(b); ok {
			return s, nil
		}
	}
	s.Body.Payload = New(k)
	if s.Body.Payload == nil {
		return s, Errorf(EncKind, "0x%04x", uint16(k))
	}
	if err := enc.Decode(b, &s); err != nil {
		if errors.Is(err, enc.ErrSize) {
			return Signed{}, Errorf(EncSize, "%v", err)
		}
		return Signed{}, Errorf(EncNonCanonical, "%v", err)
	}
	if s.Body.Payload == nil || s.Body.Kind != s.Body.Payload.Kind() {
		return Signed{}, Errorf(EncNonCanonical, "payload is null")
	}
	return s, nil
}

// peekKind reads the kind from the fixed start of the canonical form: array of
// 4, format 1, array of 8, two-byte unsigned. Every kind is above 255.
func peekKind(b []byte) (Kind, error) {
	if len(b) < 6 || b[0] != 0x84 || b[1] != format || b[2] != 0x88 || b[3] != 0x19 {
		return 0, Errorf(EncNonCanonical, "does not start as a transaction")
	}
	return Kind(b[4])<<8 | Kind(b[5]), nil
}
