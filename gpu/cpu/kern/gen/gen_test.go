// SPDX-License-Identifier: Apache-2.0

//go:build kerngen

package gen

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var write = flag.Bool("write", false, "write the files instead of comparing them")

// TestGPU03TheTreeHoldsWhatTheGeneratorWrites compares, or writes if asked.
func TestGPU03TheTreeHoldsWhatTheGeneratorWrites(t *testing.T) {
	files, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join("..", name)
		if *write {
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		old, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(old, text) {
			t.Errorf("%s is not what the generator writes; run make kernels (%v)", path, err)
		}
	}
}
