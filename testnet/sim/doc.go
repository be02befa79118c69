// SPDX-License-Identifier: Apache-2.0

// Package sim runs networks of whole nodes (driver, chain, execution, mempool,
// sync, write-ahead log and store) in one process on virtual time, with faults:
// links that lose, repeat, delay and cut, clocks that are wrong, machines that die
// at any append, sync or write, disks that tear, lose, flip and fill up, and
// validators that cheat. It checks what a user relies on: final stays final
// everywhere, no honest key signs twice, the supply is conserved, and the network
// decides again when the faults end.
//
//	synctest.Test(t, func(t *testing.T) {
//		s := sim.New(t, sim.Draw(seed), seed)
//		if err := s.Run(); err != nil {
//			t.Fatal(err)
//		}
//	})
//
// What a seed reproduces: the network, its load, and each fault, because whether a
// frame is lost, late or repeated follows from the seed, its ends, its bytes and
// how often they were sent before, and everything else stands in a plan that is
// drawn at the start. What it does not: which of two goroutines of one node runs
// first at one instant, so two runs of a seed may order events differently. A failure
// that does not show again at once shows within some runs of its seed.
//
// Concurrency: a Sim belongs to one goroutine inside a testing/synctest bubble.
//
// Spec: CONS-60.
package sim
