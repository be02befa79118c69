// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// badFiles are inputs that some offline command is offered below. Each must be
// refused in one line with exit code 2, and nothing on stdout.
var badFiles = map[string]string{
	"good.csv": "1,2,0\n3,4,1\n", "good.json": `{"n":1,"v":[0,1]}`, "weights.json": "[1,2]",
	"empty.csv": "", "blank.csv": "\n", "header.csv": "a,b,label\n", "ragged.csv": "1,2,0\n3,1\n",
	"longer.csv": "1,2,0\n3,4,5,1\n", "nan.csv": "1,NaN,0\n", "inf.csv": "1,-inf,0\n", "huge.csv": "1,1e999,0\n",
	"word.csv": "1,2,0\nx,2,0\n", "label.csv": "1,2,0.5\n", "nolabel.csv": "1,2,\n", "onecol.csv": "1\n2\n",
	"hole.csv": "1,2,0\n\n3,4,1\n", "hex.csv": "1,2,0\n0x10,2,0\n", "quote.csv": "1,2,0\n\"1\",2,0\n", "utf8.csv": "1,2,0\n\xff,2,0\n",
	"nul.csv": "1,2,0\n1,\x00,0\n", "comma.csv": "1;2;0\n3;4;1\n", "biglabel.csv": "1,2,99999999999999999999\n",
	"wide.csv": "1,2,3,0\n", "far.csv": "1e200,0,0\n", "near.csv": "-1e200,0,0\n", "minus.csv": "1,2,0\n-1,2,0\n", "256.csv": "1,256,0\n",
	"array.json": "[1,2]", "text.json": `"x"`, "short.json": `{"n":2,"v":[0,1,2]}`, "cut.json": `{"n":1,"v":[0,`,
	"non.json": `{"n":1,"v":[0,NaN]}`, "big.json": `{"n":25,"v":[]}`, "key.json": `{"n":1,"x":0,"v":[0,1]}`,
	"exp.json": `{"n":1,"v":[0,1e9999]}`, "tail.json": `{"n":1,"v":[0,1]}{}`,
	"empty.json": "", "none.json": "[]", "noobj.json": "{}", "str.json": `["1"]`, "null.json": "[1,null]", "nest.json": "[[1]]",
	"twice.json": `{"a":1,"a":2}`, "other.json": `{"weights":[1],"x":2}`, "comma.json": "[1,2,]", "deep.json": strings.Repeat("[", 100_000),
	"expo.json": "[1e401]", "digits.json": "[" + strings.Repeat("9", 10_001) + "]", "true.json": "[true]", "bom.json": "\ufeff[1]",
}

var badCalls = []struct{ args, want string }{
	{"attribute nothing", `unknown command "nothing" of openledger attribute`},
	{"attribute knn", "--k 0: must be at least 1"},
	{"attribute knn --train good.csv --valid good.csv --k 0", "--k 0: must be at least 1"},
	{"attribute knn --train good.csv --valid good.csv --k -3", "--k -3: must be at least 1"},
	{"attribute knn --train good.csv --valid good.csv --k five", `invalid argument "five"`},
	{"attribute knn --train good.csv --valid good.csv --k 1.5", `invalid argument "1.5"`},
	{"attribute knn --train good.csv --valid good.csv --k 99999999999999999999", "invalid argument"},
	{"attribute knn --train good.csv --valid good.csv --k 1 --weights int", `--weights "int": use uint8 or float`},
	{"attribute knn --train good.csv --valid good.csv --k 1 --ties none", `--ties "none": use content or index`},
	{"attribute knn --train good.csv --valid good.csv --k 1 --lambda 3", "unknown flag"},
	{"attribute knn --train good.csv --valid good.csv --k 1 stray", "stray"},
	{"attribute knn --valid good.csv --k 1", "--train FILE is missing"},
	{"attribute knn --train good.csv --k 1", "--valid FILE is missing"},
	{"attribute knn --train none.csv --valid good.csv --k 1", "none.csv: no such file"},
	{"attribute knn --train . --valid good.csv --k 1", ".: is a directory"},
	{"attribute knn --train empty.csv --valid good.csv --k 1", "empty.csv:1: column 1: file is empty"},
	{"attribute knn --train good.csv --valid empty.csv --k 1", "empty.csv:1: column 1: file is empty"},
	{"attribute knn --train blank.csv --valid good.csv --k 1", "blank.csv:1: "},
	{"attribute knn --train header.csv --valid good.csv --k 1", "header.csv:1: "},
	{"attribute knn --train ragged.csv --valid good.csv --k 1", "ragged.csv:2: column "},
	{"attribute knn --train longer.csv --valid good.csv --k 1", "longer.csv:2: column "},
	{"attribute knn --train nan.csv --valid good.csv --k 1", "nan.csv:1: column 2: "},
	{"attribute knn --train inf.csv --valid good.csv --k 1", "inf.csv:1: column 2: "},
	{"attribute knn --train huge.csv --valid good.csv --k 1", "huge.csv:1: column 2: "},
	{"attribute knn --train word.csv --valid good.csv --k 1", "word.csv:2: column 1: "},
	{"attribute knn --train label.csv --valid good.csv --k 1", "label.csv:1: column 3: "},
	{"attribute knn --train nolabel.csv --valid good.csv --k 1", "nolabel.csv:1: column 3: "},
	{"attribute knn --train onecol.csv --valid good.csv --k 1", "onecol.csv:1: "},
	{"attribute knn --train hole.csv --valid good.csv --k 1", "hole.csv:2: "},
	{"attribute knn --train good.csv --valid hex.csv --k 1", "hex.csv:2: column 1: "},
	{"attribute knn --train good.csv --valid quote.csv --k 1", "quote.csv:2: column 1: "},
	{"attribute knn --train good.csv --valid utf8.csv --k 1", "utf8.csv:2: column 1: "},
	{"attribute knn --train good.csv --valid nul.csv --k 1", "nul.csv:2: column 2: "},
	{"attribute knn --train comma.csv --valid good.csv --k 1", "comma.csv:"},
	{"attribute knn --train biglabel.csv --valid good.csv --k 1", "biglabel.csv:1: column 3: "},
	{"attribute knn --train wide.csv --valid good.csv --k 1", "good.csv:1: column 3: 2 features, wide.csv has 3"},
	{"attribute knn --train good.csv --valid wide.csv --k 1", "wide.csv:1: column 3: 3 features, good.csv has 2"},
	{"attribute knn --train far.csv --valid near.csv --k 1", "near.csv:1: column 1: the distance to far.csv:1 is not finite"},
	{"attribute knn --train good.csv --valid minus.csv --k 1 --weights uint8", "minus.csv:2: column 1: "},
	{"attribute knn --train 256.csv --valid good.csv --k 1 --weights uint8", "256.csv:1: column 2: "},

	{"attribute game", "--table FILE is missing"},
	{"attribute game --table none", "none: no such file"},
	{"attribute game --table good.csv", "good.csv:1: column 1: "},
	{"attribute game --table array.json", "array.json:1: column 1: "},
	{"attribute game --table text.json", "text.json:1: column 1: "},
	{"attribute game --table empty.json", "empty.json:1: column 1: "},
	{"attribute game --table short.json", `short.json:1: column 12: "v" has 3 values, 2 players need 4`},
	{"attribute game --table cut.json", "cut.json:1: column 15: "},
	{"attribute game --table non.json", "non.json:1: column 15: number is not finite"},
	{"attribute game --table big.json", `big.json:1: column 6: "n" must be an integer from 1 to 24`},
	{"attribute game --table key.json", `key.json:1: column 8: unknown key "x"`},
	{"attribute game --table exp.json", "exp.json:1: column 15: the exponent"},
	{"attribute game --table tail.json", "tail.json:1: column 18: text after the end"},
	{"attribute game --table good.json --semivalue shapley", `--semivalue "shapley": use beta:a,b`},
	{"attribute game --table good.json --semivalue beta:0,1", `--semivalue "beta:0,1": use beta:a,b`},
	{"attribute game --table good.json --semivalue beta:1,65", `--semivalue "beta:1,65": use beta:a,b`},
	{"attribute game --table good.json --semivalue beta:1", `--semivalue "beta:1": use beta:a,b`},
	{"attribute game --table good.json --semivalue beta:1,2,3", `--semivalue "beta:1,2,3": use beta:a,b`},
	{"attribute game --table good.json --sampler msr --budget 9", `unknown sampler "msr"`},
	{"attribute game --table good.json --sampler cyclicrev", "--sampler needs --budget"},
	{"attribute game --table good.json --sampler cyclicrev --budget 1", "1 players need at least 2"},
	{"attribute game --table good.json --sampler cyclicrev --budget -1", "invalid argument"},
	{"attribute game --table good.json --sampler cyclicrev --budget 9 --epsilon-bps 1", "epsilon of 1 bps"},
	{"attribute game --table good.json --sampler cyclicrev --budget 9 --semivalue beta:1,2", "leave out --sampler"},
	{"attribute game --table good.json --budget 9", "--budget needs --sampler"},

	{"payout", "--pool N is missing"},
	{"payout --pool 5", "--weights FILE is missing"},
	{"payout --weights weights.json", "--pool N is missing"},
	{"payout --weights weights.json --pool -5", `--pool "-5": must be a whole number`},
	{"payout --weights weights.json --pool +5", `--pool "+5": must be a whole number`},
	{"payout --weights weights.json --pool 1_0", `--pool "1_0": must be a whole number`},
	{"payout --weights weights.json --pool 0x10", `--pool "0x10": must be a whole number`},
	{"payout --weights weights.json --pool 1e9", `--pool "1e9": must be a whole number`},
	{"payout --weights absent.json --pool 5", "absent.json: no such file"},
	{"payout --weights empty.json --pool 5", "empty.json:1: column 1: "},
	{"payout --weights none.json --pool 5", "none.json:1: column 1: no weights"},
	{"payout --weights noobj.json --pool 5", "noobj.json:1: column 1: no weights"},
	{"payout --weights text.json --pool 5", "text.json:1: column 1: "},
	{"payout --weights str.json --pool 5", "str.json:1: column 2: expected a number"},
	{"payout --weights null.json --pool 5", `null.json:1: column 4: "null" is not a number`},
	{"payout --weights nest.json --pool 5", "nest.json:1: column 2: expected a number"},
	{"payout --weights twice.json --pool 5", `twice.json:1: column 8: "a" appears twice`},
	{"payout --weights other.json --pool 5", "other.json:1: column 15: expected '}'"},
	{"payout --weights comma.json --pool 5", "comma.json:1: column 6: a comma before ']'"},
	{"payout --weights deep.json --pool 5", "deep.json:1: column 2: expected a number"},
	{"payout --weights expo.json --pool 5", "expo.json:1: column 2: the exponent"},
	{"payout --weights digits.json --pool 5", "digits.json:1: column 2: a number of more than 10000 digits"},
	{"payout --weights true.json --pool 5", `true.json:1: column 2: "true" is not a number`},
	{"payout --weights bom.json --pool 5", "bom.json:1: column 1: "},
	{"payout --weights good.csv --pool 5", "good.csv:1: column 1: "},
	{"payout --weights good.json --pool 5", "good.json:1: column 12: expected a number"},
}

func TestOfflineCommandsRefuseBadInput(t *testing.T) {
	dir := t.TempDir()
	for name, text := range badFiles {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	for _, c := range badCalls {
		t.Run(c.args, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := run(strings.Fields(c.args), strings.NewReader(""), &stdout, &stderr)
			line, rest, ended := strings.Cut(stderr.String(), "\n")
			switch {
			case code != 2:
				t.Errorf("exit code %d, want 2: %q", code, stderr.String())
			case stdout.Len() > 0:
				t.Errorf("something on stdout: %q", stdout.String())
			case !ended || rest != "" || !strings.HasPrefix(line, "openledger: "):
				t.Errorf("not one line: %q", stderr.String())
			case !strings.Contains(line, c.want):
				t.Errorf("got  %q\nwant %q", line, c.want)
			case len(line) > 300:
				t.Errorf("a line of %d bytes", len(line))
			}
		})
	}
}
