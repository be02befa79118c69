// SPDX-License-Identifier: Apache-2.0

package state

import (
	"encoding/binary"
	"fmt"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
)

// The usual form of an account is written and read by hand, many times as fast as
// by package enc and to the same bytes: array of five, no Auth or that of one
// key, nonce, free, an empty list, null.
const (
	accountHead = 0x85
	oneKeyBytes = 4 + len(keys.PublicKey{})
)

// oneKey begins the Auth of one key.
var oneKey = [4]byte{0x82, 0x00, 0x58, byte(len(keys.PublicKey{}))}

// Encode returns the account's record.
func (a Account) Encode() []byte {
	if len(a.Delegates) > 0 || a.Vest != nil || a.Auth != nil && a.Auth.Threshold != 0 {
		return enc.Encode(a)
	}
	b := make([]byte, 1, 1+oneKeyBytes+9+9+2)
	b[0] = accountHead
	if a.Auth == nil {
		b = append(b, 0xf6)
	} else {
		b = append(append(b, oneKey[:]...), a.Auth.Keys[0][:]...)
	}
	b = appendUint(appendUint(b, a.Nonce), uint64(a.Free))
	return append(b, 0x80, 0xf6)
}

// DecodeAccount reads an account's record. Errors: those of enc.Decode.
func DecodeAccount(b []byte) (Account, error) {
	if a, ok := quickAccount(b); ok {
		return a, nil
	}
	var a Account
	err := enc.Decode(b, &a)
	return a, err
}

// quickAccount reads the usual form; false says nothing about the bytes.
func quickAccount(b []byte) (a Account, ok bool) {
	if len(b) < 2 || b[0] != accountHead {
		return Account{}, false
	}
	b = b[1:]
	switch {
	case b[0] == 0xf6:
		b = b[1:]
	case len(b) >= oneKeyBytes && [4]byte(b) == oneKey:
		auth := keys.SingleAuth(keys.PublicKey(b[len(oneKey):oneKeyBytes]))
		a.Auth, b = &auth, b[oneKeyBytes:]
	default:
		return Account{}, false
	}
	var free uint64
	var ok1, ok2 bool
	a.Nonce, b, ok1 = readUint(b)
	free, b, ok2 = readUint(b)
	a.Free, a.Delegates = fixed.Amount(free), []uint64{}
	return a, ok1 && ok2 && len(b) == 2 && b[0] == 0x80 && b[1] == 0xf6
}

// LoadAccount is GetAccount that says also whether there is a record.
func LoadAccount(v View, a keys.Address) (rec Account, ok bool, err error) {
	key := AccountKey(a)
	b, err := v.Get(key)
	if err != nil || b == nil {
		return Account{}, false, err
	}
	if rec, err = DecodeAccount(b); err != nil {
		return Account{}, false, fmt.Errorf("state record %x: %w", key, err)
	}
	return rec, true, nil
}

// appendUint appends an unsigned integer in its shortest form.
func appendUint(b []byte, v uint64) []byte {
	switch {
	case v < 24:
		return append(b, byte(v))
	case v < 1<<8:
		return append(b, 24, byte(v))
	case v < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, 25), uint16(v))
	case v < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, 26), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(b, 27), v)
}

// readUint reads what appendUint writes.
func readUint(b []byte) (v uint64, rest []byte, ok bool) {
	if len(b) == 0 {
		return 0, nil, false
	}
	h, b := b[0], b[1:]
	if h < 24 {
		return uint64(h), b, true
	}
	n := 1 << (h - 24)
	if h > 27 || len(b) < n {
		return 0, nil, false
	}
	for _, c := range b[:n] {
		v = v<<8 | uint64(c)
	}
	least := uint64(24)
	if n > 1 {
		least = 1 << (4 * n)
	}
	return v, b[n:], v >= least
}
