// SPDX-License-Identifier: Apache-2.0

package game

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/openledger/openledger/poa"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, text string
		v          []string // exact rationals
	}{
		{"integers", `{"n":1,"v":[0,7]}`, []string{"0", "7"}},
		{"keys in the other order, white space", " {\n\"v\" : [ -1 , 2 ] ,\t\"n\" : 1 } \n", []string{"-1", "2"}},
		{"decimals keep every digit", `{"n":1,"v":[0.1,0.30000000000000004]}`, []string{"1/10", "30000000000000004/100000000000000000"}},
		{"exponents", `{"n":1,"v":[1e3,-2.5E-3]}`, []string{"1000", "-1/400"}},
		{"minus zero is zero", `{"n":1,"v":[-0.0,0e9]}`, []string{"0", "0"}},
		{"long integers", `{"n":1,"v":[123456789012345678901234567890,-9223372036854775809]}`, []string{"123456789012345678901234567890", "-9223372036854775809"}},
		{"tiny beside large", `{"n":1,"v":[1e-400,1e299]}`, []string{"1/1" + strings.Repeat("0", 400), "1" + strings.Repeat("0", 299)}},
		{"n with a point", `{"n":1.0,"v":[0,1]}`, []string{"0", "1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, err := Parse([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			for i, w := range c.v {
				want, _ := new(big.Rat).SetString(w)
				if got := new(big.Rat).SetFrac(g.Value(uint32(i)), g.Scale()); got.Cmp(want) != 0 {
					t.Errorf("value %d is %v, want %v", i, got, want)
				}
			}
		})
	}
}

// refused lists texts that Parse refuses, with the error.
var refused = []struct{ name, text, err string }{
	{"nothing", ``, `1: column 1: expected '{', found the end`},
	{"an array", `[1,2]`, `1: column 1: expected '{', found '['`},
	{"n is missing", `{"v":[0,1]}`, `1: column 1: "n" is missing`},
	{"v is missing", `{"n":1}`, `1: column 1: "v" is missing`},
	{"n twice", `{"n":1,"n":1,"v":[0,1]}`, `1: column 8: "n" appears twice`},
	{"v twice", `{"n":1,"v":[0,1],"v":[0,1]}`, `1: column 18: "v" appears twice`},
	{"an unknown key", `{"n":1,"w":[0,1]}`, `1: column 8: unknown key "w", expected "n" and "v"`},
	{"keys are case sensitive", `{"N":1,"v":[0,1]}`, `1: column 2: unknown key "N", expected "n" and "v"`},
	{"no players", `{"n":0,"v":[0]}`, `1: column 6: "n" must be an integer from 1 to 24`},
	{"25 players", `{"n":25,"v":[0]}`, `1: column 6: "n" must be an integer from 1 to 24`},
	{"half a player", `{"n":1.5,"v":[0,1]}`, `1: column 6: "n" must be an integer from 1 to 24`},
	{"players as text", `{"n":"1","v":[0,1]}`, `1: column 6: expected a number, found '"'`},
	{"players null", `{"n":null,"v":[0,1]}`, `1: column 6: "null" is not a number`},
	{"a value too few", "{\"n\":2,\n\"v\":[0,1,2]}", `2: column 5: "v" has 3 values, 2 players need 4`},
	{"a value too many", `{"n":1,"v":[0,1,2]}`, `1: column 12: "v" has 3 values, 1 players need 2`},
	{"no values", `{"n":1,"v":[]}`, `1: column 12: "v" has 0 values, 1 players need 2`},
	{"not a number", `{"n":1,"v":[0,NaN]}`, `1: column 15: number is not finite`},
	{"infinity", `{"n":1,"v":[0,-Infinity]}`, `1: column 15: number is not finite`},
	{"a value as text", `{"n":1,"v":[0,"1"]}`, `1: column 15: expected a number, found '"'`},
	{"null", `{"n":1,"v":[0,null]}`, `1: column 15: "null" is not a number`},
	{"a nested list", `{"n":1,"v":[[0],1]}`, `1: column 13: expected a number, found '['`},
	{"hexadecimal", `{"n":1,"v":[0,0x10]}`, `1: column 15: "0x10" is not a number`},
	{"a leading zero", `{"n":1,"v":[0,01]}`, `1: column 15: "01" is not a number`},
	{"a leading plus", `{"n":1,"v":[0,+1]}`, `1: column 15: "+1" is not a number`},
	{"no digit before the point", `{"n":1,"v":[0,.5]}`, `1: column 15: ".5" is not a number`},
	{"no digit after the point", `{"n":1,"v":[0,5.]}`, `1: column 15: "5." is not a number`},
	{"an empty exponent", `{"n":1,"v":[0,1e]}`, `1: column 15: "1e" is not a number`},
	{"a huge exponent", `{"n":1,"v":[0,1e999999999]}`, `1: column 15: the exponent of 1e999999999 is outside ±400`},
	{"a tiny exponent", `{"n":1,"v":[0,1e-401]}`, `1: column 15: the exponent of 1e-401 is outside ±400`},
	{"beyond binary64", `{"n":1,"v":[0,1e300]}`, `1: column 15: the value is not below 1e300`},
	{"a comma at the end", `{"n":1,"v":[0,1,]}`, `1: column 17: a comma before ']'`},
	{"a comma too many", `{"n":1,,"v":[0,1]}`, `1: column 8: expected '"', found ','`},
	{"no comma", `{"n":1 "v":[0,1]}`, `1: column 8: expected ',' or '}', found '"'`},
	{"no colon", `{"n" 1,"v":[0,1]}`, `1: column 6: expected ':', found "1"`},
	{"cut short", `{"n":1,"v":[0,1`, `1: column 16: expected ',' or ']', found the end`},
	{"cut inside a key", `{"n`, `1: column 2: a string that does not end`},
	{"text after the end", `{"n":1,"v":[0,1]} x`, `1: column 19: text after the end: "x"`},
	{"a comment", `{"n":1,/*c*/"v":[0,1]}`, `1: column 8: expected '"', found '/'`},
	{"invalid UTF-8 in a key", "{\"\xff\":1}", `1: column 2: not a valid string`},
	{"a NUL byte", "{\"n\":1,\"v\":[0,1]}\x00", `1: column 18: text after the end: '\x00'`},
}

func TestParseRefuses(t *testing.T) {
	for _, c := range refused {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse([]byte(c.text))
			if err == nil || err.Error() != c.err || !errors.Is(err, poa.ErrInput) {
				t.Errorf("got  %v\nwant %v", err, c.err)
			}
		})
	}
}

func TestParseRefusesTablesThatDoNotFit(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"n":20,"v":[1e-400,1e299`)
	for range 1<<20 - 2 {
		b.WriteString(",0")
	}
	b.WriteString("]}")
	g, err := Parse([]byte(b.String()))
	if err != nil || g.words != 37 {
		t.Fatalf("20 players of 700 digits: %v", err)
	}
	p := parser{n: 24, places: 400, whole: 300, s: poa.NewScanner([]byte("[]"))}
	if _, err := p.table(); err == nil || !strings.Contains(err.Error(), "512 MiB") {
		t.Errorf("24 players of 700 digits: got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"n":2,"v":[0,0.5,0.25,1]}`))
	f.Add([]byte(`{"v":[1e-400,123456789012345678901234567890],"n":1}`))
	for _, c := range refused {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := Parse(b)
		if err != nil {
			var at *poa.ScanError
			if !errors.As(err, &at) || at.Line < 1 || at.Column < 1 || strings.ContainsAny(at.Reason, "\r\n") {
				t.Fatalf("an error that is not one line with a place: %q", err)
			}
			return
		}
		sum, want := new(big.Rat), new(big.Rat)
		for _, x := range g.Strata().Shapley() {
			sum.Add(sum, x)
		}
		want.SetFrac(new(big.Int).Sub(g.Value(g.All()), g.Value(0)), g.Scale())
		if sum.Cmp(want) != 0 {
			t.Fatalf("values sum to %v, the game to %v", sum, want)
		}
	})
}
