// SPDX-License-Identifier: Apache-2.0

package settle

import (
	"errors"
	"fmt"
	"testing"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/nodetest"
)

func TestCHN06WhatAVoucherHasToMeet(t *testing.T) {
	const price = nodetest.Price
	for _, c := range []struct {
		name  string
		given int // answers before
		edit  func(w *world, v *channel.Voucher)
		after func(w *world, s *channel.SignedVoucher)
		err   error
	}{
		{name: "a first voucher of the price is taken"},
		{name: "one that adds the price is taken", given: 2},
		{name: "one that adds more is taken, the rest comes back", given: 2, edit: func(_ *world, v *channel.Voucher) { v.Cum += 7 }},
		{name: "a nonce may skip numbers", given: 1, edit: func(_ *world, v *channel.Voucher) { v.Nonce += 5 }},
		{name: "one unit below the price is refused", given: 2, edit: func(_ *world, v *channel.Voucher) { v.Cum-- }, err: ErrPrice},
		{name: "a nonce that was used is refused", given: 2, edit: func(_ *world, v *channel.Voucher) { v.Nonce-- }, err: ErrSpent},
		{name: "a nonce below the newest is refused", given: 1, edit: func(_ *world, v *channel.Voucher) { v.Nonce = 0 }, err: ErrNonce},
		{name: "the deposit cannot be exceeded", edit: func(_ *world, v *channel.Voucher) { v.Cum = nodetest.Deposit + 1 }, err: channel.ErrCumOver},
		{name: "a voucher that ends before it can be redeemed is refused", edit: func(_ *world, v *channel.Voucher) { v.ExpiryMS = nodetest.StartMS + 4_000 }, err: ErrEnding},
		{name: "a voucher that has ended is refused", edit: func(_ *world, v *channel.Voucher) { v.ExpiryMS = nodetest.StartMS }, err: channel.ErrExpired},
		{name: "a voucher for another channel is refused", edit: func(_ *world, v *channel.Voucher) { v.Channel[0]++ }, err: state.ErrUnknown},
		{name: "another signer is refused", after: func(w *world, s *channel.SignedVoucher) { *s = channel.Sign(w.Owner, w.ChainID, s.Voucher) }, err: channel.ErrSignature},
		{name: "a changed amount is refused", after: func(_ *world, s *channel.SignedVoucher) { s.Voucher.Cum++ }, err: channel.ErrSignature},
		{name: "a channel that its payer closes is refused", edit: func(w *world, _ *channel.Voucher) { w.close() }, err: ErrEnding},
		{name: "an offer that has ended is refused", edit: func(w *world, _ *channel.Voucher) { w.until = nodetest.StartMS }, err: ErrEnding},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			for n := range uint64(c.given) {
				if err := w.ask(n + 1); err != nil {
					t.Fatal(err)
				}
			}
			n := uint64(c.given + 1)
			v := w.Voucher(w.Channel, w.Offer, n, fixed.Amount(n)*price).Voucher
			if c.edit != nil {
				c.edit(w, &v)
			}
			s := channel.Sign(w.User, w.ChainID, v)
			if c.after != nil {
				c.after(w, &s)
			}
			old, err := w.till.Accept(w.terms(), s, [32]byte{1})
			if !errors.Is(err, c.err) || old != nil {
				t.Fatalf("got %v, %v; want %v", old, err, c.err)
			}
			_, held, err := w.till.db.lane(laneID{w.Channel, w.Offer})
			if err != nil || held != (c.given > 0 || c.err == nil) {
				t.Fatalf("lane on disk: %v, %v", held, err)
			}
		})
	}
}

// close lets the payer close the channel.
func (w *world) close() {
	if _, err := w.Block(&w.User, &tx.ChannelClose{Channel: w.Channel}); err != nil {
		panic(err)
	}
}

func TestCHN03TwoOffersShareOneDeposit(t *testing.T) {
	w := newWorld(t)
	if err := w.ask(1); err != nil {
		t.Fatal(err)
	}
	other := w.Voucher(w.Channel, tx.ID{0x99}, 1, nodetest.Deposit-nodetest.Price)
	if _, err := w.till.Accept(w.terms(), other, [32]byte{}); err != nil {
		t.Fatalf("the rest of the deposit: %v", err)
	}
	one := w.Voucher(w.Channel, w.Offer, 2, 2*nodetest.Price)
	if _, err := w.till.Accept(w.terms(), one, [32]byte{}); !errors.Is(err, channel.ErrCumOver) {
		t.Fatalf("one answer above the deposit: %v", err)
	}
}

func TestARepeatedRequestGetsTheSameReceipt(t *testing.T) {
	w := newWorld(t)
	s, row := w.Voucher(w.Channel, w.Offer, 1, nodetest.Price), [32]byte{7}
	if old, err := w.till.Accept(w.terms(), s, row); err != nil || old != nil {
		t.Fatal(old, err)
	}
	w.restart(t, nil)
	if old, err := w.till.Accept(w.terms(), s, [32]byte{8}); err != nil || old != nil {
		t.Fatalf("a voucher that was not answered pays for any row: %v, %v", old, err)
	}
	a := w.reply(w.Channel, 1, nodetest.Price, 7)
	if err := w.till.Finish(s, row, a); err != nil {
		t.Fatal(err)
	}
	w.restart(t, nil)
	for range 2 {
		old, err := w.till.Accept(w.terms(), s, row)
		if err != nil || old == nil || old.Receipt.Sig != a.Receipt.Sig {
			t.Fatalf("again: %v, %v", old, err)
		}
	}
	if _, err := w.till.Accept(w.terms(), s, [32]byte{8}); !errors.Is(err, ErrSpent) {
		t.Fatalf("another row: %v", err)
	}
	s.Sig[0]++
	if _, err := w.till.Accept(w.terms(), s, row); !errors.Is(err, channel.ErrSignature) {
		t.Fatalf("a stranger who asks for the receipt: %v", err)
	}
}

func TestTwentyAnswersArePaidToTheLastUnit(t *testing.T) {
	w := newWorld(t)
	payer := w.Free(t, nodetest.Account(w.User))
	for n := range uint64(20) {
		if err := w.ask(n + 1); err != nil {
			t.Fatal(err)
		}
		if n%6 == 5 {
			w.pass(t, 4_000) // several redeems, in several epochs
		}
	}
	w.pass(t, 60_000)
	paid := w.settled(t, 20)
	for _, who := range w.Contributors {
		w.claimAll(t, who, paid[who])
	}
	w.conserved(t)
	if got := w.Free(t, nodetest.Account(w.User)); got != payer {
		t.Errorf("the payer's free balance went from %d to %d; only the channel pays", payer, got)
	}
	c, err := state.GetChannel(w.View(), w.Channel)
	if err != nil || c.Paid != 20*nodetest.Price {
		t.Errorf("the channel paid %d: %v", c.Paid, err)
	}
}

// settled checks that settled commits cover n answers and returns what they owe
// to whom, recomputed from the receipts.
func (w *world) settled(t testing.TB, n uint64) map[keys.Address]fixed.Amount {
	t.Helper()
	var count uint64
	owed := map[keys.Address]fixed.Amount{}
	for _, c := range w.commits(t) {
		if c.Value.Status != receipt.Settled || c.Value.Receipts.Sum != uint64(nodetest.Price)*c.Value.Receipts.Count {
			t.Fatalf("commit %+v", c.Value)
		}
		count += c.Value.Receipts.Count
		b, err := w.till.committed(w.View(), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range b.book.Lines {
			owed[l.Payee] += l.Amount
		}
	}
	if count != n {
		t.Fatalf("%d receipts in commits, want %d", count, n)
	}
	return owed
}

// claimAll claims everything that is owed and checks the sums on all sides.
func (w *world) claimAll(t testing.TB, who keys.Address, want fixed.Amount) {
	t.Helper()
	before := w.Free(t, who)
	list, err := w.till.Owed(who)
	if err != nil {
		t.Fatal(err)
	}
	var sum fixed.Amount
	for _, o := range list {
		c, amount, err := w.till.Claim(o.Commit, who)
		if err != nil || amount != o.Amount || c.First != o.First {
			t.Fatalf("claim %+v of %+v: %v", c, o, err)
		}
		if _, err := w.Block(&w.Owner, &c); err != nil {
			t.Fatal(err)
		}
		sum += amount
		var refused *tx.Error
		if _, err := w.Block(&w.Owner, &c); !errors.As(err, &refused) || refused.Code != tx.RcpClaimed {
			t.Fatalf("a second claim: %v", err)
		}
	}
	if got := w.Free(t, who) - before; got != want || sum != want || want == 0 {
		t.Fatalf("%v received %d, the books say %d, the receipts %d", who, got, sum, want)
	}
}

// TestACrashAtAnyWriteLosesNothing stops the machine at every write of a whole
// life of the books: six requests, redeems, commits.
func TestACrashAtAnyWriteLosesNothing(t *testing.T) {
	for _, mode := range []struct {
		name           string
		applied, power bool
	}{{"before the write", false, false}, {"after the write", true, false}, {"power lost", false, true}, {"power lost after the write", true, true}} {
		t.Run(mode.name, func(t *testing.T) {
			for k := 0; ; k++ {
				w := newWorld(t)
				d := &brokenDisk{Local: w.s.Local(), left: k, applied: mode.applied, power: mode.power}
				w.restart(t, d)
				w.life(t, d)
				owed := w.settled(t, 6)
				if len(owed) != 2 {
					t.Fatalf("stopped at write %d: owed %v", k, owed)
				}
				for who, want := range owed {
					w.claimAll(t, who, want)
				}
				w.conserved(t)
				if !d.stopped {
					t.Logf("%d writes", k)
					return
				}
			}
		})
	}
}

func TestCHN06AVoucherIsOnDiskBeforeItsAnswer(t *testing.T) {
	w := newWorld(t)
	d := &brokenDisk{Local: w.s.Local(), left: 3, power: true}
	w.restart(t, d)
	if err := w.ask(1); !errors.Is(err, errCrash) {
		t.Fatalf("the power did not fail: %v", err)
	}
	w.restart(t, nil)
	l, held, err := w.till.db.lane(laneID{w.Channel, w.Offer})
	if err != nil || !held || l.Newest.Voucher.Nonce != 1 || l.Answered != nil {
		t.Fatalf("lane %+v, %v, %v", l, held, err)
	}
}

// life plays six requests and their settlement, and restarts after a crash.
func (w *world) life(t testing.TB, d *brokenDisk) {
	t.Helper()
	again := func(do func() error) {
		err := do()
		if errors.Is(err, errCrash) {
			w.restart(t, nil)
			err = do()
		}
		if err != nil {
			t.Fatalf("%v, %d writes left", err, d.left)
		}
	}
	for n := range uint64(6) {
		again(func() error { return w.ask(n + 1) })
		if n%2 == 1 {
			w.Tick(t, 6_000) // most redeems fall into an epoch of their own
			again(func() error { return w.till.Run(t.Context()) })
		}
	}
	for range 22 {
		w.Tick(t, 2_000)
		again(func() error { return w.till.Run(t.Context()) })
	}
}

func TestRCP05WhatNoReceiptCoversComesBack(t *testing.T) {
	w := newWorld(t)
	payer := w.Free(t, nodetest.Account(w.User))
	if err := w.answer(w.Channel, 1, nodetest.Price+777, 1); err != nil {
		t.Fatal(err)
	}
	s := w.Voucher(w.Channel, w.Offer, 2, 2*nodetest.Price+777) // taken, never answered
	if _, err := w.till.Accept(w.terms(), s, [32]byte{}); err != nil {
		t.Fatal(err)
	}
	w.pass(t, 60_000)
	w.settled(t, 1)
	if got := w.Free(t, nodetest.Account(w.User)) - payer; got != 777 {
		t.Errorf("%d came back, want 777", got)
	}
	c, err := state.GetChannel(w.View(), w.Channel)
	if err != nil || c.Paid != nodetest.Price+777 {
		t.Errorf("the unanswered voucher was redeemed: %d, %v", c.Paid, err)
	}
	w.conserved(t)
}

func TestAClosingChannelIsRedeemedAtOnce(t *testing.T) {
	w := newWorld(t)
	w.run(t)
	if err := w.ask(1); err != nil {
		t.Fatal(err)
	}
	w.run(t)
	if c, err := state.GetChannel(w.View(), w.Channel); err != nil || c.Paid != 0 {
		t.Fatalf("redeemed too early: %+v, %v", c, err)
	}
	w.close()
	w.run(t)
	if c, err := state.GetChannel(w.View(), w.Channel); err != nil || c.Paid != nodetest.Price {
		t.Fatalf("not redeemed: %+v, %v", c, err)
	}
}

func TestOneBadVoucherDoesNotHoldUpTheOthers(t *testing.T) {
	w := newWorld(t)
	second := w.OpenChannel(t, nodetest.Deposit)
	if err := errors.Join(w.ask(1), w.answer(second, 1, nodetest.Price, 2)); err != nil {
		t.Fatal(err)
	}
	refusals := 0
	w.s.Refuse = func(p tx.Payload) error {
		r, ok := p.(*tx.ChannelRedeem)
		if !ok {
			return nil
		}
		for _, v := range r.Vouchers {
			if v.Voucher.Channel == w.Channel {
				refusals++
				return tx.Errorf(tx.ObjLimit, "for the test")
			}
		}
		return nil
	}
	w.Tick(t, 3_000)
	if err := w.till.Run(t.Context()); err == nil {
		t.Error("the refusal is not reported")
	}
	if c, err := state.GetChannel(w.View(), second); err != nil || c.Paid != nodetest.Price {
		t.Fatalf("the good voucher was not redeemed: %+v, %v", c, err)
	}
	w.run(t)
	if refusals != 2 {
		t.Errorf("tried %d times at once", refusals)
	}
	w.s.Refuse = nil
	w.pass(t, 3_000)
	if c, err := state.GetChannel(w.View(), w.Channel); err != nil || c.Paid != nodetest.Price {
		t.Fatalf("not tried again: %+v, %v", c, err)
	}
}

func TestRCP05ACommitThatComesTooLateIsGivenUp(t *testing.T) {
	w := newWorld(t)
	payer := w.Free(t, nodetest.Account(w.User))
	if err := w.ask(1); err != nil {
		t.Fatal(err)
	}
	w.s.Refuse = func(p tx.Payload) error {
		if _, ok := p.(*tx.EpochCommit); ok {
			return fmt.Errorf("no way to the network")
		}
		return nil
	}
	for range 50 {
		w.Tick(t, 1_000)
		_ = w.till.Run(t.Context())
	}
	if due, err := w.till.db.due(); err != nil || len(due) != 0 {
		t.Fatalf("still due: %v, %v", due, err)
	}
	if got := w.Free(t, nodetest.Account(w.User)) - payer; got != nodetest.Price {
		t.Errorf("%d came back, want the price", got)
	}
	if list, err := w.till.Owed(w.Contributors[0]); err != nil || len(list) != 0 {
		t.Errorf("owed %v, %v", list, err)
	}
	w.conserved(t)
}

func TestBooksOfOthersAreNotServed(t *testing.T) {
	w := newWorld(t)
	if err := w.ask(1); err != nil {
		t.Fatal(err)
	}
	w.pass(t, 40_000)
	id := w.commits(t)[0].ID
	if _, _, err := w.till.Claim(id, w.Contributors[1]); err != nil {
		t.Errorf("own commit: %v", err)
	}
	if _, _, err := w.till.Claim(id, nodetest.Account(w.User)); !errors.Is(err, receipt.ErrNone) {
		t.Errorf("an account without lines: %v", err)
	}
	if _, _, err := w.till.Claim(ID{1}, w.Contributors[0]); !errors.Is(err, state.ErrUnknown) {
		t.Errorf("no such commit: %v", err)
	}
	w.s = w.Services(w.Owner)
	w.restart(t, nil)
	if _, _, err := w.till.Claim(id, w.Contributors[0]); !errors.Is(err, ErrUnknown) {
		t.Errorf("another operator's commit: %v", err)
	}
}

// The contributors' part of one answer is 5,950 of 30,000. Odd rows name the two
// contributors for a quarter and a half: 4,462 is 1,487 and 2,975 by Hamilton.
func TestPAY01SharesOfABookAreThoseOfItsReceipts(t *testing.T) {
	w := newWorld(t)
	for n := range uint64(4) {
		if err := w.ask(n + 1); err != nil {
			t.Fatal(err)
		}
	}
	w.pass(t, 45_000)
	owed := w.settled(t, 4)
	if a, b := owed[w.Contributors[0]], owed[w.Contributors[1]]; a != 2*5_950+2*1_487 || b != 2*2_975 {
		t.Errorf("owed %d and %d", a, b)
	}
}
