// SPDX-License-Identifier: Apache-2.0

// Package peer runs a network of CometBFT nodes whose application is our ledger:
// the same transactions with the same rules (ledger/exec), the same state tree
// and the same database (node/store). What is compared is the engine around it.
//
// The application gets what helps it: transactions are verified once and kept
// verified until their block, as our mempool does; proposals are put in the order
// of nonces and within the block weight; the mempool's checks run beside block
// execution; empty blocks leave the state alone. Its database is synced as ours
// is, every so many blocks, not at every commit: CometBFT's own logs and block
// store, which it does sync, bring back the rest after a power loss.
//
// Profiles are those of CONS-70 (9).
//
// Clauses: CONS-70.
package peer
