// SPDX-License-Identifier: Apache-2.0

// Package metrics says in integers how well predicted effects match true ones.
//
// It refuses to do: floats, resampling, any judgement of what is good enough.
//
// Main function: Spearman. For example:
//
//	rho, ok := metrics.Spearman([]int64{3, 1, 2}, []int64{30, 10, 20})
//	// rho == 1_000_000, ok
//
// Spec: CAL-02, VAL-02.
package metrics
