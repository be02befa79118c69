// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/openledger/openledger/internal/enc"
	"pgregory.net/rapid"
)

func TestPrivateKeyIsNeverPrinted(t *testing.T) {
	key := FromSeed(seed0())
	seed := seed0()
	secrets := []string{hex.EncodeToString(seed[:8]), fmt.Sprint(seed[:4])[1:8], "AAECAwQF"}
	var prints []string
	for _, verb := range strings.Fields("%v %+v %#v %s %q %x %X %d %o %b %c %t %e %p %U %T") {
		prints = append(prints, fmt.Sprintf(verb, key), fmt.Sprintf(verb, struct{ K PrivateKey }{key}), fmt.Sprintf(verb, &key))
		prints = append(prints, fmt.Sprintf(verb, struct{ hidden PrivateKey }{key}), fmt.Sprintf(verb, &struct{ hidden *PrivateKey }{&key}))
		prints = append(prints, fmt.Sprintf(verb, []PrivateKey{key}), fmt.Sprintf(verb, map[string]PrivateKey{"a": key}))
	}
	text, err := json.Marshal(map[string]any{"key": key, "inner": struct{ K PrivateKey }{key}})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("start", "key", key)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("start", "key", key)
	for _, p := range append(prints, string(text), log.String(), key.String(), key.GoString()) {
		for _, s := range secrets {
			if strings.Contains(p, s) {
				t.Errorf("secret in %q", p)
			}
		}
	}
	if fmt.Sprintf("%d", key) != redacted || !strings.Contains(log.String(), redacted) || !strings.Contains(string(text), redacted) {
		t.Error("a printed key does not say that it is redacted")
	}
	func() {
		defer func() { _ = recover() }()
		t.Errorf("the key was encoded as %x", enc.Encode(key))
	}()
}

func TestGenerateReadsExactlyOneSeed(t *testing.T) {
	r := bytes.NewReader(make([]byte, 33))
	key, err := Generate(r)
	if err != nil || r.Len() != 1 || key.Seed() != ([32]byte{}) || key.IsZero() {
		t.Errorf("%d bytes left, %v", r.Len(), err)
	}
	if key, err := Generate(bytes.NewReader(make([]byte, 31))); !errors.Is(err, io.ErrUnexpectedEOF) || !key.IsZero() {
		t.Errorf("a short source: %v", err)
	}
}

func TestTextOfKeysAndSignaturesIsStrict(t *testing.T) {
	key := FromSeed(seed0())
	pk, sig := key.Public(), key.Sign(nil)
	var pk2 PublicKey
	var sig2 Signature
	if err := pk2.UnmarshalText([]byte(pk.String())); err != nil || pk2 != pk {
		t.Errorf("key came back as %v, %v", pk2, err)
	}
	if err := sig2.UnmarshalText([]byte(sig.String())); err != nil || sig2 != sig {
		t.Errorf("signature came back as %v, %v", sig2, err)
	}
	good := pk.String()
	for name, s := range map[string]string{
		"nothing":        "",
		"no 0x":          good[2:],
		"0X":             "0X" + good[2:],
		"upper case":     "0x" + strings.ToUpper(good[2:]),
		"two digits few": good[:len(good)-2],
		"one digit few":  good[:len(good)-1],
		"two digits too": good + "00",
		"no digit":       good[:len(good)-1] + "g",
		"twice 0x":       "0x0x" + good[4:],
		"a blank":        good + " ",
		"a signature":    sig.String(),
	} {
		if err := pk2.UnmarshalText([]byte(s)); !errors.Is(err, ErrKey) || pk2 != pk {
			t.Errorf("%s: %v, key %v", name, err, pk2)
		}
	}
}

func TestKEY02EveryWrongCharacterIsFound(t *testing.T) {
	good := ModuleAddress("treasury").String()
	for i := range len(good) {
		for _, c := range bech32Alphabet + "1bio A0" {
			bad := good[:i] + string(c) + good[i+1:]
			if a, err := ParseAddress(bad); bad != good && err == nil {
				t.Fatalf("%s was read as %v", bad, a)
			}
		}
	}
}

func TestKEY02AddressRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a, b Address
		copy(a[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "address"))
		text, err := json.Marshal(a)
		if err != nil || len(text) != 63+2 {
			t.Fatalf("%s, %v", text, err)
		}
		if err := json.Unmarshal(text, &b); err != nil || a != b {
			t.Fatalf("%s came back as %v, %v", text, b, err)
		}
		text[20] ^= 1
		if err := json.Unmarshal(text, &b); !errors.Is(err, ErrAddress) || a != b {
			t.Fatalf("damaged text %s came back as %v, %v", text, b, err)
		}
		if a.IsZero() != (a == Address{}) || a.Compare(b) != 0 {
			t.Fatalf("%v: zero %v, compare %d", a, a.IsZero(), a.Compare(b))
		}
	})
}

func TestKEY02CheckKeysLooksIntoEveryKey(t *testing.T) {
	bad := PublicKey(unhex(smallOrder[0])) // sorts first
	a := Auth{Threshold: 1, Keys: append([]PublicKey{bad}, testKeys(2)...)}
	if a.Check() != nil || !errors.Is(a.CheckKeys(), ErrKey) {
		t.Errorf("shape %v, keys %v", a.Check(), a.CheckKeys())
	}
	if err := (Auth{}).CheckKeys(); !errors.Is(err, ErrKey) {
		t.Errorf("no keys: %v", err)
	}
	for _, bad := range []Auth{{}, {Threshold: 2, Keys: testKeys(1)}, {Keys: testKeys(2)}} {
		func() {
			defer func() { _ = recover() }()
			t.Errorf("%v was encoded as %x", bad, enc.Encode(bad))
		}()
	}
	if need := (Auth{Threshold: 3, Keys: testKeys(4)}).Need(); need != 3 || SingleAuth(bad).Need() != 1 {
		t.Errorf("need %d", need)
	}
}

// oddPool returns signatures of every kind of oddity: honest ones, small-order
// and non-canonical points as key and as R, mixed order, damaged ones.
func oddPool() []signed {
	var out []signed
	for _, c := range signatureCases() {
		out = append(out, signed{c.Public, unhex(c.Message), c.Signature, nil})
	}
	honest := FromSeed(filled(9))
	for i, a := range smallOrder {
		r := smallOrder[(i*5+3)%len(smallOrder)]
		zeroS := Signature(append(unhex(r), make([]byte, 32)...))
		out = append(out, signed{PublicKey(unhex(a)), []byte("m"), zeroS, nil})
		s := honest.Sign([]byte("m"))
		out = append(out, signed{PublicKey(unhex(a)), []byte("m"), s, nil})
		out = append(out, signed{honest.Public(), []byte("m"), zeroS, nil})
	}
	for i := range 8 {
		k, msg := FromSeed(filled(byte(i))), []byte{byte(i)}
		out = append(out, signed{k.Public(), msg, k.Sign(msg), nil})
	}
	return out
}

func TestKEY01BatchAgreesWithSingle(t *testing.T) {
	pool := oddPool()
	rapid.Check(t, func(t *rapid.T) {
		picks := rapid.SliceOfN(rapid.IntRange(0, len(pool)-1), 0, 24).Draw(t, "picks")
		ready := rapid.Uint32().Draw(t, "expanded")
		var b BatchVerifier
		for k, i := range picks {
			if ready>>k&1 == 1 {
				b.AddExpanded(pool[i].pk.Expand(), pool[i].msg, pool[i].sig)
			} else {
				b.Add(pool[i].pk, pool[i].msg, pool[i].sig)
			}
		}
		for k, ok := range b.Verify() {
			j := pool[picks[k]]
			want, e := Verify(j.pk, j.msg, j.sig), j.pk.Expand()
			if one := e.Verify(j.msg, j.sig); ok != want || one != want || e.Key() != j.pk {
				t.Fatalf("entry %d: batch says %v, single %v, expanded %v", picks[k], ok, want, one)
			}
		}
		if n := len(b.Verify()); n != 0 {
			t.Fatalf("%d entries left in the queue", n)
		}
	})
}

func TestKEY01BatchFindsTheOneBadSignature(t *testing.T) {
	for bad := range 17 {
		var b BatchVerifier
		for i := range 17 {
			k, msg := FromSeed(filled(byte(i))), []byte{byte(i)}
			sig := k.Sign(msg)
			if i == bad {
				sig[40] ^= 1
			}
			b.Add(k.Public(), msg, sig)
		}
		for i, ok := range b.Verify() {
			if ok == (i == bad) {
				t.Errorf("bad %d: entry %d is %v", bad, i, ok)
			}
		}
	}
}

// TestKEY01BatchIsBoundToItsInput swaps messages between two signers: each
// signature is good for the other message, so only the binding refuses them.
func TestKEY01BatchIsBoundToItsInput(t *testing.T) {
	var b BatchVerifier
	for i := range 4 {
		k := FromSeed(filled(byte(i)))
		b.Add(k.Public(), []byte{byte(i ^ 1)}, k.Sign([]byte{byte(i)}))
	}
	for i, ok := range b.Verify() {
		if ok {
			t.Errorf("entry %d passes with a neighbour's message", i)
		}
	}
}

// TestENC05DomainsAreDistinct reads the table from its source: every domain is
// plain words, and every domain and tag is used once and says what it wraps.
func TestENC05DomainsAreDistinct(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "domain.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	word, seen, uses := regexp.MustCompile(`^[a-z]{2,12}(-[a-z]{2,12})?$`), map[string]bool{}, map[string]bool{}
	tags := 0
	ast.Inspect(file, func(n ast.Node) bool {
		s, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		tag := strings.HasPrefix(s.Names[0].Name, "Tag")
		if tag {
			tags++
		}
		v, err := strconv.Unquote(s.Values[0].(*ast.BasicLit).Value)
		switch {
		case err != nil || !tag && !word.MatchString(v):
			t.Errorf("%s: %q is not a plain word", s.Names[0], v)
		case seen[v]:
			t.Errorf("%s: domain %q is used twice", s.Names[0], v)
		case s.Comment == nil:
			t.Errorf("%s does not say what it wraps", s.Names[0])
		case uses[s.Comment.Text()]:
			t.Errorf("%s wraps what another domain wraps", s.Names[0])
		default:
			uses[s.Comment.Text()] = true
		}
		seen[v] = true
		return true
	})
	if len(seen) < 30 || tags < 8 {
		t.Errorf("%d domains and tags found, %d of them tags", len(seen), tags)
	}
}

func TestENC05DomainsSeparate(t *testing.T) {
	if Sum(DomainTx, "x") == Sum(DomainTxID, "x") || Sum(DomainTx, "x") == Sum(DomainTx, "x", nil) {
		t.Error("two meanings have one hash")
	}
}

func FuzzParseAddress(f *testing.F) {
	f.Add(ModuleAddress("treasury").String())
	for _, c := range badText() {
		f.Add(c.Text)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if a, err := ParseAddress(s); err == nil && a.String() != s {
			t.Fatalf("%q is read as %v", s, a)
		}
	})
}

func FuzzAuth(f *testing.F) {
	for _, c := range authCases() {
		f.Add(unhex(c.Hex))
	}
	for _, c := range badAuths() {
		f.Add(unhex(c.Hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var a Auth
		if enc.Decode(b, &a) != nil {
			return
		}
		if err := a.Check(); err != nil {
			t.Fatalf("%x decodes to a bad auth: %v", b, err)
		}
		if !bytes.Equal(enc.Encode(a), b) || a.Need() < 1 || a.Need() > len(a.Keys) {
			t.Fatalf("%x decodes to %v", b, a)
		}
	})
}

// FuzzVerify puts any signature into a batch with honest ones: the batch must
// give the verdict of the single check and leave the honest ones valid.
func FuzzVerify(f *testing.F) {
	for _, j := range oddPool() {
		f.Add(j.pk[:], j.msg, j.sig[:])
	}
	honest := FromSeed(filled(1))
	sig := honest.Sign([]byte("honest"))
	f.Fuzz(func(t *testing.T, pk, msg, s []byte) {
		if len(pk) != 32 || len(s) != 64 {
			return
		}
		_ = PublicKey(pk).Check()
		var b BatchVerifier
		for range 2 {
			b.Add(honest.Public(), []byte("honest"), sig)
		}
		b.Add(PublicKey(pk), msg, Signature(s))
		got := b.Verify()
		if want := Verify(PublicKey(pk), msg, Signature(s)); !got[0] || !got[1] || got[2] != want {
			t.Fatalf("batch %v, single %v", got, want)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	k := FromSeed(seed0())
	msg := []byte("message")
	sig := k.Sign(msg)
	pk := k.Public()
	for b.Loop() {
		Verify(pk, msg, sig)
	}
}

func BenchmarkExpandedVerify(b *testing.B) {
	k := FromSeed(seed0())
	msg := []byte("message")
	sig := k.Sign(msg)
	ex := k.Public().Expand()
	for b.Loop() {
		ex.Verify(msg, sig)
	}
}

func BenchmarkExpand(b *testing.B) {
	pk := FromSeed(seed0()).Public()
	for b.Loop() {
		pk.Expand()
	}
}

func BenchmarkThree(b *testing.B) {
	var k PrivateKey
	var jobs []signed
	for i := range 3 {
		k = FromSeed(filled(byte(i)))
		jobs = append(jobs, signed{pk: k.Public(), ex: k.Public().Expand(), msg: []byte("message"), sig: k.Sign([]byte("message"))})
	}
	b.Run("batch", func(b *testing.B) {
		for b.Loop() {
			var v BatchVerifier
			for _, j := range jobs {
				v.Add(j.pk, j.msg, j.sig)
			}
			v.Verify()
		}
	})
	b.Run("expanded batch", func(b *testing.B) {
		for b.Loop() {
			var v BatchVerifier
			for _, j := range jobs {
				v.AddExpanded(j.ex, j.msg, j.sig)
			}
			v.Verify()
		}
	})
	b.Run("expanded singly", func(b *testing.B) {
		for b.Loop() {
			for _, j := range jobs {
				j.ex.Verify(j.msg, j.sig)
			}
		}
	})
}

func BenchmarkBatchVerify64(b *testing.B) {
	var jobs []signed
	for i := range 64 {
		k := FromSeed(filled(byte(i)))
		jobs = append(jobs, signed{pk: k.Public(), msg: []byte("message"), sig: k.Sign([]byte("message"))})
	}
	for b.Loop() {
		var v BatchVerifier
		for _, j := range jobs {
			v.Add(j.pk, j.msg, j.sig)
		}
		v.Verify()
	}
}
