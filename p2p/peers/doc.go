// SPDX-License-Identifier: Apache-2.0

// Package peers decides who may talk to this node and how much.
//
// It holds the connection profiles with every resource limit written out, the
// gater (who may connect), the book (scores, bans and addresses that survive a
// restart) and the token bucket used for all per-peer rates.
//
// It refuses to be ledger state: scores are local opinions that decay, and no
// payment or slash ever reads them. It opens no connection itself.
//
// The main types are [Book], [Gater] and [Profile].
//
//	prof, err := peers.ProfileByName("lan")
//	book := peers.NewBook(peers.BookConfig{File: "peers.json"})
//	book.Add(id, -peers.WrongUnit)
//
// Spec: P2P-02, P2P-04, P2P-05, P2P-07, P2P-12.
package peers
