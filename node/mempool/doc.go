// SPDX-License-Identifier: Apache-2.0

// Package mempool keeps verified transactions that wait for a block: per sender
// in nonce order, bounded in number and bytes (CONS-30, NODE-09), and knows which
// of them stand in a batch (CONS-27). It is local policy and decides nothing that
// nodes must agree on.
//
//	p := mempool.New(mempool.DefaultLimits(), head, now)
//	errs := p.AddAll(verified, true)
//	txs := p.Select(60<<10, height, mine)
//	p.Hold(txs) // they stand in a batch now
//	err = p.Committed(txs, receipts)
//	p.Release(txs)
package mempool
