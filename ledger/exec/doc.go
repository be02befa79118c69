// SPDX-License-Identifier: Apache-2.0

// Package exec is the state machine: it applies the transactions of a block to a
// view of the state and returns what to write and one receipt per transaction.
//
// It refuses nothing silently: a transaction that may not act gets a receipt with
// a stable code and, if it was admitted, still pays its fee. It has no clock, no
// randomness and no I/O besides the View; two runs over one view give identical
// bytes. An error of Apply means a broken view or a broken program, never bad
// input, and stops the node.
//
// The main functions are Apply and Check:
//
//	env := exec.Env{ChainID: chainID}
//	res, err := exec.Apply(view, env, verifiedBlock)
//	err = exec.Check(view, env, verifiedTx) // for a mempool
//
// How to add a kind: a method of machine in a file of its own, one line in
// dispatch. The machine moves money (move), takes state deposits (deposit), reads
// and writes records (load, store), keeps the due-queue (addDue, removeDue) and
// emits events (emit); whatever a failing kind did is undone by its caller.
//
// Spec: EXE-01..05, TXN-03, FEE-01..03, ACC-02, ACC-03, INV-01.
package exec
