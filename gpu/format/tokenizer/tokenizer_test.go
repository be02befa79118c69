// SPDX-License-Identifier: Apache-2.0

package tokenizer

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/openledger/openledger/gpu/format"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

// TestTNS03UnicodeIsTheSpecifiedOne fails when a new Go or x/text brings another
// edition: ids of texts with characters that are new in it would change.
func TestTNS03UnicodeIsTheSpecifiedOne(t *testing.T) {
	if unicode.Version != "15.0.0" || norm.Version != "15.0.0" {
		t.Errorf("classes are of Unicode %s, normalisation of %s; the specification says 15.0.0: see TNS-03", unicode.Version, norm.Version)
	}
}

// rulesOf a pattern, the alternatives without the lookahead, which Go's regexp
// does not have, as expressions.
var rulesOf = map[pattern][]string{
	gpt2:   {`'s|'t|'re|'ve|'m|'ll|'d`, ` ?\p{L}+`, ` ?\p{N}+`, ` ?[^\s\p{L}\p{N}]+`, "", `\s+`},
	llama3: {`(?i:'s|'t|'re|'ve|'m|'ll|'d)`, `[^\r\n\p{L}\p{N}]?\p{L}+`, `\p{N}{1,3}`, ` ?[^\s\p{L}\p{N}]+[\r\n]*`, `\s*[\r\n]+`, "", `\s+`},
	qwen2:  {`(?i:'s|'t|'re|'ve|'m|'ll|'d)`, `[^\r\n\p{L}\p{N}]?\p{L}+`, `\p{N}`, ` ?[^\s\p{L}\p{N}]+[\r\n]*`, `\s*[\r\n]+`, "", `\s+`},
}

// byRules is next by regular expressions, one alternative after the other.
func byRules(rules []*regexp.Regexp, s string) int {
	for _, r := range rules {
		if r == nil { // \s+(?!\S)
			n := len(s) - len(strings.TrimLeftFunc(s, unicode.IsSpace))
			if n < len(s) && n > 0 {
				_, last := utf8.DecodeLastRuneInString(s[:n])
				n -= last
			}
			if n > 0 {
				return n
			}
		} else if at := r.FindStringIndex(s); at != nil {
			return at[1]
		}
	}
	return 0
}

// TestTNS03ScannersAreTheirExpressions tries every text of up to six characters
// out of one for each case that an expression makes.
func TestTNS03ScannersAreTheirExpressions(t *testing.T) {
	chars := []string{"'", "s", "L", "e", "é", "7", "½", " ", "\n", "\r", "\t", "\u3000", "!", "\u0301"}
	for p, list := range rulesOf {
		var rules []*regexp.Regexp
		for _, e := range list {
			if e == "" {
				rules = append(rules, nil)
				continue
			}
			// Go's \s is ASCII.
			e = strings.NewReplacer(`[^\s`, `[^\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}`, `\s`, `[\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]`).Replace(e)
			rules = append(rules, regexp.MustCompile("^(?:"+e+")"))
		}
		var try func(s string, depth int)
		try = func(s string, depth int) {
			if s != "" {
				if got, want := p.next(s), byRules(rules, s); got != want {
					t.Fatalf("pattern %d: the first word of %q has %d bytes, want %d", p, s, got, want)
				}
			}
			if depth > 0 {
				for _, c := range chars {
					try(s+c, depth-1)
				}
			}
		}
		try("", 4)
		r := rand.New(rand.NewPCG(1, uint64(p)))
		for range 50_000 {
			var b strings.Builder
			for range 1 + r.IntN(9) {
				b.WriteString(chars[r.IntN(len(chars))])
			}
			try(b.String(), 0)
		}
	}
}

// naive merges by searching the best pair again and again.
func naive(t *Tokenizer, s string) []uint32 {
	var ids []uint32
	for i := range len(s) {
		ids = append(ids, t.single[s[i]])
	}
	for {
		best, at := merge{rank: gone}, -1
		for i := range len(ids) - 1 {
			if m, ok := t.merges[pairKey(ids[i], ids[i+1])]; ok && m.rank < best.rank {
				best, at = m, i
			}
		}
		if at < 0 {
			return ids
		}
		ids = slices.Replace(ids, at, at+2, best.id)
	}
}

func TestTNS03MergesAreThoseOfTheNaiveSearch(t *testing.T) {
	tok := loadFile(t, "gpt2")
	var words []string
	for _, b := range tok.tokens {
		words = append(words, string(b))
	}
	var w word
	rapid.Check(t, func(r *rapid.T) {
		s := strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 1, 12).Draw(r, "words"), "")
		if got, want := w.merge(tok, s, nil), naive(tok, s); !slices.Equal(got, want) {
			r.Fatalf("%q is %d, want %d", s, got, want)
		}
	})
}

// TestTNS03AnyListOfMerges draws lists of merges over two letters, in any order
// of lengths, so that merges overlap and come late.
func TestTNS03AnyListOfMerges(t *testing.T) {
	var w word
	rapid.Check(t, func(r *rapid.T) {
		tok := &Tokenizer{merges: map[uint64]merge{}}
		tokens, id := []string{"a", "b"}, map[string]uint32{"a": 0, "b": 1}
		tok.single['a'], tok.single['b'] = 0, 1
		var pairs [][2]string
		for range rapid.IntRange(1, 12).Draw(r, "tokens") {
			a, b := rapid.SampledFrom(tokens).Draw(r, "left"), rapid.SampledFrom(tokens).Draw(r, "right")
			if _, ok := id[a+b]; !ok {
				id[a+b] = uint32(len(tokens))
				tokens = append(tokens, a+b)
			}
			pairs = append(pairs, [2]string{a, b})
		}
		for rank, p := range rapid.Permutation(pairs).Draw(r, "order") {
			tok.merges[pairKey(id[p[0]], id[p[1]])] = merge{uint32(rank), id[p[0]+p[1]]}
		}
		s := rapid.StringOfN(rapid.SampledFrom([]rune("ab")), 1, 40, -1).Draw(r, "text")
		if got, want := w.merge(tok, s, nil), naive(tok, s); !slices.Equal(got, want) {
			r.Fatalf("%q is %d, want %d", s, got, want)
		}
	})
}

// TestTNS03AMebibyteOfOneWord must not take quadratic time: that would be hours.
func TestTNS03AMebibyteOfOneWord(t *testing.T) {
	const n = 1 << 20
	tok := loadFile(t, "qwen2")
	for name, s := range map[string]string{
		"one letter": strings.Repeat("e", n), "letters": strings.Repeat("theinto", n/7), "spaces": strings.Repeat(" ", n), "breaks": strings.Repeat("\n", n),
		"spaces and breaks": strings.Repeat(" \n", n/2), "marks": strings.Repeat("\u0323\u0307", n/4), "beginnings": strings.Repeat("<|im_star", n/9), "quotes": strings.Repeat("'", n),
	} {
		ids, err := tok.Encode(s, true)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := tok.Decode(ids, false); err != nil || len(back) != len(s) {
			t.Errorf("%s: %d bytes come back as %d: %v", name, len(s), len(back), err)
		}
	}
	if _, err := tok.Encode(strings.Repeat("e", MaxText+1), true); !errors.Is(err, ErrText) {
		t.Errorf("a text that is too long: %v", err)
	}
	if _, err := tok.Encode("a\xff", true); !errors.Is(err, ErrText) {
		t.Errorf("no UTF-8: %v", err)
	}
}

func TestTNS03EncodeThenDecodeIsTheText(t *testing.T) {
	llama, qwen := loadFile(t, "llama3"), loadFile(t, "qwen2")
	rapid.Check(t, func(r *rapid.T) {
		s := rapid.String().Draw(r, "text")
		for tok, want := range map[*Tokenizer]string{llama: s, qwen: nfc(s)} {
			ids, err := tok.Encode(s, false)
			if err != nil {
				r.Fatal(err)
			}
			if back, err := tok.Decode(ids, false); err != nil || back != want {
				r.Fatalf("%q comes back as %q: %v", s, back, err)
			}
		}
	})
}

// TestTNS03StreamsNeverCutACharacter adds ids one at a time.
func TestTNS03StreamsNeverCutACharacter(t *testing.T) {
	tok := loadFile(t, "qwen2")
	rapid.Check(t, func(r *rapid.T) {
		ids := rapid.SliceOf(rapid.Uint32Range(0, uint32(tok.Size())-1)).Draw(r, "ids")
		if rapid.Bool().Draw(r, "a text") {
			ids, _ = tok.Encode(rapid.String().Draw(r, "text"), false)
		}
		d := tok.Decoder(false)
		var b strings.Builder
		for _, id := range ids {
			s, err := d.Add(id)
			if err != nil || !utf8.ValidString(s) || len(d.rest) > 3 {
				r.Fatalf("%q, %d bytes wait: %v", s, len(d.rest), err)
			}
			b.WriteString(s)
		}
		b.WriteString(d.Flush())
		if whole, err := tok.Decode(ids, false); err != nil || whole != b.String() {
			r.Fatalf("in steps %q, at once %q: %v", b.String(), whole, err)
		}
	})
	if _, err := tok.Decode([]uint32{uint32(tok.Size())}, false); !errors.Is(err, ErrID) {
		t.Errorf("an id outside: %v", err)
	}
	if id, ok := tok.ID("<|im_start|>"); !ok || id != 1003 {
		t.Errorf("<|im_start|> is %d", id)
	}
}

// TestTNS03CompositionIsUnicodes compares with Python: x/text is not exact.
func TestTNS03CompositionIsUnicodes(t *testing.T) {
	alphabet := []rune("aeqoAE\u0301\u0323\u0307\u0308\u0344\u0345\u05b0\u0334\u1100\u1161\u11a8\uac00\u0958\u093c\u0915\u212b\ufb1f\u09c7\u09be\u1fb7\u0fb2\u0f71\u0f80")
	texts := []string{"\u09c7A\u09be\u0345\u0307\u0f71", "q" + strings.Repeat("\u0307\u0323", 500)}
	for r := rune(0); r < 0x30000; r++ {
		if unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.S) && r%7 != 0 && !unicode.Is(unicode.Cs, r) {
			continue // most of them are alike
		}
		if p := norm.NFD.PropertiesString(string(r)); p.Decomposition() != nil {
			texts = append(texts, string(r), string([]rune{r, 0x301, 0x323}))
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for k := range 10_000 {
		n := 1 + r.IntN(6)
		if k%100 == 0 {
			n = 20 + r.IntN(200)
		}
		s := make([]rune, n)
		for i := range s {
			s[i] = alphabet[r.IntN(len(alphabet))]
			if k%100 == 0 && r.IntN(50) > 0 {
				s[i] = []rune("\u0301\u0323\u0307\u0308\u0344\u0345\u05b0\u0334")[r.IntN(8)]
			}
		}
		texts = append(texts, string(s))
	}
	in, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("python3", "-c", "import json,sys,unicodedata as u\nprint(json.dumps([u.normalize('NFC',x) for x in json.load(sys.stdin)]))")
	cmd.Stdin = strings.NewReader(string(in))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	for i, s := range texts {
		if got := nfc(s); got != want[i] {
			t.Fatalf("%+q is %+q, in Python %+q", s, got, want[i])
		}
		if got := compose(s); got != want[i] {
			t.Fatalf("%+q composes to %+q, in Python %+q", s, got, want[i])
		}
	}
}

func FuzzEncode(f *testing.F) {
	for _, s := range theGolden(f).Texts[:200] {
		f.Add(s)
	}
	var toks []*Tokenizer
	for _, name := range []string{"llama3", "digits"} {
		toks = append(toks, loadFile(f, name))
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, tok := range toks {
			ids, err := tok.Encode(s, false)
			if err != nil {
				if utf8.ValidString(s) {
					t.Fatal(err)
				}
				continue
			}
			if back, err := tok.Decode(ids, false); err != nil || back != s {
				t.Fatalf("%q comes back as %q: %v", s, back, err)
			}
		}
	})
}

// FuzzParse changes the parts of a file beside its bytes, which are always there:
// mutations of whole files hardly ever leave them whole.
func FuzzParse(f *testing.F) {
	front, rest, _ := strings.Cut(small(), `"vocab":{`)
	vocab, back, _ := strings.Cut(rest, `"he":256`)
	back = `"he":256` + back
	f.Add(front, back)
	for _, c := range changes {
		if len(c.new) < 200 {
			f.Add(strings.Replace(front, c.old, c.new, 1), strings.Replace(back, c.old, c.new, 1))
		}
	}
	f.Fuzz(func(t *testing.T, front, back string) {
		for _, s := range []string{front, front + `"vocab":{` + vocab + back} {
			tok, err := Parse([]byte(s))
			if err != nil {
				if !errors.Is(err, format.ErrFormat) && !errors.Is(err, format.ErrUnsupported) {
					t.Fatalf("%v has no class", err)
				}
				continue
			}
			ids, err := tok.Encode("I'm 12 café\n  <|end|> hello x", true)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tok.Decode(ids, false); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	tok := loadFile(b, "qwen2")
	s := strings.Join(theGolden(b).Texts[:2000], " ")
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		if _, err := tok.Encode(s, false); err != nil {
			b.Fatal(err)
		}
	}
}
