// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"errors"
	"testing"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
)

// pay is a transfer whose body the cases change.
func pay() tx.Body {
	return tx.Body{MaxFee: 20_000, ValidUntil: 100, Payload: &tx.Transfer{To: addr(1), Amount: 1}}
}

func TestTXN03AdmissionRefusals(t *testing.T) {
	used := func(c *chain) { c.do(0, &tx.Transfer{To: addr(1), Amount: 1}) }
	for _, x := range []struct {
		name   string
		before func(c *chain)
		person int
		edit   func(b *tx.Body)
		code   tx.Code
		keep   bool // a relaying peer keeps it
	}{
		{"a nonce that was used", used, 0, func(b *tx.Body) { b.Nonce = 0 }, tx.TxNonceLow, false},
		{"a nonce after the next", used, 0, func(b *tx.Body) { b.Nonce = 2 }, tx.TxNonceGap, true},
		{"a height that has passed", used, 0, func(b *tx.Body) { b.Nonce, b.ValidUntil = 1, 1 }, tx.TxExpired, false},
		{"a height too far ahead", nil, 0, func(b *tx.Body) { b.ValidUntil = 10_002 }, tx.TxExpired, false},
		{"a fee below the base fee", nil, 0, func(b *tx.Body) { b.MaxFee = 3_000 }, tx.TxFeeLow, false},
		{"a tip that leaves too little", nil, 0, func(b *tx.Body) { b.MaxFee, b.Tip = 4_000, 3_999 }, tx.TxFeeLow, false},
		{"no money for the fee", nil, 50, func(b *tx.Body) {}, tx.TxFunds, false},
		{"a fee above the balance", nil, 0, func(b *tx.Body) { b.MaxFee = 2 * rich }, tx.TxFunds, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := newChain(t)
			if x.before != nil {
				x.before(c)
			}
			b := pay()
			x.edit(&b)
			v := c.signBody(x.person, b)
			err := Check(c.view, c.env, v)
			if !errors.Is(err, x.code) || errors.Is(err, tx.ErrFuture) != x.keep || errors.Is(err, tx.ErrInvalid) {
				t.Errorf("Check: %v", err)
			}
			before := c.free(addr(x.person))
			r := c.receipt(v)
			if r.Code != x.code || r.Fee != 0 || len(r.Events) != 0 {
				t.Errorf("receipt: %+v", r)
			}
			if got := c.free(addr(x.person)); got != before {
				t.Errorf("balance went from %d to %d", before, got)
			}
		})
	}
}

func TestTheLastValidHeightIsValid(t *testing.T) {
	c := newChain(t)
	b := pay()
	b.ValidUntil = 1
	if err := Check(c.view, c.env, c.signBody(0, b)); err != nil {
		t.Error(err)
	}
	b.ValidUntil = 10_001
	if err := Check(c.view, c.env, c.signBody(0, b)); err != nil {
		t.Error(err)
	}
}

func TestAGapIsReportedOnlyWhenAllElseIsGood(t *testing.T) {
	c := newChain(t)
	b := pay()
	b.Nonce, b.MaxFee = 5, 1
	if err := Check(c.view, c.env, c.signBody(0, b)); !errors.Is(err, tx.TxFeeLow) {
		t.Error(err)
	}
}

func TestTheSameTransactionTwiceInABlockPaysOnce(t *testing.T) {
	c := newChain(t)
	v := c.sign(0, &tx.Transfer{To: addr(1), Amount: 5})
	res := c.block(v, v)
	if a, b := res.Receipts[0], res.Receipts[1]; a.Code != tx.OK || b.Code != tx.TxNonceLow || b.Fee != 0 {
		t.Errorf("%v and %v", a, b)
	}
	if got := c.free(addr(1)); got != rich+5 {
		t.Error(got)
	}
}

func TestARefusedPayloadKeepsFeeAndNonce(t *testing.T) {
	c := newChain(t)
	r := c.receipt(c.sign(0, &tx.Transfer{To: addr(1), Amount: 2 * rich}))
	a, err := state.GetAccount(c.view, addr(0))
	if err != nil || r.Code != tx.TxFunds || r.Fee == 0 || a.Nonce != 1 || a.Free != rich-r.Fee || a.Auth == nil {
		t.Errorf("receipt %+v, account %+v, %v", r, a, err)
	}
}

func TestACC02AFeeThatOverflowsIsRefused(t *testing.T) {
	c := newChain(t)
	k := c.clock()
	k.BaseFee = ^fixed.Amount(0) / 2
	c.view.vals[string(state.ClockKey())] = encode(k)
	if err := Check(c.view, c.env, c.signBody(0, pay())); !errors.Is(err, tx.TxArith) {
		t.Error(err)
	}
}

func TestFEE01TheWeightCountsBytesSignaturesAndWrites(t *testing.T) {
	c := newChain(t)
	v := c.signBody(0, pay())
	want := 1_000 + 4*uint64(len(v.Bytes())) + 200 + 600*2
	if got := v.Weight(1_000); got != want {
		t.Errorf("got %d, want %d", got, want)
	}
	r := c.receipt(v)
	if r.Fee != fixed.Amount(want) {
		t.Errorf("fee %d at base fee 1, want %d", r.Fee, want)
	}
	if got := c.free(state.Burned); got != r.Fee {
		t.Errorf("burned %d", got)
	}
}

func TestFEE02TheBaseFeeFollowsTheWeight(t *testing.T) {
	p := state.LocalParams() // target 2,500,000
	for _, x := range []struct {
		name       string
		base, want fixed.Amount
		used       uint64
	}{
		{"at the target it stays", 800, 800, 2_500_000},
		{"a full block raises it by an eighth", 800, 900, 5_000_000},
		{"an empty block lowers it by an eighth", 800, 700, 0},
		{"it rises by one at least", 1, 2, 2_500_001},
		{"it never falls below the minimum", 1, 1, 0},
		{"half of the way up", 800, 850, 3_750_000},
	} {
		if got, err := nextBaseFee(p, x.base, x.used); err != nil || got != x.want {
			t.Errorf("%s: %d, %v, want %d", x.name, got, err, x.want)
		}
	}
	p.BaseFeeMin = 100
	if got, err := nextBaseFee(p, 101, 0); err != nil || got != 100 {
		t.Errorf("above the minimum: %d, %v", got, err)
	}
	if _, err := nextBaseFee(p, ^fixed.Amount(0), 5_000_000); err == nil {
		t.Error("a base fee above 64 bits")
	}
}

func TestABlockTakesNoMoreThanItsWeight(t *testing.T) {
	c := newChain(t, func(d *genesis.Doc) { d.Params.MaxBlockWeight = 1_000_000 })
	var txs []tx.Verified
	for range 400 {
		txs = append(txs, c.sign(0, &tx.Transfer{To: addr(1), Amount: 1}))
	}
	res := c.block(txs...)
	full := 0
	for _, r := range res.Receipts {
		switch r.Code {
		case tx.OK:
		case tx.TxNotYet, tx.TxNonceGap:
			full++
		default:
			t.Fatal(r.Code.String())
		}
	}
	w := txs[0].Weight(1_000)
	if done := 400 - full; uint64(done) < 1_000_000/(w+20) || res.Weight > 1_000_000 {
		t.Errorf("%d of 400 in weight %d", done, res.Weight)
	}
	if got := c.clock().BaseFee; got != 2 {
		t.Errorf("base fee %d after a full block", got)
	}
}

func TestACC03TheChainClockNeverJumps(t *testing.T) {
	c := newChain(t)
	for _, x := range []struct{ after, ctime uint64 }{{1, 1}, {10_000, 10_001}, {3_600_000, 20_001}, {500, 20_501}} {
		c.blockAfter(x.after)
		if got := c.clock().CTimeMS - startMS; got != x.ctime {
			t.Errorf("after %d ms: chain clock +%d, want +%d", x.after, got, x.ctime)
		}
	}
	if k := c.clock(); k.TimeMS != c.time || k.TimeMS < k.CTimeMS {
		t.Errorf("%+v", k)
	}
}

func TestAHeaderThatDoesNotFollowTheStateIsAFault(t *testing.T) {
	c := newChain(t)
	for _, x := range []struct {
		name string
		b    blockInfo
	}{
		{"a height that was skipped", blockInfo{Height: 2, TimeMS: startMS + 1}},
		{"a height again", blockInfo{Height: 0, TimeMS: startMS + 1}},
		{"no time passed", blockInfo{Height: 1, TimeMS: startMS}},
		{"a leader outside the set", blockInfo{Height: 1, TimeMS: startMS + 1, Leader: 2}},
	} {
		if _, err := c.try(x.b, nil); !errors.Is(err, ErrFault) {
			t.Errorf("%s: %v", x.name, err)
		}
	}
}

func TestINV01MoneyFromNowhereStopsTheNode(t *testing.T) {
	c := newChain(t)
	m, err := newMachine(c.view, c.env, blockInfo{Height: 1, TimeMS: startMS + 1})
	if err != nil {
		t.Fatal(err)
	}
	m.credit(addr(1), 1)
	if err := m.finish(); !errors.Is(err, ErrFault) {
		t.Errorf("%v", err)
	}
}

// badView fails every read of one key.
type badView struct {
	*memView
	key string
	err error
}

func (v badView) Get(k []byte) ([]byte, error) {
	if string(k) == v.key {
		return []byte{0xff}, v.err
	}
	return v.memView.Get(k)
}

func TestABrokenViewStopsTheBlock(t *testing.T) {
	c := newChain(t)
	v := c.sign(0, &tx.Transfer{To: addr(1), Amount: 1})
	errDisk := errors.New("disk")
	for _, k := range [][]byte{state.AccountKey(addr(0)), state.AccountKey(addr(1)), state.ParamsKey(), state.ClockKey(), state.ValidatorsKey()} {
		if _, err := run(badView{c.view, string(k), errDisk}, c.env, blockInfo{Height: 1, TimeMS: startMS + 1}, []tx.Verified{v}); !errors.Is(err, errDisk) {
			t.Errorf("unreadable %x: %v", k[:2], err)
		}
		if _, err := run(badView{c.view, string(k), nil}, c.env, blockInfo{Height: 1, TimeMS: startMS + 1}, []tx.Verified{v}); err == nil {
			t.Errorf("damaged %x is accepted", k[:2])
		}
	}
}

func TestApplyTakesAVerifiedBlock(t *testing.T) {
	c := newChain(t)
	a, b := c.sign(0, &tx.Transfer{To: addr(1), Amount: 1}), c.sign(1, &tx.Transfer{To: addr(2), Amount: 2})
	batch := ledger.Batch{Epoch: 0, Author: 1, Seq: 1, Txs: [][]byte{a.Bytes(), b.Bytes()}}
	h := header.Header{ChainID: c.env.ChainID, Height: 1, TimeMS: startMS + 5, Leader: 1, Batches: 1, Txs: 2,
		PayloadRoot: header.PayloadRoot([][32]byte{batch.Digest(c.env.ChainID)})}
	vb, err := ledger.Verify(c.env.ChainID, ledger.Block{Header: h, Batches: []ledger.Batch{batch}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := Apply(c.view, c.env, vb)
	if err != nil {
		t.Fatal(err)
	}
	want, err := c.try(blockInfo{Height: 1, TimeMS: startMS + 5, Leader: 1}, []tx.Verified{a, b})
	if err != nil || !sameResult(res, want) || len(res.Receipts) != 2 {
		t.Errorf("%v, %v", res.Receipts, err)
	}
	root, _, _, err := merkle.Update(nil, merkle.StateRoot{}, 1, res.Writes)
	if err != nil || root.Empty() {
		t.Errorf("writes do not form a tree: %v", err)
	}
}

func TestSimulateChangesNothing(t *testing.T) {
	c := newChain(t)
	v := c.sign(0, &tx.Transfer{To: addr(1), Amount: 1})
	res, err := Simulate(c.view, c.env, 0, []tx.Verified{v})
	if err != nil || res.Receipts[0].Code != tx.OK || res.Receipts[0].Fee == 0 {
		t.Errorf("%+v, %v", res.Receipts, err)
	}
	if c.height() != 0 || c.free(addr(1)) != rich {
		t.Error("the state changed")
	}
}

func TestTheDueQueueRunsABoundedNumberPerBlock(t *testing.T) {
	w := newWorld(t)
	p, _ := state.GetParams(w.view)
	p.DuePerBlock = 16
	w.view.vals[string(state.ParamsKey())] = encode(p)
	var txs []tx.Verified
	for range 40 {
		d := w.train()
		d.ClaimMS = 1_000
		txs = append(txs, w.sign(requester, d))
	}
	w.block(txs...)
	var ran []int
	for range 5 {
		res := w.block()
		n := 0
		for _, r := range res.Receipts {
			n += len(r.Events)
		}
		ran = append(ran, n)
		if late := overdue(w); late != nil && len(ran) == 2 { // it waits for its turn, but its window is over
			if code := w.fork(t).code(op1, &tx.TaskClaim{Task: *late}); code != tx.ObjWindowClosed {
				t.Errorf("claim of an overdue task: %v", code.String())
			}
		}
	}
	if want := []int{0, 16, 16, 8, 0}; !equal(ran, want) {
		t.Errorf("expired per block %v, want %v", ran, want)
	}
}

// overdue returns the last posted task whose window has ended.
func overdue(w *world) (last *ID) {
	list, err := state.ListTasks(w.view, nil, 1_000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range list {
		if e.Value.State == task.Posted && e.Value.DueMS <= w.clock().CTimeMS {
			last = &e.ID
		}
	}
	return last
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
