// SPDX-License-Identifier: Apache-2.0

package fakecuda

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/openledger/openledger/gpu/kernels"
)

// Environment variables that the library reads; each holds a number.
const (
	InitCode   = "FAKECUDA_INIT"    // what cuInit returns; below 0: it never does
	Devices    = "FAKECUDA_DEVICES" // how many there are (1)
	Memory     = "FAKECUDA_MEMORY"  // bytes of each device (2^30)
	LoadCode   = "FAKECUDA_LOAD"    // what compiling the kernels returns
	LaunchCode = "FAKECUDA_LAUNCH"  // what a launch returns
	After      = "FAKECUDA_AFTER"   // launches that go well before LaunchCode, Abort, Hang or Flip takes effect (0)
	Once       = "FAKECUDA_ONCE"    // a file: these take effect only while it exists
	Abort      = "FAKECUDA_ABORT"   // 1: a launch ends the process
	Hang       = "FAKECUDA_HANG"    // 1: a launch never returns
	Flip       = "FAKECUDA_FLIP"    // 1: a launch turns a bit of its result
	// Temperature is that of every card in °C; without it none can be read.
	Temperature = "FAKECUDA_TEMPERATURE"
)

//go:embed lib
var source embed.FS

// ErrCompiler means that there is no C compiler, or that it failed.
var ErrCompiler = errors.New("fakecuda: the C compiler cc did not build the library")

// Build compiles the libraries for this machine into the empty folder dir, as
// libcuda.so.1 and libnvidia-ml.so.1. Errors: ErrCompiler, or of the file system.
func Build(dir string) error {
	for _, part := range []struct {
		files  embed.FS
		folder string
	}{{source, "lib"}, {kernels.Source, "src"}} {
		files, err := fs.Sub(part.files, part.folder)
		if err != nil {
			return err
		}
		if err := os.CopyFS(dir, files); err != nil {
			return err
		}
	}
	for source, library := range map[string]string{"fake.c": "libcuda.so.1", "nvml.c": "libnvidia-ml.so.1"} {
		out, err := exec.Command("cc", "-O2", "-march=native", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Werror", "-Wno-unused-function", "-Wno-unknown-pragmas", "-ffp-contract=off", "-shared", "-fPIC",
			"-o", filepath.Join(dir, library), filepath.Join(dir, source), "-lm").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %w\n%s", ErrCompiler, err, out)
		}
	}
	return nil
}
