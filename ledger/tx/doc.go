// SPDX-License-Identifier: Apache-2.0

// Package tx holds the signed transaction: the envelope, one payload type per
// kind, the checks that need no state, and the table of error codes.
//
// It refuses bytes that are not the one canonical encoding, unknown kinds,
// fields out of bounds and wrong signatures; it knows no balances and no time.
// What passes is a Verified, a type that only Verify and VerifyBatch can make, so
// nothing is checked twice.
//
// The main types are Signed and Verified:
//
//	s := tx.Sign(chainID, tx.Body{Sender: from, Nonce: 0, MaxFee: 20_000, ValidUntil: 100,
//		Payload: &tx.Transfer{To: to, Amount: fixed.OPEN}}, key)
//	raw := s.Encode()
//	s, err := tx.Decode(raw)           // one encoding, bounded
//	v, err := tx.Verify(chainID, s)    // fields and signatures
//
// Spec: TXN-01, TXN-02, FEE-01, KEY-05, ENC-02, ENC-03, ENC-05.
package tx
