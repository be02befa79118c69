// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/openledger/openledger/internal/enc"
)

// HRP is the human-readable prefix of an address.
const HRP = "open"

// Address names an account for life (KEY-02). Text form: bech32m, prefix HRP.
type Address [32]byte

// ErrAddress reports text that is no address.
var ErrAddress = errors.New("invalid address")

// IsZero reports whether a is the zero value, which is no account.
func (a Address) IsZero() bool { return a == Address{} }

// Compare orders addresses by their bytes.
func (a Address) Compare(b Address) int { return bytes.Compare(a[:], b[:]) }

// String returns the bech32m form.
func (a Address) String() string { return encodeBech32m(HRP, a[:]) }

// MarshalText returns String.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText is ParseAddress.
func (a *Address) UnmarshalText(b []byte) error {
	v, err := ParseAddress(string(b))
	if err == nil {
		*a = v
	}
	return err
}

// ParseAddress reads the bech32m form. Errors: ErrAddress.
func ParseAddress(s string) (Address, error) {
	hrp, data, err := decodeBech32m(s)
	if err != nil {
		return Address{}, fmt.Errorf("%w: %v", ErrAddress, err)
	}
	if hrp != HRP || len(data) != 32 {
		return Address{}, fmt.Errorf("%w: want prefix %q and 32 bytes", ErrAddress, HRP)
	}
	return Address(data), nil
}

// MaxAuthKeys bounds the keys of a threshold Auth.
const MaxAuthKeys = 16

// Auth says who may sign for an account: one key, or Threshold of several
// ascending Keys (KEY-02). Encoded [0, pk] or [1, t, [pk…]].
type Auth struct {
	Threshold uint64 // 0 for a single key
	Keys      []PublicKey
}

type singleAuth struct {
	_    struct{} `cbor:",toarray"`
	Kind uint64
	Key  PublicKey
}

type multiAuth struct {
	_         struct{} `cbor:",toarray"`
	Kind      uint64
	Threshold uint64
	Keys      []PublicKey
}

// SingleAuth is the Auth of one key.
func SingleAuth(pk PublicKey) Auth { return Auth{Keys: []PublicKey{pk}} }

// Need returns how many signatures are required.
func (a Auth) Need() int {
	if a.Threshold == 0 {
		return 1
	}
	return int(a.Threshold)
}

// Check verifies the shape of KEY-02.
func (a Auth) Check() error {
	if a.Threshold == 0 {
		if len(a.Keys) != 1 {
			return fmt.Errorf("%w: a single auth has one key", ErrKey)
		}
		return nil
	}
	if len(a.Keys) > MaxAuthKeys || a.Threshold > uint64(len(a.Keys)) {
		return fmt.Errorf("%w: threshold %d of %d keys", ErrKey, a.Threshold, len(a.Keys))
	}
	for i := 1; i < len(a.Keys); i++ {
		if bytes.Compare(a.Keys[i-1][:], a.Keys[i][:]) >= 0 {
			return fmt.Errorf("%w: keys not ascending", ErrKey)
		}
	}
	return nil
}

// MarshalCBOR encodes the union.
func (a Auth) MarshalCBOR() ([]byte, error) {
	if a.Threshold == 0 {
		if len(a.Keys) != 1 {
			return nil, ErrKey
		}
		return enc.Encode(singleAuth{Key: a.Keys[0]}), nil
	}
	return enc.Encode(multiAuth{Kind: 1, Threshold: a.Threshold, Keys: a.Keys}), nil
}

// UnmarshalCBOR decodes the union and checks it.
func (a *Auth) UnmarshalCBOR(b []byte) error {
	var s singleAuth
	if enc.Decode(b, &s) == nil && s.Kind == 0 {
		*a = SingleAuth(s.Key)
		return nil
	}
	var m multiAuth
	if err := enc.Decode(b, &m); err != nil {
		return err
	}
	if m.Kind != 1 || m.Threshold == 0 {
		return fmt.Errorf("%w: auth kind %d threshold %d", ErrKey, m.Kind, m.Threshold)
	}
	*a = Auth{Threshold: m.Threshold, Keys: m.Keys}
	return a.Check()
}

// Address is H(dom("addr", Auth)).
func (a Auth) Address() Address { return Address(Sum(DomainAddr, a)) }

// ModuleAddress is the key-less account of a state module, H(dom("module", name)).
func ModuleAddress(name string) Address { return Address(Sum(DomainModule, name)) }
