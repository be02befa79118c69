// SPDX-License-Identifier: Apache-2.0

package enc

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Bounds of one encoded value (ENC-02).
const (
	MaxBytes = 16 << 20 // total length in bytes
	MaxDepth = 8        // nesting of arrays
	MaxArray = 65_536   // elements of one array
)

// Errors of Decode.
var (
	ErrMalformed    = errors.New("malformed encoding")
	ErrNonCanonical = errors.New("not the canonical encoding")
	ErrSize         = errors.New("encoding too large")
)

var encMode = mustEnc()
var decMode = mustDec()

func mustEnc() cbor.EncMode {
	opt := cbor.CoreDetEncOptions()
	opt.NilContainers = cbor.NilContainerAsEmpty
	opt.TagsMd = cbor.TagsForbidden
	m, err := opt.EncMode()
	if err != nil {
		panic(err)
	}
	return m
}

func mustDec() cbor.DecMode {
	m, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		MaxNestedLevels:   MaxDepth,
		MaxArrayElements:  MaxArray,
		UTF8:              cbor.UTF8RejectInvalid,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return m
}

// Encode returns the one valid encoding of v. It panics if v's Go type has no
// encoding, which is an error of the program, never of its input.
func Encode(v any) []byte {
	b, err := encMode.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("enc: %T: %v", v, err))
	}
	return b
}

// Decode reads b into the value that v points to and accepts it only if
// encoding the result gives b again (ENC-02). Errors: ErrSize, ErrMalformed,
// ErrNonCanonical.
func Decode(b []byte, v any) error {
	if len(b) > MaxBytes {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrSize, len(b), MaxBytes)
	}
	if err := decMode.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	again, err := encMode.Marshal(v)
	if err != nil {
		return fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	if !bytes.Equal(again, b) {
		return ErrNonCanonical
	}
	return nil
}
