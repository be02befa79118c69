// SPDX-License-Identifier: Apache-2.0

package poa

import (
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNumber(t *testing.T) {
	for _, c := range []struct {
		text     string
		exp, len int
		scale    int
		scaled   string
	}{
		{"0", 0, 0, 0, "0"},
		{"-0.000", 0, 0, 5, "0"},
		{"100", 2, 1, 0, "100"},
		{"10.50", -1, 3, 1, "105"},
		{"-0.0625", -4, 3, 4, "-625"},
		{"0.10", -1, 1, 3, "100"},
		{"1.5e3", 2, 2, 0, "1500"},
		{"1E-3", -3, 1, 3, "1"},
		{"1e+2", 2, 1, 0, "100"},
		{"123456789012345678901", 0, 21, 1, "1234567890123456789010"},
		{"0e99999", 0, 0, 0, "0"},
		{"0." + strings.Repeat("0", 600) + "1e300", -301, 1, 301, "1"},
	} {
		t.Run(c.text[:min(20, len(c.text))], func(t *testing.T) {
			s := NewScanner([]byte(c.text))
			n, err := s.Number()
			if err != nil || s.End() != nil {
				t.Fatal(err)
			}
			if n.Exp != c.exp || n.Len != c.len || n.Scaled(c.scale).String() != c.scaled {
				t.Errorf("exponent %d, %d digits, scaled %v; want %d, %d, %s", n.Exp, n.Len, n.Scaled(c.scale), c.exp, c.len, c.scaled)
			}
			if v, ok := n.Small(c.scale); ok != (len(c.scaled) <= 19) || ok && big.NewInt(v).String() != c.scaled {
				t.Errorf("Small gives %d %v", v, ok)
			}
		})
	}
}

// TestNumberIsJSON compares with encoding/json and big.Rat over random texts.
func TestNumberIsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`-?[0-9]{1,4}(\.[0-9]{0,4})?([eE][+-]?[0-9]{0,3})?`).Draw(t, "text")
		valid := json.Valid([]byte(text))
		n, err := NewScanner([]byte(text)).Number()
		if !valid {
			if err == nil {
				t.Fatalf("%q is not JSON and passes", text)
			}
			return
		}
		want, _ := new(big.Rat).SetString(text)
		if err != nil {
			if !strings.Contains(err.Error(), "exponent") {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		scale := max(0, -n.Exp)
		if got := new(big.Rat).SetFrac(n.Scaled(scale), Pow10(scale)); got.Cmp(want) != 0 {
			t.Fatalf("%q is %v, want %v", text, got, want)
		}
	})
}

func TestPlaces(t *testing.T) {
	s := NewScanner([]byte("[1,\n  2x]"))
	for _, c := range "[" {
		if err := s.Expect(byte(c)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Number(); err != nil {
		t.Fatal(err)
	}
	if more, err := s.More(false, ']'); !more || err != nil {
		t.Fatal(err)
	}
	_, err := s.Number()
	var at *ScanError
	if !errors.As(err, &at) || at.Line != 2 || at.Column != 3 || err.Error() != `2: column 3: "2x" is not a number` {
		t.Errorf("got %v", err)
	}
	if !errors.Is(err, ErrInput) || !errors.Is(ErrShape, ErrInput) || errors.Is(ErrShape, ErrRange) {
		t.Error("the errors do not share their parent")
	}
	if err := s.Fail(1<<40, "far"); err.Error() != "2: column 6: far" {
		t.Errorf("past the end: %v", err)
	}
}

func TestReasons(t *testing.T) {
	for r, want := range map[Reason]string{
		ReasonNone: "", ReasonDuplicate: "duplicate-of", ReasonLeak: "leaks-validation", ReasonNegative: "negative-total",
		ReasonBelowResolution: "below-resolution", ReasonUnattributed: "unattributed", 77: "reason-77",
	} {
		if r.String() != want {
			t.Errorf("reason %d is %q, want %q", uint8(r), r, want)
		}
	}
}

func FuzzScanner(f *testing.F) {
	for _, s := range []string{`"a\u00e9\\"`, `-12.50e-3`, `[1,2]`, `"\`, `1e99999999999999999999`, "\"\xff\"", "  "} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := NewScanner(b)
		if text, err := s.Text(); err == nil {
			var want string
			if json.Unmarshal(b[:s.Offset()], &want) != nil || want != text {
				t.Fatalf("%q reads as %q, want %q", b[:s.Offset()], text, want)
			}
		}
		s.Seek(0)
		s.Peek()
		from := s.Offset()
		if n, err := s.Number(); err == nil {
			if !json.Valid(b[from:s.Offset()]) {
				t.Fatalf("%q is not a JSON number", b[from:s.Offset()])
			}
			n.Scaled(max(0, -n.Exp))
			n.Small(max(0, -n.Exp))
		}
	})
}
