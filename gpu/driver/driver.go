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
		missing, code, err := open(path)
		found := code > 0
		if err == nil {
			return missing, nil
		}
		if found {
			return 0, fmt.Errorf("%w: %s: %w%s", ErrInit, path, err, hints[code])
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

// hints say what to do about codes with which drivers do not start.
var hints = map[int]string{
	2:   ": no memory is left for it",
	34:  ": this library is a stub for linking, not a driver",
	100: ": it sees no card; look at nvidia-smi, and at CUDA_VISIBLE_DEVICES",
	802: ": the system is not ready; a machine with NVLink switches needs nvidia-fabricmanager to run",
	803: ": its library and its kernel module have different versions; restart the machine",
	804: ": this compatibility library does not work with this card",
	999: ": its kernel module does not answer; look at the system's log, restart the machine",
}

// open tries one library; code is above 0 if it could be loaded and does not start.
func open(path string) (missing, code int, err error) {
	text := make([]C.char, 512)
	var n C.int
	p := C.CString(path)
	defer C.free(unsafe.Pointer(p))
	if rc := C.ol_cuda_open(p, &text[0], C.int(len(text)), &n); rc != 0 {
		return 0, int(rc), errors.New(C.GoString(&text[0]))
	}
	return int(n), 0, nil
}
