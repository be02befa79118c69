// SPDX-License-Identifier: Apache-2.0

// Package keys holds Ed25519 keys, addresses, authorisations, and the one table
// of hash and signature domains.
//
// Signatures are verified under ZIP-215, singly and in batches with the same
// verdicts, because two nodes that judge one odd signature differently would
// split the chain. Everything hashed or signed is wrapped by [Dom], so bytes
// made for one purpose never serve another.
//
// It refuses to read a random source of its own (the caller passes one), to
// print or encode a secret key, and to accept any text form but the canonical
// one. It knows no accounts and no balances.
//
// The main types are [PrivateKey], [PublicKey], [Auth] and [Address].
//
//	key := keys.FromSeed(seed)
//	msg := keys.Dom(keys.DomainTx, chainID, body)
//	sig := key.Sign(msg)
//	ok := keys.Verify(key.Public(), msg, sig)
//	addr := keys.SingleAuth(key.Public()).Address() // open1…
//
// Spec: KEY-01, KEY-02, ENC-05.
package keys
