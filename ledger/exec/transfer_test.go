// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"testing"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

func TestATransferMovesMoneyAndPaysTheFee(t *testing.T) {
	c := newChain(t)
	v := c.signBody(0, tx.Body{MaxFee: 20_000, Tip: 7, ValidUntil: 50, Payload: &tx.Transfer{To: addr(1), Amount: 3 * fixed.OPEN}})
	r := c.receipt(v)
	if r.Code != tx.OK {
		t.Fatal(r.Code)
	}
	w := v.Weight(1_000)
	if r.Fee != fixed.Amount(w)+7 {
		t.Errorf("fee %d, weight %d", r.Fee, w)
	}
	if got := c.free(addr(1)); got != rich+3*fixed.OPEN {
		t.Errorf("receiver has %v", got)
	}
	if got := c.free(addr(0)); got != rich-3*fixed.OPEN-r.Fee {
		t.Errorf("sender has %v", got)
	}
	if got := c.free(state.Fees); got != 7 {
		t.Errorf("fees hold %v, want the tip", got)
	}
}
