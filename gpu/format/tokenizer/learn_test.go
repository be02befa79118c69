// SPDX-License-Identifier: Apache-2.0

package tokenizer

import (
	"bytes"
	"cmp"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// relearn counts every pair anew before each merge.
func relearn(text string, vocab int) []byte {
	alphabet := byteAlphabet()
	var words [][]string
	for i, w := range strings.Fields(text) {
		if i > 0 {
			w = " " + w
		}
		var parts []string
		for _, b := range []byte(w) {
			parts = append(parts, alphabet[b])
		}
		words = append(words, parts)
	}
	tokens := append([]string{"<|begin|>", "<|end|>"}, alphabet...)
	var merges [][2]string
	for len(tokens) < vocab {
		count := map[[2]string]int{}
		for _, w := range words {
			for i := range len(w) - 1 {
				count[[2]string{w[i], w[i+1]}]++
			}
		}
		var best [2]string
		most := 1
		for p, n := range count {
			if n > most || n == most && most > 1 && cmp.Or(cmp.Compare(p[0], best[0]), cmp.Compare(p[1], best[1])) < 0 {
				best, most = p, n
			}
		}
		if most == 1 {
			break
		}
		merges = append(merges, best)
		if t := best[0] + best[1]; !slices.Contains(tokens, t) {
			tokens = append(tokens, t)
		}
		for k, w := range words {
			for i := 0; i+1 < len(w); i++ {
				if w[i] == best[0] && w[i+1] == best[1] {
					w = slices.Replace(w, i, i+2, best[0]+best[1])
				}
			}
			words[k] = w
		}
	}
	return tokenizerFile(tokens, merges)
}

func TestLearnIsTheNaiveOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`([abé]{1,7}[ \n]{1,2}){0,30}`).Draw(t, "text")
		vocab := rapid.IntRange(LeastVocab, LeastVocab+40).Draw(t, "vocab")
		if got := Learn(text, vocab); !bytes.Equal(got, relearn(text, vocab)) {
			t.Fatal("another vocabulary")
		}
	})
}

// TestLearnIsQuickWhateverTheText takes a MiB of one byte and of one word, and noise,
// and asks for the largest vocabulary; what it makes is read.
func TestLearnIsQuickWhateverTheText(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	random := make([]byte, 1<<17)
	for i := range random {
		random[i] = 'a' + byte(r.Intn(26))
	}
	for name, text := range map[string]string{"one byte": strings.Repeat("a", 1<<20), "one word": strings.Repeat("0123456789abcdef", 1<<16), "noise": string(random)} {
		start := time.Now()
		file := Learn(text, MaxVocab)
		if _, err := Parse(file); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		t.Logf("%s: %d bytes in %v", name, len(file), time.Since(start).Round(time.Millisecond))
	}
}
