// SPDX-License-Identifier: Apache-2.0

//go:build cuda && linux && (amd64 || arm64)

package driver

/*
#cgo CFLAGS: -O2 -I${SRCDIR}/include
#cgo LDFLAGS: -L${SRCDIR}/lib -ldl
#include <stdlib.h>
int ol_cuda_open(const char *path, char *text, int size, int *missing);
*/
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"
)

//go:generate go run gen.go

// Errors of Open.
var (
	// ErrNoDriver means that no library was found.
	ErrNoDriver = errors.New("no NVIDIA driver")
	// ErrInit means that a library was found and would not start.
	ErrInit = errors.New("the NVIDIA driver does not start")
)

// Folders beside the loader's own search where systems keep the library.
var paths = []string{
	"libcuda.so.1",
	"/usr/local/nvidia/lib64/libcuda.so.1",
	"/usr/lib/wsl/lib/libcuda.so.1",
	"/run/opengl-driver/lib/libcuda.so.1",
}

// Open loads the driver's library, starts it and binds the entry points. missing
// counts the names that this driver lacks; calling one gives
// CUDA_ERROR_NOT_INITIALIZED. A second call does nothing. Safe for concurrent
// use; the library is never unloaded.
//
// Errors: ErrNoDriver with what the loader said, ErrInit with the driver's code.
func Open() (missing int, err error) {
	var said []string
	for _, path := range paths {
		missing, found, err := open(path)
		if err == nil {
			return missing, nil
		}
		if found {
			return 0, fmt.Errorf("%w: %s: %w", ErrInit, path, err)
		}
		if text := err.Error(); !strings.Contains(text, "No such file") { // there, but not loadable
			said = append(said, text)
		}
	}
	if len(said) == 0 {
		said = []string{"libcuda.so.1 is neither in the loader's path nor where systems keep it"}
	}
	return 0, fmt.Errorf("%w: %s", ErrNoDriver, strings.Join(said, "; "))
}

// open tries one library; found means that it could be loaded.
func open(path string) (missing int, found bool, err error) {
	text := make([]C.char, 512)
	var n C.int
	p := C.CString(path)
	defer C.free(unsafe.Pointer(p))
	if rc := C.ol_cuda_open(p, &text[0], C.int(len(text)), &n); rc != 0 {
		return 0, rc > 0, errors.New(C.GoString(&text[0]))
	}
	return int(n), true, nil
}
