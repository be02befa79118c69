// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/econ"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/nodetest"
	"github.com/openledger/openledger/node/settle"
)

// world is a market whose operator serves.
type world struct {
	*nodetest.Ledger
	nodetest.Market
	s *nodetest.Services
	g *Gateway
}

func newWorld(t testing.TB) *world {
	t.Helper()
	l := nodetest.New(t)
	w := &world{Ledger: l, Market: l.Market(t)}
	w.s = l.Services(l.Operator)
	w.restart(t)
	return w
}

func (w *world) restart(t testing.TB) {
	t.Helper()
	till, err := settle.New(settle.Config{Services: w.s, ChainID: w.ChainID, Clock: w.Clock,
		Redeems: func(context.Context, uint64) ([]settle.Redeem, uint64, error) { return nil, 0, nil }})
	if err != nil {
		t.Fatal(err)
	}
	w.g = New(Config{Services: w.s, Till: till, Key: w.Operator, ChainID: w.ChainID, Clock: w.Clock})
	if err := w.g.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (w *world) voucher(n uint64) channel.SignedVoucher {
	return w.Voucher(w.Channel, w.Offer, n, fixed.Amount(n)*nodetest.Price)
}

func TestRCP01AnAnswerComesWithAReceiptThatAnyoneCanCheck(t *testing.T) {
	w := newWorld(t)
	row := []uint8{1, 2}
	a, err := w.g.Answer(t.Context(), w.voucher(1), row)
	if err != nil {
		t.Fatal(err)
	}
	r := a.Receipt.Receipt
	if err := a.Receipt.Verify(w.ChainID, nodetest.Account(w.Operator)); err != nil {
		t.Fatal(err)
	}
	if r.ReqCommit != RequestCommit(a.Salt, row) || r.RespCommit != ResponseCommit(a.Salt, a.Label, a.Logits) {
		t.Error("the commitments do not open")
	}
	want := receipt.Receipt{Offer: w.Offer, Channel: w.Channel, Nonce: 1, Cum: nodetest.Price, ReqCommit: r.ReqCommit, RespCommit: r.RespCommit,
		Units: 1, Gross: nodetest.Price, TimeMS: w.Clock.Wall(), Rule: receipt.Rule, Attr: r.Attr, Model: w.Model}
	if !slices.Equal(want.Encode(), r.Encode()) {
		t.Errorf("receipt %+v", r)
	}
	if _, _, err := r.Shares(econ.Price{Ask: nodetest.Ask, Royalty: nodetest.Royalty}, econ.DefaultRates()); err != nil {
		t.Error(err)
	}
}

// The toy model's data is separable, so an answer that agrees with the rows near
// it is credited to their owner, the first contributor for label 0 and the second
// for label 1.
func TestWhoseDataSpeaksForAnAnswer(t *testing.T) {
	w := newWorld(t)
	m := w.g.offers[w.Offer].model
	for _, c := range []struct {
		row   []uint8
		label uint64
	}{{[]uint8{1, 3}, 0}, {[]uint8{12, 6}, 1}} {
		out, attr, err := m.answer(c.row)
		if err != nil {
			t.Fatal(err)
		}
		var sum uint64
		for _, a := range attr {
			sum += a.Weight
		}
		agrees := out.Label == c.label
		if agrees && (sum != econ.TotalWeight || len(attr) != 1 || attr[0].Owner != w.Contributors[c.label]) {
			t.Errorf("row %v is labelled %d and credited to %+v", c.row, out.Label, attr)
		}
		if !agrees && slices.ContainsFunc(attr, func(a receipt.Attr) bool { return a.Owner == w.Contributors[c.label] }) {
			t.Errorf("row %v is labelled %d, but data that says %d is credited", c.row, out.Label, c.label)
		}
	}
}

func TestARequestSentAgainGetsTheSameReceiptAfterARestart(t *testing.T) {
	w := newWorld(t)
	first, err := w.g.Answer(t.Context(), w.voucher(1), []uint8{3, 4})
	if err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(5)
	w.restart(t)
	again, err := w.g.Answer(t.Context(), w.voucher(1), []uint8{3, 4})
	if err != nil || again.Receipt.Sig != first.Receipt.Sig || again.Salt != first.Salt {
		t.Fatalf("got %+v, %v", again, err)
	}
	if _, err := w.g.Answer(t.Context(), w.voucher(1), []uint8{3, 5}); !errors.Is(err, settle.ErrSpent) {
		t.Fatalf("another row for the same voucher: %v", err)
	}
}

func TestWhatIsRefusedCostsNoVoucher(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name string
		v    channel.SignedVoucher
		row  []uint8
		err  error
	}{
		{"a row that is too short", w.voucher(1), []uint8{1}, ErrRow},
		{"a row that is too long", w.voucher(1), []uint8{1, 2, 3}, ErrRow},
		{"an offer of somebody else", w.Voucher(w.Channel, tx.ID{1}, 1, nodetest.Price), []uint8{1, 2}, ErrNotServed},
		{"a voucher below the price", w.Voucher(w.Channel, w.Offer, 1, nodetest.Price-1), []uint8{1, 2}, settle.ErrPrice},
		{"a channel that does not exist", w.Voucher(tx.ID{2}, w.Offer, 1, nodetest.Price), []uint8{1, 2}, state.ErrUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := w.g.Answer(t.Context(), c.v, c.row); !errors.Is(err, c.err) {
				t.Fatalf("got %v, want %v", err, c.err)
			}
			if held, err := w.g.cfg.Till.Lanes(w.Channel); err != nil || len(held) != 0 {
				t.Fatalf("held %v, %v", held, err)
			}
		})
	}
	if _, err := w.g.Answer(t.Context(), w.voucher(1), []uint8{1, 2}); err != nil {
		t.Fatalf("the good request after them: %v", err)
	}
}

func TestOffersComeAndGo(t *testing.T) {
	w := newWorld(t)
	if !w.g.Serves(w.Offer) || w.g.Serves(tx.ID{1}) {
		t.Fatal("serves the wrong offers")
	}
	w.Tick(t, nodetest.LifeMS)
	if err := w.g.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w.g.Serves(w.Offer) {
		t.Error("serves an offer that has ended")
	}
}

func TestAModelThatCannotBeFetchedIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	rec, err := state.GetModel(w.View(), w.Model)
	if err != nil {
		t.Fatal(err)
	}
	good := rec.Bytes
	rec.Bytes++ // the content source has no such blob
	w.Put(state.ModelKey(w.Model), rec)
	w.g.offers = map[ID]*served{}
	if err := w.g.Load(t.Context()); err == nil {
		t.Fatal("no error")
	}
	if _, err := w.g.Answer(t.Context(), w.voucher(1), []uint8{1, 2}); !errors.Is(err, ErrLoading) {
		t.Fatalf("got %v", err)
	}
	rec.Bytes = good
	w.Put(state.ModelKey(w.Model), rec)
	if err := w.g.Load(t.Context()); err != nil || !w.g.Serves(w.Offer) {
		t.Fatalf("not served: %v", err)
	}
}

func TestWeightsOfAnotherModelAreNotServed(t *testing.T) {
	w := newWorld(t)
	rec, err := state.GetModel(w.View(), w.Model)
	if err != nil {
		t.Fatal(err)
	}
	rec.WeightsRoot[0]++
	w.Put(state.ModelKey(w.Model), rec)
	w.g.offers = map[ID]*served{}
	if err := w.g.Load(t.Context()); err == nil || w.g.Serves(w.Offer) {
		t.Fatalf("served: %v", err)
	}
}

// Many users at once: each channel's requests are answered in order, no voucher
// is counted twice.
func TestManyChannelsAtOnce(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	for range 4 {
		ch := w.OpenChannel(t, nodetest.Deposit)
		wg.Add(1)
		go func() {
			defer wg.Done()
			for n := range uint64(8) {
				v := w.Voucher(ch, w.Offer, n+1, fixed.Amount(n+1)*nodetest.Price)
				a, err := w.g.Answer(t.Context(), v, []uint8{uint8(n), 1})
				if err != nil || a.Receipt.Receipt.Nonce != n+1 {
					t.Errorf("answer %d: %+v, %v", n+1, a.Receipt, err)
					return
				}
			}
		}()
	}
	wg.Wait()
}

func TestAFullQueueRefusesAtOnce(t *testing.T) {
	w := newWorld(t)
	for range maxWaiting {
		w.g.queue <- struct{}{}
	}
	if _, err := w.g.Answer(t.Context(), w.voucher(1), []uint8{1, 2}); !errors.Is(err, ErrBusy) {
		t.Fatalf("got %v", err)
	}
}

func TestARequestThatWaitsEndsWithItsContext(t *testing.T) {
	w := newWorld(t)
	leave, err := w.g.cfg.Till.Enter(t.Context(), w.Channel)
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.g.Answer(ctx, w.voucher(1), []uint8{1, 2}); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

func TestOpenOffersListsEveryOperator(t *testing.T) {
	w := newWorld(t)
	w.Put(state.OfferKey(tx.ID{0xff}), state.Offer{Operator: keys.Address{1}, Model: w.Model, Ask: 1, ValidUntil: nodetest.StartMS + 1_000})
	list, err := OpenOffers(w.View(), w.Clock.Wall())
	if err != nil || len(list) != 2 {
		t.Fatalf("%v, %v", list, err)
	}
	list, err = OpenOffers(w.View(), w.Clock.Wall()+1_000)
	if err != nil || len(list) != 1 || list[0].ID != w.Offer {
		t.Fatalf("%v, %v", list, err)
	}
}
