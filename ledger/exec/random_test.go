// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/poa/program"
)

// chooser picks a number in [0, n); rapid and the fuzzer each bring one.
type chooser func(n int) int

// gen makes random transactions over the objects of a world. Most pick an object
// of the right kind and someone who may act on it; the rest pick anything.
type gen struct {
	w       *world
	pick    chooser
	objects map[tx.Kind][]ID // by the kind that created them
	payers  map[ID]int       // of channels
	cums    map[ID]fixed.Amount
}

func newGen(w *world, pick chooser) *gen {
	return &gen{w: w, pick: pick, payers: map[ID]int{}, cums: map[ID]fixed.Amount{}, objects: map[tx.Kind][]ID{
		tx.KindDatanetCreate:   {w.net, w.closedNet},
		tx.KindTrainDescriptor: {w.trained, w.job, w.adapted, w.posted, w.claimed},
		tx.KindModelManifest:   {w.model, w.base, w.tuned},
		tx.KindOfferPost:       {w.offer},
	}}
}

// object picks an object of kind k, the newest most often, sometimes another.
func (g *gen) object(k tx.Kind) ID {
	list := g.objects[k]
	switch {
	case g.pick(16) == 0:
		return []ID{g.w.model, g.w.posted, rootOf("none"), {}}[g.pick(4)]
	case len(list) == 0:
		return rootOf("none")
	case g.pick(3) == 0:
		return list[g.pick(len(list))]
	}
	return list[len(list)-1-g.pick(min(3, len(list)))]
}

func (g *gen) person() int { return g.pick(people) }

// number is the person behind an address, or anyone.
func (g *gen) number(a keys.Address) int {
	for n := range people {
		if addr(n) == a {
			return n
		}
	}
	return g.person()
}

// amount is small, round, near a limit or absurd.
func (g *gen) amount() fixed.Amount {
	switch g.pick(6) {
	case 0:
		return 0
	case 1:
		return fixed.Amount(1 + g.pick(5_000))
	case 2, 3:
		return fixed.OPEN * fixed.Amount(1+g.pick(20))
	case 4:
		return rich * fixed.Amount(g.pick(3))
	}
	return ^fixed.Amount(0) - fixed.Amount(g.pick(3))
}

func (g *gen) address() keys.Address {
	if g.pick(12) == 0 {
		return state.Modules[g.pick(len(state.Modules))].Address
	}
	return addr(g.person())
}

func (g *gen) window() uint64 { return []uint64{1_000, 1_500, 4_000, 60_000}[g.pick(4)] }

// payload makes a payload of a random kind and says who sends it.
func (g *gen) payload() (int, tx.Payload) {
	switch g.pick(4) {
	case 0:
		return g.work()
	case 1:
		return g.money()
	case 2:
		return g.stakes()
	}
	return g.data()
}

// data makes a payload about accounts, data and models.
func (g *gen) data() (int, tx.Payload) {
	w, who := g.w, g.person()
	switch []tx.Kind{tx.KindTransfer, tx.KindFaucetDrip, tx.KindDatanetCreate, tx.KindDatasetUpload, tx.KindComputeRegister,
		tx.KindOfferPost, tx.KindModelManifest, tx.KindModelManifest, tx.KindAttributionCommit}[g.pick(9)] {
	case tx.KindTransfer:
		return who, &tx.Transfer{To: g.address(), Amount: g.amount()}
	case tx.KindFaucetDrip:
		return who, &tx.FaucetDrip{To: g.address()}
	case tx.KindDatanetCreate:
		return who, &tx.DatanetCreate{Name: string(rune('a' + g.pick(20))), Terms: []ID{w.ccby}, StakeBase: g.amount()}
	case tx.KindDatasetUpload:
		p := w.upload(string(rune('a' + g.pick(20))))
		p.Datanet, p.Stake = g.object(tx.KindDatanetCreate), g.amount()
		p.Features *= uint64(g.pick(2))
		return who, p
	case tx.KindComputeRegister:
		return who, &tx.ComputeRegister{DeviceClass: "cpu", PeerID: []byte{1}, Bond: g.amount()}
	case tx.KindOfferPost:
		return who, &tx.OfferPost{Model: []ID{w.model, w.model, w.model, w.base}[g.pick(4)], Ask: g.amount(), ValidUntil: startMS + uint64(g.pick(100_000))}
	case tx.KindModelManifest:
		p := w.manifest()
		p.Task, p.Stake = g.object(tx.KindTrainDescriptor), g.amount()
		if g.pick(3) == 0 {
			p = w.manifestOf([]ID{p.Task, {}}[g.pick(2)])
			p.Stake = fixed.OPEN * fixed.Amount(g.pick(6))
		}
		if t, err := state.GetTask(w.view, p.Task); err == nil && t.Output != nil && g.pick(4) > 0 {
			who, p.WeightsRoot = g.number(t.Spec.Requester), t.Output.Verdict.OutputRoot
		}
		return who, p
	}
	p := w.attribution()
	p.Bond, p.Owners = g.amount(), uint64(g.pick(2))
	return requester, p
}

// work makes a payload about tasks, the one that the state of a task asks for
// more often than another.
func (g *gen) work() (int, tx.Payload) {
	w := g.w
	id := g.object(tx.KindTrainDescriptor)
	t, err := state.GetTask(w.view, id)
	said := tx.CheckReveal{Task: id, Root: rootOf("run"), OutputRoot: []ID{rootOf("out"), rootOf("lie")}[g.pick(2)], Salt: rootOf("salt")}
	what := task.State(g.pick(5))
	who := g.person()
	if err == nil && g.pick(8) > 0 && !t.State.Final() {
		what = t.State
		switch {
		case what == task.Assigned:
			who = g.number(*t.Operator)
		case len(t.Checkers) > 0:
			who = g.number(t.Checkers[g.pick(len(t.Checkers))].Account)
		}
	}
	switch what {
	case task.Posted:
		return op1 + g.pick(4), &tx.TaskClaim{Task: id}
	case task.Assigned:
		p := w.commit(id, []uint64{8, 4, 5, 1}[g.pick(4)])
		p.OutputRoot = said.OutputRoot
		return who, p
	case task.Committed:
		return who, &tx.CheckCommit{Task: id, Hash: tx.CheckHash(id, addr(who), said.Root, said.OutputRoot, said.Salt)}
	case task.Revealing:
		return who, &said
	}
	p := w.train()
	if g.pick(2) == 0 {
		p = w.attribute()
		p.Attribute.K = uint64(1 + g.pick(program.MaxK))
	}
	if g.pick(3) == 0 {
		p = []*tx.TrainDescriptor{w.learn(), w.adapt(), w.evaluate(), w.answer(), w.table()}[g.pick(5)]
		if p.Model != (ID{}) && g.pick(2) == 0 {
			p.Model = g.object(tx.KindModelManifest)
		}
	}
	p.Price, p.CheckFee = g.amount(), g.amount()
	p.ClaimMS, p.WorkMS, p.CheckMS, p.RevealMS = g.window(), g.window(), g.window(), g.window()
	return who, p
}

// money makes a payload about channels and settlement.
func (g *gen) money() (int, tx.Payload) {
	w := g.w
	ch := g.object(tx.KindChannelOpen)
	who := g.person()
	switch g.pick(8) {
	case 0, 1:
		return who, &tx.ChannelOpen{Payee: addr(op1), Deposit: g.amount(), WindowMS: g.window(),
			ExpiryMS: w.clock().CTimeMS + uint64(g.pick(100_000)), MaxLanes: uint64(1 + g.pick(3))}
	case 2, 3, 4:
		payer := who
		if n, ok := g.payers[ch]; ok && g.pick(8) > 0 {
			payer = n
		}
		g.cums[ch] += fixed.Amount(g.pick(9)) * 6_000
		v := channel.Voucher{Channel: ch, Offer: w.offer, Nonce: uint64(g.cums[ch]), Cum: max(1, g.cums[ch]), ExpiryMS: w.clock().CTimeMS + uint64(1+g.pick(3))*50_000}
		return who, &tx.ChannelRedeem{Vouchers: []channel.SignedVoucher{channel.Sign(key(payer), w.env.ChainID, v)}}
	case 5:
		return []int{who, g.payers[ch], op1}[g.pick(3)], &tx.ChannelClose{Channel: ch}
	}
	epoch := w.clock().Epoch - min(w.clock().Epoch, uint64(g.pick(3)))
	count := uint64(1 + g.pick(3))
	return op1, &tx.EpochCommit{Epoch: epoch, Offer: w.offer, ReceiptRoot: rootOf("receipts"), ReceiptSum: fixed.Amount(6_000 * count), ReceiptCount: count,
		LineRoot: rootOf("lines"), LineSum: fixed.Amount(g.pick(600)) * fixed.Amount(count), LineCount: count, Rule: receipt.Rule, Bond: fixed.OPEN}
}

// validator is a person who may be one, most often of a few, or a founder.
func (g *gen) validator() keys.Address {
	if g.pick(4) == 0 {
		return addr(leaderNo + g.pick(3))
	}
	return addr(g.pick(5))
}

// held is how many shares a delegator has, or part of them, or too many.
func (g *gen) held(v keys.Address, n int) uint64 {
	d, _ := state.GetDelegation(g.w.view, v, addr(n))
	switch g.pick(4) {
	case 0:
		return d.Shares + uint64(g.pick(2))
	case 1:
		return uint64(g.amount())
	}
	return d.Shares / uint64(1+g.pick(4))
}

// stakes makes a payload about validators and their pools.
func (g *gen) stakes() (int, tx.Payload) {
	w, who, v := g.w, g.person(), g.validator()
	switch g.pick(11) {
	case 0:
		who = g.pick(5)
		return who, tx.NewValidatorRegister(w.env.ChainID, addr(who), key(300+who+g.pick(2)), uint64(g.pick(2_100)), g.amount())
	case 1:
		return g.pick(5), &tx.ValidatorEdit{Commission: uint64(g.pick(2_100))}
	case 2:
		return g.pick(5), &tx.Unjail{}
	case 3, 4:
		return g.pick(5), &tx.ValidatorReady{Epoch: w.clock().Epoch + uint64(g.pick(8)/7), Protocol: 1}
	case 5:
		return who, &tx.Unstake{Validator: v, Shares: g.held(v, who)}
	case 6:
		return who, &tx.Redelegate{From: v, To: g.validator(), Shares: g.held(v, who)}
	case 7:
		return who, &tx.RewardClaim{Validator: v}
	}
	return who, &tx.Stake{Validator: v, Amount: g.amount()}
}

// step applies a block of up to n random transactions.
func (g *gen) step(t testing.TB, n int) Result {
	w := g.w
	var txs []tx.Verified
	for range g.pick(n + 1) {
		who, p := g.payload()
		if p.Check() != nil {
			continue
		}
		v := w.sign(who, p)
		txs = append(txs, v)
		id := tx.ObjectID(v.ID(), p.Kind(), 0)
		g.objects[p.Kind()] = append(g.objects[p.Kind()], id)
		if p.Kind() == tx.KindChannelOpen {
			g.payers[id] = who
		}
	}
	res := w.blockAfter(uint64(1+g.pick(4_000)), txs...)
	w.resync()
	for _, r := range res.Receipts {
		if r.Code == tx.TxInvariant || r.Code.Text() == "no error" && r.Code != tx.OK {
			t.Fatalf("receipt %+v", r)
		}
	}
	return res
}

// resync takes the nonces from the state, since refused transactions do not
// always count.
func (w *world) resync() {
	for n := range people {
		a, err := state.GetAccount(w.view, addr(n))
		if err != nil {
			w.t.Fatal(err)
		}
		w.nonces[n] = a.Nonce
	}
}

// TestTST03RandomTransactionsKeepEveryInvariant runs random blocks; the harness
// audits the state after each and executes each twice.
func TestTST03RandomTransactionsKeepEveryInvariant(t *testing.T) {
	base := newWorld(t)
	rapid.Check(t, func(rt *rapid.T) {
		w := base.fork(t)
		g := newGen(w, func(n int) int { return rapid.IntRange(0, n-1).Draw(rt, "n") })
		for range rapid.IntRange(1, 12).Draw(rt, "blocks") {
			g.step(t, 12)
		}
	})
}

// FuzzApply feeds arbitrary choices to the same generator: no panic, no broken
// invariant.
func FuzzApply(f *testing.F) {
	base := newWorld(f)
	for _, seed := range []string{"", "transfer", "\x05\x02\x07\x01\x00\x09\x03\x03\x08\x01\x04\x02\x06\x05\x00\x11"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 400 {
			return
		}
		w := base.fork(t)
		g := newGen(w, func(n int) int {
			if len(data) == 0 {
				return 0
			}
			b := int(data[0])
			data = data[1:]
			return b % n
		})
		for len(data) > 0 {
			g.step(t, 6)
		}
	})
}

// FuzzApplyPayload applies arbitrary canonical payload bytes, signed by someone
// who may act, on a world with one of everything.
func FuzzApplyPayload(f *testing.F) {
	base := newWorld(f)
	for _, p := range []tx.Payload{
		&tx.Transfer{To: addr(1), Amount: 1}, base.upload("new"), base.train(), base.attribute(), base.attribution(),
		base.learn(), base.adapt(), base.evaluate(), base.table(), base.imported(), base.uploadText("new"),
		&tx.TaskClaim{Task: base.posted}, base.commit(base.claimed, 8), &tx.ChannelClose{Channel: base.model},
		&tx.ChannelOpen{Payee: addr(op1), Deposit: 5, WindowMS: 1_000, ExpiryMS: startMS + 50_000, MaxLanes: 1},
	} {
		s := tx.Sign(base.env.ChainID, tx.Body{Nonce: base.nonces[requester], MaxFee: fixed.OPEN, ValidUntil: 150, Payload: p}, key(requester))
		f.Add(s.Encode())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := tx.Decode(raw)
		if err != nil || s.Body.Payload.Check() != nil {
			return
		}
		s = tx.Sign(base.env.ChainID, s.Body, key(requester))
		v, err := tx.Verify(base.env.ChainID, s)
		if err != nil {
			return
		}
		w := base.fork(t)
		w.block(v)
	})
}

// TestTST02IndependentTransfersCommute permutes transfers of different people.
func TestTST02IndependentTransfersCommute(t *testing.T) {
	c := newChain(t)
	var txs []tx.Verified
	for n := range people {
		txs = append(txs, c.sign(n, &tx.Transfer{To: addr(200 + n), Amount: fixed.Amount(n + 1)}))
	}
	b := blockInfo{Height: 1, TimeMS: startMS + 1}
	want, err := c.try(b, txs)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		got, err := c.try(b, rapid.Permutation(txs).Draw(rt, "order"))
		if err != nil {
			rt.Fatal(err)
		}
		got.Receipts, want.Receipts = nil, nil
		if !sameResult(got, want) {
			rt.Fatal("another order gives another state")
		}
	})
}

// TestEXE01CheckAgreesWithApply: what Check admits, Apply charges, and what it
// refuses, Apply refuses with the same code.
func TestEXE01CheckAgreesWithApply(t *testing.T) {
	c := newChain(t)
	rapid.Check(t, func(rt *rapid.T) {
		b := tx.Body{
			Nonce:      rapid.Uint64Range(0, 2).Draw(rt, "nonce"),
			MaxFee:     fixed.Amount(rapid.Uint64Range(1, 8_000).Draw(rt, "max_fee")),
			ValidUntil: rapid.SampledFrom([]uint64{0, 1, 2, 10_001, 10_002}).Draw(rt, "valid_until"),
			Payload:    &tx.Transfer{To: addr(1), Amount: 1},
		}
		v := c.signBody(rapid.SampledFrom([]int{0, 300}).Draw(rt, "who"), b)
		res, err := c.try(blockInfo{Height: 1, TimeMS: startMS + 1}, []tx.Verified{v})
		if err != nil {
			rt.Fatal(err)
		}
		if got, want := tx.CodeOf(Check(c.view, c.env, v)), res.Receipts[0].Code; got != want {
			rt.Fatalf("Check says %v, Apply %v", got.String(), want.String())
		}
	})
}
