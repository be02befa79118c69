// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"errors"
	"testing"

	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

func TestEXE04ASealEndsTheEpoch(t *testing.T) {
	c := newChain(t)
	before := c.clock()
	for range 19 { // 9.5 s of an epoch of 10 s
		c.block()
	}
	if got := c.clock(); got.Epoch != 0 || got.EpochStartMS != startMS {
		t.Fatalf("%+v", got)
	}
	set, err := NextSet(c.view)
	if err != nil || set.Epoch() != 1 {
		t.Fatal(set, err)
	}
	c.block()
	got := c.clock()
	if got.Epoch != 1 || got.EpochStartMS != got.TimeMS || got.EpochCTimeMS != got.CTimeMS || got.TimeMS != before.TimeMS+10_000 {
		t.Fatalf("%+v", got)
	}
	if now, err := CurrentSet(c.view); err != nil || now.Hash() != set.Hash() {
		t.Fatalf("the set is %v, elected was %v: %v", now, set, err)
	}
}

func TestASealThatDoesNotFollowTheStateStopsTheNode(t *testing.T) {
	c := newChain(t)
	v := c.sign(0, &tx.Transfer{To: addr(1), Amount: 1})
	for name, x := range map[string]struct {
		b   blockInfo
		txs []tx.Verified
	}{
		"a transaction in a seal":       {blockInfo{Seal: true}, []tx.Verified{v}},
		"another next set":              {blockInfo{Seal: true, NextSet: make([]byte, 32)}, nil},
		"the epoch after":               {blockInfo{Epoch: 1}, nil},
		"a seal of the epoch after":     {blockInfo{Epoch: 1, Seal: true}, nil},
		"a leader that is no validator": {blockInfo{Leader: 2}, nil},
	} {
		x.b.Height, x.b.TimeMS = 1, startMS+1
		if _, err := run(c.view, c.env, x.b, x.txs); !errors.Is(err, ErrFault) {
			t.Errorf("%s: %v", name, err)
		}
	}
	set, err := NextSet(c.view)
	if err != nil {
		t.Fatal(err)
	}
	h := set.Hash()
	if _, err := run(c.view, c.env, blockInfo{Height: 1, TimeMS: startMS + 1, Seal: true, NextSet: h[:]}, nil); err != nil {
		t.Errorf("the elected set: %v", err)
	}
}

// What does not fit into the seal's budget runs in the next blocks.
func TestEXE02ASealLeavesTheRestToTheNextBlock(t *testing.T) {
	w, offer, book := served(t)
	p := w.params()
	p.DuePerBlock = 16
	w.put(state.ParamsKey(), p)
	w.must("op", commitOf(book, offer, 0))
	pending := mustMoney(state.GetPending(w.v, w.addr("op"), 0, offer))
	pending.DueEpoch = 2
	for i := range 20 { // stands in for 20 more offers
		k := state.PendingKey(w.addr("op2"), 0, ID{0xee, byte(i)})
		w.put(k, pending)
		w.put(state.DueKey(state.DueEpoch, 2, state.DuePending, k[2:]), []uint64{})
		a := mustMoney(state.GetAccount(w.v, state.Pending))
		a.Free += pending.Total
		w.put(state.AccountKey(state.Pending), a)
		r := mustMoney(state.GetAccount(w.v, state.Reserve))
		r.Free -= pending.Total
		w.put(state.AccountKey(state.Reserve), r)
	}
	w.toEpoch(3)
	if n := len(mustMoney(w.v.Scan(state.DuePrefix(state.DueEpoch), nil, 100))); n != 5 {
		t.Errorf("%d entries left after the seal, want 21-16", n)
	}
	w.block(1)
	if n := len(mustMoney(w.v.Scan(state.DuePrefix(state.DueEpoch), nil, 100))); n != 0 {
		t.Errorf("%d entries left after the next block", n)
	}
}
