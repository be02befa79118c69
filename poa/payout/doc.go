// SPDX-License-Identifier: Apache-2.0

// Package payout turns signed values into weights of 2^40 and weights into
// exact integer shares.
//
// An owner's values are summed with their signs, then the sum is clipped at
// zero: clipping rows first would pay whoever flips labels (SHR-01). Totals
// become weights, and weights shares, by the method of largest remainders
// (Hamilton), so that every list sums to its pool to the last unit.
//
// It refuses to decide who owns what, or where an unattributed pool goes: it
// reports the case and the ledger acts on it (SHR-03, PAY-02).
//
// Main types: Plan, an attribution job on chain from rows to a result whose
// bytes every checker reproduces; Pool, the per-answer attribution of a served
// model. For example:
//
//	p, err := payout.NewPlan(in)
//	for i := range p.Leaves() { leaf, err := p.Leaf(i); … }
//	r, err := p.Reduce(next) // r.Root(), r.WeightRoot(), r.Owners[i].Weight
//
//	w := pool.Weights(query, answer) // of one paid answer, Σ = 2^40
//
// Spec: SHR-01..03, RCP-01, FLW-01, FLW-02, OFF-01.
package payout
