// SPDX-License-Identifier: Apache-2.0

// Package sampler estimates the Shapley values of a game whose coalitions are
// too many or too dear to play all, with intervals that hold at the stated
// level although the number of samples is not fixed in advance.
//
// It refuses to do: floats, global randomness (the seed decides everything),
// choosing when to stop by looking at the result more often than SMP-04 allows.
//
// A sample is a base: a random permutation on a circle, cut at s evenly spaced
// places. From each cut it is read forwards and backwards; the coalitions met
// are circular intervals, which both directions share.
//
//	kind           what a base averages                          cuts s
//	cyclicrev      marginal contributions along all 2s readings  n, fewer if the budget is small
//	antithetic     the same                                      1
//	complementary  v(S) − v(N∖S), weighted by size               as cyclicrev
//
// Main function: Run. For example:
//
//	e, err := sampler.Run(table.Players(), table.Value, sampler.Params{
//		Kind: sampler.CyclicRev, Budget: 3000, Seed: 1, EpsilonBps: 100})
//	// e.Values[i] ± e.HalfWidths[i]
//
// Spec: SMP-01..05, ARC-04.
package sampler
