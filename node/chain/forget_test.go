// SPDX-License-Identifier: Apache-2.0

package chain_test

import (
	"errors"
	"math"
	"testing"

	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/store"
)

// TestCONS47WhatMayStillConvictSomebodyIsNotForgotten: with epochs of 3 s and 10 s of
// unbonding, the blocks of every epoch whose set the state keeps stay, and the two
// seals below the present epoch in any case.
func TestCONS47WhatMayStillConvictSomebodyIsNotForgotten(t *testing.T) {
	for name, x := range map[string]struct{ unbonding, blocks, want uint64 }{
		"a window of some epochs":       {10_000, 310, 179}, // at the seal of 30 s the window begins at 20 s, in the epoch that ends with block 210
		"a window that is over":         {1, 310, 269},
		"on a seal":                     {1, 300, 269},
		"the first epochs":              {1, 45, 0},
		"a window longer than the past": {1_000_000, 310, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := chaintest.New(t, 4, 3)
			w.Doc.Params.Staking.UnbondingMS = x.unbonding
			w.ID = w.Doc.ChainID()
			s := store.OpenMemory()
			c := w.Open(s)
			w.Long(c, chaintest.Long{Blocks: x.blocks, Epoch: 30, Txs: 2, Every: 2})
			id := must(c.Batches(2))(t)
			if err := s.Prune(1); err != nil {
				t.Fatal(err)
			}
			if got := must(c.Needed())(t); got != x.want {
				t.Fatalf("needed from height %d on, want %d", got, x.want)
			}
			must(c.Forget(math.MaxUint64))(t)
			if s.Oldest() != x.want || must(c.Needed())(t) != x.want {
				t.Fatalf("kept from height %d on, want %d, then %d", s.Oldest(), x.want, must(c.Needed())(t))
			}
			if _, err := c.Batches(2); x.want > 2 != errors.Is(err, store.ErrPruned) || len(id) == 0 {
				t.Errorf("block 2: %v", err)
			}
			start := must(c.EpochStart())(t)
			if _, err := c.Leaves(start.Header.Height); err != nil {
				t.Error(err)
			}
			c = w.Open(s)
			w.Long(c, chaintest.Long{Blocks: x.blocks + 40, Epoch: 30, Txs: 2, Every: 2})
			if again := must(c.EpochStart())(t); again.Header.Height <= start.Header.Height {
				t.Errorf("epoch starts at %d", again.Header.Height)
			}
			if err := s.Check(true); err != nil {
				t.Error(err)
			}
		})
	}
}
