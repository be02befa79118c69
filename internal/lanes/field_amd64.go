// SPDX-License-Identifier: Apache-2.0

package lanes

import "golang.org/x/sys/cpu"

// fast says that this processor has the instructions of field_amd64.s.
var fast = cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512IFMA

// Each is the function of the same name in field.go.

//go:noescape
func mulAsm(out, a, b *fe)

//go:noescape
func sqrAsm(out, a *fe, n uint64)

//go:noescape
func addAsm(out, a, b *fe)

//go:noescape
func subAsm(out, a, b *fe)

//go:noescape
func pickAsm(out *cached, table *table, digits *[8]int8)
