// SPDX-License-Identifier: Apache-2.0

package tokenizer

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/openledger/openledger/gpu/format"
)

// LeastVocab is the least vocabulary that Learn makes: the bytes, and the tokens that
// begin and end a text.
const LeastVocab = 258

// Learn trains byte-level BPE on text and returns a tokenizer.json with the split
// pattern of Llama 3, the token <|begin|> (0), which the template puts
// in front, <|end|> (1), the bytes (2 to 257), and merges until there are vocab
// ids or no pair stands twice. vocab is at least LeastVocab. Cost: vocab passes over the
// different words of the text.
func Learn(text string, vocab int) []byte {
	alphabet := byteAlphabet()
	words, times := [][]string{}, []int{}
	seen := map[string]int{}
	for i, w := range strings.Fields(text) {
		if i > 0 {
			w = " " + w
		}
		at, ok := seen[w]
		if !ok {
			at = len(words)
			seen[w] = at
			var parts []string
			for _, b := range []byte(w) {
				parts = append(parts, alphabet[b])
			}
			words, times = append(words, parts), append(times, 0)
		}
		times[at]++
	}
	tokens := append([]string{"<|begin|>", "<|end|>"}, alphabet...)
	var merges [][2]string
	for len(tokens) < vocab {
		best, ok := bestPair(words, times)
		if !ok {
			break
		}
		merges = append(merges, best)
		if t := best[0] + best[1]; !slices.Contains(tokens, t) {
			tokens = append(tokens, t)
		}
		for i, w := range words {
			words[i] = mergePair(w, best)
		}
	}
	return tokenizerFile(tokens, merges)
}

// byteAlphabet writes each byte as files do.
func byteAlphabet() []string {
	out := make([]string, 256)
	next := rune(256)
	for b := range out {
		r := rune(b)
		if b < 33 || b == 127 || b > 127 && b < 161 || b == 173 {
			r = next
			next++
		}
		out[b] = string(r)
	}
	return out
}

// bestPair is the pair that stands most often, at least twice; of equal ones the
// first by text.
func bestPair(words [][]string, times []int) (best [2]string, ok bool) {
	count := map[[2]string]int{}
	for k, w := range words {
		for i := range len(w) - 1 {
			count[[2]string{w[i], w[i+1]}] += times[k]
		}
	}
	most := 1
	for p, n := range count {
		if n > most || n == most && ok && cmp.Or(cmp.Compare(p[0], best[0]), cmp.Compare(p[1], best[1])) < 0 {
			best, most, ok = p, n, true
		}
	}
	return best, ok
}

func mergePair(w []string, p [2]string) []string {
	for i := 0; i+1 < len(w); i++ {
		if w[i] == p[0] && w[i+1] == p[1] {
			w = slices.Replace(w, i, i+2, p[0]+p[1])
		}
	}
	return w
}

func tokenizerFile(tokens []string, merges [][2]string) []byte {
	var b bytes.Buffer
	b.WriteString(`{"version":"1.0","truncation":null,"padding":null,"added_tokens":[`)
	for i, t := range tokens[:2] {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"content":%q,"single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}`, i, t)
	}
	b.WriteString(`],"normalizer":null,"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":`)
	b.Write(format.AppendText(nil, `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`))
	b.WriteString(`},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]},`)
	b.WriteString(`"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<|begin|>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],`)
	b.WriteString(`"special_tokens":{"<|begin|>":{"id":"<|begin|>","ids":[0],"tokens":["<|begin|>"]}}},`)
	b.WriteString(`"decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},`)
	b.WriteString(`"model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,"ignore_merges":false,"vocab":{`)
	for i, t := range tokens {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%s:%d", format.AppendText(nil, t), i)
	}
	b.WriteString(`},"merges":[`)
	for i, m := range merges {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "[%s,%s]", format.AppendText(nil, m[0]), format.AppendText(nil, m[1]))
	}
	b.WriteString("]}}\n")
	return b.Bytes()
}
