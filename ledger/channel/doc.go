// SPDX-License-Identifier: Apache-2.0

// Package channel holds unidirectional payment channels: a payer locks a
// deposit for one payee and pays by signed vouchers whose cumulative amounts
// only grow. A lane of a channel is one offer of the payee, so a voucher names
// price, model and split. The package decides whether a voucher is good and how
// much it adds; it holds no state and moves no money (ledger/exec does).
//
// It refuses a voucher of another payer, channel or chain, one that pays no more
// than was redeemed before, one above the deposit, and one past its expiry.
// PayWord chains and conditions have their fields in the format and must be
// null.
//
// The main type is Voucher:
//
//	s := channel.Sign(payerKey, chainID, channel.Voucher{Channel: id, Offer: offer, Nonce: 7, Cum: 35_000, ExpiryMS: t})
//	delta, err := channel.CheckVoucher(chainID, id, ch, lane, s, ctime)
//
// Spec: CHN-01, CHN-02, CHN-03, CHN-05, ENC-05.
package channel
