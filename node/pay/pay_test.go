// SPDX-License-Identifier: Apache-2.0

package pay

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/node/serve"
	"github.com/openledger/openledger/rpc/api"
)

const price fixed.Amount = 100

var (
	user     = keys.FromSeed([32]byte{1})
	operator = keys.FromSeed([32]byte{2})
	chainID  = [32]byte{0x11}
	offer    = api.Hash{0x0f}
	chanID   = api.Hash{0xc0}
	errCut   = errors.New("the line was cut")
)

func account(k keys.PrivateKey) keys.Address { return keys.SingleAuth(k.Public()).Address() }

func served() api.Served {
	return api.Served{Offer: offer, Model: api.Hash{0x0d}, Operator: account(operator), Price: price, Features: 2}
}

// node is an operator and the ledger as the payer sees them.
type node struct {
	channels map[api.Hash]channel.Channel
	redeemed fixed.Amount
	given    map[uint64]api.InferAnswer // by nonce
	rows     map[uint64]string
	newest   *channel.SignedVoucher
	asked    []channel.Voucher

	busy   int        // how often it says so
	refuse *api.Error // before the voucher is taken
	cut    bool       // the reply is lost
	spoil  func(*receipt.Receipt, *api.InferAnswer)
}

func newNode() *node {
	return &node{channels: map[api.Hash]channel.Channel{chanID: {Payer: account(user), Payee: account(operator), Deposit: 1_000, ExpiryMS: 1_000_000, MaxLanes: 4}},
		given: map[uint64]api.InferAnswer{}, rows: map[uint64]string{}}
}

// InferRun implements Node.
func (n *node) InferRun(_ context.Context, p api.InferParams) (api.InferAnswer, error) {
	v := p.Voucher.Voucher
	n.asked = append(n.asked, v)
	if n.busy--; n.busy >= 0 {
		return api.InferAnswer{}, api.Busy("busy", 250)
	}
	if n.refuse != nil {
		return api.InferAnswer{}, n.refuse
	}
	row := make([]byte, len(p.Features))
	for i, f := range p.Features {
		row[i] = byte(f)
	}
	a, ok := n.given[v.Nonce]
	switch {
	case ok && n.rows[v.Nonce] != string(row):
		return a, api.Service("VOUCHER_SPENT", "spent", "sign a new one")
	case !ok && n.newest != nil && (v.Nonce <= n.newest.Voucher.Nonce || v.Cum < n.newest.Voucher.Cum+price):
		return a, api.Service("VOUCHER_OLD", "old", "sign a new one")
	case !ok:
		n.newest, n.rows[v.Nonce] = &p.Voucher, string(row)
		a = api.InferAnswer{Label: uint64(row[0]), Logits: []uint32{1, 2}, Salt: api.Hash{9}}
		r := receipt.Receipt{Offer: v.Offer, Channel: v.Channel, Nonce: v.Nonce, Cum: v.Cum, ReqCommit: serve.RequestCommit(a.Salt, row),
			RespCommit: serve.ResponseCommit(a.Salt, a.Label, a.Logits), Units: 1, Gross: price, Rule: receipt.Rule, Model: api.Hash{0x0d}}
		if n.spoil != nil {
			n.spoil(&r, &a)
		}
		a.Receipt = enc.Encode(receipt.Sign(operator, chainID, r))
		n.given[v.Nonce] = a
	}
	if n.cut {
		return api.InferAnswer{}, errCut
	}
	return a, nil
}

// ChannelGet implements Node.
func (n *node) ChannelGet(_ context.Context, p api.IDParams) (api.ChannelView, error) {
	c, ok := n.channels[p.ID]
	if !ok {
		return api.ChannelView{}, api.NotFound("channel")
	}
	l := api.LaneView{Offer: offer, Redeemed: n.redeemed, Newest: n.newest}
	return api.ChannelView{ID: p.ID, Value: c, Lanes: []api.LaneView{l}, CTimeMS: 1_000}, nil
}

// ChannelList implements Node.
func (n *node) ChannelList(context.Context, api.Page) (api.List[channel.Channel], error) {
	out := api.List[channel.Channel]{}
	for id, c := range n.channels {
		out.Items = append(out.Items, api.Item[channel.Channel]{ID: id, Value: c})
	}
	return out, nil
}

func open(t *testing.T, dir string, n *node) *Payer {
	t.Helper()
	p, err := Open(dir, chainID, user, n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// promised is the most that the user signed for.
func (n *node) promised() (top fixed.Amount) {
	for _, v := range n.asked {
		top = max(top, v.Cum)
	}
	return top
}

func TestEachAnswerCostsItsPrice(t *testing.T) {
	n := newNode()
	p := open(t, t.TempDir(), n)
	for i := range uint64(5) {
		a, err := p.Ask(t.Context(), chanID, served(), []byte{byte(i), 1})
		if err != nil || a.Label != i || a.Price != price || a.Receipt.Receipt.Nonce != i+1 || a.Receipt.Receipt.Cum != price*fixed.Amount(i+1) {
			t.Fatalf("answer %d: %+v, %v", i, a, err)
		}
	}
	if spent, ok := p.Spent(chanID); !ok || spent != 5*price || n.promised() != 5*price {
		t.Errorf("spent %d, promised %d", spent, n.promised())
	}
}

func TestALostReplyIsFetchedNotPaidAgain(t *testing.T) {
	n, dir := newNode(), t.TempDir()
	p := open(t, dir, n)
	n.cut = true
	if _, err := p.Ask(t.Context(), chanID, served(), []byte{1, 1}); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	n.cut = false
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p = open(t, dir, n) // another process
	a, err := p.Ask(t.Context(), chanID, served(), []byte{1, 1})
	if err != nil || a.Label != 1 || n.promised() != price {
		t.Fatalf("the same request: %+v, %v, promised %d", a, err, n.promised())
	}
	n.cut = true
	if _, err := p.Ask(t.Context(), chanID, served(), []byte{2, 1}); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	n.cut = false
	a, err = p.Ask(t.Context(), chanID, served(), []byte{3, 1})
	if err != nil || a.Label != 3 || a.Earlier == nil || a.Earlier.Label != 2 || n.promised() != 3*price {
		t.Fatalf("another request: %+v, %v, promised %d", a, err, n.promised())
	}
}

func TestARefusedVoucherPaysForTheNextRequest(t *testing.T) {
	n := newNode()
	p := open(t, t.TempDir(), n)
	n.refuse = api.Service("MODEL_LOADING", "loading", "wait")
	if _, err := p.Ask(t.Context(), chanID, served(), []byte{1, 1}); err == nil {
		t.Fatal("no error")
	}
	n.refuse = nil
	if _, err := p.Ask(t.Context(), chanID, served(), []byte{2, 1}); err != nil || n.promised() != price {
		t.Fatalf("%v, promised %d", err, n.promised())
	}
}

func TestABusyOperatorIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode()
		n.busy = 7
		p := open(t, t.TempDir(), n)
		start := time.Now()
		if _, err := p.Ask(t.Context(), chanID, served(), []byte{1, 1}); err != nil || n.promised() != price {
			t.Fatalf("%v, promised %d", err, n.promised())
		}
		if took := time.Since(start); took != 7*250*time.Millisecond {
			t.Errorf("waited %v", took)
		}
	})
}

func TestAnOperatorThatDoesNotAnswerIsPromisedOnePrice(t *testing.T) {
	n := newNode()
	p := open(t, t.TempDir(), n)
	n.refuse = api.Service("OPERATOR_UNREACHABLE", "gone", "wait")
	for i := range byte(5) {
		if _, err := p.Ask(t.Context(), chanID, served(), []byte{i, 1}); err == nil {
			t.Fatal("no error")
		}
	}
	if n.promised() != price {
		t.Errorf("promised %d", n.promised())
	}
}

func TestAHomeThatWasLostGoesOnWhereTheOperatorIs(t *testing.T) {
	n := newNode()
	p := open(t, t.TempDir(), n)
	for i := range byte(3) {
		if _, err := p.Ask(t.Context(), chanID, served(), []byte{i, 1}); err != nil {
			t.Fatal(err)
		}
	}
	p = open(t, t.TempDir(), n)
	if err := p.Add(t.Context(), chanID); err != nil {
		t.Fatal(err)
	}
	if a, err := p.Ask(t.Context(), chanID, served(), []byte{7, 1}); err != nil || a.Receipt.Receipt.Nonce != 4 || n.promised() != 4*price {
		t.Fatalf("%+v, %v, promised %d", a, err, n.promised())
	}
	stale := open(t, t.TempDir(), n) // its record says that nothing was paid
	a, err := stale.Ask(t.Context(), chanID, served(), []byte{8, 1})
	if err == nil {
		t.Fatalf("the first voucher again paid for %+v", a)
	}
	if a, err = stale.Ask(t.Context(), chanID, served(), []byte{8, 1}); err != nil || a.Receipt.Receipt.Nonce != 5 {
		t.Fatalf("then: %+v, %v", a, err)
	}
}

func TestAForgedVoucherTeachesNothing(t *testing.T) {
	n := newNode()
	forged := channel.Sign(operator, chainID, channel.Voucher{Channel: chanID, Offer: offer, Nonce: 50, Cum: 900, ExpiryMS: 9})
	n.newest = &forged
	p := open(t, t.TempDir(), n)
	if err := p.Add(t.Context(), chanID); err != nil {
		t.Fatal(err)
	}
	if spent, _ := p.Spent(chanID); spent != 0 {
		t.Errorf("spent %d", spent)
	}
}

func TestAnAnswerThatWasNotPaidForIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(*receipt.Receipt, *api.InferAnswer){
		"another label than the receipt's": func(_ *receipt.Receipt, a *api.InferAnswer) { a.Label++ },
		"another request":                  func(r *receipt.Receipt, _ *api.InferAnswer) { r.ReqCommit[0]++ },
		"another price":                    func(r *receipt.Receipt, _ *api.InferAnswer) { r.Gross-- },
		"another nonce":                    func(r *receipt.Receipt, _ *api.InferAnswer) { r.Nonce++ },
		"another model":                    func(r *receipt.Receipt, _ *api.InferAnswer) { r.Model[0]++ },
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode()
			n.spoil = spoil
			p := open(t, t.TempDir(), n)
			if _, err := p.Ask(t.Context(), chanID, served(), []byte{1, 1}); !errors.Is(err, ErrAnswer) {
				t.Fatalf("got %v", err)
			}
			if _, err := p.Ask(t.Context(), chanID, served(), []byte{2, 1}); !errors.Is(err, ErrAnswer) || n.promised() != price {
				t.Fatalf("then %v, promised %d", err, n.promised())
			}
		})
	}
	n, s := newNode(), served()
	p := open(t, t.TempDir(), n)
	s.Operator = account(user)
	if _, err := p.Ask(t.Context(), chanID, s, []byte{1, 1}); !errors.Is(err, ErrNoChannel) || len(n.asked) != 0 {
		t.Errorf("a channel to somebody else: %v", err)
	}
}

func TestTheDepositIsTheLimit(t *testing.T) {
	n := newNode()
	p := open(t, t.TempDir(), n)
	for i := range byte(10) {
		if _, err := p.Ask(t.Context(), chanID, served(), []byte{i, 1}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Ask(t.Context(), chanID, served(), []byte{11, 1}); !errors.Is(err, ErrNoChannel) || n.promised() != 1_000 {
		t.Errorf("%v, promised %d", err, n.promised())
	}
}

func TestFindTakesAChannelWithEnoughLeft(t *testing.T) {
	n := newNode()
	p := open(t, t.TempDir(), n)
	if id, err := p.Find(t.Context(), account(operator), 1_000); err != nil || id != chanID {
		t.Fatalf("%v, %v", id, err)
	}
	if _, err := p.Ask(t.Context(), chanID, served(), []byte{1, 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Find(t.Context(), account(operator), 901); !errors.Is(err, ErrNoChannel) {
		t.Errorf("too little left: %v", err)
	}
	if _, err := p.Find(t.Context(), account(user), 1); !errors.Is(err, ErrNoChannel) {
		t.Errorf("another payee: %v", err)
	}
	c := n.channels[chanID]
	c.ClosingMS = 5_000
	n.channels[chanID] = c
	if _, err := p.Find(t.Context(), account(operator), 1); !errors.Is(err, ErrNoChannel) {
		t.Errorf("a closing channel: %v", err)
	}
	delete(n.channels, chanID)
	if _, err := p.Find(t.Context(), account(operator), 1); !errors.Is(err, ErrNoChannel) {
		t.Errorf("a channel that has ended: %v", err)
	}
	if _, ok := p.Spent(chanID); ok {
		t.Error("the ended channel is still in the records")
	}
}

func TestOneProcessPays(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, newNode())
	if _, err := Open(dir, chainID, user, newNode()); !errors.Is(err, ErrInUse) {
		t.Errorf("got %v", err)
	}
}

func TestADamagedRecordIsNamed(t *testing.T) {
	for name, text := range map[string]string{"cut": `{"chain":`, "empty lane": `{"lanes":[null]}`, "no json": "x"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "a.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, chainID, user, newNode()); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzDecodePurse: no record panics.
func FuzzDecodePurse(f *testing.F) {
	f.Add([]byte(`{"chain":"0x` + "11" + `","lanes":[{"offer":"","nonce":1,"cum":"2"}]}`))
	f.Add([]byte(`{"lanes":[{"open":{"row":"AQ=="}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodePurse(b)
		if err != nil {
			return
		}
		p.learn(chainID, api.ChannelView{})
		_ = p.left(api.ChannelView{})
	})
}
