// SPDX-License-Identifier: Apache-2.0

package format

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrFormat marks bytes that no version of this program will read: a damaged or
// hostile file.
var ErrFormat = errors.New("file is not valid")

// ErrUnsupported marks a file that is well formed and asks for something that
// this program does not do. The error names the field.
var ErrUnsupported = errors.New("not supported")

// Bounds of a document: how deep values nest, and how many names all its objects
// have together (a vocabulary of 2^20 words and room for more).
const (
	MaxDepth = 32
	MaxNames = 1 << 21
)

// Value is a place in a checked document. It keeps the document's bytes.
type Value struct {
	b       []byte
	at, key string // the path is at, a dot, key
}

// Parse checks a whole document and returns its value. name stands before the
// path in errors. b must not change afterwards. Cost: O(len(b)) time; memory for
// the names of open objects. Errors: ErrFormat.
func Parse(name string, b []byte) (Value, error) {
	p := parser{b: b, check: true}
	p.space()
	first := p.i
	if err := p.value(0); err != nil {
		return Value{}, fmt.Errorf("%w: %s: byte %d: %w", ErrFormat, name, p.i, err)
	}
	last := p.i
	if p.space(); p.i != len(b) {
		return Value{}, fmt.Errorf("%w: %s: byte %d: something follows the value", ErrFormat, name, p.i)
	}
	return Value{b: b[first:last], key: name}, nil
}

// Path says where the value stands: file.field.field.
func (v Value) Path() string {
	if v.at == "" {
		return v.key
	}
	return v.at + "." + v.key
}

// Fail returns an ErrFormat that names the place.
func (v Value) Fail(format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrFormat, v.Path(), fmt.Sprintf(format, args...))
}

// Unsupported returns an ErrUnsupported that names the place.
func (v Value) Unsupported(format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrUnsupported, v.Path(), fmt.Sprintf(format, args...))
}

// IsNull reports whether the value is null.
func (v Value) IsNull() bool { return v.b[0] == 'n' }

// IsObject reports whether the value is an object.
func (v Value) IsObject() bool { return v.b[0] == '{' }

// IsArray reports whether the value is an array.
func (v Value) IsArray() bool { return v.b[0] == '[' }

// IsText reports whether the value is a string.
func (v Value) IsText() bool { return v.b[0] == '"' }

// IsZero reports whether the value is null, false, zero, "", [] or {}: what a
// field may say that asks for nothing.
func (v Value) IsZero() bool {
	switch v.b[0] {
	case 'n', 'f':
		return true
	case '[', '{':
		p := parser{b: v.b, i: 1}
		p.space()
		return p.b[p.i] == ']' || p.b[p.i] == '}'
	case '"':
		return len(v.b) == 2
	case 't':
		return false
	}
	f, err := strconv.ParseFloat(string(v.b), 64)
	return err == nil && f == 0
}

// Object calls f for each member in file order and stops at f's first error.
// Errors: ErrFormat if the value is no object, and those of f.
func (v Value) Object(f func(key string, v Value) error) error {
	if !v.IsObject() {
		return v.Fail("wants an object {…}, has %s", v.brief())
	}
	at := v.Path()
	p := parser{b: v.b, i: 1}
	for p.more('}') {
		key, err := p.text()
		if err != nil {
			return v.Fail("%v", err)
		}
		p.space()
		p.i++ // the colon
		m, err := p.member()
		if err != nil {
			return v.Fail("%v", err)
		}
		if err := f(key, Value{b: m, at: at, key: key}); err != nil {
			return err
		}
	}
	return nil
}

// Array calls f for each element in order and stops at f's first error. Errors:
// ErrFormat if the value is no array, and those of f.
func (v Value) Array(f func(i int, v Value) error) error {
	if !v.IsArray() {
		return v.Fail("wants a list […], has %s", v.brief())
	}
	p := parser{b: v.b, i: 1}
	for n := 0; p.more(']'); n++ {
		m, err := p.member()
		if err != nil {
			return v.Fail("%v", err)
		}
		if err := f(n, Value{b: m, at: v.at, key: v.key}); err != nil {
			return err
		}
	}
	return nil
}

// Text returns a string. Errors: ErrFormat.
func (v Value) Text() (string, error) {
	if !v.IsText() {
		return "", v.Fail("wants a text, has %s", v.brief())
	}
	p := parser{b: v.b}
	return p.text()
}

// Bool returns a truth value. Errors: ErrFormat.
func (v Value) Bool() (bool, error) {
	if v.b[0] != 't' && v.b[0] != 'f' {
		return false, v.Fail("wants true or false, has %s", v.brief())
	}
	return v.b[0] == 't', nil
}

// Uint returns an integer of at most max, written in digits only. Errors:
// ErrFormat.
func (v Value) Uint(most uint64) (uint64, error) {
	n, err := strconv.ParseUint(string(v.b[:min(len(v.b), 24)]), 10, 64)
	if err != nil || n > most {
		return 0, v.Fail("wants an integer from 0 to %d, has %s", most, v.brief())
	}
	return n, nil
}

// Float32 returns the number rounded once to binary32, half to even. Errors:
// ErrFormat if it is no number or rounds to infinity.
func (v Value) Float32() (float32, error) {
	if c := v.b[0]; c != '-' && (c < '0' || c > '9') {
		return 0, v.Fail("wants a number, has %s", v.brief())
	}
	f, err := strconv.ParseFloat(string(v.b), 32)
	if err != nil || math.IsInf(f, 0) {
		return 0, v.Fail("wants a number within binary32, has %s", v.brief())
	}
	return float32(f), nil
}

func (v Value) brief() string { return fmt.Sprintf("%.40q", v.b) }

// parser walks bytes. With check it looks for what makes a document invalid
// beyond its grammar; without, the document has been checked before.
type parser struct {
	b     []byte
	i     int
	names int
	check bool
}

func (p *parser) space() {
	for p.i < len(p.b) && (p.b[p.i] == ' ' || p.b[p.i] == '\n' || p.b[p.i] == '\t' || p.b[p.i] == '\r') {
		p.i++
	}
}

func (p *parser) peek() byte {
	if p.i < len(p.b) {
		return p.b[p.i]
	}
	return 0
}

// more moves to the next member of a checked object or list.
func (p *parser) more(closing byte) bool {
	if p.space(); p.peek() == ',' {
		p.i++
		p.space()
	}
	return p.peek() != closing
}

// member returns the bytes of the value ahead, in a checked document.
func (p *parser) member() ([]byte, error) {
	p.space()
	from := p.i
	err := p.value(0)
	return p.b[from:p.i], err
}

func (p *parser) value(depth int) error {
	if depth > MaxDepth {
		return fmt.Errorf("values nest deeper than %d", MaxDepth)
	}
	switch c := p.peek(); {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		return p.skipText()
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	for _, word := range []string{"null", "true", "false"} {
		if end := p.i + len(word); end <= len(p.b) && string(p.b[p.i:end]) == word {
			p.i = end
			return nil
		}
	}
	if p.i >= len(p.b) {
		return errors.New("the text ends in the middle")
	}
	return errors.New("wants a value")
}

func (p *parser) object(depth int) error {
	p.i++
	var seen map[string]struct{}
	for first := true; ; first = false {
		if p.space(); first && p.peek() == '}' {
			break
		}
		if p.peek() != '"' {
			return errors.New("wants a name in quotes")
		}
		if !p.check {
			if err := p.skipText(); err != nil {
				return err
			}
		} else if err := p.name(&seen); err != nil {
			return err
		}
		if p.space(); p.peek() != ':' {
			return errors.New("wants a colon after the name")
		}
		p.i++
		p.space()
		if err := p.value(depth + 1); err != nil {
			return err
		}
		if p.space(); p.peek() == '}' {
			break
		}
		if p.peek() != ',' {
			return errors.New("wants , or } after a member")
		}
		p.i++
	}
	p.i++
	return nil
}

// name reads a member's name and refuses one that the object has already.
func (p *parser) name(seen *map[string]struct{}) error {
	at := p.i
	key, err := p.text()
	if err != nil {
		return err
	}
	if p.names++; p.names > MaxNames {
		return fmt.Errorf("more than %d names", MaxNames)
	}
	if _, twice := (*seen)[key]; twice {
		p.i = at
		return fmt.Errorf("the name %.80q stands twice in one object", key)
	}
	if *seen == nil {
		*seen = map[string]struct{}{}
	}
	(*seen)[key] = struct{}{}
	return nil
}

func (p *parser) array(depth int) error {
	p.i++
	for first := true; ; first = false {
		if p.space(); first && p.peek() == ']' {
			break
		}
		if err := p.value(depth + 1); err != nil {
			return err
		}
		if p.space(); p.peek() == ']' {
			break
		}
		if p.peek() != ',' {
			return errors.New("wants , or ] after an element")
		}
		p.i++
	}
	p.i++
	return nil
}

// digits moves over decimal digits and says how many there were.
func (p *parser) digits() int {
	from := p.i
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		p.i++
	}
	return p.i - from
}

func (p *parser) number() error {
	from := p.i
	if p.peek() == '-' {
		p.i++
	}
	lead := p.peek()
	if n := p.digits(); n == 0 || lead == '0' && n > 1 {
		return errors.New("wants a number without leading zeros")
	}
	if p.peek() == '.' {
		if p.i++; p.digits() == 0 {
			return errors.New("wants digits after the point")
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.i++
		if c := p.peek(); c == '+' || c == '-' {
			p.i++
		}
		if p.digits() == 0 {
			return errors.New("wants digits in the exponent")
		}
	}
	if p.i-from > 64 {
		return errors.New("a number has more than 64 characters")
	}
	return nil
}

// skipText moves over a string. In a document that is being checked the string
// is looked at, too.
func (p *parser) skipText() error {
	if p.check {
		_, err := p.text()
		return err
	}
	for p.i++; p.b[p.i] != '"'; p.i++ {
		if p.b[p.i] == '\\' {
			p.i++
		}
	}
	p.i++
	return nil
}

// text reads a string. The common one, without escapes, is found first.
func (p *parser) text() (string, error) {
	for j := p.i + 1; j < len(p.b); j++ {
		switch c := p.b[j]; {
		case c == '"':
			s := p.b[p.i+1 : j]
			if !utf8.Valid(s) {
				return "", errors.New("a text is not UTF-8")
			}
			p.i = j + 1
			return string(s), nil
		case c == '\\':
			return p.escaped()
		case c < ' ':
			p.i = j
			return "", errors.New("a control character in a text")
		}
	}
	return "", errors.New("the text ends in the middle")
}

var escapes = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (p *parser) escaped() (string, error) {
	var out []byte
	for p.i++; p.i < len(p.b); {
		c := p.b[p.i]
		switch {
		case c == '"':
			p.i++
			if !utf8.Valid(out) {
				return "", errors.New("a text is not UTF-8")
			}
			return string(out), nil
		case c < ' ':
			return "", errors.New("a control character in a text")
		case c != '\\':
			out = append(out, c)
			p.i++
			continue
		}
		if p.i++; p.peek() == 'u' {
			r, err := p.unicode()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
			continue
		}
		e, ok := escapes[p.peek()]
		if !ok {
			return "", errors.New("an unknown escape in a text")
		}
		out = append(out, e)
		p.i++
	}
	return "", errors.New("the text ends in the middle")
}

// unicode reads uXXXX, or a pair of surrogates as one character.
func (p *parser) unicode() (rune, error) {
	r, ok := p.hex4()
	if !ok {
		return 0, errors.New("wants four hex digits after \\u")
	}
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	if p.peek() == '\\' {
		p.i++
		if low, ok := p.hex4(); ok {
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				return r, nil
			}
		}
	}
	return 0, errors.New("half of a surrogate pair in a text")
}

func (p *parser) hex4() (rune, bool) {
	if p.i+5 > len(p.b) || p.b[p.i] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(p.b[p.i+1:p.i+5]), 16, 16)
	p.i += 5
	return rune(n), err == nil
}
