// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/openledger/openledger/internal/fixed"
)

func TestEveryRowIsDealtOnceAndTheCopyIsNone(t *testing.T) {
	p, err := split(digitsCSV)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.own) != len(contributors) {
		t.Fatalf("%d parts for %d contributors", len(p.own), len(contributors))
	}
	seen := map[string]int{}
	for _, csv := range append(p.own[:len(sizes):len(sizes)], p.valid) {
		for _, line := range strings.Split(strings.TrimSpace(string(csv)), "\n") {
			seen[line]++
		}
	}
	total := 0
	for _, line := range strings.Split(strings.TrimSpace(string(digitsCSV)), "\n") {
		if seen[line] != 1 {
			t.Fatalf("row %.40q stands %d times", line, seen[line])
		}
		total++
	}
	if total != 1797 {
		t.Fatalf("%d rows", total)
	}
	copies := p.own[len(p.own)-1]
	if countLines(copies) != countLines(p.own[copied]) {
		t.Errorf("copy has %d rows, the original %d", countLines(copies), countLines(p.own[copied]))
	}
	for _, line := range strings.Split(strings.TrimSpace(string(copies)), "\n") {
		if seen[line] != 0 {
			t.Fatalf("the copier's row %.40q is an exact copy; it should differ by one pixel", line)
		}
	}
}

func TestEachLimitNamesItsClauses(t *testing.T) {
	clause := regexp.MustCompile(`\([A-Z]+-[0-9]{2}(, [A-Z]+-[0-9]{2})*\)$`)
	for _, line := range strings.Split(NotProved, "\n")[1:] {
		if !clause.MatchString(line) {
			t.Errorf("%q names no clause", line)
		}
	}
}

func TestTheShippedDataIsAttributed(t *testing.T) {
	for _, want := range []string{"Alpaydin", "CC BY 4.0", "10.24432/C50P49"} {
		if !strings.Contains(attribution, want) {
			t.Errorf("ATTRIBUTION lacks %q", want)
		}
	}
}

// goldenDigest is the result of the demo on every run and machine (DEMO-03). A
// change of data, arithmetic, attribution or settlement rules changes it.
const goldenDigest = "0xf5932a00c8b64cda45a91b301a1dd2483e95ff278ad81f9ce55c009642c1e4f7"

// TestDemo plays the whole demo with real processes: about a minute.
func TestDemo(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "openledger")
	build := exec.Command("go", "build", "-o", bin, "../../cmd/openledger")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	var story bytes.Buffer
	r, err := Run(context.Background(), Options{Dir: filepath.Join(t.TempDir(), "demo"), Program: bin, BasePort: 14_944, Out: &story})
	t.Log(story.String())
	if err != nil {
		logs, _ := filepath.Glob(filepath.Join(r.Dir, "*", "node.log"))
		for _, l := range logs {
			b, _ := os.ReadFile(l)
			t.Logf("%s:\n%s", l, b[max(0, len(b)-2_000):])
		}
		t.Fatal(err)
	}
	var sum fixed.Amount
	for _, p := range r.Payouts {
		sum += p.Amount
	}
	switch {
	case !r.OK || !r.ReplayEqual || !r.LieCaught || !r.TamperedRefused || r.CopyShare != 0:
		t.Errorf("report %+v", r)
	case sum != r.PayoutsSum || sum == 0 || r.FeesPaid <= sum:
		t.Errorf("payouts sum to %d, report says %d of fees %d", sum, r.PayoutsSum, r.FeesPaid)
	case r.Supply != 1_000_000_000*fixed.OPEN:
		t.Errorf("supply %v", r.Supply)
	case r.RSS > 1_500<<20:
		t.Errorf("processes hold %d bytes", r.RSS)
	case r.ResultDigest.String() != goldenDigest:
		t.Errorf("result digest %v, golden %v", r.ResultDigest, goldenDigest)
	}
}
