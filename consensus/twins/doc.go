// SPDX-License-Identifier: Apache-2.0

// Package twins tries every way to split a small network in which one validator
// exists twice, after Bano et al., "Twins: BFT Systems Made Robust", OPODIS 2021.
// Two honest copies of one key, which know nothing of each other, make most of
// what a Byzantine validator can do: they propose two blocks, vote for both, and
// forget. A scenario says which key has a twin, and for each of the first views
// which copies hear which; then the network heals.
//
// An Explorer goes the other way: it lets one faulty key say anything and walks
// breadth first through the states that the three honest cores can reach.
//
// Its tests also play runs of the model docs/spec/simplex.qnt on real cores.
//
// It refuses chance: a scenario is a number, and has one run.
//
// The main types are Scenario and Explorer:
//
//	for i := range twins.Count(3) {
//		if err := twins.At(3, i).Run(cache); err != nil {
//
// Clauses: CONS-25, CONS-61.
package twins
