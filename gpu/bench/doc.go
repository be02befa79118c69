// SPDX-License-Identifier: Apache-2.0

// Package bench measures what a device makes of a few operations, beside the peak
// of its multiply-add units in the same run.
//
// A figure holds for the machine, its load and its clock at that moment; shares of
// the peak travel better than gigaflops. Nothing here decides anything.
//
//	sizes, err := bench.Fit(d, bench.Card, bench.Slowest)
//	rows, err := bench.Run(d, peak, sizes)
//
// Spec: PERF-01, GPU-11.
package bench
