// SPDX-License-Identifier: Apache-2.0

package mempool_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/mempool"
)

func TestATransactionInABatchIsNotBatchedAgain(t *testing.T) {
	b := newBench(t, mempool.DefaultLimits(), 2)
	first, second := b.tx(0, 0, 0), b.tx(0, 1, 0)
	b.add(first)
	b.add(second)
	b.pool.Hold([]tx.Verified{first})
	if got, want := ids(b.next()), ids([]tx.Verified{second}); !slices.Equal(got, want) {
		t.Fatalf("selected %v, want %v", got, want)
	}
	b.pool.Hold([]tx.Verified{first, second}) // another batch has it too
	b.pool.Release([]tx.Verified{first})
	if len(b.next()) != 0 || b.pool.Pending() {
		t.Fatal("batched a second time while one batch holds it")
	}
	if err := b.pool.Add(b.tx(0, 1, 9_000)); !errors.Is(err, tx.TxFeeLow) {
		t.Fatalf("what stands in a batch was replaced: %v", err)
	}
	b.pool.Release([]tx.Verified{first, second})
	if len(b.next()) != 2 || !b.pool.Pending() {
		t.Fatal("the batch is given up, and its transactions do not wait again")
	}
	b.pool.Release([]tx.Verified{first, second}) // once too often: no harm
	if len(b.next()) != 2 {
		t.Fatal("a second release took something")
	}
}

// TestOthersBatchesAreListedAndFillGaps adds the second transaction of a sender
// whose first went to another validator.
func TestOthersBatchesAreListedAndFillGaps(t *testing.T) {
	b := newBench(t, mempool.DefaultLimits(), 2)
	first, second := b.tx(0, 0, 0), b.tx(0, 1, 0)
	b.pool.Hold([]tx.Verified{first})
	if !b.pool.Has(first.ID()) || b.pool.Get(first.ID()) == nil || b.pool.Pending() {
		t.Fatal("the other's transaction is not listed, or is wanted here")
	}
	if err := b.pool.Add(first); !errors.Is(err, mempool.ErrKnown) {
		t.Fatal(err)
	}
	b.add(second)
	if got, want := ids(b.next()), ids([]tx.Verified{second}); !slices.Equal(got, want) {
		t.Fatalf("selected %v, want %v", got, want)
	}
	if _, next := b.pool.OfSender(b.Address(0), 0); next != 2 {
		t.Fatalf("next nonce %d", next)
	}
	b.pool.Release([]tx.Verified{first}) // given up
	if b.pool.Has(first.ID()) || len(b.next()) != 0 || b.pool.Pending() {
		t.Fatal("what only a lost batch had is still here")
	}
	b.pool.Hold([]tx.Verified{first})
	b.commit(first, second)
	b.pool.Release([]tx.Verified{first})
	if b.pool.Len() != 0 {
		t.Fatalf("%d left", b.pool.Len())
	}
	b.add(b.tx(0, 2, 0))
	b.pool.Hold([]tx.Verified{first}) // a batch that came late
	if b.pool.Alive([]tx.Verified{first}) || !b.pool.Alive([]tx.Verified{first, b.tx(0, 2, 0)}) {
		t.Fatal("an executed transaction waits")
	}
}

// TestAnotherTransactionOfTheSameNonceInABatchChangesNothing lets two validators
// batch different transactions of one nonce.
func TestAnotherTransactionOfTheSameNonceInABatchChangesNothing(t *testing.T) {
	b := newBench(t, mempool.DefaultLimits(), 2)
	ours, theirs := b.tx(0, 0, 0), b.tx(0, 0, 5_000)
	b.add(ours)
	b.pool.Hold([]tx.Verified{theirs})
	if b.pool.Has(theirs.ID()) || len(b.next()) != 1 {
		t.Fatal("the other's took the place of ours")
	}
	b.commit(theirs)
	b.pool.Release([]tx.Verified{theirs})
	if b.pool.Len() != 0 || b.pool.Pending() {
		t.Fatal("ours waits although its nonce is used")
	}
}

// TestOnlyTheHomeBatchesAGossipedTransaction and anybody what came to it by
// itself.
func TestOnlyTheHomeBatchesAGossipedTransaction(t *testing.T) {
	b := newBench(t, mempool.DefaultLimits(), 2)
	gossiped, own := b.tx(0, 0, 0), b.tx(1, 0, 0)
	b.add(gossiped)
	if err := b.pool.AddAll([]tx.Verified{own}, true)[0]; err != nil {
		t.Fatal(err)
	}
	select1 := func(home bool) []tx.ID {
		return ids(b.pool.Select(1<<20, 1, func(keys.Address, uint64) bool { return home }))
	}
	if got, want := select1(false), ids([]tx.Verified{own}); !slices.Equal(got, want) {
		t.Fatalf("away from home %v, want %v", got, want)
	}
	if got := select1(true); len(got) != 2 {
		t.Fatalf("at home %v", got)
	}
}

// TestAFullPoolEvictsNothingThatStandsInABatch and does not count others' batches.
func TestAFullPoolEvictsNothingThatStandsInABatch(t *testing.T) {
	b := newBench(t, mempool.Limits{Txs: 2, Bytes: 1 << 20, PerSender: 3}, 5)
	low, lower := b.tx(0, 0, 20), b.tx(1, 0, 10)
	b.add(low)
	b.add(lower)
	b.pool.Hold([]tx.Verified{lower, b.tx(4, 0, 0)})
	b.add(b.tx(2, 0, 30)) // in the place of the one in no batch
	if !b.pool.Has(lower.ID()) || b.pool.Has(low.ID()) {
		t.Fatal("the wrong one was evicted")
	}
	b.pool.Hold([]tx.Verified{b.tx(2, 0, 30)})
	if err := b.pool.Add(b.tx(3, 0, 90_000)); !errors.Is(err, mempool.ErrFull) {
		t.Fatalf("all that wait stand in batches: %v", err)
	}
}

// TestABlockKeepsEachSendersOrderAcrossBatches gives batches of one sender in the
// wrong order, one of them with a gap.
func TestABlockKeepsEachSendersOrderAcrossBatches(t *testing.T) {
	b := newBench(t, mempool.DefaultLimits(), 3)
	var n [6]tx.Verified
	for i := range n {
		n[i] = b.tx(0, uint64(i), 0)
	}
	other := b.tx(1, 0, 0)
	b.commit(n[0])
	list := func(vs ...tx.Verified) []tx.Verified { return vs }
	order := func(taken [][]tx.Verified, open ...[]tx.Verified) []int {
		t.Helper()
		got, err := b.pool.Order(taken, open)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := order(nil, list(n[2]), list(other, n[1]), list(n[0])); !slices.Equal(got, []int{1, 2, 0}) {
		t.Errorf("order %v", got)
	}
	if got := order(nil, list(other, n[2]), list(other, n[3])); len(got) != 0 {
		t.Errorf("gaps are taken: %v", got)
	}
	if got := order(nil, list(other, n[2]), list(other)); !slices.Equal(got, []int{1}) {
		t.Errorf("a refused batch counts: %v", got)
	}
	if got := order([][]tx.Verified{list(n[1], n[2])}, list(n[4]), list(n[3])); !slices.Equal(got, []int{1, 0}) {
		t.Errorf("above undecided ancestors %v", got)
	}
}
