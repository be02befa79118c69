// SPDX-License-Identifier: Apache-2.0

package mempool_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/mempool"
	"github.com/openledger/openledger/node/store"
)

// bench is a pool over a chain.
type bench struct {
	*chaintest.World
	chain *chain.Chain
	pool  *mempool.Pool
}

func newBench(t testing.TB, limits mempool.Limits, people int) *bench {
	w := chaintest.New(t, 1, people)
	c := w.Open(store.OpenMemory())
	return &bench{w, c, mempool.New(limits, c.View, func() uint64 { return 0 })}
}

// tx makes a transfer of sender 0..n with a nonce and a tip.
func (b *bench) tx(from int, nonce uint64, tip fixed.Amount) tx.Verified {
	return b.Sign(from, tx.Body{Nonce: nonce, Tip: tip, Payload: &tx.Transfer{To: b.Address(0), Amount: 1}})
}

func (b *bench) add(v tx.Verified) {
	b.T.Helper()
	if err := b.pool.Add(v); err != nil {
		b.T.Fatalf("nonce %d: %v", v.Body().Nonce, err)
	}
}

func (b *bench) commit(txs ...tx.Verified) {
	b.T.Helper()
	blk := b.Final(b.chain, txs...)
	if _, err := b.chain.Commit(blk); err != nil {
		b.T.Fatal(err)
	}
	if err := b.pool.Committed(txs, blk.Receipts); err != nil {
		b.T.Fatal(err)
	}
}

// next selects for the next block.
func (b *bench) next() []tx.Verified {
	return b.pool.Select(1<<20, b.chain.Head().Height+1, nil)
}

func ids(list []tx.Verified) (out []tx.ID) {
	for _, v := range list {
		out = append(out, v.ID())
	}
	return out
}

func TestWhatCannotBeIncludedIsRefusedWithItsCode(t *testing.T) {
	b := newBench(t, mempool.DefaultLimits(), 3)
	b.commit(b.Transfer(0, 1, 5))
	tests := map[string]struct {
		body tx.Body
		want error
	}{
		"a nonce that was used":              {tx.Body{Nonce: 0}, tx.TxNonceLow},
		"a nonce beyond the window":          {tx.Body{Nonce: 1 + mempool.NonceWindow}, tx.TxNonceGap},
		"a validity that ended":              {tx.Body{Nonce: 1, ValidUntil: 1}, tx.TxExpired},
		"a fee below the base fee":           {tx.Body{Nonce: 1, MaxFee: 5}, tx.TxFeeLow},
		"a fee above the balance":            {tx.Body{Nonce: 1, MaxFee: 2 * chaintest.Rich}, tx.TxFunds},
		"a transfer above the balance":       {tx.Body{Nonce: 1, Payload: &tx.Transfer{To: b.Address(1), Amount: 2 * chaintest.Rich}}, tx.TxFunds},
		"the last nonce of the window":       {tx.Body{Nonce: mempool.NonceWindow}, nil},
		"the next nonce":                     {tx.Body{Nonce: 1}, nil},
		"a second one of the same nonce":     {tx.Body{Nonce: 1, Payload: &tx.Transfer{To: b.Address(2), Amount: 1}}, tx.TxFeeLow},
		"a same-nonce one with a higher tip": {tx.Body{Nonce: 1, Tip: fixed.OPEN / 10_000, Payload: &tx.Transfer{To: b.Address(2), Amount: 1}}, nil},
	}
	for _, name := range []string{"a nonce that was used", "a nonce beyond the window", "a validity that ended", "a fee below the base fee",
		"a fee above the balance", "a transfer above the balance", "the last nonce of the window", "the next nonce",
		"a second one of the same nonce", "a same-nonce one with a higher tip"} {
		t.Run(name, func(t *testing.T) {
			c := tests[name]
			if c.body.Payload == nil {
				c.body.Payload = &tx.Transfer{To: b.Address(1), Amount: 1}
			}
			if err := b.pool.Add(b.Sign(0, c.body)); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestOneTransactionWaitsOnce(t *testing.T) {
	b := newBench(t, mempool.DefaultLimits(), 1)
	v := b.Transfer(0, 0, 1)
	b.add(v)
	if err := b.pool.Add(v); !errors.Is(err, mempool.ErrKnown) {
		t.Fatal(err)
	}
	if got, ok := b.pool.Lookup(v.Bytes()); !ok || got.ID() != v.ID() {
		t.Fatal("not found by its bytes")
	}
	if b.pool.Get(v.ID()) == nil || b.pool.Len() != 1 {
		t.Fatal("not found by its id")
	}
}

// TestATransactionThatWaitsForAnotherWantsNoBlock guards an idle network: with a
// gap in the nonces there is nothing to include, so no block is wanted.
func TestATransactionThatWaitsForAnotherWantsNoBlock(t *testing.T) {
	b := newBench(t, mempool.DefaultLimits(), 1)
	b.add(b.tx(0, 2, 0))
	if b.pool.Pending() || len(b.next()) != 0 {
		t.Fatal("a gap is pending")
	}
	b.add(b.tx(0, 0, 0))
	if !b.pool.Pending() || len(b.next()) != 1 {
		t.Fatal("the first one is not pending")
	}
	b.add(b.tx(0, 1, 0))
	if len(b.next()) != 3 {
		t.Fatal("the gap was filled, yet not all are selected")
	}
	b.commit(b.next()...)
	if b.pool.Pending() || b.pool.Len() != 0 {
		t.Fatalf("%d left", b.pool.Len())
	}
}

func TestABlockTakesTheBestTipsAndKeepsEachSendersOrder(t *testing.T) {
	b := newBench(t, mempool.DefaultLimits(), 3)
	low, lowNext := b.tx(0, 0, 10), b.tx(0, 1, 9_000)
	high, mid := b.tx(1, 0, 5_000), b.tx(2, 0, 500)
	for _, v := range []tx.Verified{low, lowNext, mid, high} {
		b.add(v)
	}
	if got, want := ids(b.next()), ids([]tx.Verified{high, mid, low, lowNext}); !slices.Equal(got, want) {
		t.Fatalf("order %v, want %v", got, want)
	}
	if got := b.pool.Select(len(high.Bytes())+len(mid.Bytes())+1, 1, nil); len(got) != 2 {
		t.Fatalf("%d transactions in the bytes of two", len(got))
	}
	b.pool.Hold([]tx.Verified{low, high})
	if got, want := ids(b.next()), ids([]tx.Verified{lowNext, mid}); !slices.Equal(got, want) {
		t.Fatalf("beside held batches %v, want %v", got, want)
	}
	b.pool.Release([]tx.Verified{low, high})
	if got := b.pool.Select(1<<20, 5_001, nil); len(got) != 0 {
		t.Fatalf("%d transactions after their validity", len(got))
	}
}

// TestABlockStaysWithinTheBlockWeight fills the pool with more than a block may
// hold: what does not fit must not be included, or it would be refused for good.
func TestABlockStaysWithinTheBlockWeight(t *testing.T) {
	const people, each = 30, 60
	b := newBench(t, mempool.DefaultLimits(), people)
	for i := range people {
		for n := range uint64(each) {
			b.add(b.tx(i, n, 0))
		}
	}
	params := b.Doc.Params
	for total := 0; total < people*each; {
		got := b.next()
		weight := uint64(0)
		for _, v := range got {
			weight += v.Weight(params.KindWeight)
		}
		if len(got) == 0 || weight > params.MaxBlockWeight {
			t.Fatalf("%d transactions of weight %d, at most %d", len(got), weight, params.MaxBlockWeight)
		}
		b.commit(got...)
		for _, r := range b.receipts() {
			if r != tx.OK {
				t.Fatalf("code %v", r)
			}
		}
		total += len(got)
	}
}

func (b *bench) receipts() (out []tx.Code) {
	b.T.Helper()
	list, err := b.chain.Receipts(b.chain.Head().Height)
	if err != nil {
		b.T.Fatal(err)
	}
	for _, r := range list {
		out = append(out, r.Code)
	}
	return out
}

// TestASenderWhoBecamePoorLosesWhatItCannotPay includes a transaction that spends
// more than the pool could see in it.
func TestASenderWhoBecamePoorLosesWhatItCannotPay(t *testing.T) {
	b := newBench(t, mempool.DefaultLimits(), 2)
	bond := b.Sign(0, tx.Body{Nonce: 0, Payload: &tx.ComputeRegister{DeviceClass: "cpu", PeerID: []byte("p"), Bond: chaintest.Rich - fixed.OPEN}})
	b.add(bond)
	half := &tx.Transfer{To: b.Address(1), Amount: 6 * fixed.OPEN / 10}
	b.add(b.Sign(0, tx.Body{Nonce: 1, Payload: half}))
	b.add(b.Sign(0, tx.Body{Nonce: 2, Payload: half}))
	b.add(b.tx(0, 3, 0))
	b.commit(bond)
	if got := b.receipts(); !slices.Equal(got, []tx.Code{tx.OK}) {
		t.Fatalf("codes %v", got)
	}
	if got := b.next(); len(got) != 1 || got[0].Body().Nonce != 1 || b.pool.Len() != 1 {
		t.Fatalf("%d of %d remain for the next block", len(got), b.pool.Len())
	}
}

// TestASendersGapAfterARefusedTransactionDoesNotBlockOthers: another leader
// included this sender's second transaction without the first.
func TestASendersGapAfterARefusedTransactionDoesNotBlockOthers(t *testing.T) {
	b := newBench(t, mempool.DefaultLimits(), 2)
	first, second, third := b.tx(0, 0, 0), b.tx(0, 1, 0), b.tx(0, 2, 0)
	for _, v := range []tx.Verified{first, second, third} {
		b.add(v)
	}
	b.commit(second) // refused: nonce gap
	if got, want := ids(b.next()), ids([]tx.Verified{first, second, third}); !slices.Equal(got, want) {
		t.Fatalf("selected %v, want %v", got, want) // the refused one can still come
	}
	b.commit(b.next()...)
	if b.pool.Pending() || b.pool.Len() != 0 {
		t.Fatalf("%d wait after all were executed", b.pool.Len())
	}
}

// TestAFullPoolTakesTheNonceThatTheRestWaitsFor or it would stay full for good, and
// the others wait until they expire.
func TestAFullPoolTakesTheNonceThatTheRestWaitsFor(t *testing.T) {
	b := newBench(t, mempool.Limits{Txs: 3, Bytes: 1 << 20, PerSender: 64}, 2)
	late := []tx.Verified{b.tx(1, 1, 0), b.tx(1, 2, 0), b.tx(1, 3, 0)}
	for _, v := range late {
		b.add(v)
	}
	if err := b.pool.Add(b.tx(1, 4, 0)); !errors.Is(err, mempool.ErrFull) {
		t.Fatalf("a later one takes the place of an earlier one: %v", err)
	}
	first := b.tx(1, 0, 0)
	b.add(first)
	if got := ids(b.next()); !slices.Equal(got, ids([]tx.Verified{first, late[0], late[1]})) {
		t.Fatalf("%d transactions can be included now, want nonces 0 to 2", len(got))
	}
}

func TestAFullPoolKeepsWhatPaysMost(t *testing.T) {
	b := newBench(t, mempool.Limits{Txs: 4, Bytes: 1 << 20, PerSender: 3}, 6)
	gap := b.tx(0, 5, 90_000)
	b.add(gap)
	b.add(b.tx(1, 0, 100))
	b.add(b.tx(1, 1, 200))
	b.add(b.tx(2, 0, 50))
	if err := b.pool.Add(b.tx(3, 2, 1_000)); !errors.Is(err, mempool.ErrFull) {
		t.Fatalf("a gap took a place in a full pool: %v", err)
	}
	cheap := b.tx(3, 0, 10)
	b.add(cheap) // in the place of the one that waits for a missing nonce
	if b.pool.Has(gap.ID()) {
		t.Fatal("what waits for a missing nonce stayed")
	}
	for range 2 {
		if err := b.pool.Add(b.tx(4, 0, 10)); !errors.Is(err, mempool.ErrFull) {
			t.Fatalf("an equal tip evicts: %v", err)
		}
	}
	b.add(b.tx(4, 0, 11))
	if b.pool.Has(cheap.ID()) || b.pool.Len() != 4 {
		t.Fatal("the lowest tip stayed")
	}
	b.add(b.tx(5, 0, 300))                              // evicts 11
	b.add(b.tx(5, 1, 300))                              // evicts 50
	if err := b.pool.Add(b.tx(5, 2, 300)); err != nil { // evicts the second of sender 1
		t.Fatal(err)
	}
	if err := b.pool.Add(b.tx(5, 3, 300)); !errors.Is(err, mempool.ErrFull) {
		t.Fatalf("a fourth of one sender: %v", err)
	}
	if n, next := b.pool.OfSender(b.Address(1), 0); n != 1 || next != 1 {
		t.Fatalf("sender 1 has %d, next %d", n, next)
	}
}

func TestTransactionsExpire(t *testing.T) {
	b := newBench(t, mempool.DefaultLimits(), 2)
	b.add(b.Sign(1, tx.Body{Nonce: 0, ValidUntil: 3, Payload: &tx.Transfer{To: b.Address(0), Amount: 1}}))
	for range 31 {
		b.commit()
	}
	if len(b.next()) != 0 {
		t.Fatal("selected after its validity")
	}
	b.commit() // height 32
	if b.pool.Len() != 0 || b.pool.Pending() {
		t.Fatal("an expired transaction waits")
	}
}

func TestWaitingTransactionsAreListedOldestFirst(t *testing.T) {
	b := newBench(t, mempool.DefaultLimits(), 2)
	var all []tx.ID
	for n := range uint64(5) {
		v := b.tx(int(n%2), n/2, 0)
		b.add(v)
		all = append(all, v.ID())
	}
	if got := b.pool.IDs(nil, 3); !slices.Equal(got, all[:3]) {
		t.Fatalf("got %v, want %v", got, all[:3])
	}
	me := b.Address(1)
	if got, want := b.pool.IDs(&me, 10), []tx.ID{all[1], all[3]}; !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}
