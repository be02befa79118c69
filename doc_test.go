// SPDX-License-Identifier: Apache-2.0

package openledger

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
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

var clause = regexp.MustCompile(`\b(ENC|KEY|ACC|TXN|FEE|STA|EXE|GEN|CHN|RCP|PAY|DAT|MOD|CONS|FX|OP|TNS|TASK|CHK|ATM|GAM|SMP|KNN|SHR|LIN|ARC|P2P|NODE|RPC|CLI|DEMO|NET|OFF)-[0-9]{2}\b`)

// TestCitedClausesExist wants every clause that code cites to stand in docs/spec.
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
		for _, c := range clause.FindAllString(string(b), -1) {
			known[c] = true
		}
	}
	for _, p := range loadAll(t) {
		for i, f := range p.Syntax {
			for _, g := range f.Comments {
				for _, c := range clause.FindAllString(g.Text(), -1) {
					if !known[c] {
						t.Errorf("%s cites %s, which docs/spec does not have", p.GoFiles[i], c)
					}
				}
			}
		}
	}
}

var backquoted = regexp.MustCompile("`((?:internal|consensus|poa|ledger|p2p|gpu|rpc|node|testnet|cmd)(?:/[a-z0-9]+)*)(?:\\.([A-Z][A-Za-z]*))?`")

// TestArchitectureNamesExist wants every package and name in backquotes of
// ARCHITECTURE.md to exist.
func TestArchitectureNamesExist(t *testing.T) {
	b, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]map[string]bool{}
	for _, p := range loadAll(t) {
		set := map[string]bool{}
		for _, n := range p.Types.Scope().Names() {
			set[n] = true
		}
		names[rel(p.PkgPath)] = set
	}
	for _, m := range backquoted.FindAllStringSubmatch(string(b), -1) {
		set, ok := names[m[1]]
		if !ok && !strings.Contains(m[1], "/") {
			continue // a top-level folder
		}
		if !ok {
			t.Errorf("ARCHITECTURE.md names package %s, which does not exist", m[1])
		} else if m[2] != "" && !set[m[2]] {
			t.Errorf("ARCHITECTURE.md names %s.%s, which does not exist", m[1], m[2])
		}
	}
}
