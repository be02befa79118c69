// SPDX-License-Identifier: Apache-2.0

package openledger

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	maxFile     = 500
	maxFunction = 80
)

// TestFilesAndFunctionsAreSmall enforces rule 9 of STYLE.md.
func TestFilesAndFunctionsAreSmall(t *testing.T) {
	for _, p := range loadAll(t) {
		for i, f := range p.Syntax {
			if n := p.Fset.Position(f.FileEnd).Line; n > maxFile {
				t.Errorf("%s has %d lines, at most %d", p.GoFiles[i], n, maxFile)
			}
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || fn.Body == nil {
					continue
				}
				if n := p.Fset.Position(fn.End()).Line - p.Fset.Position(fn.Pos()).Line + 1; n > maxFunction {
					t.Errorf("%s: %s has %d lines, at most %d", p.Fset.Position(fn.Pos()), fn.Name.Name, n, maxFunction)
				}
			}
		}
	}
}

// TestNestedModulesKeepTheRules parses what "./..." leaves out: the modules below
// this one, which have dependencies that the node must not have. Licence line,
// size of files and of functions are as everywhere.
func TestNestedModulesKeepTheRules(t *testing.T) {
	files := 0
	err := filepath.WalkDir("testnet/compare", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		files++
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		if len(f.Comments) == 0 || f.Comments[0].List[0].Text != "// SPDX-License-Identifier: Apache-2.0" {
			t.Errorf("%s does not start with the licence line", path)
		}
		if n := set.Position(f.FileEnd).Line; n > maxFile {
			t.Errorf("%s has %d lines, at most %d", path, n, maxFile)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && set.Position(fn.End()).Line-set.Position(fn.Pos()).Line >= maxFunction {
				t.Errorf("%s: %s has more than %d lines", path, fn.Name.Name, maxFunction)
			}
			if strings.HasSuffix(path, "_test.go") || strings.HasPrefix(f.Name.Name, "main") {
				continue
			}
			for _, id := range undocumented(d) {
				t.Errorf("%s: exported %s has no comment", path, id.Name)
			}
		}
		return nil
	})
	if err != nil || files < 10 {
		t.Fatalf("%d files: %v", files, err)
	}
}

// TestOnlyTheProgramPrints keeps fmt.Print* out of libraries.
func TestOnlyTheProgramPrints(t *testing.T) {
	for _, p := range loadAll(t) {
		if strings.HasPrefix(rel(p.PkgPath), "cmd/") {
			continue
		}
		for i, f := range p.Syntax {
			ast.Inspect(f, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					if x, ok := s.X.(*ast.Ident); ok && x.Name == "fmt" && strings.HasPrefix(s.Sel.Name, "Print") {
						t.Errorf("%s:%d: fmt.%s outside cmd", filepath.Base(p.GoFiles[i]), p.Fset.Position(n.Pos()).Line, s.Sel.Name)
					}
				}
				return true
			})
		}
	}
}

// TestFilesCarryTheLicence wants the licence line first.
func TestFilesCarryTheLicence(t *testing.T) {
	for _, p := range loadAll(t) {
		for i, f := range p.Syntax {
			if len(f.Comments) == 0 || f.Comments[0].List[0].Text != "// SPDX-License-Identifier: Apache-2.0" {
				t.Errorf("%s does not start with the licence line", p.GoFiles[i])
			}
		}
	}
}

// forbidden texts of test files, and what to do instead.
const sleep = "time" + ".Sleep("

var forbidden = map[string]string{
	sleep:            "wait for what you need, or use testing/synctest",
	".Skip" + "(":    "install what is missing, or fail",
	".Skip" + "f(":   "install what is missing, or fail",
	".Skip" + "Now(": "install what is missing, or fail",
}

// virtualTime reports whether the tests of a folder run in testing/synctest
// bubbles, where a sleep takes no real time and waits for everything else.
func virtualTime(t *testing.T, dir string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), `"testing/`+`synctest"`) {
			return true
		}
	}
	return false
}

// TestTestsNeitherSleepNorSkip keeps the tests fast and complete.
func TestTestsNeitherSleepNorSkip(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		seen++
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(b), "\n") {
			for text, instead := range forbidden {
				if strings.Contains(line, text) && !(text == sleep && virtualTime(t, filepath.Dir(path))) {
					t.Errorf("%s:%d: %s: %s", path, i+1, text, instead)
				}
			}
		}
		return nil
	})
	if err != nil || seen < 50 {
		t.Fatalf("%d test files: %v", seen, err)
	}
}
