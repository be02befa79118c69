// SPDX-License-Identifier: Apache-2.0

package table

import (
	"math"
	"strconv"
	"strings"
)

// Shortest returns the shortest decimal text that reads back as x, in the form
// of a JSON number: plain digits for 1e-6 ≤ |x| < 1e21, else an exponent
// without padding (1e-7, 1.5e+21). Zero of either sign is "0". x must be
// finite; NaN and infinities, which no table holds, give "null". Spec: OFF-01.
func Shortest(x float64) string {
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		return "null"
	case x == 0:
		return "0"
	}
	if a := math.Abs(x); a >= 1e-6 && a < 1e21 {
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	mant, exp, _ := strings.Cut(strconv.FormatFloat(x, 'e', -1, 64), "e")
	sign, digits := exp[:1], strings.TrimLeft(exp[1:], "0")
	return mant + "e" + sign + digits
}

// Exact returns the full decimal expansion of x, which every binary64 has: at
// most 1,074 digits after the point, no exponent, no trailing zeros. Zero of
// either sign is "0". x must be finite; others give "null". Spec: OFF-01.
func Exact(x float64) string {
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		return "null"
	case x == math.Trunc(x):
		return strconv.FormatFloat(x+0, 'f', 0, 64) // −0 + 0 = 0
	}
	return strings.TrimRight(strconv.FormatFloat(x, 'f', 1074, 64), "0")
}

// kind of a cell's text.
type kind int

const (
	notNumber kind = iota
	notFinite      // a number's spelling whose value is NaN, infinite or too large
	integer        // digits that fit int64
	decimal        // finite binary64
)

// scan classifies a cell and returns its value. An integer's float is not set.
func scan(cell []byte) (k kind, i int64, f float64) {
	if v, ok := scanInt(cell); ok {
		return integer, v, 0
	}
	text := string(cell)
	if spellsNonFinite(text) {
		return notFinite, 0, 0
	}
	if !isDecimal(text) {
		return notNumber, 0, 0
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(v, 0) {
		return notFinite, 0, 0
	}
	if v == 0 {
		v = 0 // −0 becomes 0, so that equal cells have equal bits
	}
	return decimal, 0, v
}

// scanInt reads an optional sign and up to 19 digits that fit int64.
func scanInt(b []byte) (int64, bool) {
	digits := b
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		digits = b[1:]
	}
	if len(digits) == 0 || len(digits) > 19 {
		return 0, false
	}
	var v uint64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + uint64(c-'0')
	}
	if b[0] == '-' {
		if v > 1<<63 {
			return 0, false
		}
		return int64(-v), true
	}
	return int64(v), v <= math.MaxInt64
}

// spellsNonFinite reports the spellings of NaN and infinity that programs
// write. They are faults on any line, also on line 1, where an unknown word
// would make a header.
func spellsNonFinite(s string) bool {
	s = strings.TrimLeft(strings.ToLower(s), "+-")
	return s == "nan" || s == "inf" || s == "infinity"
}

// isDecimal reports whether s is [sign] digits [. digits] [e [sign] digits]
// with at least one digit before the exponent.
func isDecimal(s string) bool {
	s = trimSign(s)
	s, whole := trimDigits(s)
	frac := 0
	if strings.HasPrefix(s, ".") {
		s, frac = trimDigits(s[1:])
	}
	if whole+frac == 0 {
		return false
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		var n int
		if s, n = trimDigits(trimSign(s[1:])); n == 0 {
			return false
		}
	}
	return s == ""
}

func trimSign(s string) string {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		return s[1:]
	}
	return s
}

func trimDigits(s string) (rest string, n int) {
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return s[n:], n
}
