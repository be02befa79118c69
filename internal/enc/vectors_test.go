// SPDX-License-Identifier: Apache-2.0

package enc

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write docs/spec/vectors/enc.json instead of comparing")

const vectorFile = "../../docs/spec/vectors/enc.json"

// The schemas of the vectors. Each has a Go type here and a description in the
// file, from which an implementation in another language builds its own.
type (
	pair struct {
		_    struct{} `cbor:",toarray"`
		Name string
		N    uint64
	}
	optional struct {
		_    struct{} `cbor:",toarray"`
		Hash *[32]byte
		N    *uint64
	}
	record struct {
		_      struct{} `cbor:",toarray"`
		Kind   uint16
		Hash   [32]byte
		Memo   []byte
		Parts  []pair
		Amount int64
		On     bool
	}
)

type schema struct {
	Name, Form string
	new        func() any
}

var schemas = []schema{
	{"uint", "unsigned integer below 2^64", func() any { return new(uint64) }},
	{"uint8", "unsigned integer below 2^8", func() any { return new(uint8) }},
	{"int", "integer in [-2^63, 2^63)", func() any { return new(int64) }},
	{"bool", "false or true", func() any { return new(bool) }},
	{"bytes", "byte string", func() any { return new([]byte) }},
	{"bytes32", "byte string of 32 bytes", func() any { return new([32]byte) }},
	{"text", "UTF-8 text", func() any { return new(string) }},
	{"list:uint", "array of uint", func() any { return new([]uint64) }},
	{"set:bytes32", "array of bytes32, strictly ascending by encoded bytes", func() any { return new([][32]byte) }},
	{"set:text", "array of text, strictly ascending by encoded bytes", func() any { return new([]string) }},
	{"pair", "[text, uint]", func() any { return new(pair) }},
	{"optional", "[bytes32 or null, uint or null]", func() any { return new(optional) }},
	{"record", "[uint below 2^16, bytes32, bytes, array of pair, int, bool]", func() any { return new(record) }},
	{"any", "any value of ENC-01 within the bounds of ENC-02", func() any { return new(any) }},
}

type validVector struct {
	Name   string `json:"name"`
	Schema string `json:"schema"`
	Value  any    `json:"value"`
	Hex    string `json:"hex"`
}

type vector struct {
	Name   string `json:"name"`
	Schema string `json:"schema"`
	Hex    string `json:"hex"`
	Error  string `json:"error"`
}

type vectors struct {
	About   string            `json:"about"`
	Clauses []string          `json:"clauses"`
	Schemas map[string]string `json:"schemas"`
	Valid   []validVector     `json:"valid"`
	Invalid []vector          `json:"invalid"`
}

// errorClass names the sentinel of an error as the vectors do.
func errorClass(err error) string {
	for _, c := range []struct {
		err  error
		name string
	}{{ErrSize, "size"}, {ErrOrder, "order"}, {ErrNonCanonical, "noncanonical"}, {ErrMalformed, "malformed"}} {
		if errors.Is(err, c.err) {
			return c.name
		}
	}
	return "unknown"
}

// decodeAs decodes by schema, with the set check where the schema asks for it.
func decodeAs(t *testing.T, name string, b []byte) (any, error) {
	t.Helper()
	for _, s := range schemas {
		if s.Name != name {
			continue
		}
		v := s.new()
		if err := Decode(b, v); err != nil {
			return nil, err
		}
		switch set := v.(type) {
		case *[][32]byte:
			return v, CheckSet(*set)
		case *[]string:
			return v, CheckSet(*set)
		}
		return v, nil
	}
	t.Fatalf("no schema %q", name)
	return nil, nil
}

func TestENC06VectorsAreCurrent(t *testing.T) {
	want := vectors{
		About:   "Canonical encodings. valid: hex decodes by its schema to value (integers in decimal, bytes in hex after 0x) and encodes back to itself. invalid: decoding fails with the error class.",
		Clauses: []string{"ENC-01", "ENC-02", "ENC-03", "ENC-06"},
		Schemas: map[string]string{},
		Valid:   validVectors(),
		Invalid: invalidVectors(),
	}
	for _, s := range schemas {
		want.Schemas[s.Name] = s.Form
	}
	text, err := json.MarshalIndent(want, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *update {
		if err := os.WriteFile(vectorFile, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, text) {
		t.Fatalf("%s differs from the cases in this test; review and run go test ./internal/enc -update", vectorFile)
	}
}

func TestENC06ValidVectorsRoundTrip(t *testing.T) {
	for _, c := range readVectors(t).Valid {
		b, err := hex.DecodeString(c.Hex)
		if err != nil {
			t.Fatal(err)
		}
		v, err := decodeAs(t, c.Schema, b)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		if again := Encode(v); !bytes.Equal(again, b) {
			t.Errorf("%s: encodes to %x, want %x", c.Name, again, b)
		}
	}
}

func TestENC06InvalidVectorsGiveTheirError(t *testing.T) {
	for _, c := range readVectors(t).Invalid {
		b, err := hex.DecodeString(c.Hex)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeAs(t, c.Schema, b); err == nil || errorClass(err) != c.Error {
			t.Errorf("%s: %v, want class %s", c.Name, err, c.Error)
		}
	}
}

func readVectors(t *testing.T) (v vectors) {
	t.Helper()
	text, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
