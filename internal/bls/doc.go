// SPDX-License-Identifier: Apache-2.0

// Package bls adds the signatures of many validators on one message up to one
// signature of 48 bytes, checked with one pairing equation.
//
// It is the proof-of-possession scheme of the IETF draft on BLS signatures over
// BLS12-381, with keys in G2 and signatures in G1, where points are short. Keys
// of a set may only be added up when each holder has proven to know its secret
// ([VerifyPossession]); otherwise one could choose a key that cancels others.
//
// It refuses the identity as key, as sum of keys and as signature, any encoding
// but the canonical compressed one, and points outside the prime-order groups.
// It reads no random source, prints no secret key and knows no powers or
// quorums: the caller says which members have signed.
//
// The main types are [PrivateKey], [PublicKey], [Signature] and [Keys].
//
//	key := bls.Derive(voteKey)
//	share := key.Sign(msg)                        // msg from keys.Dom
//	set, err := bls.NewKeys(publicKeys)           // once per epoch
//	sig, bad, err := set.Combine(msg, shares)     // members in bad lied
//	err = set.VerifyAggregate(signed, msg, sig)   // signed(i): has i signed?
//
// Spec: CONS-12.
package bls
