// SPDX-License-Identifier: Apache-2.0

package format

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

// tree turns a value into what encoding/json would make of it.
func tree(t *testing.T, v Value) any {
	t.Helper()
	var out any
	var err error
	switch {
	case v.IsNull():
	case v.IsObject():
		m := map[string]any{}
		err = v.Object(func(key string, v Value) error { m[key] = tree(t, v); return nil })
		out = m
	case v.IsArray():
		l := []any{}
		err = v.Array(func(i int, v Value) error { l = append(l, tree(t, v)); return nil })
		out = l
	case v.IsText():
		out, err = v.Text()
	default:
		if b, err := v.Bool(); err == nil {
			return b
		}
		return json.Number(v.b)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var refused = map[string]string{
	"":                           "ends in the middle",
	" ":                          "ends in the middle",
	"{":                          "name in quotes",
	"{}x":                        "follows",
	"\ufeff{}":                   "wants a value",
	"[1,]":                       "wants a value",
	"[1 2]":                      "wants , or ]",
	`{"a":1,}`:                   "name in quotes",
	`{"a" 1}`:                    "colon",
	`{"a":1 "b":2}`:              "wants , or }",
	`{'a':1}`:                    "name in quotes",
	`{"a":1,"a":1}`:              "twice",
	`{"a":1,"\u0061":1}`:         "twice",
	`[{"b":{"x":1,"x":2}}]`:      "twice",
	`"\ud800"`:                   "surrogate",
	`"\ud800\u0041"`:             "surrogate",
	`"\udc00\ud800"`:             "surrogate",
	`"\u12g4"`:                   "hex",
	`"\u12`:                      "hex",
	`"\x41"`:                     "escape",
	"\"\xc3\"":                   "UTF-8",
	"\"\\n\xc3\"":                "UTF-8",
	"\"\n\"":                     "control",
	"\"\\n\n\"":                  "control",
	`"abc`:                       "ends",
	`"abc\`:                      "escape",
	"NaN":                        "wants a value",
	"Infinity":                   "wants a value",
	"+1":                         "wants a value",
	"01":                         "leading",
	"-":                          "wants a number",
	"1.":                         "point",
	"1e":                         "exponent",
	"tru":                        "wants a value",
	strings.Repeat("[", 1e6):     "deeper",
	strings.Repeat("9", 65):      "64",
	`{"a":` + "\x00" + `}`:       "wants a value",
	"/* note */ {}":              "wants a value",
	`[` + "\v" + `]`:             "wants a value",
	strings.Repeat(`[{"a":`, 17): "deeper",
}

func TestParseRefuses(t *testing.T) {
	for text, want := range refused {
		_, err := Parse("file", []byte(text))
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

func TestTooManyNames(t *testing.T) {
	text := "[" + strings.Repeat(`{"a":0},`, MaxNames) + "0]"
	if _, err := Parse("file", []byte(text)); err != nil {
		t.Errorf("%d names: %v", MaxNames, err)
	}
	text = "[" + strings.Repeat(`{"a":0},`, MaxNames+1) + "0]"
	if _, err := Parse("file", []byte(text)); !errors.Is(err, ErrFormat) {
		t.Errorf("one more: %v", err)
	}
}

func TestErrorsNameThePlace(t *testing.T) {
	v, err := Parse("config.json", []byte(` {"a": {"b": [1, "x", {"c": 1e99}]}} `))
	if err != nil {
		t.Fatal(err)
	}
	err = v.Object(func(key string, v Value) error {
		return v.Object(func(key string, v Value) error {
			return v.Array(func(i int, v Value) error {
				if i < 2 {
					return nil
				}
				return v.Object(func(key string, v Value) error {
					_, err := v.Float32()
					return err
				})
			})
		})
	})
	if err == nil || !strings.Contains(err.Error(), "config.json.a.b.c: wants a number within binary32") {
		t.Error(err)
	}
}

func TestNumbers(t *testing.T) {
	get := func(text string) Value {
		v, err := Parse("n", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for text, want := range map[string]float32{"1e-5": 1e-5, "10000.0": 10000, "-0": float32(math.Copysign(0, -1)), "16777217": 16777216, "1e-50": 0} {
		if got, err := get(text).Float32(); err != nil || math.Float32bits(got) != math.Float32bits(want) {
			t.Errorf("%s is %v: %v", text, got, err)
		}
	}
	for _, text := range []string{`"1"`, "true", "null", "[]", "1e39", "-1e39"} {
		if got, err := get(text).Float32(); !errors.Is(err, ErrFormat) {
			t.Errorf("%s is %v: %v", text, got, err)
		}
	}
	if n, err := get("18446744073709551615").Uint(math.MaxUint64); err != nil || n != math.MaxUint64 {
		t.Error(n, err)
	}
	for _, text := range []string{"18446744073709551616", "11", "-0", "-1", "1.0", "1e0", `"1"`, "null", "99999999999999999999999999999999999"} {
		if n, err := get(text).Uint(10); !errors.Is(err, ErrFormat) {
			t.Errorf("%s is %d: %v", text, n, err)
		}
	}
	for text, want := range map[string]bool{"null": true, "false": true, "0": true, "0.0e5": true, "-0": true, `""`: true, "[ ]": true, "{ }": true,
		"true": false, "1": false, "1e-300": false, `"a"`: false, "[0]": false, `{"a":0}`: false} {
		if get(text).IsZero() != want {
			t.Errorf("IsZero of %s is not %v", text, want)
		}
	}
}

func TestAppendText(t *testing.T) {
	for _, s := range []string{"", "a", "\"\\\n\x00\x1f\x7f", "naïve 名 \U0001f600", "</script>\u2028"} {
		b := AppendText(nil, s)
		var got string
		if err := json.Unmarshal(b, &got); err != nil || got != s {
			t.Errorf("%q is written as %s: %v", s, b, err)
		}
		if v, err := Parse("x", b); err != nil || tree(t, v) != s {
			t.Errorf("%s is not read: %v", b, err)
		}
	}
}

// FuzzParse compares with encoding/json: what is accepted here is accepted there
// and means the same.
func FuzzParse(f *testing.F) {
	for text := range refused {
		if len(text) < 1000 {
			f.Add([]byte(text))
		}
	}
	f.Add([]byte(` {"a":[1,-2.5e+3,"\u00e9\ud83d\ude00\/\"",null,true,false,{}],"b":{"c":[[]]}} `))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := Parse("fuzz", b)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		d := json.NewDecoder(strings.NewReader(string(b)))
		d.UseNumber()
		var want any
		if err := d.Decode(&want); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if got := tree(t, v); !reflect.DeepEqual(got, want) {
			t.Fatalf("%q is %v, want %v", b, got, want)
		}
	})
}
