// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
)

// MaxVouchers is how many vouchers one ChannelRedeem carries at most.
const MaxVouchers = 64

// Errors. Each refuses a voucher for good except ErrCumOver, which a larger
// deposit would cure.
var (
	ErrFormat    = errors.New("malformed voucher")
	ErrSignature = errors.New("voucher not signed by the channel's payer")
	ErrChannel   = errors.New("voucher of another channel")
	ErrCumLow    = errors.New("voucher adds nothing to what was redeemed")
	ErrCumOver   = errors.New("vouchers exceed the deposit")
	ErrLane      = errors.New("no lane for this offer")
	ErrExpired   = errors.New("voucher expired")
	ErrClosed    = errors.New("channel closed")
)

// ID is an object id (KEY-05). Text form: 0x and 64 hex digits.
type ID [32]byte

// String returns the text form.
func (i ID) String() string { return "0x" + hex.EncodeToString(i[:]) }

// MarshalText returns String.
func (i ID) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText reads the text form. Errors: ErrFormat.
func (i *ID) UnmarshalText(b []byte) error {
	raw, ok := strings.CutPrefix(string(b), "0x")
	v, err := hex.DecodeString(raw)
	if !ok || err != nil || len(v) != len(i) || strings.ToLower(raw) != raw {
		return fmt.Errorf("%w: %q is no id; write 0x and 64 lower-case hex digits", ErrFormat, b)
	}
	*i = ID(v)
	return nil
}

// Reserved marks fields that exist in format 1 for later use and must be null
// (CHN-02: conditions and PayWord chains).
type Reserved struct {
	_ struct{} `cbor:",toarray"`
}

// Voucher promises Cum base units in total on one lane. Nonce counts the paid
// requests of the lane and never falls; ExpiryMS is chain time (ACC-03) in
// milliseconds. Spec: CHN-02.
type Voucher struct {
	_        struct{}     `cbor:",toarray"`
	Channel  ID           `json:"channel"`
	Offer    ID           `json:"offer"`
	Nonce    uint64       `json:"nonce"`
	Cum      fixed.Amount `json:"cum"`
	ExpiryMS uint64       `json:"expiry_ms"`
	Cond     *Reserved    `json:"cond"`
	PayWord  *Reserved    `json:"payword"`
}

// Check verifies what can be seen without state: a cumulative amount and an
// expiry above zero, reserved fields null. Errors: ErrFormat.
func (v Voucher) Check() error {
	switch {
	case v.Cond != nil || v.PayWord != nil:
		return fmt.Errorf("%w: conditions and PayWord are not accepted", ErrFormat)
	case v.Cum == 0:
		return fmt.Errorf("%w: cum is zero", ErrFormat)
	case v.ExpiryMS == 0:
		return fmt.Errorf("%w: expiry_ms is zero", ErrFormat)
	}
	return nil
}

// SigningBytes are dom("voucher", chainID, voucher) of ENC-05.
func (v Voucher) SigningBytes(chainID [32]byte) []byte {
	return keys.Dom(keys.DomainVoucher, chainID, v)
}

// SignedVoucher is a voucher with the payer's key and signature.
type SignedVoucher struct {
	_       struct{}       `cbor:",toarray"`
	Voucher Voucher        `json:"voucher"`
	Key     keys.PublicKey `json:"key"`
	Sig     keys.Signature `json:"sig"`
}

// Sign signs v with the payer's key for one chain.
func Sign(k keys.PrivateKey, chainID [32]byte, v Voucher) SignedVoucher {
	return SignedVoucher{Voucher: v, Key: k.Public(), Sig: k.Sign(v.SigningBytes(chainID))}
}

// Payer is the account that Key alone speaks for.
func (s SignedVoucher) Payer() keys.Address { return keys.SingleAuth(s.Key).Address() }

// Verify checks format and signature, not whose key it is. Errors: ErrFormat,
// ErrSignature.
func (s SignedVoucher) Verify(chainID [32]byte) error {
	if err := s.Voucher.Check(); err != nil {
		return err
	}
	if !keys.Verify(s.Key, s.Voucher.SigningBytes(chainID), s.Sig) {
		return ErrSignature
	}
	return nil
}

// Decode reads the one valid encoding of a signed voucher and checks its format.
// Errors: those of enc.Decode, ErrFormat.
func Decode(b []byte) (SignedVoucher, error) {
	var s SignedVoucher
	if err := enc.Decode(b, &s); err != nil {
		return SignedVoucher{}, err
	}
	if err := s.Voucher.Check(); err != nil {
		return SignedVoucher{}, err
	}
	return s, nil
}
