// SPDX-License-Identifier: Apache-2.0

package chain_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/store"
)

func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func free(t testing.TB, c *chain.Chain, w *chaintest.World, i int) fixed.Amount {
	t.Helper()
	a := must(state.GetAccount(must(c.View())(t), w.Address(i)))(t)
	return a.Free
}

func TestABranchIsExecutedBesideItsSiblingAndTheWinnerIsCommitted(t *testing.T) {
	w := chaintest.New(t, 4, 3)
	c := w.Open(store.OpenMemory())
	root := w.Head(c)
	a := w.Child(root, 1, w.Transfer(0, 1, 10))
	b := w.Child(root, 2, w.Transfer(2, 1, 77))
	ra, rb := must(c.Execute(a))(t), must(c.Execute(b))(t)
	if ra.State == rb.State {
		t.Fatal("two transfers give one state")
	}
	child := w.Child(chaintest.Parent{Header: *b.Header(), Roots: rb}, 3)
	rc := must(c.Execute(child))(t)
	if got := must(c.Decide(b.Hash, 1, w.Finalize(b), nil))(t); got != b {
		t.Fatal("the committed block is not the executed one")
	}
	c.Discard([]header.Hash{a.Hash})
	if got := free(t, c, w, 1); got != chaintest.Rich+77 {
		t.Fatalf("account 1 holds %d", got)
	}
	if got := must(c.Execute(child))(t); got != rc {
		t.Fatal("the child's result changed when its parent was committed")
	}
	must(c.Decide(child.Hash, 2, w.Finalize(child), nil))(t)
	if c.Head().Height != 2 || c.Head().Root.Hash != rc.State {
		t.Fatalf("head %+v", c.Head())
	}
	if got := must(c.Leaves(2))(t); len(got) != 0 {
		t.Fatalf("%d leaves of a block that was decided without", len(got))
	}
	last := w.Final(c)
	must(c.Execute(last))(t)
	must(c.Decide(last.Hash, 3, last.Finalization, nil, last.Leaves...))(t)
	if got := must(c.Leaves(3))(t); len(got) != 1 || !bytes.Equal(got[0], last.Leaves[0]) || len(got[0]) == 0 {
		t.Fatalf("leaves %x, want %x", got, last.Leaves)
	}
}

func TestACommittedBlockIsNotWrittenAgain(t *testing.T) {
	w := chaintest.New(t, 4, 2)
	c := w.Open(store.OpenMemory())
	b := w.Final(c, w.Transfer(0, 1, 10))
	if done := must(c.Commit(b))(t); !done {
		t.Fatal("the first commit did nothing")
	}
	roots := must(c.Execute(b))(t)
	w.Grow(c, 3)
	if done := must(c.Commit(b))(t); done {
		t.Fatal("committed again")
	}
	if got := must(c.Decide(b.Hash, 1, b.Finalization, nil))(t); got != nil {
		t.Fatal("decided again")
	}
	if got := must(c.Execute(b))(t); got != roots {
		t.Fatal("a committed block has other roots when it is asked for again")
	}
}

func TestWhatContradictsTheCommittedChainIsRefused(t *testing.T) {
	w := chaintest.New(t, 4, 2)
	c := w.Open(store.OpenMemory())
	root := w.Head(c)
	other := w.Child(root, 7, w.Transfer(1, 0, 1))
	roots := must(c.Execute(other))(t)
	w.Grow(c, 2)
	orphan := w.Child(chaintest.Parent{Header: *other.Header(), Roots: roots}, 8)
	orphan2 := w.Child(chaintest.Parent{Header: *orphan.Header(), Roots: roots}, 9)
	wrong := w.Head(c)
	wrong.Roots.State[0] ^= 1
	tests := map[string]struct {
		do   func() error
		want error
	}{
		"execute another block at a committed height": {func() error { _, err := c.Execute(other); return err }, chain.ErrStale},
		"execute above a lost branch":                 {func() error { _, err := c.Execute(orphan2); return err }, chain.ErrStale},
		"decide another block at a committed height":  {func() error { _, err := c.Decide(other.Hash, 1, nil, nil); return err }, chain.ErrFork},
		"commit another block at a committed height":  {func() error { _, err := c.Commit(other); return err }, chain.ErrFork},
		"decide what was not executed":                {func() error { _, err := c.Decide(header.Hash{1}, 3, nil, nil); return err }, chain.ErrStale},
		"a header with another state root":            {func() error { _, err := c.Execute(w.Child(wrong, 9)); return err }, chain.ErrRoots},
		"a genesis of another network": {func() error {
			_, err := chain.Open(c.Store(), chaintest.NewAt(t, 4, 2, chaintest.GenesisMS+1).Doc)
			return err
		}, chain.ErrOtherGenesis},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			if err := c.do(); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestDiscardKeepsTheHead(t *testing.T) {
	w := chaintest.New(t, 4, 2)
	c := w.Open(store.OpenMemory())
	w.Grow(c, 2)
	c.Discard([]header.Hash{c.Head().HeaderHash}) // a core that was synced gives up what it knew of the way
	w.Grow(c, 1)
	if c.Head().Height != 3 {
		t.Fatalf("height %d", c.Head().Height)
	}
}

// TestTheRootIsTheNewestBlockWithItsOwnFinalization commits a block that only its
// child's finalization proves, and looks where a new core starts.
func TestTheRootIsTheNewestBlockWithItsOwnFinalization(t *testing.T) {
	w := chaintest.New(t, 4, 2)
	s := store.OpenMemory()
	c := w.Open(s)
	w.Grow(c, 3)
	a := w.Child(w.Head(c), 10, w.Transfer(0, 1, 3))
	ra := must(c.Execute(a))(t)
	b := w.Child(chaintest.Parent{Header: *a.Header(), Roots: ra}, 11)
	rb := must(c.Execute(b))(t)
	fin := w.Finalize(b)
	must(c.Decide(a.Hash, 4, fin, nil))(t)

	c = w.Open(s) // the node died between two commits
	r := must(c.Root())(t)
	if r.Header.Height != 3 || r.Finalization == nil || r.Finalization.Hash() != r.Header.Hash() {
		t.Fatalf("the core starts at height %d", r.Header.Height)
	}
	if got := must(c.Execute(a))(t); got != ra || r.StateRoot != a.Header().StateRoot {
		t.Fatal("the block above the root has another result now")
	}
	if got := must(c.Decide(a.Hash, 4, fin, nil))(t); got != nil {
		t.Fatal("a committed block is written again")
	}
	if got := must(c.Execute(b))(t); got != rb {
		t.Fatal("its child has another result now")
	}
	must(c.Decide(b.Hash, 5, fin, nil))(t)
	if r = must(c.Root())(t); r.Header.Height != 5 {
		t.Fatalf("the root is at height %d", r.Header.Height)
	}
}

// TestARepeatedTransactionKeepsTheReceiptThatCounts puts a transaction into the
// chain three times and once before its nonce is due.
func TestARepeatedTransactionKeepsTheReceiptThatCounts(t *testing.T) {
	w := chaintest.New(t, 4, 2)
	c := w.Open(store.OpenMemory())
	first, second := w.Transfer(0, 1, 10), w.Transfer(0, 1, 11)
	place := func(v tx.Verified, height uint64, code tx.Code) {
		t.Helper()
		h, i, err := c.Store().TxLocation(v.ID())
		if err != nil || h != height {
			t.Fatalf("found at (%d, %d), %v; want height %d", h, i, err, height)
		}
		list := must(c.Receipts(h))(t)
		if r := list[int(i)+len(list)-len(must(c.Batches(h))(t)[0].Txs)]; r.TxID != v.ID() || r.Code != code {
			t.Fatalf("receipt %+v, want code %v", r, code)
		}
	}
	must(c.Commit(w.Final(c, second)))(t) // too early
	place(second, 1, tx.TxNonceGap)
	must(c.Commit(w.Final(c, second, first, second, first)))(t)
	place(first, 2, tx.OK)
	place(second, 2, tx.OK)
	must(c.Commit(w.Final(c, first, second)))(t)
	place(first, 2, tx.OK)
	place(second, 2, tx.OK)
	if got := free(t, c, w, 1); got != chaintest.Rich+21 {
		t.Fatalf("account 1 holds %d", got)
	}
}

func TestAProofHoldsAgainstTheNextHeader(t *testing.T) {
	w := chaintest.New(t, 4, 2)
	c := w.Open(store.OpenMemory())
	w.Grow(c, 3)
	h, _, err := c.Header(3)
	if err != nil {
		t.Fatal(err)
	}
	p := must(c.Prove(3, state.AccountKey(w.Address(0))))(t)
	if err := p.Verify(h.StateRoot); err != nil {
		t.Fatal(err)
	}
}

func TestAnEmptyStoreGetsTheGenesisState(t *testing.T) {
	w := chaintest.New(t, 1, 1)
	s := store.OpenMemory()
	c := w.Open(s)
	r := must(c.Root())(t)
	if c.Head().Height != 0 || r.Finalization != nil || free(t, c, w, 0) != chaintest.Rich {
		t.Fatalf("genesis %+v", r)
	}
	again := w.Open(s)
	if again.Head() != c.Head() {
		t.Fatal("opening again changed the head")
	}
}
