// SPDX-License-Identifier: Apache-2.0

package chaintest

import (
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/chain"
)

// Long makes a long chain with valid certificates, fast enough for 100,000 blocks:
// about 0.5 ms per block.
type Long struct {
	Blocks uint64 // height to reach
	Epoch  uint64 // blocks of one epoch, the seal included; 0: no seal
	Txs    int    // transfers in each block that has some
	Every  uint64 // one block in so many has transfers
	// Sealed is called after the commit of each seal; may be nil.
	Sealed func(b *chain.Block)
}

// Long commits blocks on c's head.
func (w *World) Long(c *chain.Chain, l Long) {
	w.T.Helper()
	for h := c.Head().Height + 1; h <= l.Blocks; h++ {
		seal := l.Epoch > 0 && h%l.Epoch == 0
		var b *chain.Block
		if seal {
			b = w.Seal(c, 0)
		} else {
			b = w.Final(c, w.payments(l, h)...)
		}
		if done, err := c.Commit(b); err != nil || !done {
			w.T.Fatalf("height %d: %v", h, err)
		}
		if seal && l.Sealed != nil {
			l.Sealed(b)
		}
	}
}

// payments are the transfers of a height, each person to the next in turn.
func (w *World) payments(l Long, h uint64) (out []tx.Verified) {
	if l.Every == 0 || h%l.Every != 0 {
		return nil
	}
	for i := range l.Txs {
		from := (int(h/l.Every)*l.Txs + i) % len(w.People)
		n := w.nonces[from]
		w.nonces[from]++
		out = append(out, w.Sign(from, tx.Body{Nonce: n, ValidUntil: h + 100,
			Payload: &tx.Transfer{To: w.Address((from + 1) % len(w.People)), Amount: fixed.Amount(1 + h%9)}}))
	}
	return out
}
