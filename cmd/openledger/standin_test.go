// SPDX-License-Identifier: Apache-2.0

//go:build cuda && linux && (amd64 || arm64)

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/openledger/openledger/gpu/fakecuda"
)

// TestGPU07LanguageModelsOnTheStandIn runs the scripts of testdata/standin as
// TestScripts does, with the stand-in driver in $DRIVER.
func TestGPU07LanguageModelsOnTheStandIn(t *testing.T) {
	driver := t.TempDir()
	if err := fakecuda.Build(driver); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/standin",
		Setup: func(e *testscript.Env) error {
			e.Setenv("DRIVER", driver)
			e.Setenv("OPENLEDGER_HOME", filepath.Join(e.WorkDir, "home"))
			return os.Mkdir(filepath.Join(e.WorkDir, "home"), 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}
