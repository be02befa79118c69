// SPDX-License-Identifier: Apache-2.0

// Package receipt turns served requests into income that every payee can check
// alone. An operator signs a Receipt per answer; at the end of a ledger epoch
// the receipts of one offer become two Merkle-sum trees, one over the receipts
// and one over payment lines; a payee claims his lines by a range proof whose
// prefix sums are the amount.
//
// It refuses a receipt that is not of its offer's price, an attribution list
// that is unsorted or weighs more than 2^40, two receipts of one paid request,
// and a claim whose neighbours belong to the payee. It holds no state and moves
// no money (ledger/exec does), and it does not judge whether the attribution of
// a receipt is right: that is a replay's work.
//
// The main type is Book:
//
//	book, err := receipt.NewBook(receipts, price, econ.DefaultRates())
//	first, last, proof, err := book.Claim(payee)
//	amount, err := receipt.ClaimAmount(book.LineRoot, payee, first, last, proof)
//
// Spec: RCP-01, RCP-02, RCP-03, PAY-01, PAY-05, SHR-05.
package receipt
