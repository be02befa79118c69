// SPDX-License-Identifier: Apache-2.0

package enc

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// errForbidden marks the kinds of item that ENC-01 excludes.
var errForbidden = fmt.Errorf("%w: forbidden kind", ErrMalformed)

// Major types of RFC 8949 section 3.1.
const (
	majorUint = iota
	majorNegative
	majorBytes
	majorText
	majorArray
	majorMap
	majorTag
	majorSimple
)

// The three simple values that ENC-01 allows.
const (
	simpleFalse = 20
	simpleTrue  = 21
	simpleNull  = 22
)

// scan checks that b is exactly one item of ENC-01 within the bounds of ENC-02.
// It reads heads only and allocates nothing, so hostile lengths cost nothing.
func scan(b []byte) error {
	rest, err := scanItem(b, 0)
	if err == nil && len(rest) > 0 {
		return fmt.Errorf("%w: %d trailing bytes", ErrMalformed, len(rest))
	}
	return err
}

// scanItem checks the first item of b, which stands inside depth arrays, and
// returns the bytes after it.
func scanItem(b []byte, depth int) ([]byte, error) {
	major, arg, rest, err := head(b)
	if err != nil {
		return nil, err
	}
	switch major {
	case majorUint:
		return rest, nil
	case majorNegative:
		if arg >= 1<<63 {
			return nil, fmt.Errorf("%w: integer below -2^63", ErrMalformed)
		}
		return rest, nil
	case majorBytes, majorText:
		return scanString(major, arg, rest)
	case majorArray:
		return scanArray(arg, rest, depth+1)
	case majorSimple:
		if arg == simpleFalse || arg == simpleTrue || arg == simpleNull {
			return rest, nil
		}
	}
	return nil, fmt.Errorf("%w: major type %d", errForbidden, major)
}

// head reads the first bytes of an item: the major type and its argument in
// the shortest form.
func head(b []byte) (major byte, arg uint64, rest []byte, err error) {
	if len(b) == 0 {
		return 0, 0, nil, fmt.Errorf("%w: truncated", ErrMalformed)
	}
	major, low := b[0]>>5, b[0]&31
	if low < 24 {
		return major, uint64(low), b[1:], nil
	}
	if major == majorSimple { // floats, two-byte simple values, break
		return 0, 0, nil, fmt.Errorf("%w: simple value or float", errForbidden)
	}
	if low == 31 {
		return 0, 0, nil, fmt.Errorf("%w: indefinite length", ErrNonCanonical)
	}
	if low > 27 {
		return 0, 0, nil, fmt.Errorf("%w: reserved head", ErrMalformed)
	}
	n := 1 << (low - 24)
	if len(b) < 1+n {
		return 0, 0, nil, fmt.Errorf("%w: truncated", ErrMalformed)
	}
	var wide [8]byte
	copy(wide[8-n:], b[1:1+n])
	arg = binary.BigEndian.Uint64(wide[:])
	if arg < 24 || (n > 1 && arg>>(4*n) == 0) {
		return 0, 0, nil, fmt.Errorf("%w: head longer than needed", ErrNonCanonical)
	}
	return major, arg, b[1+n:], nil
}

// scanString checks a byte or text string of n bytes.
func scanString(major byte, n uint64, rest []byte) ([]byte, error) {
	if n > uint64(len(rest)) {
		return nil, fmt.Errorf("%w: truncated", ErrMalformed)
	}
	if major == majorText && !utf8.Valid(rest[:n]) {
		return nil, fmt.Errorf("%w: text is not UTF-8", ErrMalformed)
	}
	return rest[n:], nil
}

// scanArray checks n items inside depth arrays.
func scanArray(n uint64, rest []byte, depth int) ([]byte, error) {
	if n > MaxArray {
		return nil, fmt.Errorf("%w: array of %d elements, at most %d", ErrSize, n, MaxArray)
	}
	if depth > MaxDepth {
		return nil, fmt.Errorf("%w: arrays nested beyond %d", ErrSize, MaxDepth)
	}
	var err error
	for range n {
		if rest, err = scanItem(rest, depth); err != nil {
			return nil, err
		}
	}
	return rest, nil
}
