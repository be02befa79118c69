// SPDX-License-Identifier: Apache-2.0

//go:build cuda && linux && (amd64 || arm64)

package main

import (
	"debug/elf"
	"flag"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

var binary = flag.String("binary", "", "the program that make build made")

// TestGPU05TheBuiltProgramNeedsLibcOnly reads what its loader must find, and starts it
// where no driver is.
func TestGPU05TheBuiltProgramNeedsLibcOnly(t *testing.T) {
	if *binary == "" {
		t.Log("make test names the program with -binary")
		return
	}
	f, err := elf.Open(*binary)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	libs, err := f.ImportedLibraries()
	if err != nil || !slices.Equal(libs, []string{"libc.so.6"}) {
		t.Errorf("it needs %v, %v", libs, err)
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		if strings.HasPrefix(s.Name, "cu") && s.Name != "cuserid" || strings.HasPrefix(s.Name, "nvml") {
			t.Errorf("dynamic symbol %s", s.Name)
		}
	}
	list := exec.Command(*binary, "gpu-worker", "--list")
	list.Env = []string{"LD_LIBRARY_PATH=" + t.TempDir(), "HOME=" + t.TempDir()}
	out, err := list.CombinedOutput()
	if strings.Contains(string(out), "built without") || err == nil && !strings.HasPrefix(string(out), "[") {
		t.Errorf("%v %s", err, out)
	}
}
