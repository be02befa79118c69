// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/econ"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// moneyView is a state.View over a map.
type moneyView map[string][]byte

func (v moneyView) Get(key []byte) ([]byte, error) { return v[string(key)], nil }

func (v moneyView) Scan(prefix, after []byte, limit int) (out []merkle.KV, _ error) {
	for _, k := range slices.Sorted(maps.Keys(v)) {
		if len(out) < limit && bytes.HasPrefix([]byte(k), prefix) && k > string(after) {
			out = append(out, merkle.KV{Key: []byte(k), Value: v[k]})
		}
	}
	return out, nil
}

// moneyWorld is a state in which the operator "op" offers the model of "trainer"
// at 20,000 + 10,000 nOPEN; "cheap" is the same model at 1 + 10,000. Everybody
// named has 100 OPEN. After each block every invariant of money is recounted.
type moneyWorld struct {
	t      testing.TB
	v      moneyView
	env    Env
	height uint64
	timeMS uint64
	keys   map[string]keys.PrivateKey
	names  map[keys.Address]string
	fees   map[string]fixed.Amount // paid so far
	ids    map[string]ID           // offers, channels, commits by name
	prices map[ID]econ.Price
	cum    map[[2]ID]fixed.Amount // voucher totals by channel and offer
	nonce  map[[2]ID]uint64
	served map[string][]receipt.Receipt // by offer and epoch
}

const (
	moneyStart  = 100 * fixed.OPEN
	moneyMaxFee = fixed.OPEN / 10
)

var moneyPeople = []string{"alice", "bob", "op", "op2", "trainer", "o1", "o2", "o3", "watch", "v1", "v2", "v3"}

func newMoneyWorld(t testing.TB) *moneyWorld {
	t.Helper()
	w := &moneyWorld{
		t: t, v: moneyView{}, env: Env{ChainID: [32]byte{0x11}}, timeMS: 1_000_000,
		keys: map[string]keys.PrivateKey{}, names: map[keys.Address]string{}, fees: map[string]fixed.Amount{},
		ids: map[string]ID{}, prices: map[ID]econ.Price{}, cum: map[[2]ID]fixed.Amount{}, nonce: map[[2]ID]uint64{},
		served: map[string][]receipt.Receipt{},
	}
	for i, n := range moneyPeople {
		w.keys[n] = keys.FromSeed([32]byte{1, byte(i)})
		w.names[w.addr(n)] = n
		w.put(state.AccountKey(w.addr(n)), state.Account{Free: moneyStart})
	}
	for _, m := range state.Modules {
		w.names[m.Address] = m.Name
		w.put(state.AccountKey(m.Address), state.Account{})
	}
	w.put(state.AccountKey(state.Reserve), state.Account{Free: state.Total - fixed.Amount(len(moneyPeople))*moneyStart - 10*fixed.OPEN})
	p := state.LocalParams()
	w.put(state.ParamsKey(), p)
	w.put(state.ClockKey(), state.Clock{TimeMS: w.timeMS, CTimeMS: 0, BaseFee: p.BaseFeeMin, EpochStartMS: w.timeMS})
	var set []state.Validator
	for i, power := range []uint64{5, 3, 2} {
		n := fmt.Sprintf("v%d", i+1)
		a, bond := w.addr(n), fixed.Amount(power)*fixed.OPEN
		set = append(set, state.Validator{Address: a, VoteKey: w.keys[n].Public(), Power: power})
		w.put(state.CandidateKey(a), state.Candidate{VoteKey: w.keys[n].Public(), Tokens: bond, Shares: uint64(bond), SelfShares: uint64(bond)})
		w.put(state.DelegationKey(a, a), state.Delegation{Shares: uint64(bond)})
	}
	w.put(state.ValidatorsKey(), set)
	w.put(state.AccountKey(state.Bonded), state.Account{Free: 10 * fixed.OPEN})
	model := ID{0x0d}
	w.put(state.ModelKey(model), state.Model{Owner: w.addr("trainer"), Weights: content.Sum(nil), Royalty: 10_000})
	for _, o := range []struct {
		name, op string
		ask      fixed.Amount
	}{{"offer", "op", 20_000}, {"cheap", "op", 1}, {"other", "op2", 20_000}} {
		id := ID{0x0f, byte(len(w.ids))}
		w.ids[o.name], w.prices[id] = id, econ.Price{Ask: o.ask, Royalty: 10_000}
		w.put(state.OfferKey(id), state.Offer{Operator: w.addr(o.op), Model: model, Ask: o.ask, ValidUntil: 1})
	}
	w.check()
	return w
}

func (w *moneyWorld) put(key []byte, rec any) { w.v[string(key)] = enc.Encode(rec) }
func (w *moneyWorld) addr(name string) keys.Address {
	return keys.SingleAuth(w.keys[name].Public()).Address()
}
func (w *moneyWorld) params() state.Params { return mustMoney(state.GetParams(w.v)) }
func (w *moneyWorld) clock() state.Clock   { return mustMoney(state.GetClock(w.v)) }
func (w *moneyWorld) epoch() uint64        { return w.clock().Epoch }
func (w *moneyWorld) free(a keys.Address) fixed.Amount {
	return mustMoney(state.GetAccount(w.v, a)).Free
}

func mustMoney[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// block applies one block ms after the last, after the seal of the epoch if that
// is due, and returns its receipts.
func (w *moneyWorld) block(ms uint64, txs ...tx.Verified) (out []ledger.Receipt) {
	w.t.Helper()
	w.timeMS += ms
	if w.clock().Due(w.params(), w.timeMS) {
		out = w.apply(blockInfo{Seal: true}, nil)
		if len(txs) == 0 {
			return out
		}
		w.timeMS++
	}
	return append(out, w.apply(blockInfo{}, txs)...)
}

// apply applies one block at w.timeMS; the rest of b is filled in.
func (w *moneyWorld) apply(b blockInfo, txs []tx.Verified) []ledger.Receipt {
	w.t.Helper()
	w.height++
	b.Height, b.TimeMS, b.Leader, b.Epoch = w.height, w.timeMS, w.height%3, w.epoch()
	res, err := run(w.v, w.env, b, txs)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, kv := range res.Writes {
		if kv.Value == nil {
			delete(w.v, string(kv.Key))
		} else {
			w.v[string(kv.Key)] = kv.Value
		}
	}
	w.check()
	return res.Receipts
}

// wait lets chain time pass in blocks of at most 10 s and returns the events.
func (w *moneyWorld) wait(ms uint64) (events []ledger.Event) {
	w.t.Helper()
	for ms > 0 {
		step := min(ms, maxTickMS)
		for _, r := range w.block(step) {
			events = append(events, r.Events...)
		}
		ms -= step
	}
	return events
}

// toEpoch waits for the seal before an epoch.
func (w *moneyWorld) toEpoch(e uint64) (events []ledger.Event) {
	w.t.Helper()
	for w.epoch() < e {
		events = append(events, w.wait(w.clock().EpochStartMS+w.params().EpochMS-w.timeMS)...)
	}
	return events
}

// do sends a payload in a block of its own and returns its receipt.
func (w *moneyWorld) do(by string, p tx.Payload) ledger.Receipt {
	w.t.Helper()
	s := tx.Sign(w.env.ChainID, tx.Body{
		Nonce: mustMoney(state.GetAccount(w.v, w.addr(by))).Nonce, MaxFee: moneyMaxFee, ValidUntil: w.height + 5, Payload: p,
	}, w.keys[by])
	again, err := tx.Decode(s.Encode())
	if err != nil {
		w.t.Fatalf("%v: %v", p.Kind(), err)
	}
	v, err := tx.Verify(w.env.ChainID, again)
	if err != nil {
		w.t.Fatalf("%v: %v", p.Kind(), err)
	}
	list := w.block(1, v)
	r := list[len(list)-1]
	w.fees[by] += r.Fee
	return r
}

// must is do for a transaction that succeeds.
func (w *moneyWorld) must(by string, p tx.Payload) ledger.Receipt {
	w.t.Helper()
	r := w.do(by, p)
	if r.Code != tx.OK {
		w.t.Fatalf("%v by %s: %v", p.Kind(), by, r.Code)
	}
	return r
}

// open opens a channel and names it.
func (w *moneyWorld) open(name, payer, payee string, deposit fixed.Amount) ID {
	w.t.Helper()
	r := w.must(payer, &tx.ChannelOpen{Payee: w.addr(payee), Deposit: deposit, WindowMS: 5_000, ExpiryMS: w.clock().CTimeMS + 200_000, MaxLanes: 2})
	w.ids[name] = r.Events[0].IDs[0]
	return w.ids[name]
}

// voucher signs the next total of a lane.
func (w *moneyWorld) voucher(payer string, ch, offer ID, cum fixed.Amount, nonce uint64) channel.SignedVoucher {
	return channel.Sign(w.keys[payer], w.env.ChainID, channel.Voucher{Channel: ch, Offer: offer, Nonce: nonce, Cum: cum, ExpiryMS: 1 << 40})
}

// serve answers n requests on a channel: the payer's vouchers grow and the
// operator writes receipts for the running epoch.
func (w *moneyWorld) serve(ch, offer ID, n int, attr ...receipt.Attr) {
	lane := [2]ID{ch, offer}
	price := mustMoney(w.prices[offer].Gross(1))
	book := w.book(offer, w.epoch())
	for range n {
		w.nonce[lane]++
		w.cum[lane] += price
		w.served[book] = append(w.served[book], receipt.Receipt{
			Offer: offer, Channel: ch, Nonce: w.nonce[lane], Cum: w.cum[lane], ReqCommit: ID{1}, RespCommit: ID{2}, Units: 1,
			Gross: price, TimeMS: w.timeMS, Rule: receipt.Rule, Attr: attr, Model: ID{0x0d},
		})
	}
}

func (w *moneyWorld) book(offer ID, epoch uint64) string { return fmt.Sprintf("%v/%d", offer, epoch) }

// redeem redeems all that was served on a lane.
func (w *moneyWorld) redeem(payer string, ch, offer ID) ledger.Receipt {
	w.t.Helper()
	lane := [2]ID{ch, offer}
	return w.do("op", &tx.ChannelRedeem{Vouchers: []channel.SignedVoucher{w.voucher(payer, ch, offer, w.cum[lane], w.nonce[lane])}})
}

// makeBook builds the operator's book of an epoch.
func (w *moneyWorld) makeBook(offer ID, epoch uint64) *receipt.Book {
	w.t.Helper()
	b, err := receipt.NewBook(w.served[w.book(offer, epoch)], w.prices[offer], econ.DefaultRates())
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// commitOf is the payload that commits to a book.
func commitOf(b *receipt.Book, offer ID, epoch uint64) *tx.EpochCommit {
	return &tx.EpochCommit{
		Epoch: epoch, Offer: offer, Rule: receipt.Rule, Bond: receipt.MinBond(fixed.Amount(b.ReceiptRoot.Sum)),
		ReceiptRoot: b.ReceiptRoot.Hash, ReceiptSum: fixed.Amount(b.ReceiptRoot.Sum), ReceiptCount: b.ReceiptRoot.Count,
		LineRoot: b.LineRoot.Hash, LineSum: fixed.Amount(b.LineRoot.Sum), LineCount: b.LineRoot.Count,
	}
}

// claimOf is the payload that claims a payee's lines.
func (w *moneyWorld) claimOf(b *receipt.Book, commit ID, payee keys.Address) *tx.ClaimEpoch {
	w.t.Helper()
	first, last, p, err := b.Claim(payee)
	if err != nil {
		w.t.Fatal(err)
	}
	return &tx.ClaimEpoch{Commit: commit, Payee: payee, First: first, Last: last, Proof: p}
}

// check recounts what must hold after every block: INV-01, INV-04, INV-06,
// INV-07, INV-15 and INV-16.
func (w *moneyWorld) check() {
	w.t.Helper()
	if sum := mustMoney(state.Recount(w.v)); sum != state.Total {
		w.t.Fatalf("INV-01: supply is %d", sum)
	}
	due := map[string]bool{}
	allLanes := uint64(0)
	var locked, pending, pools, bonds fixed.Amount
	for _, e := range mustMoney(state.ListChannels(w.v, nil, 1_000)) {
		var lanes, redeemed = uint64(0), fixed.Amount(0)
		for _, kv := range mustMoney(w.v.Scan(state.LaneKey(e.ID, ID{})[:34], nil, 1_000)) {
			var l channel.Lane
			if err := enc.Decode(kv.Value, &l); err != nil {
				w.t.Fatal(err)
			}
			lanes, redeemed = lanes+1, redeemed+l.Redeemed
		}
		if c := e.Value; redeemed != c.Paid || c.Paid > c.Deposit || lanes != c.Lanes || lanes > c.MaxLanes {
			w.t.Fatalf("INV-04: %+v with %d lanes that redeemed %d", c, lanes, redeemed)
		}
		allLanes += lanes
		locked += e.Value.Locked()
		due[string(state.DueKey(state.DueCTime, e.Value.EndMS(), state.DueChannel, e.ID[:]))] = true
	}
	if n := len(mustMoney(w.v.Scan(state.LaneKey(ID{}, ID{})[:2], nil, 1_000))); uint64(n) != allLanes {
		w.t.Fatalf("INV-04: %d lanes in state, %d in channels", n, allLanes)
	}
	for _, kv := range mustMoney(w.v.Scan(state.PendingKey(keys.Address{}, 0, ID{})[:2], nil, 1_000)) {
		var p receipt.Pending
		if err := enc.Decode(kv.Value, &p); err != nil {
			w.t.Fatal(err)
		}
		var sum fixed.Amount
		for _, x := range p.Parts {
			sum += x.Amount
		}
		if sum != p.Total {
			w.t.Fatalf("INV-07: %+v", p)
		}
		pending += p.Total
		if p.DueEpoch != 0 {
			due[string(state.DueKey(state.DueEpoch, p.DueEpoch, state.DuePending, kv.Key[2:]))] = true
		}
	}
	for _, e := range mustMoney(state.ListCommits(w.v, nil, 1_000)) {
		c := e.Value
		if uint64(c.Claimed) > c.Lines.Sum || (c.Status == receipt.Settled) != (c.DueEpoch == 0) {
			w.t.Fatalf("INV-06: %+v", c)
		}
		if c.Status == receipt.Settled {
			pools += fixed.Amount(c.Lines.Sum) - c.Claimed
			continue
		}
		bonds += c.Bond
		due[string(state.DueKey(state.DueEpoch, c.DueEpoch, state.DueCommit, e.ID[:]))] = true
		if p, err := state.GetPending(w.v, c.Operator, c.Epoch, c.Offer); err != nil || c.Receipts.Sum > uint64(p.Total) {
			w.t.Fatalf("INV-07: %+v %v", c, err)
		}
	}
	for _, m := range []struct {
		a    keys.Address
		want fixed.Amount
	}{{state.Channels, locked}, {state.Pending, pending}, {state.Pools, pools}, {state.Bonds, bonds}} {
		if got := w.free(m.a); got != m.want {
			w.t.Fatalf("%s holds %d, its objects %d", state.ModuleName(m.a), got, m.want)
		}
	}
	w.checkQueue(due)
}

// checkQueue verifies INV-15, both ways, and INV-16.
func (w *moneyWorld) checkQueue(due map[string]bool) {
	w.t.Helper()
	var queue []merkle.KV
	for _, clock := range state.DueClocks {
		queue = append(queue, mustMoney(w.v.Scan(state.DuePrefix(clock), nil, 1_000))...)
	}
	for _, kv := range queue {
		if !due[string(kv.Key)] {
			w.t.Fatalf("INV-15: entry %x without object", kv.Key)
		}
	}
	if len(queue) != len(due) {
		w.t.Fatalf("INV-15: %d entries for %d objects", len(queue), len(due))
	}
	for _, kv := range mustMoney(w.v.Scan(state.SummaryKey(0)[:2], nil, 1_000)) {
		var s econ.Summary
		if err := enc.Decode(kv.Value, &s); err != nil || s.Check() != nil {
			w.t.Fatalf("INV-16: %+v %v", s, err)
		}
	}
}
