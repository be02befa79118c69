// SPDX-License-Identifier: Apache-2.0

package content

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"

	"lukechampine.com/blake3"
)

// Sentinel errors. Every error of this package wraps one of them.
var (
	// ErrID reports bytes or text that are not a content id (ENC-04).
	ErrID = errors.New("bad content id")
	// ErrSize reports a size above MaxSize or an index past the end.
	ErrSize = errors.New("bad content size")
	// ErrPage reports a node page whose shape or values do not lead to the id.
	ErrPage = errors.New("bad node page")
	// ErrUnit reports a unit whose length or bytes do not match its page.
	ErrUnit = errors.New("bad unit")
)

// Code is a multihash function code. Only two values are valid (ENC-04).
type Code byte

const (
	// SHA256 names small documents: manifests, terms, records.
	SHA256 Code = 0x12
	// BLAKE3 names bulk content that travels in units.
	BLAKE3 Code = 0x1e
)

const (
	// IDSize is the length of an ID in bytes: code, length, 32 hash bytes.
	IDSize = 34
	// HashSize is the length in bytes of the hash inside an ID.
	HashSize = 32
	// textSize is the length of the text form: the multibase letter and 55
	// base32 letters for 272 bits.
	textSize = 56
)

// ID is a content identifier: 12 20 ‖ SHA2-256 or 1e 20 ‖ BLAKE3-256. The zero
// value is not a valid ID. IDs are comparable. Spec: ENC-04.
type ID [IDSize]byte

// Sum returns the BLAKE3 id of b. Cost: one pass over b.
func Sum(b []byte) ID { return FromHash(BLAKE3, blake3.Sum256(b)) }

// SumSHA256 returns the SHA2-256 id of b, used for documents such as manifests.
func SumSHA256(b []byte) ID { return FromHash(SHA256, sha256.Sum256(b)) }

// FromHash wraps a finished hash as an id. The caller states truly which
// function made it; any other code than SHA256 or BLAKE3 gives an invalid id.
func FromHash(c Code, h [HashSize]byte) ID {
	var id ID
	id[0], id[1] = byte(c), HashSize
	copy(id[2:], h[:])
	return id
}

// FromBytes reads an id from exactly 34 bytes. Errors: ErrID.
func FromBytes(b []byte) (ID, error) {
	var id ID
	err := id.UnmarshalBinary(b)
	return id, err
}

// Check reports whether the id has one of the two valid codes and the length
// byte 32. Errors: ErrID.
func (id ID) Check() error {
	if c := Code(id[0]); c != SHA256 && c != BLAKE3 {
		return fmt.Errorf("multihash code 0x%02x: %w", id[0], ErrID)
	}
	if id[1] != HashSize {
		return fmt.Errorf("multihash length %d: %w", id[1], ErrID)
	}
	return nil
}

// Code returns the hash function of the id; meaningful only if Check passes.
func (id ID) Code() Code { return Code(id[0]) }

// Hash returns the 32 hash bytes of the id.
func (id ID) Hash() [HashSize]byte { return [HashSize]byte(id[2:]) }

// Matches reports whether b is the content that id names. An invalid id
// matches nothing. Cost: one pass over b.
func (id ID) Matches(b []byte) bool {
	switch id.Code() {
	case SHA256:
		return id == SumSHA256(b)
	case BLAKE3:
		return id == Sum(b)
	}
	return false
}

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// String returns the text form: multibase base32, that is the letter b and 55
// lower-case letters or digits.
func (id ID) String() string { return "b" + base32Lower.EncodeToString(id[:]) }

// ParseID reads the text form and accepts only what String writes: no upper
// case, no padding, no stray bits. Errors: ErrID.
func ParseID(s string) (ID, error) {
	if len(s) != textSize || s[0] != 'b' {
		return ID{}, fmt.Errorf("text of %d bytes, want b and %d base32 letters: %w", len(s), textSize-1, ErrID)
	}
	raw, err := base32Lower.DecodeString(s[1:])
	if err != nil {
		return ID{}, fmt.Errorf("text is not base32: %w", ErrID)
	}
	id, err := FromBytes(raw)
	if err != nil {
		return ID{}, err
	}
	if id.String() != s {
		return ID{}, fmt.Errorf("text has stray bits: %w", ErrID)
	}
	return id, nil
}

// MarshalText implements encoding.TextMarshaler with String. Errors: ErrID for
// an invalid id, so that one never reaches JSON.
func (id ID) MarshalText() ([]byte, error) {
	if err := id.Check(); err != nil {
		return nil, err
	}
	return []byte(id.String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler with ParseID.
func (id *ID) UnmarshalText(b []byte) error {
	v, err := ParseID(string(b))
	if err != nil {
		return err
	}
	*id = v
	return nil
}

// UnmarshalBinary reads exactly 34 bytes; internal/enc calls it for each id it
// decodes, so a decoded id always passes Check. Errors: ErrID.
func (id *ID) UnmarshalBinary(b []byte) error {
	if len(b) != IDSize {
		return fmt.Errorf("%d bytes, want %d: %w", len(b), IDSize, ErrID)
	}
	v := ID(b)
	if err := v.Check(); err != nil {
		return err
	}
	*id = v
	return nil
}
