// SPDX-License-Identifier: Apache-2.0

package tokenizer

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Bounds of a file and of a text.
const (
	MaxFile   = 64 << 20 // bytes of tokenizer.json
	MaxVocab  = 1 << 20  // every id is below
	MaxMerges = 1 << 20
	MaxToken  = 1024     // bytes of a token
	MaxText   = 64 << 20 // bytes of one call of Encode
)

// Errors of use; those of files are format.ErrFormat and format.ErrUnsupported.
var (
	ErrText = errors.New("text cannot be encoded")
	ErrID   = errors.New("no such token id")
)

// Tokenizer is a loaded tokenizer.json. It does not change; its methods may be
// called from several goroutines.
type Tokenizer struct {
	single  [256]uint32       // the token of each byte
	tokens  [][]byte          // the bytes of each id; nil where there is none
	special []bool            // ids that Decode can leave out
	words   map[string]uint32 // whole words that are not merged; nil without ignore_merges
	merges  map[uint64]merge  // by left id · 2^32 + right id
	ids     map[string]uint32 // added tokens by content
	early   *matcher          // added tokens that are looked for in the text as it is
	late    *matcher          // and those looked for after normalisation
	nfc     bool
	prefix  bool // a space before each stretch of text that has none
	digits  digits
	pattern pattern
	before  []uint32 // ids that the template puts around a text
	after   []uint32
}

// Size returns the number above every id.
func (t *Tokenizer) Size() int { return len(t.tokens) }

// ID finds an added token by its content, for example "<|im_end|>".
func (t *Tokenizer) ID(content string) (uint32, bool) {
	id, ok := t.ids[content]
	return id, ok
}

// Token returns the bytes of an id; they need not be UTF-8. The caller must not
// change them. Errors: ErrID.
func (t *Tokenizer) Token(id uint32) ([]byte, error) {
	if uint64(id) >= uint64(len(t.tokens)) || t.tokens[id] == nil {
		return nil, fmt.Errorf("%w: %d", ErrID, id)
	}
	return t.tokens[id], nil
}

// Encode returns the ids of a text. Added tokens are recognised wherever they
// stand: a text of somebody else can hold them, too. With template, the ids that
// the file's template puts around a text (a token that begins it, as a rule) are there. Cost: O(n log n) time, about
// 40 n bytes at most. Errors: ErrText for bytes that are not UTF-8 and for more
// than MaxText of them.
func (t *Tokenizer) Encode(text string, template bool) ([]uint32, error) {
	if len(text) > MaxText {
		return nil, fmt.Errorf("%w: %d bytes, at most %d; encode it in pieces", ErrText, len(text), MaxText)
	}
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("%w: it is not UTF-8", ErrText)
	}
	e := encoder{t: t}
	if template {
		e.out = append(e.out, t.before...)
	}
	t.early.split(text, &e.out, func(s string) {
		if t.nfc {
			s = nfc(s)
		}
		t.late.split(s, &e.out, e.stretch)
	})
	if template {
		e.out = append(e.out, t.after...)
	}
	return e.out, nil
}

// encoder is the state of one call of Encode.
type encoder struct {
	t    *Tokenizer
	out  []uint32
	word word // reused
}

// stretch encodes text between added tokens.
func (e *encoder) stretch(s string) {
	t := e.t
	if t.prefix && s[0] != ' ' {
		s = " " + s
	}
	t.digits.split(s, func(s string) {
		for s != "" {
			n := t.pattern.next(s)
			e.piece(s[:n])
			s = s[n:]
		}
	})
}

func (e *encoder) piece(s string) {
	if id, ok := e.t.words[s]; ok {
		e.out = append(e.out, id)
		return
	}
	e.out = e.word.merge(e.t, s, e.out)
}
