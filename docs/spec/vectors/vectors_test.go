// SPDX-License-Identifier: Apache-2.0

package vectors

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// files are the vectors that check.py knows.
var files = []string{"addr.json", "content.json", "draw.json", "enc.json", "split.json"}

// python runs check.py and returns its output and whether it exited with 0.
func python(t *testing.T, args ...string) (string, bool) {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Fatal("python3 is not installed; the tests need it to check the vectors independently (make deps names or installs it)")
	}
	out, err := exec.Command("python3", append([]string{"check.py"}, args...)...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("python3 did not start: %v", err)
	}
	if err != nil && exit.ExitCode() != 1 {
		t.Fatalf("check.py broke: %v\n%s", err, out)
	}
	return string(out), err == nil
}

func TestENC06VectorsHoldInAnotherLanguage(t *testing.T) {
	out, ok := python(t)
	if !ok {
		t.Fatalf("check.py disagrees:\n%s", out)
	}
	for _, f := range files {
		if !strings.Contains(out, f+": ") {
			t.Errorf("check.py did not check %s:\n%s", f, out)
		}
	}
}

// TestENC06DamagedVectorsAreNoticed lets check.py change every kind of field of
// every file. A field whose change passes is not really checked.
func TestENC06DamagedVectorsAreNoticed(t *testing.T) {
	out, ok := python(t, "--damage")
	if !ok {
		t.Fatalf("check.py overlooks damage:\n%s", out)
	}
	if n := strings.Count(out, "kinds of field is noticed"); n != len(files) {
		t.Errorf("%d files of %d were damaged:\n%s", n, len(files), out)
	}
}

func TestENC06CheckerFailsOnWhatItCannotRead(t *testing.T) {
	for name, text := range map[string]string{"nothing": "{}", "an empty list": `{"words":[],"below":[],"samples":[],"splitmix":[],"shuffles":[],"poa_seeds":[]}`} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "draw.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, ok := python(t, "-d", dir, "draw.json"); ok {
			t.Errorf("%s passes:\n%s", name, out)
		}
	}
}
