// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// shell matches the shell blocks of a document.
var shell = regexp.MustCompile("(?s)```sh\n(.*?)```")

// call matches one use of the program inside a shell line, up to where the
// shell takes over.
var call = regexp.MustCompile(`(?:^|\$\(|&& )openledger ((?:"[^"]*(?:\$\([^)]*\))?[^"]*"|'[^']*'|[^|>&)"';])+)`)

// TestDocumentsPrintCommandsThatExist parses every command of the README with
// the program's own flags. Whether they do what is said is for people and for
// the scripts.
func TestDocumentsPrintCommandsThatExist(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, block := range shell.FindAllStringSubmatch(string(text), -1) {
		for _, line := range strings.Split(block[1], "\n") {
			for _, m := range call.FindAllStringSubmatch(line, -1) {
				seen++
				if err := parses(words(m[1])); err != nil {
					t.Errorf("%s: %v", line, err)
				}
			}
		}
	}
	if seen < 25 {
		t.Errorf("only %d commands found", seen)
	}
	if parses([]string{"data", "publish"}) == nil || parses([]string{"status", "--no-such-flag"}) == nil || parses([]string{"nothing"}) == nil {
		t.Error("a wrong command was accepted")
	}
}

// parses finds the command, its flags and the number of its arguments.
func parses(args []string) error {
	cmd, rest, err := newRoot().Find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

// words splits a shell line at spaces outside quotes.
func words(line string) (out []string) {
	quote, word, open := byte(0), "", false
	for i := range len(line) {
		switch c := line[i]; {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, open = c, true
		case quote == 0 && c == ' ':
			if open {
				out = append(out, word)
			}
			word, open = "", false
		default:
			word, open = word+string(c), true
		}
	}
	if open {
		out = append(out, word)
	}
	return out
}
