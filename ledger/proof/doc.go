// SPDX-License-Identifier: Apache-2.0

// Package proof makes statements about the ledger that anyone checks offline
// against one header: that a state key has a value or is absent (State), that
// an answer was paid for and whom it credits (Receipt), and why an account was
// paid what it was paid for an epoch, every term recomputed (Why).
//
// A statement carries all it needs: header, certificate, validator set, state
// proofs, receipts. The reader brings one thing he trusts already: a block hash
// or the hash of a validator set (Trust). Verify returns the list of checks that
// passed, what it could not prove, and the first check that failed. The package
// refuses to fetch anything and believes no field that it can recompute.
//
//	w, err := proof.DecodeWhy(b)
//	report, err := w.Verify(proof.Trust{Header: hash})
//	// report.Passed: "the header is final", …, "1 receipt pays 0.000004462 OPEN"
//
// Spec: STA-04, STA-05, CONS-32, RCP-01..RCP-03, PAY-01, PAY-05, PAY-07.
package proof
