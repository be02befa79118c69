// SPDX-License-Identifier: Apache-2.0

// Package chain runs blocks and makes final ones durable: Execute on a
// speculative branch above undecided parents, Commit of what was decided, in
// the order body, state, head marker (ARCHITECTURE journey A, steps 7 to 9). It
// is the only caller of exec.Apply on blocks; sync and replay use it too.
//
// One goroutine calls Execute, Commit and Discard. View and Head are free.
//
//	c, err := chain.Open(store, genesis)
//	roots, err := c.Execute(block)
//	done, err := c.Commit(block)
package chain
