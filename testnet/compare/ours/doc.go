// SPDX-License-Identifier: Apache-2.0

// Package ours runs a network of the openledger program as shipped: the homes
// that a local network gets, the default cache, no limit of memory, no work
// besides the ledger.
//
// Clauses: CONS-70.
package ours
