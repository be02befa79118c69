// SPDX-License-Identifier: Apache-2.0

package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/openledger/openledger/gpu/format"
)

// Bounds of added tokens.
const (
	maxAdded      = 1 << 16
	maxAddedToken = 256     // bytes; each place of a text is compared with as many
	maxAddedBytes = 1 << 20 // of all contents together
)

// Parse reads a tokenizer.json. Cost: about 100 bytes for each token and merge,
// besides b. Errors: format.ErrFormat, format.ErrUnsupported naming the field.
// Spec: TNS-03.
func Parse(b []byte) (*Tokenizer, error) {
	if len(b) > MaxFile {
		return nil, fmt.Errorf("%w: tokenizer.json has %d bytes, at most %d", format.ErrFormat, len(b), MaxFile)
	}
	v, err := format.Parse("tokenizer.json", b)
	if err != nil {
		return nil, err
	}
	l := loader{t: &Tokenizer{early: &matcher{}, late: &matcher{}, merges: map[uint64]merge{}, ids: map[string]uint32{}}, vocab: map[string]uint32{}}
	f := format.NewFields(v)
	if s := f.Text("version"); s != "" && s != "1.0" {
		f.Fail(v.Unsupported("version %.20q; 1.0 is read", s))
	}
	for _, part := range []struct {
		name string
		need bool
		read func(v format.Value) error
	}{
		{"model", true, l.model},
		{"normalizer", false, l.normalizer},
		{"added_tokens", false, l.added},
		{"pre_tokenizer", true, l.preTokenizer},
		{"post_processor", false, l.postProcessor},
		{"decoder", true, l.decoder},
	} {
		take := f.Take
		if part.need {
			take = f.Need
		}
		if v, ok := take(part.name); ok {
			f.Fail(part.read(v))
		}
	}
	if err := f.Rest(func(key string, v format.Value) error {
		return v.Unsupported("the field would change the ids") // truncation and padding, as a rule
	}); err != nil {
		return nil, err
	}
	return l.t, nil
}

// loader is a tokenizer that is being read.
type loader struct {
	t     *Tokenizer
	vocab map[string]uint32 // tokens as the file writes them
	bytes int               // of added tokens
}

// alphabet maps the characters that stand for bytes in a file to bytes, + 1:
// printable characters of Latin-1 stand for themselves, the others are U+0100 and
// up, in order.
var alphabet = func() (a [0x144]uint16) {
	next := rune(0x100)
	for b := range 256 {
		r := rune(b)
		if b < '!' || b > '~' && b < 0xa1 || b == 0xad {
			r = next
			next++
		}
		a[r] = uint16(b) + 1
	}
	return a
}()

// fromAlphabet returns the bytes that a token stands for.
func fromAlphabet(s string) ([]byte, bool) {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if int(r) >= len(alphabet) || alphabet[r] == 0 {
			return nil, false
		}
		out = append(out, byte(alphabet[r]-1))
	}
	return out, true
}

func (l *loader) model(v format.Value) error {
	f := format.NewFields(v)
	if s := f.Text("type"); s != "BPE" && s != "" && f.Err == nil {
		f.Fail(v.Unsupported("type %.40q; BPE is read", s))
	}
	f.Take("unk_token") // for bytes that no token stands for, which are refused below
	for _, name := range []string{"dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"} {
		if v, ok := f.Take(name); ok && !v.IsZero() {
			f.Fail(v.Unsupported("only byte-level BPE without it is read"))
		}
	}
	f.Flag("fuse_unk", false) // about an unknown token, which there is not
	whole := f.Flag("ignore_merges", false)
	if v, ok := f.Need("vocab"); ok {
		f.Fail(l.readVocab(v, whole))
	}
	if v, ok := f.Need("merges"); ok {
		f.Fail(l.readMerges(v))
	}
	return f.Rest(unknown)
}

func unknown(_ string, v format.Value) error {
	return v.Unsupported("this program does not know the field")
}

// place puts a token at its id.
func (l *loader) place(v format.Value, id uint32, b []byte) error {
	t := l.t
	for int(id) >= len(t.tokens) {
		t.tokens = append(t.tokens, nil)
		t.special = append(t.special, false)
	}
	if t.tokens[id] != nil {
		return v.Fail("two tokens have the id %d", id)
	}
	t.tokens[id] = b
	return nil
}

func (l *loader) readVocab(v format.Value, whole bool) error {
	t := l.t
	if whole {
		t.words = map[string]uint32{}
	}
	var have [256]bool
	err := v.Object(func(key string, v format.Value) error {
		id, err := v.Uint(MaxVocab - 1)
		if err != nil {
			return err
		}
		if key == "" || len(key) > 4*MaxToken {
			return v.Fail("a token has 1 to %d bytes", MaxToken)
		}
		b, ok := fromAlphabet(key)
		switch {
		case !ok:
			b = []byte(key) // no text leads to it; Decode shows it as it is
		case len(b) > MaxToken:
			return v.Fail("a token has 1 to %d bytes", MaxToken)
		case whole:
			t.words[string(b)] = uint32(id)
		}
		if ok && len(b) == 1 {
			t.single[b[0]], have[b[0]] = uint32(id), true
		}
		l.vocab[key] = uint32(id)
		return l.place(v, uint32(id), b)
	})
	for b, ok := range have {
		if !ok && err == nil {
			return v.Unsupported("no token stands for the byte %#02x; only byte-level BPE is read", b)
		}
	}
	return err
}

func (l *loader) readMerges(v format.Value) error {
	return v.Array(func(i int, v format.Value) error {
		left, right, err := twoParts(v)
		if err != nil {
			return err
		}
		a, ok1 := l.vocab[left]
		b, ok2 := l.vocab[right]
		id, ok3 := l.vocab[left+right]
		if !ok1 || !ok2 || !ok3 {
			return v.Fail("merge %d of %.40q and %.40q: one of them or both together is no token", i, left, right)
		}
		key := pairKey(a, b)
		if _, twice := l.t.merges[key]; twice {
			return v.Fail("merge %d of %.40q and %.40q stands twice", i, left, right)
		}
		if i == MaxMerges {
			return v.Fail("more than %d merges", MaxMerges)
		}
		l.t.merges[key] = merge{uint32(i), id}
		return nil
	})
}

// twoParts reads a merge: "a b", or ["a", "b"] as newer files have it.
func twoParts(v format.Value) (string, string, error) {
	if v.IsText() {
		s, err := v.Text()
		left, right, ok := strings.Cut(s, " ")
		if err == nil && (!ok || strings.Contains(right, " ")) {
			err = v.Fail("a merge is two tokens with a space between, not %.80q", s)
		}
		return left, right, err
	}
	var parts []string
	err := v.Array(func(i int, v format.Value) error {
		s, err := v.Text()
		if parts = append(parts, s); len(parts) > 2 {
			err = v.Fail("a merge is two tokens")
		}
		return err
	})
	if err == nil && len(parts) != 2 {
		err = v.Fail("a merge is two tokens")
	}
	if err != nil {
		return "", "", err
	}
	return parts[0], parts[1], nil
}

func (l *loader) added(v format.Value) error {
	return v.Array(func(i int, v format.Value) error {
		f := format.NewFields(v)
		id := f.Uint("id", nil)
		content := f.Text("content")
		for _, name := range []string{"single_word", "lstrip", "rstrip"} {
			if at, ok := f.Peek(name); f.Flag(name, false) && ok {
				f.Fail(at.Unsupported("token %.40q: only false is supported", content))
			}
		}
		normalized, special := f.Flag("normalized", true), f.Flag("special", false)
		if err := f.Rest(unknown); err != nil {
			return err
		}
		return l.addToken(v, i, content, id, normalized, special)
	})
}

func (l *loader) addToken(v format.Value, i int, content string, id uint32, normalized, special bool) error {
	if id >= MaxVocab {
		return v.Fail("token %.40q has the id %d, at most %d", content, id, MaxVocab-1)
	}
	l.bytes += len(content)
	switch {
	case content == "" || len(content) > maxAddedToken:
		return v.Fail("an added token has 1 to %d bytes", maxAddedToken)
	case i == maxAdded || l.bytes > maxAddedBytes:
		return v.Fail("more than %d added tokens, or %d bytes of them", maxAdded, maxAddedBytes)
	}
	if _, twice := l.t.ids[content]; twice {
		return v.Fail("the added token %.40q stands twice", content)
	}
	if old, ok := l.vocab[content]; ok && old != id {
		return v.Fail("the added token %.40q has the id %d, in the vocabulary %d", content, id, old)
	} else if ok {
		l.t.tokens[id] = nil // of the two, the added one says what it looks like
	}
	if err := l.place(v, id, []byte(content)); err != nil {
		return err
	}
	l.t.ids[content], l.t.special[id] = id, special
	m := l.t.early
	if normalized {
		if m = l.t.late; l.t.nfc {
			content = nfc(content)
		}
		if _, n := m.longest(content); n == len(content) {
			return v.Fail("two added tokens are %.40q after normalisation", content)
		}
	}
	if !utf8.ValidString(content) {
		return v.Fail("an added token is not UTF-8")
	}
	m.add(content, id)
	return nil
}
