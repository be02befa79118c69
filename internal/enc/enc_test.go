// SPDX-License-Identifier: Apache-2.0

package enc

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestENC01EncodePanicsOnTypesWithoutEncoding(t *testing.T) {
	type keyed struct{ A uint64 }
	for name, v := range map[string]any{
		"a map":                      map[string]int{"a": 1},
		"a float":                    1.5,
		"a float inside":             []any{float32(1)},
		"a struct without toarray":   keyed{1},
		"an empty struct":            struct{}{},
		"a channel":                  make(chan int),
		"a function":                 func() {},
		"a map behind a byte string": []any{[]byte("x"), map[int]int{}},
		"a NaN":                      math.NaN(),
		"a complex number":           complex(1, 2),
		"a map that is nil":          map[string]int(nil),
		"a pointer to a map":         &map[string]int{"a": 1},
		"a struct with a float field": struct {
			_ struct{} `cbor:",toarray"`
			F float64
		}{F: 1},
	} {
		if !panics(func() { Encode(v) }) {
			t.Errorf("%s was encoded", name)
		}
	}
}

func TestENC01EncodeNeverPanicsOnValues(t *testing.T) {
	for name, v := range map[string]any{
		"text that is not UTF-8":   "\xff",
		"9 arrays":                 nested(9),
		"a list of 65,537 numbers": make([]uint64, MaxArray+1),
	} {
		b := Encode(v)
		var back any
		if err := Decode(b, &back); err == nil {
			t.Errorf("%s was decoded", name)
		}
	}
}

func panics(f func()) (yes bool) {
	defer func() { yes = recover() != nil }()
	f()
	return false
}

func TestENC02BoundsAreExact(t *testing.T) {
	list := Encode(make([]uint64, MaxArray))
	if err := Decode(list, new([]uint64)); err != nil {
		t.Errorf("an array of MaxArray elements: %v", err)
	}
	if err := Decode(Encode(make([]uint64, MaxArray+1)), new([]uint64)); !errors.Is(err, ErrSize) {
		t.Errorf("an array of MaxArray+1 elements: %v", err)
	}
	full := Encode(make([]byte, MaxBytes-5)) // 5 bytes of head
	if err := Decode(full, new([]byte)); len(full) != MaxBytes || err != nil {
		t.Errorf("%d bytes: %v", len(full), err)
	}
	if err := Decode(append(full, 0), new([]byte)); !errors.Is(err, ErrSize) {
		t.Errorf("MaxBytes+1 bytes: %v", err)
	}
}

func TestENC02DecodedValueDoesNotShareTheInput(t *testing.T) {
	b := Encode(record{Memo: []byte("memo")})
	var r record
	if err := Decode(b, &r); err != nil {
		t.Fatal(err)
	}
	clear(b)
	if string(r.Memo) != "memo" {
		t.Errorf("memo became %q", r.Memo)
	}
}

func TestENC03CheckSetWantsStrictAscent(t *testing.T) {
	for _, c := range []struct {
		name string
		set  []uint64
		ok   bool
	}{
		{"no element", nil, true},
		{"one element", []uint64{5}, true},
		{"ascending across head sizes", []uint64{1, 23, 24, 255, 256, 1 << 40}, true},
		{"equal neighbours", []uint64{1, 1}, false},
		{"a step down at the end", []uint64{1, 3, 2}, false},
	} {
		if err := CheckSet(c.set); (err == nil) != c.ok || (err != nil && !errors.Is(err, ErrOrder)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestENC02RandomValuesHaveOneEncoding draws records, then damages their bytes:
// whatever still decodes encodes to exactly the damaged bytes.
func TestENC02RandomValuesHaveOneEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecord(t)
		b := Encode(r)
		var back record
		if err := Decode(b, &back); err != nil {
			t.Fatalf("decode own encoding: %v", err)
		}
		if !bytes.Equal(Encode(back), b) || fmt.Sprint(back) != fmt.Sprint(r) {
			t.Fatalf("%v came back as %v", r, back)
		}
		i := rapid.IntRange(0, len(b)-1).Draw(t, "byte")
		b[i] ^= byte(1 << rapid.IntRange(0, 7).Draw(t, "bit"))
		if Decode(b, &back) == nil && !bytes.Equal(Encode(back), b) {
			t.Fatalf("%x decoded but encodes to %x", b, Encode(back))
		}
	})
}

func drawRecord(t *rapid.T) record {
	r := record{
		Kind:   rapid.Uint16().Draw(t, "kind"),
		Memo:   rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "memo"),
		Amount: rapid.Int64().Draw(t, "amount"),
		On:     rapid.Bool().Draw(t, "on"),
	}
	copy(r.Hash[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "hash"))
	for range rapid.IntRange(0, 3).Draw(t, "parts") {
		r.Parts = append(r.Parts, pair{Name: rapid.String().Draw(t, "name"), N: rapid.Uint64().Draw(t, "n")})
	}
	return r
}

// FuzzDecode checks on any bytes that the own scanner and the library agree
// about untyped values, that nothing panics, and that only one encoding of a
// value is accepted.
func FuzzDecode(f *testing.F) {
	for _, c := range validVectors() {
		f.Add(unhex(c.Hex))
	}
	for _, c := range invalidVectors() {
		f.Add(unhex(c.Hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var v any
		err := Decode(b, &v)
		if scanErr := scan(b); (scanErr == nil) != (err == nil) {
			t.Fatalf("scan says %v, decode says %v", scanErr, err)
		}
		for _, s := range schemas {
			v := s.new()
			if Decode(b, v) == nil && !bytes.Equal(Encode(v), b) {
				t.Fatalf("%s: %x encodes to %x", s.Name, b, Encode(v))
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	r := record{Memo: []byte("memo"), Parts: []pair{{Name: strings.Repeat("x", 20), N: 1 << 40}}}
	b.ReportAllocs()
	for b.Loop() {
		Encode(r)
	}
}

func BenchmarkDecode(b *testing.B) {
	data := Encode(record{Memo: []byte("memo"), Parts: []pair{{Name: strings.Repeat("x", 20), N: 1 << 40}}})
	b.ReportAllocs()
	for b.Loop() {
		var r record
		if err := Decode(data, &r); err != nil {
			b.Fatal(err)
		}
	}
}
