// SPDX-License-Identifier: Apache-2.0

// Package lab puts each node of a network into a namespace of its own and joins
// them by a switch in this process that delays and loses what they send each
// other: a wide network on one machine, for kernels without netem too. What a
// client says to a node does not pass the switch.
//
//	l, err := lab.New(4, 50*time.Millisecond, 0.01, 1)
//	defer l.Close()
//
// Clauses: CONS-70.
package lab
