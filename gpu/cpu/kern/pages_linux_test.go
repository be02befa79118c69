// SPDX-License-Identifier: Apache-2.0

package kern

import (
	"syscall"
	"unsafe"
)

// pages are n bytes as a device has them: on huge pages.
func pages(n int) []byte {
	const huge = 2 << 20
	raw := make([]byte, n+2*huge)
	at := -uintptr(unsafe.Pointer(&raw[0])) & (huge - 1)
	_ = syscall.Madvise(raw[at:][:(n+huge-1)&^(huge-1)], syscall.MADV_HUGEPAGE)
	return raw[at:][:n]
}
