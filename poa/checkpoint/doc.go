// SPDX-License-Identifier: Apache-2.0

// Package checkpoint commits to a run of work: one leaf per segment with the
// hash of the state before and after it, an RFC 6962 root over the leaves, and
// openings of single leaves.
//
// The same chain form serves training, attribution and every other task: who
// runs it, hands the root of each new state to a Builder. A state hash binds
// the task, the operator and the index, so a commitment cannot be copied to
// another task or by another operator.
//
// It refuses to know what a state holds, to run anything, and to open leaves
// that do not form a chain. It holds no secrets: sealed canaries, blinds and
// picks are not part of it.
//
// The main type is Builder:
//
//	b := checkpoint.NewBuilder(task, operator, start)
//	err := b.Add(stateRoot, trace) // once per segment
//	c := b.Commitment()            // root and count for the ledger
//	o, err := b.Open(3)            // for a checker: o.Verify(c)
//
// Spec: CHK-01, CHK-04, TASK-01.
package checkpoint
