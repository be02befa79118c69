// SPDX-License-Identifier: Apache-2.0

// Package settle keeps the books of an operator that serves for money: the
// vouchers it holds, the answers it gave for them, and what became of both on
// the ledger. It decides whether a voucher may be taken, redeems vouchers in
// time, and turns the receipts of a ledger epoch into the commit that every
// payee can check and claim from.
//
// A voucher is on disk before anything is computed for it, and a receipt before
// it is handed out, so a crash at any line loses no money. Receipts join the
// ledger epoch in which their voucher was redeemed, so a commit never sums to
// more than what is pending; a voucher is redeemed only once its receipt is on
// disk, so that no redeemed money lacks its receipt.
//
// It refuses a voucher that adds less than the price, that is not newer than the
// one held, that exceeds the deposit together with those of other lanes, or that
// could not be redeemed before its channel ends. It computes no answer and signs
// nothing; what a voucher is worth is decided by ledger/channel, who is paid
// what by ledger/econ and ledger/receipt.
//
// The main type is Till:
//
//	t, err := settle.New(cfg)
//	leave, err := t.Enter(ctx, channelID)
//	old, err := t.Accept(terms, voucher, rowHash)    // old: answered before
//	err = t.Finish(voucher, rowHash, answer)
//	leave()
//	err = t.Run(ctx)                                 // after each block, and each second
//	w, err := t.Why(commit, anchor, proof, payee)
//
// Spec: CHN-03, CHN-06, RCP-01, RCP-03, RCP-05, PAY-05, PAY-07.
package settle
