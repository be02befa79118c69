// SPDX-License-Identifier: Apache-2.0

package enc

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Bounds of one encoded value (ENC-02). A bound on a single string is the
// business of the type that holds it.
const (
	MaxBytes = 16 << 20 // total length in bytes
	MaxDepth = 8        // arrays inside each other
	MaxArray = 65_536   // elements of one array
)

// Errors of this package. Bytes that give one of them never become valid, so a
// peer that sent them is at fault (family enc of the error codes).
var (
	// ErrMalformed reports bytes that are no value of the expected type:
	// truncated, trailing bytes, a forbidden kind, wrong type, wrong shape.
	ErrMalformed = errors.New("malformed encoding")
	// ErrNonCanonical reports a length or integer that is not written in the
	// one shortest, definite form.
	ErrNonCanonical = errors.New("not the canonical encoding")
	// ErrSize reports a value above MaxBytes, MaxDepth or MaxArray.
	ErrSize = errors.New("encoding too large")
	// ErrOrder reports a set that is not strictly ascending.
	ErrOrder = errors.New("set not strictly ascending")
)

var (
	encMode = must(encOptions().EncMode())
	decMode = must(decOptions().DecMode())
)

func must[M any](m M, err error) M {
	if err != nil {
		panic(err) // the options below are constants of the program
	}
	return m
}

func encOptions() cbor.EncOptions {
	opt := cbor.CoreDetEncOptions()
	opt.NilContainers = cbor.NilContainerAsEmpty
	opt.TagsMd = cbor.TagsForbidden
	return opt
}

// decOptions keeps the library's own guards as a second line behind scan.
func decOptions() cbor.DecOptions {
	return cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		MaxNestedLevels:   MaxDepth,
		MaxArrayElements:  MaxArray,
		UTF8:              cbor.UTF8RejectInvalid,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	}
}

// Encode returns the one encoding of v. The result is fresh and belongs to the
// caller. It does not check bounds or UTF-8: Decode of the result reports them.
//
// It panics if v's Go type has no encoding here (a map, a float, a channel, a
// struct without toarray), which is a fault of the program and never of its
// input. Spec: ENC-01.
func Encode(v any) []byte {
	b, err := encMode.Marshal(v)
	if err == nil {
		if scanErr := scan(b); errors.Is(scanErr, errForbidden) {
			err = scanErr
		}
	}
	if err != nil {
		panic(fmt.Sprintf("enc: %T has no encoding: %v", v, err))
	}
	return b
}

// Decode reads b into the value that v points to. It accepts b iff b is one
// bounded, well-formed item without trailing bytes, fits v's type, and equals
// Encode of the result; the last comparison is what refuses a null for a
// number and byte strings that fill a fixed array only in part. After an error
// the value is undefined. Nothing of b is kept.
//
// Errors: ErrSize, ErrMalformed, ErrNonCanonical. Cost: three passes over b.
// Spec: ENC-02.
func Decode(b []byte, v any) error {
	if len(b) > MaxBytes {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrSize, len(b), MaxBytes)
	}
	if err := scan(b); err != nil {
		return err
	}
	if err := decMode.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	again, err := encMode.Marshal(v)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if !bytes.Equal(again, b) {
		// The form is canonical by scan, so the bytes are not of v's type.
		return fmt.Errorf("%w: not what %T encodes to", ErrMalformed, v)
	}
	return nil
}

// First decodes the first item of a sequence of items, one after the other, as Decode
// does, and returns the bytes after it. Errors: as Decode. Cost: that of the item.
func First(b []byte, v any) (rest []byte, err error) {
	rest, err = scanItem(b, 0)
	if err != nil {
		return nil, err
	}
	return rest, Decode(b[:len(b)-len(rest)], v)
}

// CheckSet reports whether the list is a set: strictly ascending by the encoded
// bytes of its elements. Types that hold a set call it after decoding.
// Errors: ErrOrder. Cost: one encoding per element. Spec: ENC-03.
func CheckSet[T any](list []T) error {
	var before []byte
	for i, x := range list {
		b := Encode(x)
		if i > 0 && bytes.Compare(before, b) >= 0 {
			return fmt.Errorf("%w at element %d", ErrOrder, i)
		}
		before = b
	}
	return nil
}
