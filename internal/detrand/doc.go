// SPDX-License-Identifier: Apache-2.0

// Package detrand holds the two written random streams of the protocol. Both
// are pure functions of their seed, so every node draws the same.
//
// [Draw] is the stream of ledger draws: hash words bound to a beacon seed, a
// purpose and an object, used to draw checkers and samples. [SplitMix] is the
// fast stream of permutations and samplers, whose seed is public.
//
// It refuses to be a source of secrets: it makes no keys, salts or nonces, and
// it never reads the clock or the operating system.
//
//	d := detrand.New(seed, "checker", taskID)
//	picks := d.Sample(bonds, 3)          // three different indices
//
//	s := detrand.NewSplitMix(detrand.PoASeed(seed, "perm", 0))
//	s.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
//
// Spec: EXE-05, ARC-04.
package detrand
