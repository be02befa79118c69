// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"crypto/sha256"
	"fmt"

	"github.com/openledger/openledger/internal/enc"
)

// MaxAuthKeys bounds the keys of a threshold Auth.
const MaxAuthKeys = 16

// Kinds of the Auth union on the wire.
const (
	authSingle    = 0
	authThreshold = 1
)

// Auth says who may sign for an account: one key, or Threshold of several
// strictly ascending Keys. Encoded [0, pk] or [1, t, [pk…]]. Spec: KEY-02.
type Auth struct {
	Threshold uint64      // 0 for a single key, else 1..len(Keys)
	Keys      []PublicKey // 1 for a single key, else 1..MaxAuthKeys
}

type singleAuth struct {
	_    struct{} `cbor:",toarray"`
	Kind uint64
	Key  PublicKey
}

type thresholdAuth struct {
	_         struct{} `cbor:",toarray"`
	Kind      uint64
	Threshold uint64
	Keys      []PublicKey
}

// SingleAuth returns the Auth of one key.
func SingleAuth(pk PublicKey) Auth { return Auth{Keys: []PublicKey{pk}} }

// Address returns H(dom("addr", Auth)). a must pass Check; it panics if it has
// no key. Spec: KEY-02.
func (a Auth) Address() Address {
	if a.Threshold == 0 {
		return Address(sha256.Sum256(append(singlePrefix, a.Keys[0][:]...)))
	}
	return Address(Sum(DomainAddr, a))
}

// singlePrefix is Dom(DomainAddr, Auth of one key) without the key at its end.
var singlePrefix = func() []byte {
	b := Dom(DomainAddr, SingleAuth(PublicKey{}))
	n := len(b) - len(PublicKey{})
	return b[:n:n]
}()

// Need returns how many signatures are required.
func (a Auth) Need() int {
	if a.Threshold == 0 {
		return 1
	}
	return int(a.Threshold)
}

// Check verifies the shape: 1 ≤ t ≤ n ≤ 16, keys strictly ascending. Decoding
// does the same. It does not look into the keys; CheckKeys does. Errors:
// ErrKey. Spec: KEY-02.
func (a Auth) Check() error {
	if a.Threshold == 0 {
		if len(a.Keys) != 1 {
			return fmt.Errorf("%w: a single auth with %d keys", ErrKey, len(a.Keys))
		}
		return nil
	}
	if len(a.Keys) > MaxAuthKeys || a.Threshold > uint64(len(a.Keys)) {
		return fmt.Errorf("%w: threshold %d of %d keys", ErrKey, a.Threshold, len(a.Keys))
	}
	for i := 1; i < len(a.Keys); i++ {
		if a.Keys[i-1].Compare(a.Keys[i]) >= 0 {
			return fmt.Errorf("%w: keys not strictly ascending", ErrKey)
		}
	}
	return nil
}

// CheckKeys is Check and PublicKey.Check of each key. It is for an Auth that
// arrives from outside for the first time: a reveal, a genesis account.
// Errors: ErrKey. Cost: one point decompression per key.
func (a Auth) CheckKeys() error {
	if err := a.Check(); err != nil {
		return err
	}
	for _, k := range a.Keys {
		if err := k.Check(); err != nil {
			return err
		}
	}
	return nil
}

// MarshalCBOR encodes the union; internal/enc calls it. Errors: ErrKey if the
// Auth has no valid shape.
func (a Auth) MarshalCBOR() ([]byte, error) {
	if err := a.Check(); err != nil {
		return nil, err
	}
	if a.Threshold == 0 {
		return enc.Encode(singleAuth{Kind: authSingle, Key: a.Keys[0]}), nil
	}
	return enc.Encode(thresholdAuth{Kind: authThreshold, Threshold: a.Threshold, Keys: a.Keys}), nil
}

// UnmarshalCBOR decodes the union and checks its shape; internal/enc calls it.
// Errors: ErrKey, enc.ErrMalformed, enc.ErrNonCanonical.
func (a *Auth) UnmarshalCBOR(b []byte) error {
	var s singleAuth
	if enc.Decode(b, &s) == nil && s.Kind == authSingle {
		*a = SingleAuth(s.Key)
		return nil
	}
	var m thresholdAuth
	if err := enc.Decode(b, &m); err != nil {
		return err
	}
	if m.Kind != authThreshold || m.Threshold == 0 {
		return fmt.Errorf("%w: auth kind %d threshold %d", ErrKey, m.Kind, m.Threshold)
	}
	v := Auth{Threshold: m.Threshold, Keys: m.Keys}
	if err := v.Check(); err != nil {
		return err
	}
	*a = v
	return nil
}
