// SPDX-License-Identifier: Apache-2.0

// Package seals keeps and passes on what proves the epochs of a chain: for each
// epoch its seal with the finality proof, and the validator set that the seal
// elects. Whoever trusts one header follows them to the present set with one
// certificate per epoch, without any block (CONS-47, CONS-49).
//
// A [Book] is the records of a node, on disk for ever: about 200 bytes per
// validator and epoch. It answers seals/1 and the RPC method chain_seals. [Follow]
// asks peers for what comes after a cert.Light and advances it; a peer that sends a
// false record is punished.
//
// The package refuses nothing that it stores itself: what goes into a Book was
// checked by a cert.Light or committed by the chain.
//
//	book := seals.NewBook(store.Local())
//	err := seals.Follow(ctx, peers, light, book)
package seals
