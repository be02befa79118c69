// SPDX-License-Identifier: Apache-2.0

package openledger

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestEverythingExportedIsDocumented wants a doc.go with a package comment in
// each package and a comment on each exported name.
func TestEverythingExportedIsDocumented(t *testing.T) {
	for _, p := range loadAll(t) {
		path := rel(p.PkgPath)
		hasDoc := false
		for i, f := range p.Syntax {
			if filepath.Base(p.GoFiles[i]) == "doc.go" && f.Doc != nil {
				hasDoc = true
			}
			if p.Name == "main" {
				continue
			}
			for _, d := range f.Decls {
				for _, id := range undocumented(d) {
					t.Errorf("%s: exported %s has no comment", p.Fset.Position(id.Pos()), id.Name)
				}
			}
		}
		if !hasDoc {
			t.Errorf("%s has no doc.go with a package comment", path)
		}
	}
}

func undocumented(d ast.Decl) (out []*ast.Ident) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
			out = append(out, d.Name)
		}
	case *ast.GenDecl:
		if d.Tok == token.IMPORT || (d.Doc != nil && d.Lparen.IsValid()) {
			return nil
		}
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
					out = append(out, s.Name)
				}
			case *ast.ValueSpec:
				if d.Doc != nil || s.Doc != nil || s.Comment != nil {
					continue
				}
				for _, id := range s.Names {
					if id.IsExported() {
						out = append(out, id)
					}
				}
			}
		}
	}
	return out
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	if s, ok := typ.(*ast.StarExpr); ok {
		typ = s.X
	}
	id, ok := typ.(*ast.Ident)
	return ok && id.IsExported()
}

// clause matches a clause id of the specification. The prefixes are listed, so
// that BIP-39 and the like are no clauses.
var clause = regexp.MustCompile(`\b(ENC|KEY|ACC|TXN|FEE|STA|EXE|GEN|STK|DAT|REP|MOD|LIC|ACS|CHN|RCP|PAY|GOV|CIR|EMI|INV|SIM|TST|` +
	`CONS|FX|OP|GPU|TNS|TASK|CHK|DSP|BEN|INF|POOL|ZK|ATT|PERF|` +
	`ARC|LIN|ATM|GAM|SMP|KNN|CVX|MLP|RUN|TXT|UPD|QLT|CAL|SHR|FLW|ATK|OFF|VAL|` +
	`P2P|NODE|RPC|CLIENT|CLI|DEMO|NET|PKG|OBS|SEC|UX|TEST)-[0-9]{2}\b`)

// ranged matches "ENC-01..03" and "P2P-01 to P2P-09"; every clause between is cited.
var ranged = regexp.MustCompile(`\b([A-Z][A-Z0-9]+)-([0-9]{2})(?:\.\.| to ([A-Z][A-Z0-9]+)-|\.\.([A-Z][A-Z0-9]+)-|…)([0-9]{2})\b`)

// cited lists the clauses that a text names, ranges written out.
func cited(text string) []string {
	out := clause.FindAllString(text, -1)
	for _, m := range ranged.FindAllStringSubmatch(text, -1) {
		first, err1 := strconv.Atoi(m[2])
		last, err2 := strconv.Atoi(m[5])
		if err1 != nil || err2 != nil || (m[3] != "" && m[3] != m[1]) || (m[4] != "" && m[4] != m[1]) {
			continue
		}
		for n := first; n <= last; n++ {
			if c := fmt.Sprintf("%s-%02d", m[1], n); clause.MatchString(c) {
				out = append(out, c)
			}
		}
	}
	return out
}

// definition matches a line of docs/spec that states a clause: its id in bold,
// several separated by commas.
var definition = regexp.MustCompile(`\*\*((?:[A-Z][A-Z0-9]+-[0-9]{2}(?:, )?)+)[^*]*\*\*`)

// TestCitedClausesExist wants every clause that code or documents cite to stand
// in docs/spec, in bold, exactly once.
func TestCitedClausesExist(t *testing.T) {
	known := map[string]bool{}
	specs, err := filepath.Glob("docs/spec/*.md")
	if err != nil || len(specs) == 0 {
		t.Fatalf("no docs/spec/*.md: %v", err)
	}
	for _, s := range specs {
		b, err := os.ReadFile(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range definition.FindAllStringSubmatch(string(b), -1) {
			for _, c := range clause.FindAllString(m[1], -1) {
				if known[c] {
					t.Errorf("%s states %s a second time", s, c)
				}
				known[c] = true
			}
		}
	}
	for _, p := range loadAll(t) {
		for i, f := range p.Syntax {
			for _, g := range f.Comments {
				for _, c := range cited(g.Text()) {
					if !known[c] {
						t.Errorf("%s cites %s, which docs/spec does not have", p.GoFiles[i], c)
					}
				}
			}
		}
	}
	for _, name := range documents(t) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cited(string(b)) {
			if !known[c] {
				t.Errorf("%s cites %s, which docs/spec does not have", name, c)
			}
		}
	}
}

// documents lists the texts that people read first.
func documents(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"*.md", "docs/spec/*.md", "docs/adr/*.md", "docs/bench/*.md"} {
		list, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, list...)
	}
	return out
}

var backquoted = regexp.MustCompile("`((?:internal|consensus|poa|ledger|p2p|gpu|rpc|node|testnet|cmd)(?:/[a-z][a-z0-9]*)*)(?:\\.([A-Z][A-Za-z0-9]*))?(?:\\.([A-Z][A-Za-z0-9]*))?`")

// TestDocumentsNameWhatExists wants every package, name and method or field in
// backquotes of the documents to exist: `folder/package.Name.Member`.
func TestDocumentsNameWhatExists(t *testing.T) {
	scopes := map[string]*types.Scope{}
	for _, p := range loadAll(t) {
		scopes[rel(p.PkgPath)] = p.Types.Scope()
	}
	for _, name := range documents(t) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range backquoted.FindAllStringSubmatch(string(b), -1) {
			scope, ok := scopes[m[1]]
			switch {
			case !ok && m[2] == "" && isFolder(m[1]):
			case !ok:
				t.Errorf("%s names package %s, which does not exist", name, m[1])
			case m[2] != "" && scope.Lookup(m[2]) == nil:
				t.Errorf("%s names %s.%s, which does not exist", name, m[1], m[2])
			case m[3] != "" && !hasMember(scope.Lookup(m[2]), m[3]):
				t.Errorf("%s names %s.%s.%s, which does not exist", name, m[1], m[2], m[3])
			}
		}
	}
}

func isFolder(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.IsDir()
}

func hasMember(o types.Object, name string) bool {
	found, _, _ := types.LookupFieldOrMethod(o.Type(), true, o.Pkg(), name)
	return found != nil
}

// link matches a relative link of a document, mention a file of docs named in
// running text.
var (
	link    = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	mention = regexp.MustCompile(`\bdocs/(?:adr/[0-9]{4}|[a-z0-9_/.-]+\.(?:md|json|py))`)
)

// TestLinksLeadSomewhere wants every file that a document points to to exist.
func TestLinksLeadSomewhere(t *testing.T) {
	for _, name := range documents(t) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var targets []string
		for _, m := range link.FindAllStringSubmatch(string(b), -1) {
			targets = append(targets, filepath.Join(filepath.Dir(name), m[1]))
		}
		for _, m := range mention.FindAllString(string(b), -1) {
			if strings.HasPrefix(m, "docs/adr/") && !strings.HasSuffix(m, ".md") {
				m += "-*.md"
			}
			targets = append(targets, m)
		}
		for _, target := range targets {
			if found, err := filepath.Glob(target); err != nil || len(found) == 0 {
				t.Errorf("%s points to %s, which does not exist", name, target)
			}
		}
	}
}
