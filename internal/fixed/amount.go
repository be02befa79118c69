// SPDX-License-Identifier: Apache-2.0

package fixed

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// OPEN is one OPEN in base units.
const OPEN Amount = 1_000_000_000

// decimals is the number of digits after the point of an amount in OPEN.
const decimals = 9

// Errors of this package.
var (
	// ErrArith reports a result that does not fit or does not exist. A
	// transaction that meets it fails with code arith (ACC-02).
	ErrArith = errors.New("arithmetic overflow")
	// ErrAmount reports text that is no amount.
	ErrAmount = errors.New("invalid amount")
)

// Amount counts base units, nOPEN: 1 OPEN = 10^9. The supply is 10^18, so any
// sum of existing amounts fits. JSON and other text: the base units as a
// decimal string (RPC-02). CBOR: unsigned integer.
type Amount uint64

// Add returns a+b. Errors: ErrArith. Spec: ACC-02.
func Add(a, b Amount) (Amount, error) {
	s, carry := bits.Add64(uint64(a), uint64(b), 0)
	if carry != 0 {
		return 0, ErrArith
	}
	return Amount(s), nil
}

// Sub returns a−b. Errors: ErrArith if b > a. Spec: ACC-02.
func Sub(a, b Amount) (Amount, error) {
	if b > a {
		return 0, ErrArith
	}
	return a - b, nil
}

// Mul returns a·n, for instance a price times a count. Errors: ErrArith.
func Mul(a Amount, n uint64) (Amount, error) {
	hi, lo := bits.Mul64(uint64(a), n)
	if hi != 0 {
		return 0, ErrArith
	}
	return Amount(lo), nil
}

// MulDiv returns ⌊a·b/c⌋ through 128 bits. Errors: ErrArith if c = 0 or the
// quotient exceeds 64 bits. Spec: ACC-02.
func MulDiv(a, b, c uint64) (uint64, error) {
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return 0, ErrArith
	}
	q, _ := bits.Div64(hi, lo, c)
	return q, nil
}

// String prints nine decimals and the unit: "0.041200000 OPEN". ParseAmount
// reads it back.
func (a Amount) String() string {
	return fmt.Sprintf("%d.%09d OPEN", uint64(a/OPEN), uint64(a%OPEN))
}

// MarshalText prints the base units as a decimal string. Spec: RPC-02.
func (a Amount) MarshalText() ([]byte, error) {
	return strconv.AppendUint(nil, uint64(a), 10), nil
}

// UnmarshalText reads what MarshalText prints and nothing else: no sign, no
// leading zero. Errors: ErrAmount.
func (a *Amount) UnmarshalText(b []byte) error {
	v, err := strconv.ParseUint(string(b), 10, 64)
	if err != nil || strconv.FormatUint(v, 10) != string(b) {
		return fmt.Errorf("%w: %q is no decimal number of base units", ErrAmount, b)
	}
	*a = Amount(v)
	return nil
}

// ParseAmount reads an amount as a person writes it: "20", "20OPEN",
// "0.5 OPEN" or, in base units, "5nOPEN". Digits and one point only; at most
// nine decimals, nothing is rounded. Errors: ErrAmount, with the reason.
// Spec: CLI-01.
func ParseAmount(s string) (Amount, error) {
	text := strings.TrimSpace(s)
	if n, ok := strings.CutSuffix(text, "nOPEN"); ok {
		v, err := strconv.ParseUint(strings.TrimRight(n, " "), 10, 64)
		if err != nil {
			return 0, badAmount(s, "write base units as a whole number: 5nOPEN")
		}
		return Amount(v), nil
	}
	text = strings.TrimRight(strings.TrimSuffix(text, "OPEN"), " ")
	whole, frac, dotted := strings.Cut(text, ".")
	if !digits(whole) || (dotted && !digits(frac)) {
		return 0, badAmount(s, "write 20, 0.5OPEN or 5nOPEN")
	}
	if len(frac) > decimals {
		return 0, badAmount(s, "more than 9 decimals")
	}
	// One string of base units: the decimals padded to nine.
	v, err := strconv.ParseUint(whole+frac+strings.Repeat("0", decimals-len(frac)), 10, 64)
	if err != nil {
		return 0, badAmount(s, "too large")
	}
	return Amount(v), nil
}

func badAmount(s, reason string) error {
	return fmt.Errorf("%w: %q: %s", ErrAmount, s, reason)
}

// digits reports whether s is one or more decimal digits.
func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
