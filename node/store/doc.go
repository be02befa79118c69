// SPDX-License-Identifier: Apache-2.0

// Package store keeps on disk what a node must not forget.
//
//   - [Store] is the ledger: block bodies, headers with their certificates,
//     receipts, the flat state and the state tree, all versioned by height. One
//     call, [Store.Commit], advances it by one block; [Store.View] reads it as
//     it was after a block.
//   - [Local] is an unversioned key-value area for the node's own records:
//     vouchers, receipts, due jobs, indexes. It is part of a Store.
//   - [WAL] is the log of the consensus core: what was signed, before it is sent.
//
// A commit writes all keys of a height with the head marker behind them, so a
// crash leaves either the old head or the new one. What a crash left of a
// later height is invisible and is undone by the next Open.
//
// The package gives no meaning to the bytes it stores and never drops damaged
// data silently: damage ends in [ErrCorrupt], at the latest when a ledger that was
// synced up to a height no longer reaches it. It refuses heights out of order.
//
//	s, err := store.Open(home, store.Options{})
//	head, ok := s.Head()
//	v, err := s.View(head.Height)
//	root, nodes, stale, err := merkle.Update(v, v.Head().Root, h, writes)
//	err = s.Commit(store.Batch{Height: h, Writes: writes, Nodes: nodes, Stale: stale, Root: root})
//
// Spec: STA-06..STA-08, STA-10, NODE-04..NODE-07, CONS-43, CONS-44.
package store
