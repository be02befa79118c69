// SPDX-License-Identifier: Apache-2.0

// Package tokenizer turns text into token ids and back, as a tokenizer.json of
// byte-level BPE says: the GPT-2, Llama-3 and Qwen2 ways to split text as
// hand-written scanners, added tokens, NFC, merges.
//
// A text of n bytes costs O(n log n) time and O(n) memory, also where it is one
// word. The ids are those of HuggingFace's tokenizers, which the tests compare.
//
// It refuses files that ask for anything else (SentencePiece fallbacks, other
// normalizers, other patterns, dropout), naming the field, and files whose parts
// contradict each other: a merge of unknown tokens, an id twice, a byte that no
// token stands for.
//
//	t, err := tokenizer.Parse(data)
//	ids, err := t.Encode("some text", true)
//	text, err := t.Decode(ids, true)
//
// Decoder does the same one token at a time and never cuts a character.
//
// Spec: TNS-03.
package tokenizer
