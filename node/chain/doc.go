// SPDX-License-Identifier: Apache-2.0

// Package chain runs blocks and makes final ones durable: Execute on a
// speculative branch above undecided parents, Commit of what was decided, in
// the order body, state, head marker (ARCHITECTURE journey A, steps 7 to 9). It
// is the only caller of exec.Apply on blocks; sync and replay use it too.
//
// It refuses to commit a block that it has not executed itself, and another block
// at a committed height.
//
// One goroutine calls Execute, Decide, Commit, Discard, Root and Sync. All
// reading methods are free.
//
//	c, err := chain.Open(store, genesis)
//	outcome, err := c.Execute(block)
//	block, err := c.Decide(hash, height, finalization, nil)
//
// Clauses: CONS-29, NODE-05, ARCHITECTURE section 9.
package chain
