// SPDX-License-Identifier: Apache-2.0

// Package snapshot writes the state at a seal to disk in chunks, serves it to
// peers, and fetches it from several of them at once, so that a fresh node need
// not execute the whole chain.
//
//   - A [Shelf] holds the last two snapshots of a home. [Shelf.Make] reads the
//     store at a retained height and holds up no commit; [Shelf.Serve] answers
//     snapshot/1.
//   - [Fetch] brings all chunks of a seal that the caller knows to be final. Each
//     is checked alone against the state root in that header before it is kept;
//     a peer that sent a false one is dropped and punished. Chunks stay on disk, so
//     a fetch that was cut off goes on where it was.
//   - [Fetched.Import] builds the ledger from them; its root is recomputed.
//
// The snapshot of a seal at height H is the state after H−1, because that is the
// root in the seal's own header: nothing but the seal's finality is trusted.
//
//	shelf, err := snapshot.Open(dir, chain, log)
//	err = shelf.Make(ctx, seal.Height)
//	got, err := snapshot.Fetch(ctx, snapshot.FetchConfig{Dir: dir, Source: peers}, seal)
//	err = got.Import(home, store.Options{}, genesisHeaderCert, finalization)
//
// Clauses: CONS-48, STA-09, NODE-08.
package snapshot
