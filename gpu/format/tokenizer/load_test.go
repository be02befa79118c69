// SPDX-License-Identifier: Apache-2.0

package tokenizer

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/openledger/openledger/gpu/format"
)

// small is a file of 256 bytes, two merges, one added token.
func small() string {
	var b []byte
	b = append(b, `{"version":"1.0","truncation":null,"padding":null,"added_tokens":[{"id":258,"content":"<|end|>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],
"normalizer":null,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},
"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"E","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{"E":{"id":"E","ids":[258],"tokens":["<|end|>"]}}},
"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","dropout":null,"unk_token":null,"ignore_merges":false,"byte_fallback":false,"vocab":{`...)
	for r, n := 0, 0; r < len(alphabet); r++ {
		if alphabet[r] != 0 {
			b = fmt.Appendf(format.AppendText(b, string(rune(r))), ":%d,", n)
			n++
		}
	}
	return string(b) + `"he":256,"hel":257},"merges":["h e",["he","l"]]}}`
}

// changes of small that are refused, and what the error says.
var changes = map[string]struct{ old, new, want string }{
	"nothing":                        {`{"version":"1.0"`, ``, "wants a value"},
	"another version":                {`"1.0"`, `"2.0"`, "version"},
	"truncation":                     {`"truncation":null`, `"truncation":{"max_length":5}`, "truncation"},
	"padding":                        {`"padding":null`, `"padding":{}`, "padding"},
	"an unknown field":               {`"padding"`, `"extra":1,"padding"`, "extra"},
	"a field twice":                  {`"padding":null`, `"version":"1.0"`, "twice"},
	"a model of words":               {`"type":"BPE"`, `"type":"WordPiece"`, "WordPiece"},
	"dropout":                        {`"dropout":null`, `"dropout":0.1`, "dropout"},
	"fallback to bytes":              {`"byte_fallback":false`, `"byte_fallback":true`, "byte_fallback"},
	"a prefix of subwords":           {`"dropout":null`, `"continuing_subword_prefix":"##"`, "continuing_subword_prefix"},
	"a suffix of words":              {`"dropout":null`, `"end_of_word_suffix":"</w>"`, "end_of_word_suffix"},
	"an unknown field of the model":  {`"dropout":null`, `"scale":1`, "scale"},
	"no vocabulary":                  {`"vocab":`, `"vocab":null,"unk_token":`, ""},
	"an id twice":                    {`"he":256`, `"he":255`, "two tokens have the id 255"},
	"an id above all":                {`"he":256`, `"he":1048576`, "1048575"},
	"a negative id":                  {`"he":256`, `"he":-1`, "integer"},
	"an empty token":                 {`"he":256`, `"":259,"he":256`, "1 to"},
	"a long token":                   {`"he":256`, `"` + strings.Repeat("h", MaxToken+1) + `":259,"he":256`, "1 to"},
	"a byte is missing":              {`"h":`, `"hhh":`, "byte 0x68"},
	"a merge of one":                 {`"h e"`, `"he"`, "two tokens"},
	"a merge of three":               {`"h e"`, `"h e l"`, "two tokens"},
	"a merge of one in a list":       {`["he","l"]`, `["he"]`, "two tokens"},
	"a merge of three in a list":     {`["he","l"]`, `["h","e","l"]`, "two tokens"},
	"a merge of a number":            {`["he","l"]`, `["he",1]`, "text"},
	"a merge that is a number":       {`["he","l"]`, `7`, "list"},
	"a merge of unknown tokens":      {`"h e"`, `"xy z"`, "no token"},
	"a merge to an unknown token":    {`"h e"`, `"h h"`, "no token"},
	"a merge with nothing":           {`"h e"`, `" he"`, "no token"},
	"a merge twice":                  {`["he","l"]`, `"h e"`, "twice"},
	"an added token at a taken id":   {`"id":258`, `"id":257`, "two tokens have the id 257"},
	"an added token with another id": {`"content":"<|end|>"`, `"content":"he"`, "in the vocabulary 256"},
	"an added token of nothing":      {`"content":"<|end|>"`, `"content":""`, "1 to"},
	"an added token above all":       {`"id":258`, `"id":4294967295`, "1048575"},
	"a single word":                  {`"single_word":false`, `"single_word":true`, "single_word"},
	"spaces on the left":             {`"lstrip":false`, `"lstrip":true`, "lstrip"},
	"spaces on the right":            {`"rstrip":false`, `"rstrip":true`, "rstrip"},
	"an unknown field of a token":    {`"special":true`, `"special":true,"x":1`, "x"},
	"small letters":                  {`"normalizer":null`, `"normalizer":{"type":"Lowercase"}`, "Lowercase"},
	"small letters in a sequence":    {`"normalizer":null`, `"normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Lowercase"}]}`, "Lowercase"},
	"compatibility":                  {`"normalizer":null`, `"normalizer":{"type":"NFKC"}`, "NFKC"},
	"sequences in sequences":         {`"normalizer":null`, `"normalizer":{"type":"Sequence","normalizers":[{"type":"Sequence","normalizers":[]}]}`, "Sequence"},
	"no stage before the model":      {`"pre_tokenizer":{`, `"pre_tokenizer":null,"x":{`, "pre_tokenizer is missing"},
	"words by spaces":                {`{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}`, `{"type":"Metaspace"}`, "Metaspace"},
	"nothing splits":                 {`"use_regex":true`, `"use_regex":false`, "nothing splits"},
	"a pattern of its own":           {`{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}`, `{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"(a+)+$"},"behavior":"Isolated","invert":false},{"type":"ByteLevel","use_regex":false}]}`, "(a+)+$"},
	"a pattern of a string":          {`{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}`, `{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"String":" "},"behavior":"Isolated","invert":false}]}`, "expressions"},
	"spaces removed":                 {`{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}`, `{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"x"},"behavior":"Removed","invert":false}]}`, "Removed"},
	"two templates":                  {`"post_processor":{`, `"post_processor":{"type":"Sequence","processors":[{"type":"RobertaProcessing"}]},"x":{`, "RobertaProcessing"},
	"a template without a text":      {`,{"Sequence":{"id":"A","type_id":0}}`, ``, "0 times"},
	"a template of two texts":        {`"id":"A"`, `"id":"B"`, "B"},
	"a template of unknown ids":      {`"ids":[258]`, `"ids":[999]`, "999"},
	"a template of unknown names":    {`"SpecialToken":{"id":"E"`, `"SpecialToken":{"id":"F"`, "F"},
	"another decoder":                {`"decoder":{"type":"ByteLevel"}`, `"decoder":{"type":"WordPiece"}`, "WordPiece"},
	"no decoder":                     {`"decoder":{"type":"ByteLevel"}`, `"decoder":null`, "decoder is missing"},
	"a deep nest":                    {`"normalizer":null`, `"normalizer":` + strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40), "deeper"},
}

func TestTNS03FilesThatAreRefused(t *testing.T) {
	if tok, err := Parse([]byte(small())); err != nil {
		t.Fatal(err)
	} else if ids, err := tok.Encode("hello", true); err != nil || fmt.Sprint(ids) != fmt.Sprint([]uint32{258, 257, tok.single['l'], tok.single['o']}) {
		t.Fatalf("%d, %v", ids, err)
	}
	for name, c := range changes {
		if !strings.Contains(small(), c.old) {
			t.Fatalf("%s: the file has no %q", name, c.old)
		}
		_, err := Parse([]byte(strings.Replace(small(), c.old, c.new, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
			continue
		}
		if !errors.Is(err, format.ErrFormat) && !errors.Is(err, format.ErrUnsupported) {
			t.Errorf("%s: %v has no class", name, err)
		}
	}
}

func TestTNS03EveryTruncationIsRefused(t *testing.T) {
	b := file(t, "llama3")
	for n := 0; n < len(b); n += 101 {
		if _, err := Parse(b[:n]); !errors.Is(err, format.ErrFormat) {
			t.Fatalf("%d bytes of %d: %v", n, len(b), err)
		}
	}
	if _, err := Parse(bytes.Repeat([]byte{' '}, MaxFile+1)); !errors.Is(err, format.ErrFormat) {
		t.Errorf("a file that is too long: %v", err)
	}
}
