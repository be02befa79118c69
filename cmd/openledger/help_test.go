// SPDX-License-Identifier: Apache-2.0

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestEveryCommandHasAnExampleThatParses holds CLI-03.
func TestEveryCommandHasAnExampleThatParses(t *testing.T) {
	each(newRoot(), func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: the short help is %q", c.CommandPath(), c.Short)
		}
		if !c.Runnable() {
			return
		}
		if c.HasParent() && c.Example == "" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for line := range strings.SplitSeq(strings.TrimSpace(c.Example), "\n") {
			line, _, _ = strings.Cut(strings.TrimSpace(line), " <")
			m := call.FindStringSubmatch(line)
			if line == "" {
				continue
			}
			if m == nil {
				t.Errorf("%s: %q is no command line", c.CommandPath(), line)
			} else if err := parses(words(strings.TrimSpace(m[1]))); err != nil {
				t.Errorf("%s: %q: %v", c.CommandPath(), line, err)
			}
		}
	})
}

var named = regexp.MustCompile("openledger ((?:[a-z]+[- ]?)+)")

// TestTextsNameCommandsThatExist looks through every text of the program: a hint
// that sends a reader to a command must name one that exists.
func TestTextsNameCommandsThatExist(t *testing.T) {
	root, seen := newRoot(), 0
	root.InitDefaultCompletionCmd()
	for _, dir := range []string{"rpc", "node", "cmd", "testnet", "ledger", "poa", "p2p"} {
		err := filepath.WalkDir(filepath.Join("../..", dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			for _, text := range literals(t, path) {
				for _, m := range named.FindAllStringSubmatch(text, -1) {
					seen++
					if err := exists(root, strings.Fields(m[1])); err != "" {
						t.Errorf("%s: %q: %s", path, text, err)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen < 50 {
		t.Errorf("only %d texts found", seen)
	}
}

func literals(t *testing.T, path string) (out []string) {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			if s, err := strconv.Unquote(l.Value); err == nil {
				out = append(out, s)
			}
		}
		return true
	})
	return out
}

// exists walks down the commands as far as they go; what follows may be prose.
func exists(root *cobra.Command, path []string) string {
	at := root
	for _, word := range path {
		if !at.HasSubCommands() {
			return ""
		}
		var next *cobra.Command
		for _, c := range at.Commands() {
			if c.Name() == word {
				next = c
			}
		}
		if next == nil && prose[word] {
			return ""
		}
		if next == nil {
			return "no command " + word + " of " + at.CommandPath()
		}
		at = next
	}
	return ""
}

// prose are words that follow a command's name in running text.
var prose = map[string]bool{"runs": true}
