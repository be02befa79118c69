// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"bytes"
	"crypto/sha256"
	"maps"
	"testing"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// fork returns an independent copy that shares keys and names.
func (w *moneyWorld) fork(t testing.TB) *moneyWorld {
	c := *w
	c.t, c.v, c.fees = t, maps.Clone(w.v), maps.Clone(w.fees)
	return &c
}

// refused runs one refusal on a fork: the code is c, nothing but fee and nonce
// changes.
func (w *moneyWorld) refused(t *testing.T, by string, p tx.Payload, want tx.Code) {
	t.Helper()
	before := maps.Clone(w.v)
	r := w.do(by, p)
	if r.Code != want {
		t.Fatalf("got %v, want %v", r.Code, want)
	}
	if len(r.Events) != 0 {
		t.Fatalf("events %v", r.Events)
	}
	delete(before, string(state.ClockKey()))
	for k, v := range before {
		if string(w.v[k]) != string(v) && !bytes.HasPrefix([]byte(k), state.AccountKey(keys.Address{})[:2]) {
			t.Fatalf("record %x changed", k)
		}
	}
	for k := range w.v {
		if _, ok := before[k]; !ok && k != string(state.ClockKey()) {
			t.Fatalf("record %x appeared", k)
		}
	}
}

func TestCHN01EveryReasonToRefuseAChannel(t *testing.T) {
	base := newMoneyWorld(t)
	p := base.params()
	good := func() *tx.ChannelOpen {
		return &tx.ChannelOpen{Payee: base.addr("op"), Deposit: 1, WindowMS: 5_000, ExpiryMS: 100_000, MaxLanes: 1}
	}
	for _, c := range []struct {
		name string
		edit func(p *tx.ChannelOpen)
		code tx.Code
	}{
		{"a channel to oneself", func(p *tx.ChannelOpen) { p.Payee = base.addr("alice") }, tx.ObjOwner},
		{"a channel to a module", func(p *tx.ChannelOpen) { p.Payee = state.Pools }, tx.ObjOwner},
		{"a window below the least", func(c *tx.ChannelOpen) { c.WindowMS = p.ChannelMinMS - 1 }, tx.ChnWindow},
		{"a window above the longest", func(c *tx.ChannelOpen) { c.WindowMS = p.ChannelMaxMS + 1 }, tx.ChnWindow},
		{"an expiry inside the window", func(p *tx.ChannelOpen) { p.ExpiryMS = 5_000 }, tx.ChnWindow},
		{"an expiry above the longest life", func(c *tx.ChannelOpen) { c.ExpiryMS = p.ChannelLifeMS + 10_000 }, tx.ChnWindow},
		{"a deposit above the balance", func(p *tx.ChannelOpen) { p.Deposit = moneyStart }, tx.TxFunds},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := good()
			c.edit(p)
			base.fork(t).refused(t, "alice", p, c.code)
		})
	}
	t.Run("no balance for the state deposit", func(t *testing.T) {
		w, q := base.fork(t), good()
		w.must("alice", &tx.Transfer{To: w.addr("bob"), Amount: w.free(w.addr("alice")) - moneyMaxFee - 1_000_000})
		dear := w.params()
		dear.ByteDeposit = 100_000
		w.put(state.ParamsKey(), dear)
		q.MaxLanes = channel.MaxLanes // 0.56 OPEN of state
		w.refused(t, "alice", q, tx.ObjDeposit)
	})
	t.Run("exactly the bounds are accepted", func(t *testing.T) {
		w, q := base.fork(t), good()
		q.WindowMS, q.ExpiryMS = p.ChannelMinMS, p.ChannelMinMS+1
		if r := w.do("alice", q); r.Code != tx.OK {
			t.Fatal(r.Code)
		}
	})
}

func TestCHN03EveryReasonToRefuseARedeem(t *testing.T) {
	base := newMoneyWorld(t)
	ch := base.open("C", "alice", "op", 100_000)
	offer := base.ids["offer"]
	third := ID{0x0f, 0x77}
	base.put(state.OfferKey(third), state.Offer{Operator: base.addr("op"), Model: ID{0x0d}, Ask: 5})
	base.must("op", &tx.ChannelRedeem{Vouchers: []channel.SignedVoucher{base.voucher("alice", ch, offer, 30_000, 1)}})
	v := func(cum fixed.Amount, nonce uint64) channel.SignedVoucher {
		return base.voucher("alice", ch, offer, cum, nonce)
	}
	for _, c := range []struct {
		name string
		list []channel.SignedVoucher
		code tx.Code
	}{
		{"an unknown channel", []channel.SignedVoucher{base.voucher("alice", ID{1}, offer, 40_000, 2)}, tx.ObjUnknown},
		{"an unknown offer", []channel.SignedVoucher{base.voucher("alice", ch, ID{1}, 40_000, 2)}, tx.ChnLane},
		{"another operator's offer", []channel.SignedVoucher{base.voucher("alice", ch, base.ids["other"], 40_000, 2)}, tx.ChnLane},
		{"a lane too many", []channel.SignedVoucher{base.voucher("alice", ch, base.ids["cheap"], 1, 1), base.voucher("alice", ch, third, 1, 1)}, tx.ChnLane},
		{"another payer's signature", []channel.SignedVoucher{base.voucher("bob", ch, offer, 40_000, 2)}, tx.ChnVoucherSig},
		{"a changed amount", []channel.SignedVoucher{func() channel.SignedVoucher { s := v(40_000, 2); s.Voucher.Cum++; return s }()}, tx.ChnVoucherSig},
		{"another chain's voucher", []channel.SignedVoucher{channel.Sign(base.keys["alice"], [32]byte{9}, v(40_000, 2).Voucher)}, tx.ChnVoucherSig},
		{"the same voucher again", []channel.SignedVoucher{v(30_000, 1)}, tx.ChnCumLow},
		{"an older nonce", []channel.SignedVoucher{v(40_000, 0)}, tx.ChnCumLow},
		{"more than the deposit", []channel.SignedVoucher{v(100_001, 2)}, tx.ChnCumOver},
		{"more than the deposit over two lanes", []channel.SignedVoucher{v(60_000, 2), base.voucher("alice", ch, base.ids["cheap"], 40_001, 1)}, tx.ChnCumOver},
		{"an expired voucher", []channel.SignedVoucher{func() channel.SignedVoucher {
			x := v(40_000, 2).Voucher
			x.ExpiryMS = 1
			return channel.Sign(base.keys["alice"], base.env.ChainID, x)
		}()}, tx.ChnWindow},
		{"a good voucher before a bad one", []channel.SignedVoucher{v(40_000, 2), v(40_000, 2)}, tx.ChnCumLow},
	} {
		t.Run(c.name, func(t *testing.T) {
			base.fork(t).refused(t, "op", &tx.ChannelRedeem{Vouchers: c.list}, c.code)
		})
	}
	t.Run("two good vouchers of one lane and one of another", func(t *testing.T) {
		w := base.fork(t)
		w.must("watch", &tx.ChannelRedeem{Vouchers: []channel.SignedVoucher{v(40_000, 2), v(60_000, 3), base.voucher("alice", ch, base.ids["cheap"], 40_000, 1)}})
		if got := w.free(state.Pending); got != 100_000 {
			t.Fatalf("pending %d", got)
		}
	})
	t.Run("a 257th payer in one epoch", func(t *testing.T) { refuseManyPayers(t, base.fork(t), ch, offer) })
}

// refuseManyPayers fills the pending of the running epoch with 255 more payers.
func refuseManyPayers(t *testing.T, w *moneyWorld, ch, offer ID) {
	k := state.PendingKey(w.addr("op"), w.epoch(), offer)
	p := mustMoney(state.GetPending(w.v, w.addr("op"), w.epoch(), offer))
	for i := range receipt.MaxPayers - 1 {
		p, _, _ = p.Add(keys.Address{0: byte(i), 31: 1}, 10)
	}
	w.put(k, p)
	w.put(state.AccountKey(state.Pending), state.Account{Free: p.Total})
	reserve := mustMoney(state.GetAccount(w.v, state.Reserve))
	reserve.Free -= 10 * (receipt.MaxPayers - 1)
	w.put(state.AccountKey(state.Reserve), reserve)
	bob := w.open("D", "bob", "op", 1_000)
	w.refused(t, "op", &tx.ChannelRedeem{Vouchers: []channel.SignedVoucher{w.voucher("bob", bob, offer, 10, 1)}}, tx.ObjLimit)
	w.must("op", &tx.ChannelRedeem{Vouchers: []channel.SignedVoucher{w.voucher("alice", ch, offer, 40_000, 2)}})
	w.toEpoch(3) // the refund of 256 payers conserves money
	if got := w.free(state.Pending); got != 0 {
		t.Fatalf("pending %d", got)
	}
}

// served is a world in epoch 1 with an uncommitted book of epoch 0, worth three
// answers of which two name owners.
func served(t testing.TB) (*moneyWorld, ID, *receipt.Book) {
	w := newMoneyWorld(t)
	ch, offer := w.open("C", "alice", "op", 1_000_000), w.ids["offer"]
	attr := []receipt.Attr{{Owner: w.addr("o1"), Weight: 1 << 39}, {Owner: w.addr("o2"), Weight: 1 << 38}}
	sortAttr(attr)
	w.serve(ch, offer, 2, attr...)
	w.serve(ch, offer, 1)
	if r := w.redeem("alice", ch, offer); r.Code != tx.OK {
		t.Fatal(r.Code)
	}
	w.toEpoch(1)
	return w, offer, w.makeBook(offer, 0)
}

func TestRCP03EveryReasonToRefuseACommit(t *testing.T) {
	base, offer, book := served(t)
	for _, c := range []struct {
		name string
		by   string
		edit func(w *moneyWorld, p *tx.EpochCommit)
		code tx.Code
	}{
		{"an unknown offer", "op", func(_ *moneyWorld, p *tx.EpochCommit) { p.Offer = ID{1} }, tx.ObjUnknown},
		{"another operator's offer", "op2", nil, tx.ObjOwner},
		{"an unknown rule", "op", func(_ *moneyWorld, p *tx.EpochCommit) { p.Rule = "poa/2" }, tx.PoaRuleInactive},
		{"the running epoch", "op", func(_ *moneyWorld, p *tx.EpochCommit) { p.Epoch = 1 }, tx.ObjWindowOpen},
		{"a future epoch", "op", func(_ *moneyWorld, p *tx.EpochCommit) { p.Epoch = ^uint64(0) }, tx.ObjWindowOpen},
		{"three epochs later", "op", func(w *moneyWorld, _ *tx.EpochCommit) { w.toEpoch(3) }, tx.ObjWindowClosed},
		{"an epoch without income", "op", func(w *moneyWorld, p *tx.EpochCommit) { w.toEpoch(2); p.Epoch = 1 }, tx.RcpSum},
		{"one answer more than is pending", "op", func(_ *moneyWorld, p *tx.EpochCommit) { p.ReceiptSum += 30_000; p.ReceiptCount++; p.Bond *= 2 }, tx.RcpSum},
		{"a sum that is not count times price", "op", func(_ *moneyWorld, p *tx.EpochCommit) { p.ReceiptSum-- }, tx.RcpSum},
		{"a count whose price wraps", "op", func(_ *moneyWorld, p *tx.EpochCommit) { p.ReceiptCount = 1 << 32 }, tx.RcpSum},
		{"lines above the contributors' part", "op", func(_ *moneyWorld, p *tx.EpochCommit) { p.LineSum = 17_851 }, tx.RcpSum},
		{"more lines than receipts can have", "op", func(_ *moneyWorld, p *tx.EpochCommit) { p.LineCount = 49 }, tx.RcpSum},
		{"a sum over no lines", "op", func(_ *moneyWorld, p *tx.EpochCommit) { p.LineCount = 0 }, tx.RcpSum},
		{"a root over no lines", "op", func(_ *moneyWorld, p *tx.EpochCommit) { p.LineCount, p.LineSum = 0, 0 }, tx.RcpSum},
		{"a bond below a sixteenth", "op", func(_ *moneyWorld, p *tx.EpochCommit) { p.Bond-- }, tx.RcpBond},
		{"a bond above the balance", "op", func(_ *moneyWorld, p *tx.EpochCommit) { p.Bond = moneyStart }, tx.TxFunds},
		{"a second commit", "op", func(w *moneyWorld, p *tx.EpochCommit) { w.must("op", commitOf(book, offer, 0)) }, tx.ObjExists},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, p := base.fork(t), commitOf(book, offer, 0)
			if c.edit != nil {
				c.edit(w, p)
			}
			w.refused(t, c.by, p, c.code)
		})
	}
	for _, c := range []struct {
		name string
		edit func(w *moneyWorld, p *tx.EpochCommit)
	}{
		{"the whole contributors' part may be lines", func(_ *moneyWorld, p *tx.EpochCommit) { p.LineSum = 17_850 }},
		{"all answers may be unattributed", func(_ *moneyWorld, p *tx.EpochCommit) { p.LineCount, p.LineSum, p.LineRoot = 0, 0, sha256.Sum256(nil) }},
		{"the last millisecond of the window counts", func(w *moneyWorld, _ *tx.EpochCommit) {
			w.toEpoch(2)
			w.wait(w.params().EpochMS - 2)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, p := base.fork(t), commitOf(book, offer, 0)
			c.edit(w, p)
			w.must("op", p)
			w.toEpoch(w.epoch() + 2)
			if got := w.free(state.Pending) + w.free(state.Bonds); got != 0 {
				t.Fatalf("%d left", got)
			}
		})
	}
}

func TestPAY05EveryReasonToRefuseAClaim(t *testing.T) {
	base, offer, book := served(t)
	commit := base.must("op", commitOf(book, offer, 0)).Events[0].IDs[0]
	o1, o2 := base.addr("o1"), base.addr("o2")
	t.Run("before the commit settles", func(t *testing.T) {
		base.fork(t).refused(t, "o1", base.claimOf(book, commit, o1), tx.ObjWindowOpen)
	})
	base.toEpoch(3)
	for _, c := range []struct {
		name string
		edit func(w *moneyWorld, p *tx.ClaimEpoch)
		code tx.Code
	}{
		{"an unknown commit", func(_ *moneyWorld, p *tx.ClaimEpoch) { p.Commit = ID{1} }, tx.ObjUnknown},
		{"a module as payee", func(_ *moneyWorld, p *tx.ClaimEpoch) { p.Payee = state.Pools }, tx.ObjOwner},
		{"another payee", func(_ *moneyWorld, p *tx.ClaimEpoch) { p.Payee = o2 }, tx.RcpRange},
		{"another run", func(_ *moneyWorld, p *tx.ClaimEpoch) { p.Last++ }, tx.RcpRange},
		{"a larger sum", func(_ *moneyWorld, p *tx.ClaimEpoch) { p.Proof.First.Sum++ }, tx.RcpRange},
		{"a neighbour left out", func(_ *moneyWorld, p *tx.ClaimEpoch) { p.Proof.Before, p.Proof.After = nil, nil }, tx.RcpRange},
		{"a second claim", func(w *moneyWorld, p *tx.ClaimEpoch) { w.must("watch", w.claimOf(book, commit, o1)) }, tx.RcpClaimed},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := base.fork(t)
			p := w.claimOf(book, commit, o1)
			c.edit(w, p)
			w.refused(t, "o1", p, c.code)
		})
	}
}

// INV-06: an operator who commits to an unsorted tree, in which one payee has
// several runs, cannot make the pool pay more than its lines' sum; nor can a
// payee claim lines that are worth nothing.
func TestINV06UnsortedLinesCannotEmptyThePool(t *testing.T) {
	w, offer, book := served(t)
	o1, o2 := w.addr("o1"), w.addr("o2")
	lo, hi := o1, o2
	if o1.Compare(o2) > 0 {
		lo, hi = o2, o1
	}
	lines := []receipt.Line{{Payee: lo, Amount: 100}, {Payee: hi, Amount: 5_000}, {Payee: lo, Receipt: 1, Amount: 4_000}, {Payee: hi, Receipt: 1}}
	var leaves []merkle.SumLeaf
	for _, l := range lines {
		leaves = append(leaves, merkle.SumLeaf{Sum: uint64(l.Amount), Body: l.Encode()})
	}
	root := mustMoney(merkle.SumTree(leaves))
	p := commitOf(book, offer, 0)
	p.LineRoot, p.LineSum, p.LineCount = root.Hash, fixed.Amount(root.Sum), root.Count
	commit := w.must("op", p).Events[0].IDs[0]
	w.toEpoch(3)
	claim := func(payee keys.Address, first, last uint64) *tx.ClaimEpoch {
		return &tx.ClaimEpoch{Commit: commit, Payee: payee, First: first, Last: last, Proof: mustMoney(merkle.ProveSumRange(leaves, first, last))}
	}
	w.must("op", claim(hi, 1, 3)) // takes the line between, which the tree's order hides
	w.refused(t, "op", claim(lo, 0, 2), tx.RcpClaimed)
	w.must("op", claim(lo, 0, 0))
	w.refused(t, "op", claim(lo, 2, 2), tx.RcpRange)
	w.refused(t, "op", claim(hi, 3, 3), tx.RcpRange)
	if got := w.free(state.Pools); got != 0 {
		t.Fatalf("pool holds %d", got)
	}
}

// RCP-05: a commit still settles when nobody but its due-queue entry touches it,
// and the queue is worked off over several blocks without losing an entry.
func TestEXE02DueEntriesBeyondTheLimitWaitForTheNextBlock(t *testing.T) {
	w := newMoneyWorld(t)
	p := w.params()
	p.DuePerBlock = 2
	w.put(state.ParamsKey(), p)
	for range 5 {
		w.must("alice", &tx.ChannelOpen{Payee: w.addr("op"), Deposit: 10, WindowMS: 1_000, ExpiryMS: 9_000, MaxLanes: 1})
	}
	for i, want := range []int{3, 1, 0} {
		if i == 0 {
			w.wait(9_000 - w.clock().CTimeMS)
		} else {
			w.block(1)
		}
		if got := len(mustMoney(state.ListChannels(w.v, nil, 10))); got != want {
			t.Fatalf("block %d: %d channels, want %d", i, got, want)
		}
	}
}
