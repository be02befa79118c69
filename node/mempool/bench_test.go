// SPDX-License-Identifier: Apache-2.0

package mempool_test

import (
	"testing"

	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/mempool"
	"github.com/openledger/openledger/node/store"
)

// BenchmarkAdd admits transfers of 1,000 senders over a database on disk, without
// their signatures.
func BenchmarkAdd(b *testing.B) {
	s, err := store.Open(b.TempDir(), store.Options{CacheMiB: 16})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const people, each = 1_000, 16
	w := chaintest.New(b, 4, people)
	c := w.Open(s)
	var txs []tx.Verified
	for n := range uint64(each) {
		for i := range people {
			txs = append(txs, w.Sign(i, tx.Body{Nonce: n, Payload: &tx.Transfer{To: w.Address(0), Amount: 1}}))
		}
	}
	p := mempool.New(mempool.DefaultLimits(), c.View, func() uint64 { return 0 })
	for i := 0; b.Loop(); i++ {
		if i%len(txs) == 0 {
			p = mempool.New(mempool.DefaultLimits(), c.View, func() uint64 { return 0 })
		}
		if err := p.Add(txs[i%len(txs)]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSelect picks a full block from 16,000 waiting transactions.
func BenchmarkSelect(b *testing.B) {
	const people, each = 1_000, 16
	w := chaintest.New(b, 4, people)
	c := w.Open(store.OpenMemory())
	p := mempool.New(mempool.DefaultLimits(), c.View, func() uint64 { return 0 })
	for n := range uint64(each) {
		for i := range people {
			if err := p.Add(w.Sign(i, tx.Body{Nonce: n, Payload: &tx.Transfer{To: w.Address(0), Amount: 1}})); err != nil {
				b.Fatal(err)
			}
		}
	}
	for b.Loop() {
		if n := len(p.Select(768<<10, 1, nil)); n < 1_000 {
			b.Fatalf("%d transactions", n)
		}
	}
}
