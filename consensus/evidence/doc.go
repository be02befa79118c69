// SPDX-License-Identifier: Apache-2.0

// Package evidence names validators that broke a rule of consensus, by their
// own signatures and nothing else. A rule that an honest key obeys across every
// crash cannot be shown broken by anybody, so a conviction needs no trust in who
// reports it; and wherever two chains became final, power f+1 at least can be
// convicted from the records of two nodes.
//
// It refuses to judge what signatures do not show: silence, slowness,
// censorship, votes for a wrong state root. It keeps no clock and does no I/O.
//
// The main type is Evidence. A node watches, a ledger judges, and after a fork
// anybody judges from two disks:
//
//	f := evidence.NewFinder(set, chainID, seed, view) // a node: all it hears
//	for _, ev := range f.Add(verified) { report(ev.Encode()) }
//	offences, err := evidence.Check(set, chainID, ev) // the ledger
//	list, err := evidence.Fork(set, chainID, a, b)    // after a fork
//
// Clauses: CONS-50, CONS-54.
package evidence
