// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// HRP is the human-readable prefix of an address. Deviation from KEY-02: test
// networks use the same prefix for now, since an address does not know its
// network.
const HRP = "open"

// addressText is the length of the text form: prefix, 1, 256 bits in groups of
// five, checksum.
const addressText = len(HRP) + 1 + 52 + bech32Checksum

// ErrAddress reports text that is no address.
var ErrAddress = errors.New("invalid address")

// Address names an account for life: the hash of its first Auth, or of a module
// name. Text form: bech32m with prefix HRP, 63 characters. Spec: KEY-02.
type Address [32]byte

// ModuleAddress returns the address of the account of a state module, for which
// no key exists: H(dom("module", name)). Spec: KEY-02.
func ModuleAddress(name string) Address { return Address(Sum(DomainModule, name)) }

// ParseAddress reads the text form and nothing else: lower case, right prefix,
// length and checksum. Errors: ErrAddress, with the reason.
func ParseAddress(s string) (Address, error) {
	body, ok := strings.CutPrefix(s, HRP+"1")
	if !ok {
		return Address{}, fmt.Errorf("%w: it begins with %s1", ErrAddress, HRP)
	}
	if len(s) != addressText {
		return Address{}, fmt.Errorf("%w: %d characters, want %d", ErrAddress, len(s), addressText)
	}
	var five []byte
	for i := range len(body) - bech32Checksum {
		v := strings.IndexByte(bech32Alphabet, body[i])
		if v < 0 {
			return Address{}, fmt.Errorf("%w: character %d is none of %s", ErrAddress, len(HRP)+2+i, bech32Alphabet)
		}
		five = append(five, byte(v))
	}
	a := Address(fromFive(five))
	if a.String() != s { // checksum and the bits left over
		return Address{}, fmt.Errorf("%w: the checksum does not match, a character is wrong", ErrAddress)
	}
	return a, nil
}

// IsZero reports whether a is the zero value, which is no account.
func (a Address) IsZero() bool { return a == Address{} }

// Compare orders addresses by their bytes, the order of every split (PAY-02).
func (a Address) Compare(b Address) int { return bytes.Compare(a[:], b[:]) }

// String returns the bech32m form.
func (a Address) String() string { return encodeBech32m(HRP, a[:]) }

// MarshalText implements encoding.TextMarshaler with String.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler with ParseAddress.
func (a *Address) UnmarshalText(b []byte) error {
	v, err := ParseAddress(string(b))
	if err != nil {
		return err
	}
	*a = v
	return nil
}
