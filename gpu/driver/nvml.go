// SPDX-License-Identifier: Apache-2.0

//go:build cuda && linux && (amd64 || arm64)

package driver

/*
#include <stdlib.h>
int ol_nvml_temperature(const char *path, const char *uuid, unsigned int *celsius, char *text, int size);
*/
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"
)

// Temperature reads that of a card, in °C, from libnvidia-ml.so.1, which comes with
// the driver. For a process that ends soon after. Errors: ErrNoDriver, or what the
// library says.
func Temperature(uuid string) (int, error) {
	id := C.CString(uuid)
	defer C.free(unsafe.Pointer(id))
	for _, path := range paths {
		path = strings.Replace(path, "libcuda", "libnvidia-ml", 1)
		text := make([]C.char, 512)
		var t C.uint
		p := C.CString(path)
		rc := C.ol_nvml_temperature(p, id, &t, &text[0], C.int(len(text)))
		C.free(unsafe.Pointer(p))
		switch {
		case rc == 0:
			return int(t), nil
		case rc > 0:
			return 0, errors.New(C.GoString(&text[0]))
		}
	}
	return 0, fmt.Errorf("%w: libnvidia-ml.so.1, which reads temperatures, is neither in the loader's path nor where systems keep it", ErrNoDriver)
}
