// SPDX-License-Identifier: Apache-2.0

package poa

import (
	"encoding/json"
	"fmt"
	"math/big"
	"unicode/utf8"
)

// MaxExponent bounds the decimal exponent of a Number either way, so that a
// short text cannot ask for a huge integer (GAM-01: s ≤ 400).
const MaxExponent = 400

// MaxDigits bounds the digits of one Number.
const MaxDigits = 10_000

// ScanError is a fault of a text at a place. Line and Column count from 1,
// columns in bytes.
type ScanError struct {
	Line, Column int
	Reason       string
}

// Error returns "LINE: column J: REASON", to be prefixed with the file (OFF-01).
func (e *ScanError) Error() string {
	return fmt.Sprintf("%d: column %d: %s", e.Line, e.Column, e.Reason)
}

// Is makes every ScanError an ErrInput.
func (e *ScanError) Is(to error) bool { return to == ErrInput }

// Scanner reads strict JSON (RFC 8259) from one text in memory, value by
// value, keeping numbers exact. It never copies the text and never recurses.
// A method that fails leaves the Scanner where the fault is.
type Scanner struct {
	b []byte
	i int
}

// NewScanner reads from b, which must not change meanwhile.
func NewScanner(b []byte) *Scanner { return &Scanner{b: b} }

// Offset returns the position in bytes, to come back to with Seek.
func (s *Scanner) Offset() int { return s.i }

// Seek moves to an Offset of the same text.
func (s *Scanner) Seek(offset int) { s.i = offset }

// Fail returns a ScanError at a byte offset.
func (s *Scanner) Fail(at int, format string, args ...any) error {
	at = min(at, len(s.b))
	line, start := 1, 0
	for i, c := range s.b[:at] {
		if c == '\n' {
			line, start = line+1, i+1
		}
	}
	return &ScanError{line, at - start + 1, fmt.Sprintf(format, args...)}
}

// Peek returns the next byte that is not white space, 0 at the end.
func (s *Scanner) Peek() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return c
		}
	}
	return 0
}

// Expect takes one punctuation byte. Errors: ScanError if another stands there.
func (s *Scanner) Expect(c byte) error {
	if s.Peek() != c || s.i == len(s.b) {
		return s.Fail(s.i, "expected %q, found %s", c, s.found())
	}
	s.i++
	return nil
}

// More separates list items. It reports whether another item follows: false
// takes the closing byte, true takes the comma (none before the first item).
func (s *Scanner) More(first bool, closing byte) (bool, error) {
	if s.Peek() == closing && s.i < len(s.b) {
		s.i++
		return false, nil
	}
	if first {
		return true, nil
	}
	if s.Peek() != ',' {
		return false, s.Fail(s.i, "expected ',' or %q, found %s", closing, s.found())
	}
	s.i++
	if s.Peek() == closing {
		return false, s.Fail(s.i, "a comma before %q", closing)
	}
	return true, nil
}

// End demands that only white space is left.
func (s *Scanner) End() error {
	if s.Peek(); s.i < len(s.b) {
		return s.Fail(s.i, "text after the end: %s", s.found())
	}
	return nil
}

// Text reads a JSON string. Errors: ScanError; invalid UTF-8 is refused.
func (s *Scanner) Text() (string, error) {
	if err := s.Expect('"'); err != nil {
		return "", err
	}
	start := s.i - 1
	for ; s.i < len(s.b) && s.b[s.i] != '"'; s.i++ {
		if s.b[s.i] == '\\' {
			s.i++
		}
	}
	if s.i >= len(s.b) {
		s.i = len(s.b)
		return "", s.Fail(start, "a string that does not end")
	}
	s.i++
	lexeme := s.b[start:s.i]
	var text string
	if !utf8.Valid(lexeme) || json.Unmarshal(lexeme, &text) != nil {
		return "", s.Fail(start, "not a valid string")
	}
	return text, nil
}

func (s *Scanner) found() string {
	if s.i >= len(s.b) {
		return "the end"
	}
	end := s.i
	for end < len(s.b) && end-s.i < 16 && (isWord(s.b[end])) {
		end++
	}
	if end > s.i {
		return fmt.Sprintf("%q", s.b[s.i:end])
	}
	r, _ := utf8.DecodeRune(s.b[s.i:])
	return fmt.Sprintf("%q", r)
}

func isWord(c byte) bool {
	return c == '+' || c == '-' || c == '.' || c == '_' ||
		c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// Number is an exact decimal: ±digits·10^Exp. The zero value is 0.
type Number struct {
	Neg    bool
	digits []byte // decimal digits with at most one '.', a part of the text
	Exp    int    // after moving the point to the end and dropping final zeros
	Len    int    // significant digits, 0 for the number 0
}

// Number reads a JSON number. Errors: ScanError; not a number, not finite,
// more than MaxDigits digits, an exponent beyond MaxExponent.
func (s *Scanner) Number() (Number, error) {
	s.Peek()
	start := s.i
	for s.i < len(s.b) && isWord(s.b[s.i]) {
		s.i++
	}
	lexeme := s.b[start:s.i]
	n, reason := parseNumber(lexeme)
	if reason != "" {
		s.i = start
		if len(lexeme) == 0 {
			reason = "expected a number, found " + s.found()
		}
		return Number{}, s.Fail(start, "%s", reason)
	}
	return n, nil
}

func parseNumber(b []byte) (n Number, reason string) {
	switch string(b) {
	case "NaN", "nan", "Infinity", "-Infinity", "inf", "-inf", "Inf", "-Inf", "+Inf", "+Infinity":
		return n, "number is not finite"
	}
	i := 0
	if i < len(b) && b[i] == '-' {
		n.Neg, i = true, i+1
	}
	start := i
	i += digits(b[i:])
	if i == start || b[start] == '0' && i > start+1 {
		return n, notNumber(b)
	}
	whole := i - start
	if i < len(b) && b[i] == '.' {
		frac := digits(b[i+1:])
		if frac == 0 {
			return n, notNumber(b)
		}
		i += 1 + frac
		n.Exp = -frac
	}
	n.digits = b[start:i]
	if len(n.digits) > MaxDigits {
		return n, fmt.Sprintf("a number of more than %d digits", MaxDigits)
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		e, ok := exponent(b[i+1:])
		if !ok {
			return n, notNumber(b)
		}
		n.Exp, i = n.Exp+e, len(b)
	}
	if i != len(b) {
		return n, notNumber(b)
	}
	n.trim(whole)
	if n.Len > 0 && (n.Exp < -MaxExponent || n.Exp+n.Len > MaxExponent && n.Exp > 0) {
		return n, fmt.Sprintf("the exponent of %.24s is outside ±%d", b, MaxExponent)
	}
	return n, ""
}

func notNumber(b []byte) string { return fmt.Sprintf("%.24q is not a number", b) }

func digits(b []byte) int {
	for i, c := range b {
		if c < '0' || c > '9' {
			return i
		}
	}
	return len(b)
}

// exponent reads an exponent; beyond five digits it answers a large one.
func exponent(b []byte) (int, bool) {
	neg := len(b) > 0 && b[0] == '-'
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		b = b[1:]
	}
	if len(b) == 0 || digits(b) != len(b) {
		return 0, false
	}
	e := 0
	for _, c := range b {
		e = min(e*10+int(c-'0'), 99_999)
	}
	if neg {
		e = -e
	}
	return e, true
}

// trim drops final zeros of the digits (raising Exp) and counts what is left.
// whole is the number of digits before the point.
func (n *Number) trim(whole int) {
	d := n.digits
	for len(d) > 0 && (d[len(d)-1] == '0' || d[len(d)-1] == '.') {
		if d[len(d)-1] == '0' {
			n.Exp++
		}
		d = d[:len(d)-1]
	}
	n.digits = d
	lead := 0
	for lead < len(d) && (d[lead] == '0' || d[lead] == '.') {
		lead++
	}
	n.Len = len(d) - lead
	if lead <= whole && len(d) > whole {
		n.Len-- // the point itself
	}
	if n.Len == 0 {
		*n = Number{}
	}
}

// Scaled returns the number times 10^s. It must be an integer: s ≥ −Exp.
func (n Number) Scaled(s int) *big.Int {
	v := new(big.Int)
	if n.Len == 0 {
		return v
	}
	text := make([]byte, 0, len(n.digits))
	for _, c := range n.digits {
		if c != '.' {
			text = append(text, c)
		}
	}
	v.SetString(string(text), 10)
	if e := n.Exp + s; e > 0 {
		v.Mul(v, Pow10(e))
	}
	if n.Neg {
		v.Neg(v)
	}
	return v
}

// Small returns the number times 10^s as an int64, ok only if it has at most
// 18 digits then. It allocates nothing.
func (n Number) Small(s int) (v int64, ok bool) {
	e := n.Exp + s
	if n.Len == 0 {
		return 0, true
	}
	if e < 0 || n.Len+e > 18 {
		return 0, false
	}
	for _, c := range n.digits {
		if c != '.' {
			v = v*10 + int64(c-'0')
		}
	}
	for range e {
		v *= 10
	}
	if n.Neg {
		v = -v
	}
	return v, true
}

// Pow10 returns 10^e for e ≥ 0.
func Pow10(e int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(e)), nil)
}
