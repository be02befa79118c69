// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package kern

// pages are n bytes.
func pages(n int) []byte { return make([]byte, n) }
