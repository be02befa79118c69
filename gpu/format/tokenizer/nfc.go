// SPDX-License-Identifier: Apache-2.0

package tokenizer

import (
	"cmp"
	"slices"

	"golang.org/x/text/unicode/norm"
)

// Hangul syllables decompose by arithmetic (Unicode, section 3.12).
const (
	hangulBase, hangulEnd = 0xAC00, 0xD7A4
	leadBase, vowelBase   = 0x1100, 0x1161
	trailBase             = 0x11A7
	vowels, trails        = 21, 28
)

// mark is a character and its combining class.
type mark struct {
	r    rune
	ccc  uint8
	back bool // it may compose with what stands before
}

func markOf(r rune) mark {
	p := norm.NFC.PropertiesString(string(r))
	return mark{r, p.CCC(), !p.BoundaryBefore()}
}

// nfc returns s in normalisation form C. Texts that x/text sees at once to be in it
// are returned as they are.
//
// The tables are those of x/text, the composition is not: x/text inserts U+034F
// after 30 combining marks, and composes over a character of class 0 that stands
// between (A, U+09BE, U+0307 becomes Ȧ, U+09BE), neither of which the standard does.
func nfc(s string) string {
	if norm.NFC.QuickSpanString(s) == len(s) {
		return s
	}
	return compose(s)
}

// compose is NFC by the definition of Unicode, without a bound on the number of
// marks: decompose, order marks by class, compose. Cost: O(n log n).
func compose(s string) string {
	var all []mark
	for _, r := range s {
		all = decompose(all, r)
	}
	for i := 0; i < len(all); {
		j := i + 1
		if all[i].ccc != 0 {
			for j < len(all) && all[j].ccc != 0 {
				j++
			}
			slices.SortStableFunc(all[i:j], func(a, b mark) int { return cmp.Compare(a.ccc, b.ccc) })
		}
		i = j
	}
	out := make([]rune, 0, len(all))
	starter, last := -1, uint8(0) // last is the class of the mark kept last, 0 right after the starter
	for _, m := range all {
		if m.back && starter >= 0 && (len(out)-1 == starter || last != 0 && last < m.ccc) {
			if r, ok := pair(out[starter], m.r); ok {
				out[starter] = r
				continue
			}
		}
		out = append(out, m.r)
		if last = m.ccc; last == 0 {
			starter = len(out) - 1
		}
	}
	return string(out)
}

func decompose(all []mark, r rune) []mark {
	if r >= hangulBase && r < hangulEnd {
		r -= hangulBase
		all = append(all, mark{r: leadBase + r/(vowels*trails)}, mark{r: vowelBase + r/trails%vowels, back: true})
		if r %= trails; r != 0 {
			all = append(all, mark{r: trailBase + r, back: true})
		}
		return all
	}
	d := norm.NFD.PropertiesString(string(r)).Decomposition()
	if d == nil {
		return append(all, markOf(r))
	}
	for _, r := range string(d) {
		all = append(all, markOf(r))
	}
	return all
}

// pair returns the composition of two characters, if there is one.
func pair(a, b rune) (rune, bool) {
	two := string([]rune{a, b})
	one := []rune(norm.NFC.String(two))
	return one[0], len(one) == 1
}
