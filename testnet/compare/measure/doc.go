// SPDX-License-Identifier: Apache-2.0

// Package measure holds the arithmetic of the comparison: quantiles, medians and
// ranges, what the kernel says about processor time, the search for the knee, and
// the table of ratios against the targets of CONS-70. It measures nothing itself:
// every function takes values and returns values.
//
//	k := measure.NewKnee(1_000, 16_000)
//	for rate, ok := k.Next(); ok; rate, ok = k.Next() {
//		k.Record(rate, passed(rate))
//	}
//
// Clauses: CONS-70.
package measure
