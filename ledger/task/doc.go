// SPDX-License-Identifier: Apache-2.0

// Package task is the life of a task as a pure table: posted, assigned,
// committed, revealing, and one of three ends. Each function takes a Task and
// what happened and gives the next Task and who is paid what.
//
// It refuses every move that the present state does not allow, and it moves no
// money and reads no state itself (ledger/exec does). It does not judge which
// result is right: it counts what the drawn checkers report.
//
// The main type is Task:
//
//	t := task.Post(spec, now)
//	t, err := t.Claim(operator, now)
//	t, err = t.Commit(operator, output, checkers, now)
//	t, err = t.CommitCheck(checker, hash, now)       // of every drawn checker
//	t, err = t.Reveal(id, checker, verdict, salt)    // of every committed one
//	t, pay, err := t.Decide(now)                     // Settled, Void, Expired or again Committed
//
// Spec: TASK-06, TASK-07, TASK-10.
package task
