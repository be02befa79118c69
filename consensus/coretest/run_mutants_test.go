// SPDX-License-Identifier: Apache-2.0

//go:build !mutant

package coretest_test

import (
	"os/exec"
	"testing"
)

// TestBrokenRulesAreCaught builds the core with the tag mutant and runs
// TestMutants in that build: the simulation is worth what it would notice.
func TestBrokenRulesAreCaught(t *testing.T) {
	out, err := exec.Command("go", "test", "-tags", "mutant", "-count=1", "-run", "^TestMutants$", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
