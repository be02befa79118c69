// SPDX-License-Identifier: Apache-2.0

// Command compare runs a network of this program and a network of CometBFT
// v0.40.0 with the same ledger side by side on one machine, loads both with the
// same sender, and prints the ratios against the targets of CONS-70, wins and
// losses. It is a module of its own, so that nothing of CometBFT is among the
// dependencies of the node.
//
//	make compare                     # five pairs of 30 s, about 25 minutes
//	make compare PAIRS=1 SECS=10     # about six minutes
//
// peer-node is its own second command: one node of the other network.
//
// Clauses: CONS-70.
package main
