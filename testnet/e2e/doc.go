// SPDX-License-Identifier: Apache-2.0

// Package e2e runs real processes of the built program under load and faults, and
// checks what no single process can see: that a transaction reported final is on
// every node with the same receipt, that a node that was killed comes back to the
// same chain, and how long all that takes. Load is its sender, for other programs
// too.
//
// It refuses to judge a network by its figures: they are printed, not compared.
//
//	make e2e
//	go test ./testnet/e2e -v -args -rate 200 -seconds 20
//
// Clauses: CONS-63, RPC-06.
package e2e
