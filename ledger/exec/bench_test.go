// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"slices"
	"testing"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/tx"
)

// benchBlock is 1,000 transfers among 200 accounts, verified, with their state.
func benchBlock(b *testing.B) (*chain, []tx.Verified) {
	const accounts = 200
	c := newChain(b, func(d *genesis.Doc) {
		// Room for the benchmark's accounts comes out of the reserve.
		for n := range accounts {
			d.Accounts = append(d.Accounts, genesis.Alloc{Address: addr(1_000 + n), Amount: fixed.OPEN * 100})
			d.Modules[1].Amount -= fixed.OPEN * 100
		}
		slices.SortFunc(d.Accounts, func(x, y genesis.Alloc) int { return x.Address.Compare(y.Address) })
	})
	var txs []tx.Verified
	for i := range 1_000 {
		n := 1_000 + i%accounts
		body := tx.Body{Nonce: uint64(i / accounts), MaxFee: 20_000, ValidUntil: 100,
			Payload: &tx.Transfer{To: addr(1_000 + (i*7+1)%accounts), Amount: 5}}
		txs = append(txs, c.signBody(n, body))
	}
	return c, txs
}

// BenchmarkApply1000Transfers executes a block of verified transfers.
func BenchmarkApply1000Transfers(b *testing.B) {
	c, txs := benchBlock(b)
	info := blockInfo{Height: 1, TimeMS: startMS + 1}
	b.ReportAllocs()
	for b.Loop() {
		res, err := run(c.view, c.env, info, txs)
		if err != nil || res.Receipts[999].Code != tx.OK {
			b.Fatal(err, res.Receipts[999].Code.String())
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(txs)), "ns/tx")
}

// BenchmarkApplyEmpty executes a block without transactions.
func BenchmarkApplyEmpty(b *testing.B) {
	c := newChain(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := run(c.view, c.env, blockInfo{Height: 1, TimeMS: startMS + 1}, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCheck makes the admission check of one transfer.
func BenchmarkCheck(b *testing.B) {
	c, txs := benchBlock(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := Check(c.view, c.env, txs[0]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAudit recounts a state of one of everything.
func BenchmarkAudit(b *testing.B) {
	w := newWorld(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := Audit(w.view); err != nil {
			b.Fatal(err)
		}
	}
}
