// SPDX-License-Identifier: Apache-2.0

package chain_test

import (
	"testing"

	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/store"
)

// BenchmarkCommit executes and commits blocks of 400 transfers on disk, without
// checking their signatures and without syncing.
func BenchmarkCommit(b *testing.B) {
	s, err := store.Open(b.TempDir(), store.Options{CacheMiB: 16})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const people = 400
	w := chaintest.New(b, 4, people)
	c := w.Open(s)
	for b.Loop() {
		b.StopTimer()
		var txs []tx.Verified
		for i := range people {
			txs = append(txs, w.Transfer(i, (i+7)%people, 1))
		}
		p := w.Head(c)
		blk := w.Child(p, p.Header.View+1, txs...)
		blk.Finalization = w.Finalize(blk)
		b.StartTimer()
		if _, err := c.Execute(blk); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Decide(blk.Hash, blk.Header().Height, blk.Finalization, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/people, "µs/tx")
}
