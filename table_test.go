// SPDX-License-Identifier: Apache-2.0

package openledger

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// row is one line of the table in section 3 of ARCHITECTURE.md: a package and
// how many lines it may have without its tests.
type row struct {
	path    string
	ceiling int
}

var tableRow = regexp.MustCompile("^\\| `([a-z0-9]+(?:/[a-z0-9]+)*)` \\| .+ \\| ([0-9,]+) \\|$")

// packageTable reads the table. Its order is the order of imports between
// packages of one top-level folder.
func packageTable(t *testing.T) []row {
	t.Helper()
	b, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	var out []row
	for _, line := range strings.Split(string(b), "\n") {
		m := tableRow.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		n, err := strconv.Atoi(strings.ReplaceAll(m[2], ",", ""))
		if err != nil {
			t.Fatalf("ARCHITECTURE.md: %q: %v", line, err)
		}
		out = append(out, row{m[1], n})
	}
	if len(out) == 0 {
		t.Fatal("ARCHITECTURE.md has no package table")
	}
	return out
}

// TestPackageTableIsComplete wants exactly one row per package, and no package
// above its ceiling.
func TestPackageTableIsComplete(t *testing.T) {
	ceiling := map[string]int{}
	for _, r := range packageTable(t) {
		if _, twice := ceiling[r.path]; twice {
			t.Errorf("ARCHITECTURE.md lists %s twice", r.path)
		}
		ceiling[r.path] = r.ceiling
	}
	for _, p := range loadAll(t) {
		path := rel(p.PkgPath)
		if path == "" || top(path) == "docs" {
			continue
		}
		most, ok := ceiling[path]
		if !ok {
			t.Errorf("%s is not in the table of ARCHITECTURE.md", path)
			continue
		}
		delete(ceiling, path)
		lines := 0
		for _, f := range p.Syntax {
			lines += p.Fset.Position(f.FileEnd).Line
		}
		if lines > most {
			t.Errorf("%s has %d lines, at most %d: split it", path, lines, most)
		}
	}
	for _, r := range packageTable(t) {
		if _, left := ceiling[r.path]; left {
			t.Errorf("ARCHITECTURE.md lists %s, which does not exist", r.path)
		}
	}
}

// TestArchitectureIsShort keeps the map readable in one sitting.
func TestArchitectureIsShort(t *testing.T) {
	b, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(b), "\n"); n > 260 {
		t.Errorf("ARCHITECTURE.md has %d lines, at most 260", n)
	}
}

// TestBadgerIsSafe refuses versions of the database that can bring deleted keys
// back, which on a ledger is another state root (PLATFORM.md, pinned modules).
func TestBadgerIsSafe(t *testing.T) {
	b, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	v := regexp.MustCompile(`github\.com/dgraph-io/badger/v4 (v\S+)`).FindStringSubmatch(string(b))
	if v == nil {
		t.Fatal("go.mod does not require badger")
	}
	if !safeBadger(v[1]) {
		t.Errorf("badger %s: at least v4.9.4 is needed", v[1])
	}
	if safeBadger("v4.9.3") || safeBadger("v4.8.9") || !safeBadger("v4.9.4") || !safeBadger("v4.10.0") {
		t.Error("versions compare wrongly")
	}
}

func safeBadger(v string) bool {
	var major, minor, patch int
	n, _ := fmt.Sscanf(v, "v%d.%d.%d", &major, &minor, &patch)
	return n == 3 && major == 4 && (minor > 9 || minor == 9 && patch >= 4)
}
