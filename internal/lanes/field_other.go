// SPDX-License-Identifier: Apache-2.0

//go:build !amd64

package lanes

var fast = false

func mulAsm(out, a, b *fe)                               {}
func sqrAsm(out, a *fe, n uint64)                        {}
func addAsm(out, a, b *fe)                               {}
func subAsm(out, a, b *fe)                               {}
func pickAsm(out *cached, table *table, digits *[8]int8) {}
