// SPDX-License-Identifier: Apache-2.0

// Package mempool keeps verified transactions that wait for a block: per sender
// in nonce order, bounded in number and bytes (CONS-30, NODE-09). It is local
// policy and decides nothing that nodes must agree on.
//
//	p := mempool.New(mempool.DefaultLimits(), head)
//	err := p.Add(verified)
//	txs := p.Select(1<<20, height, next)
//	err = p.Committed(txs)
package mempool
