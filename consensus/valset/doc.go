// SPDX-License-Identifier: Apache-2.0

// Package valset holds the validators of one epoch: who may sign, with how
// much power, what makes a quorum, and who leads which view.
//
// It refuses sets that nobody could agree on: empty ones, repeated keys or
// addresses, zero power. It knows nothing of bonds; the ledger turns them into
// power.
//
// The main types are Set, which is immutable and safe for any number of
// readers, and Schedule, which belongs to one goroutine:
//
//	set, err := valset.New(epoch, entries)
//	leader := valset.NewSchedule(set, seed).Leader(view)
//
// Clauses: CONS-02, CONS-39, CONS-41.
package valset
