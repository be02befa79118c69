// SPDX-License-Identifier: Apache-2.0

package fixed

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Amount counts base units: 1 OPEN = 10^9 nOPEN.
type Amount uint64

// OPEN is one OPEN in base units.
const OPEN Amount = 1_000_000_000

// Errors.
var (
	ErrArith  = errors.New("arithmetic overflow")
	ErrAmount = errors.New("invalid amount")
)

// Add returns a+b. Errors: ErrArith.
func Add(a, b Amount) (Amount, error) {
	s, carry := bits.Add64(uint64(a), uint64(b), 0)
	if carry != 0 {
		return 0, ErrArith
	}
	return Amount(s), nil
}

// Sub returns a−b. Errors: ErrArith if b > a.
func Sub(a, b Amount) (Amount, error) {
	if b > a {
		return 0, ErrArith
	}
	return a - b, nil
}

// MulDiv returns ⌊a·b/c⌋ through 128 bits. Errors: ErrArith if c = 0 or the
// quotient exceeds 64 bits (ACC-02).
func MulDiv(a, b, c uint64) (uint64, error) {
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return 0, ErrArith
	}
	q, _ := bits.Div64(hi, lo, c)
	return q, nil
}

// String prints nine decimals and the unit: "0.041200000 OPEN".
func (a Amount) String() string {
	return fmt.Sprintf("%d.%09d OPEN", uint64(a/OPEN), uint64(a%OPEN))
}

// MarshalText prints the base units as a decimal string (RPC-02).
func (a Amount) MarshalText() ([]byte, error) {
	return strconv.AppendUint(nil, uint64(a), 10), nil
}

// UnmarshalText reads MarshalText's form.
func (a *Amount) UnmarshalText(b []byte) error {
	v, err := strconv.ParseUint(string(b), 10, 64)
	if err != nil || strconv.FormatUint(v, 10) != string(b) {
		return fmt.Errorf("%w: %q is no decimal number of base units", ErrAmount, b)
	}
	*a = Amount(v)
	return nil
}

// ParseAmount reads "20", "20OPEN", "0.5 OPEN" or "5nOPEN" (CLI-01). At most
// nine decimals. Errors: ErrAmount.
func ParseAmount(s string) (Amount, error) {
	text := strings.TrimSpace(s)
	if n, ok := strings.CutSuffix(text, "nOPEN"); ok {
		v, err := strconv.ParseUint(strings.TrimSpace(n), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%w: %q", ErrAmount, s)
		}
		return Amount(v), nil
	}
	text = strings.TrimSpace(strings.TrimSuffix(text, "OPEN"))
	whole, frac, dotted := strings.Cut(text, ".")
	if len(frac) > 9 {
		return 0, fmt.Errorf("%w: %q has more than 9 decimals", ErrAmount, s)
	}
	if whole == "" || (dotted && frac == "") || strings.ContainsAny(text, "+-_") {
		return 0, fmt.Errorf("%w: %q; write 20, 0.5OPEN or 5nOPEN", ErrAmount, s)
	}
	w, err1 := strconv.ParseUint(whole, 10, 64)
	f, err2 := strconv.ParseUint((frac + "000000000")[:9], 10, 64)
	if err1 != nil || err2 != nil || w > (1<<64-1)/uint64(OPEN) {
		return 0, fmt.Errorf("%w: %q; write 20, 0.5OPEN or 5nOPEN", ErrAmount, s)
	}
	a, err := Add(Amount(w)*OPEN, Amount(f))
	if err != nil {
		return 0, fmt.Errorf("%w: %q is too large", ErrAmount, s)
	}
	return a, nil
}
