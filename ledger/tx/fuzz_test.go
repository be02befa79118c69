// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// FuzzDecode feeds arbitrary bytes to Decode and Verify: they never panic, accept
// one encoding only, refuse with a code of the table, and agree with VerifyBatch.
func FuzzDecode(f *testing.F) {
	f.Add(firstVector().Encode())
	for _, raw := range benchTransfers(2) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		sameDecoders(t, raw)
		s, err := Decode(raw)
		if err != nil {
			known(t, err)
			return
		}
		if again := s.Encode(); !bytes.Equal(again, raw) {
			t.Fatalf("decoded %x, encodes as %x", raw, again)
		}
		v, err := Verify(testChain, s)
		vs, errs := VerifyBatch(testChain, []Signed{s, firstVector(), s})
		if (err == nil) != (errs[0] == nil) || (err == nil) != (errs[2] == nil) || errs[1] != nil {
			t.Fatalf("single %v, batch %v", err, errs)
		}
		if err != nil {
			known(t, err)
			return
		}
		if v.ID() != s.Body.ID(testChain) || vs[0].ID() != v.ID() || !bytes.Equal(v.Bytes(), raw) {
			t.Fatal("id or bytes differ")
		}
		v.Weight(1)
	})
}

// FuzzParsePayload feeds arbitrary JSON to every kind.
func FuzzParsePayload(f *testing.F) {
	for _, p := range samples(f) {
		text, err := json.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint16(p.Kind()), text)
	}
	f.Fuzz(func(t *testing.T, k uint16, text []byte) {
		p, err := ParsePayload(Kind(k), text)
		if err != nil {
			known(t, err)
			return
		}
		if err := p.Check(); err != nil {
			known(t, err)
			return
		}
		s := Sign(testChain, Body{MaxFee: 20_000, ValidUntil: 100, Payload: p}, testKey())
		raw := s.Encode()
		if len(raw) > MaxBytes {
			return
		}
		d, err := Decode(raw)
		if err != nil {
			t.Fatalf("what Check passes must decode: %v", err)
		}
		if _, err := Verify(testChain, d); err != nil {
			t.Fatal(err)
		}
	})
}

func known(t *testing.T, err error) {
	t.Helper()
	var c Code
	if !errors.As(err, &c) || c.Text() == "no error" {
		t.Fatalf("%v has no code", err)
	}
}

// TestTheFuzzCorpusIsCurrent compares the committed seeds with the vectors, or
// writes them with -update.
func TestTheFuzzCorpusIsCurrent(t *testing.T) {
	var signed, bodies, texts []string
	for _, p := range samples(t) {
		s := Sign(testChain, Body{MaxFee: 20_000, ValidUntil: 100, Payload: p}, testKey())
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		signed = append(signed, fmt.Sprintf("[]byte(%q)", s.Encode()))
		bodies = append(bodies, fmt.Sprintf("[]byte(%q)", s.Body.Bytes()))
		texts = append(texts, fmt.Sprintf("uint16(%d)\n[]byte(%q)", p.Kind(), text))
	}
	for _, b := range badEnvelopes() {
		signed = append(signed, fmt.Sprintf("[]byte(%q)", b.s.Encode()))
	}
	for _, b := range badBytes() {
		if len(b.raw) < 1<<10 {
			signed = append(signed, fmt.Sprintf("[]byte(%q)", b.raw))
		}
	}
	corpus(t, "FuzzDecode", signed)
	corpus(t, "FuzzDecodeBody", bodies)
	corpus(t, "FuzzParsePayload", texts)
}

func corpus(t *testing.T, target string, seeds []string) {
	t.Helper()
	dir := filepath.Join("testdata", "fuzz", target)
	for i, seed := range seeds {
		path := filepath.Join(dir, fmt.Sprintf("vector-%02d", i))
		text := "go test fuzz v1\n" + seed + "\n"
		if *update {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Fatalf("%s is not current (%v); run: go test ./ledger/tx -update", path, err)
		}
	}
}
