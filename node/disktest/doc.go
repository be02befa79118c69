// SPDX-License-Identifier: Apache-2.0

// Package disktest is a disk in memory that fails as real ones do: it loses what
// was not synced, tears writes, changes bits, fills up, refuses to sync, and dies
// after a planned number of operations. Tests of the log and of whole validators
// run on it. It refuses nothing else: it is no model of a file system.
//
//	d := disktest.New(rand.New(rand.NewPCG(seed, 1)))
//	wal, replay, err := store.OpenWAL(d, twice)
//	d.Plan(17)    // the machine dies at its 17th operation from here
//	d.LosePower() // what was not synced is there, torn, or gone
//
// Spec: CONS-60, CONS-63.
package disktest
