// SPDX-License-Identifier: Apache-2.0

package tokenizer

import (
	"unicode"
	"unicode/utf8"
)

// pattern is a way to split text into words. Each is the hand-written scanner of
// a regular expression that tokenizer.json holds, with the expression's rule:
// the first alternative that matches, as long as it can.
type pattern uint8

const (
	// whole does not split.
	whole pattern = iota
	// gpt2 is the expression inside of ByteLevel:
	// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
	gpt2
	// llama3 is below, with \p{N}{1,3}.
	llama3
	// qwen2 is below, with \p{N}.
	qwen2
)

// expressions are those that Split may have.
var expressions = map[string]pattern{
	`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`:                                          gpt2,
	`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`: llama3,
	`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`:      qwen2,
}

// class of a character: every one has exactly one.
type class uint8

const (
	other  class = iota // no letter, number or space: punctuation, marks, symbols
	letter              // \p{L}
	number              // \p{N}
	space               // \s
)

func classify(r rune) class {
	switch {
	case r < utf8.RuneSelf:
		switch {
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z':
			return letter
		case r >= '0' && r <= '9':
			return number
		case r == ' ' || r >= '\t' && r <= '\r':
			return space
		}
	case unicode.Is(unicode.L, r):
		return letter
	case unicode.Is(unicode.N, r):
		return number
	case unicode.Is(unicode.White_Space, r):
		return space
	}
	return other
}

// next returns the bytes of the first word of s, which is not empty.
func (p pattern) next(s string) int {
	switch p {
	case gpt2:
		return nextGPT2(s)
	case llama3:
		return nextLlama(s, 3)
	case qwen2:
		return nextLlama(s, 1)
	}
	return len(s)
}

// head returns the first character's class and size.
func head(s string) (class, int) {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return space, 0
	}
	return classify(r), n
}

// run returns the bytes of the characters of class c in front of s, at most
// limit of them, or all if limit is 0.
func run(s string, c class, limit int) int {
	i := 0
	for k := 0; i < len(s) && (limit == 0 || k < limit); k++ {
		got, n := head(s[i:])
		if got != c {
			break
		}
		i += n
	}
	return i
}

// contraction returns the bytes of 's 't 're 've 'm 'll 'd in front of s, or 0.
// Without case, ſ (U+017F) is an s, as Unicode folds it.
func contraction(s string, anyCase bool) int {
	if len(s) < 2 || s[0] != '\'' {
		return 0
	}
	fold := func(c byte) byte {
		if anyCase && c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		return c
	}
	a, b := fold(s[1]), byte(0)
	if len(s) > 2 {
		b = fold(s[2])
	}
	switch {
	case a == 's' || a == 't' || a == 'm' || a == 'd':
		return 2
	case (a == 'r' || a == 'v') && b == 'e' || a == 'l' && b == 'l':
		return 3
	case anyCase && a == 0xc5 && b == 0xbf:
		return 3
	}
	return 0
}

func nextGPT2(s string) int {
	if n := contraction(s, false); n > 0 {
		return n
	}
	i := 0
	if s[0] == ' ' {
		i = 1
	}
	if c, n := head(s[i:]); n > 0 && c != space {
		return i + run(s[i:], c, 0)
	}
	return spaces(s)
}

// spaces is \s+(?!\S)|\s+: all of a run at the end of the text, and before a word
// all but the last, which may belong to the word. s begins with a space.
func spaces(s string) int {
	n := run(s, space, 0)
	if n == len(s) {
		return n
	}
	if _, last := utf8.DecodeLastRuneInString(s[:n]); last < n {
		return n - last
	}
	return n
}

func nextLlama(s string, numbers int) int {
	if n := contraction(s, true); n > 0 {
		return n
	}
	c, n := head(s)
	second, _ := head(s[n:])
	switch {
	case c == letter:
		return run(s, letter, 0)
	case second == letter && n < len(s) && c != number && s[0] != '\r' && s[0] != '\n':
		return n + run(s[n:], letter, 0)
	case c == number:
		return run(s, number, numbers)
	case c == other || s[0] == ' ' && n < len(s) && second == other:
		if s[0] == ' ' {
			n = 1
		} else {
			n = 0
		}
		n += run(s[n:], other, 0)
		for n < len(s) && (s[n] == '\r' || s[n] == '\n') {
			n++
		}
		return n
	}
	// \s*[\r\n]+: the run of spaces up to its last line break.
	for i := run(s, space, 0); i > 0; i-- {
		if s[i-1] == '\r' || s[i-1] == '\n' {
			return i
		}
	}
	return spaces(s)
}

// digits says what a stage before the pattern does with numbers.
type digits uint8

const (
	together digits = iota // there is no such stage
	apart                  // each number is a stretch of its own
	runs                   // each run of numbers is
)

func (d digits) split(s string, f func(string)) {
	if d == together {
		f(s)
		return
	}
	for s != "" {
		n := 0
		for n < len(s) {
			c, k := head(s[n:])
			if c == number {
				break
			}
			n += k
		}
		if n == 0 && d == apart {
			n = run(s, number, 1)
		} else if n == 0 {
			n = run(s, number, 0)
		}
		f(s[:n])
		s = s[n:]
	}
}
