// SPDX-License-Identifier: Apache-2.0

package cpu

import "syscall"

// advise asks for huge pages under b; where they cannot be had, b is slower and no
// less correct.
func advise(b []byte) { _ = syscall.Madvise(b, syscall.MADV_HUGEPAGE) }
