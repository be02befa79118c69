// SPDX-License-Identifier: Apache-2.0

// Package coretest runs many consensus cores on virtual time from one seed:
// a network that loses, delays, repeats and reorders, partitions that heal,
// crashes that lose what was not synced, slow execution, faulty validators, and
// epochs that end in seals and change the set. After every Step it asserts the invariants of CONS-25.
//
// It refuses to use real time, goroutines or the network, so one seed is one
// run, and a failure is repeated by its seed.
//
// The main type is Sim:
//
//	if err := coretest.New(coretest.Draw(seed), seed).Run(); err != nil {
//		t.Fatalf("seed %d: %v", seed, err)
//	}
//
// Clauses: CONS-25, CONS-60, CONS-62.
package coretest
