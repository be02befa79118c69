// SPDX-License-Identifier: Apache-2.0

// Package poa holds the names that the attribution packages share: methods,
// the total weight, reasons, errors, and the strict reader of the small JSON
// inputs that anyone may feed to the offline commands.
//
// Proof of attribution answers in recomputable integers whose data made a
// model good. The packages below it each answer one question:
//
//	poa/atom     which rows count, and for whom (ATM-01..07)
//	poa/game     exact values of a small game (GAM-01)
//	poa/sampler  estimates and intervals of a larger one (SMP-01..05)
//	poa/knn      exact KNN-Shapley of a training set (KNN-01..06)
//	poa/payout   from values to weights and exact shares (SHR-01..03)
//	poa/metrics  how well a prediction matched the truth (CAL-02)
//
// It refuses to do: floats, clocks, goroutines, map ranges, I/O (ARC-01).
// Numbers cross the border as integers; a program that prints them rounds
// once, on its own side.
//
// Main type: Scanner. For example, the number of a document:
//
//	s := poa.NewScanner([]byte(`0.25`))
//	n, err := s.Number() // 25·10^−2
//	err = s.End()
//
// Spec: POA sections 1, 3, 4, 5.1, 8, 11.
package poa
