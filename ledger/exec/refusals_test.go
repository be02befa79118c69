// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"testing"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// refusal is one way in which a transaction of a kind is refused. before prepares
// the world; make returns the payload, already broken.
type refusal struct {
	name   string
	person int
	before func(w *world)
	make   func(w *world) tx.Payload
	code   tx.Code
}

// refuse runs each case on a world of its own and checks that a refused
// transaction changes nothing but the sender's fee and nonce.
func refuse(t *testing.T, w *world, cases []refusal) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := w.fork(t)
			if c.before != nil {
				c.before(f)
			}
			v := f.sign(c.person, c.make(f))
			res := f.block(v)
			r := res.Receipts[len(res.Receipts)-1]
			if r.Code != c.code {
				t.Fatalf("got %q, want %q", r.Code.String(), c.code.String())
			}
			if len(r.Events) != 0 || r.Fee == 0 {
				t.Errorf("events %v, fee %d", r.Events, r.Fee)
			}
			if n := len(res.Writes); n > 4 { // sender, leader, burned, clock
				t.Errorf("%d writes", n)
			}
		})
	}
}

// poor leaves the stranger with enough for a fee and too little for a state
// deposit.
func poor(w *world) {
	w.fee = 10_000
	a := state.Account{Nonce: w.nonces[stranger], Free: w.fee}
	old := w.free(addr(stranger))
	rest := w.free(state.Reserve) + old - a.Free
	w.view.vals[string(state.AccountKey(addr(stranger)))] = encode(a)
	w.view.vals[string(state.AccountKey(state.Reserve))] = encode(state.Account{Free: rest})
}

func encode(v any) []byte { return enc.Encode(v) }

func TestTransferRefusals(t *testing.T) {
	refuse(t, newWorld(t), []refusal{
		{"more than the balance", owner, nil, func(w *world) tx.Payload {
			return &tx.Transfer{To: addr(1), Amount: 2 * rich}
		}, tx.TxFunds},
		{"to a module account", owner, nil, func(w *world) tx.Payload {
			return &tx.Transfer{To: state.Tasks, Amount: 1}
		}, tx.ObjOwner},
	})
}

func TestFaucetRefusals(t *testing.T) {
	off := func(w *world) {
		p, _ := state.GetParams(w.view)
		p.Faucet = false
		w.view.vals[string(state.ParamsKey())] = encode(p)
	}
	empty := func(w *world) {
		f := w.free(state.Faucet)
		w.view.vals[string(state.AccountKey(state.Faucet))] = encode(state.Account{})
		w.view.vals[string(state.AccountKey(state.Reserve))] = encode(state.Account{Free: w.free(state.Reserve) + f})
	}
	drip := func(w *world) tx.Payload { return &tx.FaucetDrip{To: addr(1)} }
	refuse(t, newWorld(t), []refusal{
		{"the network has no faucet", owner, off, drip, tx.TxPaused},
		{"the faucet is empty", owner, empty, drip, tx.TxFunds},
		{"twice in one epoch", owner, func(w *world) { w.do(stranger, &tx.FaucetDrip{To: addr(1)}) }, drip, tx.ObjLimit},
		{"to a module account", owner, nil, func(w *world) tx.Payload { return &tx.FaucetDrip{To: state.Items} }, tx.ObjOwner},
	})
}

func TestDatanetCreateRefusals(t *testing.T) {
	create := func(w *world) *tx.DatanetCreate {
		return &tx.DatanetCreate{Name: "new", Terms: []ID{w.ccby}, StakeBase: 1}
	}
	refuse(t, newWorld(t), []refusal{
		{"a name that is used", owner, nil, func(w *world) tx.Payload {
			p := create(w)
			p.Name = "open"
			return p
		}, tx.ObjExists},
		{"terms that do not exist", owner, nil, func(w *world) tx.Payload {
			p := create(w)
			p.Terms = []ID{rootOf("no terms")}
			return p
		}, tx.LicTerms},
		{"no money for the state deposit", stranger, poor, func(w *world) tx.Payload { return create(w) }, tx.ObjDeposit},
	})
}

func TestDatasetUploadRefusals(t *testing.T) {
	edit := func(f func(w *world, p *tx.DatasetUpload)) func(w *world) tx.Payload {
		return func(w *world) tx.Payload {
			p := w.upload("fresh")
			f(w, p)
			return p
		}
	}
	refuse(t, newWorld(t), []refusal{
		{"an unknown Datanet", owner, nil, edit(func(w *world, p *tx.DatasetUpload) { p.Datanet = rootOf("none") }), tx.ObjUnknown},
		{"terms that the Datanet does not allow", owner, nil, edit(func(w *world, p *tx.DatasetUpload) { p.Terms = w.closed }), tx.LicTerms},
		{"a stake below the Datanet's base", owner, nil, edit(func(w *world, p *tx.DatasetUpload) { p.Stake = 2*fixed.OPEN - 1 }), tx.DatStakeLow},
		{"bytes that are registered", stranger, nil, edit(func(w *world, p *tx.DatasetUpload) { p.Content = content.Sum([]byte("data")) }), tx.DatDuplicate},
		{"rows that are registered", stranger, nil, edit(func(w *world, p *tx.DatasetUpload) { p.RowRoot = rootOf("data") }), tx.DatDuplicate},
		{"no money for the stake", stranger, nil, edit(func(w *world, p *tx.DatasetUpload) { p.Stake = 2 * rich }), tx.TxFunds},
		{"no money for the state deposit", stranger, poor, edit(func(w *world, p *tx.DatasetUpload) {}), tx.ObjDeposit},
	})
}

func TestComputeRegisterRefusals(t *testing.T) {
	register := func(bond fixed.Amount) func(w *world) tx.Payload {
		return func(w *world) tx.Payload {
			return &tx.ComputeRegister{DeviceClass: "cpu", PeerID: []byte{1}, Bond: bond}
		}
	}
	full := func(w *world) {
		p, _ := state.GetParams(w.view)
		p.MaxOperators = 4
		w.view.vals[string(state.ParamsKey())] = encode(p)
	}
	refuse(t, newWorld(t), []refusal{
		{"a second time", op1, nil, register(fixed.OPEN), tx.ObjExists},
		{"a bond below the minimum", stranger, nil, register(fixed.OPEN - 1), tx.StkBondLow},
		{"too many operators", stranger, full, register(fixed.OPEN), tx.ObjLimit},
		{"no money for the bond", stranger, nil, register(2 * rich), tx.TxFunds},
		{"no money for the state deposit", stranger, poor, register(fixed.OPEN), tx.ObjDeposit},
	})
}

func TestOfferPostRefusals(t *testing.T) {
	offer := func(f func(w *world, p *tx.OfferPost)) func(w *world) tx.Payload {
		return func(w *world) tx.Payload {
			p := &tx.OfferPost{Model: w.model, Ask: 1, ValidUntil: 2 * startMS}
			f(w, p)
			return p
		}
	}
	none := func(*world, *tx.OfferPost) {}
	lock := func(w *world) {
		m, _ := state.GetModel(w.view, w.model)
		m.Terms = w.closed
		w.view.vals[string(state.ModelKey(w.model))] = encode(m)
	}
	bare := func(w *world) {
		poor(w)
		w.view.write(kvs(state.OperatorKey(addr(stranger)), encode(state.Operator{})))
	}
	refuse(t, newWorld(t), []refusal{
		{"by someone who is no operator", stranger, nil, offer(none), tx.TskBond},
		{"of an unknown model", op1, nil, offer(func(w *world, p *tx.OfferPost) { p.Model = rootOf("none") }), tx.ObjUnknown},
		{"of a model from elsewhere", op1, nil, offer(func(w *world, p *tx.OfferPost) { p.Model = w.base }), tx.PoaNoMethod},
		{"of adapters", op1, nil, offer(func(w *world, p *tx.OfferPost) { p.Model = w.tuned }), tx.PoaNoMethod},
		{"of a model that may not be sold", op1, lock, offer(none), tx.LicPurpose},
		{"until a time that has passed", op1, nil, offer(func(w *world, p *tx.OfferPost) { p.ValidUntil = startMS }), tx.ObjWindowClosed},
		{"no money for the state deposit", stranger, bare, offer(none), tx.ObjDeposit},
	})
}
