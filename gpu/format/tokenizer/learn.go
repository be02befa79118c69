// SPDX-License-Identifier: Apache-2.0

package tokenizer

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/openledger/openledger/gpu/format"
)

// LeastVocab is the least vocabulary that Learn makes: the bytes, and the tokens that
// begin and end a text.
const LeastVocab = 258

// Learn trains byte-level BPE on text and returns a tokenizer.json with the split
// pattern of Llama 3, the token <|begin|> (0), which the template puts
// in front, <|end|> (1), the bytes (2 to 257), and merges until there are vocab
// ids or no pair stands twice. Each merge is the pair that stands most often; of equal
// ones the first by text; none makes a token of more than MaxToken bytes. vocab is at
// least LeastVocab. Cost: O(n log n) for n bytes, whatever they are.
func Learn(text string, vocab int) []byte {
	alphabet := byteAlphabet()
	c := newCorpus(alphabet)
	seen := map[string]int{}
	var words []string
	var times []int
	for i, w := range strings.Fields(text) {
		if i > 0 {
			w = " " + w
		}
		at, ok := seen[w]
		if !ok {
			at = len(words)
			seen[w] = at
			words, times = append(words, w), append(times, 0)
		}
		times[at]++
	}
	for i, w := range words {
		c.add(w, times[i])
	}
	tokens := append([]string{"<|begin|>", "<|end|>"}, alphabet...)
	have := map[string]bool{}
	for _, t := range alphabet {
		have[t] = true
	}
	var merges [][2]string
	for len(tokens) < vocab {
		p, ok := c.best()
		if !ok {
			break
		}
		merges = append(merges, [2]string{c.text[p[0]], c.text[p[1]]})
		if t := c.merge(p); !have[t] {
			have[t] = true
			tokens = append(tokens, t)
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
