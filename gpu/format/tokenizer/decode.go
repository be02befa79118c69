// SPDX-License-Identifier: Apache-2.0

package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// Decode returns the text of ids. Bytes that are no UTF-8 become U+FFFD, one for
// each longest beginning of a character. With skip, special tokens are left out.
// Errors: ErrID.
func (t *Tokenizer) Decode(ids []uint32, skip bool) (string, error) {
	d := Decoder{t: t, skip: skip}
	var b strings.Builder
	for _, id := range ids {
		s, err := d.Add(id)
		if err != nil {
			return "", err
		}
		b.WriteString(s)
	}
	b.WriteString(d.Flush())
	return b.String(), nil
}

// Decoder turns ids into text as they come. What it has returned is never taken
// back, and all of it together is what Decode returns.
type Decoder struct {
	t    *Tokenizer
	skip bool
	rest []byte // the beginning of a character, at most 3 bytes
}

// Decoder returns a decoder for one text.
func (t *Tokenizer) Decoder(skip bool) *Decoder { return &Decoder{t: t, skip: skip} }

// Add returns the text that is certain after one more id: whole characters. It
// may be empty. Errors: ErrID; the decoder is then unchanged.
func (d *Decoder) Add(id uint32) (string, error) {
	b, err := d.t.Token(id)
	if err != nil || d.skip && d.t.special[id] {
		return "", err
	}
	b = append(d.rest, b...)
	var out []byte
	for len(b) > 0 && utf8.FullRune(b) {
		n := 0
		out, n = decodeOne(out, b)
		b = b[n:]
	}
	d.rest = append([]byte(nil), b...)
	return string(out), nil
}

// Flush returns what is left of a character that never ended, as U+FFFD.
func (d *Decoder) Flush() string {
	if len(d.rest) == 0 {
		return ""
	}
	d.rest = nil
	return string(utf8.RuneError)
}

// decodeOne appends the character in front of b, or U+FFFD for the longest
// beginning of one (Unicode, section 3.9, substitution of maximal subparts).
func decodeOne(out, b []byte) ([]byte, int) {
	r, n := utf8.DecodeRune(b)
	if r == utf8.RuneError && n == 1 {
		for n < len(b) && n < utf8.UTFMax && !utf8.FullRune(b[:n]) && !utf8.FullRune(b[:n+1]) {
			n++
		}
	}
	return utf8.AppendRune(out, r), n
}
