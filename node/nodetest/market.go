// SPDX-License-Identifier: Apache-2.0

package nodetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openledger/openledger/gpu/model"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/publish"
	"github.com/openledger/openledger/poa/program"
)

// Prices of the test market, in base units.
const (
	Ask     fixed.Amount = 20_000
	Royalty fixed.Amount = 10_000
	Price                = Ask + Royalty
	Deposit              = 100 * Price
)

// LifeMS is how long channel and offer of the test market last.
const LifeMS = 600_000

// Market is a model with an open offer of the operator, and a channel of the
// user to him.
type Market struct {
	Model, Offer, Channel tx.ID
	Contributors          []keys.Address // owners of the datasets
}

// Market builds a market: two contributors with four rows each, a model with
// untrained weights, an offer and a channel.
func (l *Ledger) Market(t testing.TB) Market {
	t.Helper()
	m := Market{Model: tx.ID{0x0d}, Contributors: []keys.Address{Account(Key(20)), Account(Key(21))}}
	terms := genesis.CCBY4().ID()
	rec := state.Model{Owner: Account(l.Owner), Name: "toy", Task: tx.ID{0x7a}, Terms: terms, Royalty: Royalty, AttrMethod: program.KNN, K: 2}
	for i, owner := range m.Contributors {
		var rows strings.Builder
		for r := range 4 {
			fmt.Fprintf(&rows, "%d,%d,%d\n", 10*i+r, 3*r, i)
		}
		rec.Datasets = append(rec.Datasets, l.dataset(t, byte(i+1), owner, rows.String()))
	}
	rec.Validation = l.dataset(t, 9, m.Contributors[0], "1,1,0\n12,1,1\n")
	w := model.Init(model.Arch{Model: program.Softmax, Features: 2, Classes: 2, Scale: 16}, 1)
	blob := w.Encode()
	rec.Weights, rec.WeightsRoot, rec.Bytes = l.PutBlob(blob), w.Root(), uint64(len(blob))
	l.Put(state.ModelKey(m.Model), rec)
	l.Put(state.OperatorKey(Account(l.Operator)), state.Operator{DeviceClass: "cpu", PeerID: []byte{1}})
	m.Offer = l.must(t, l.Operator, &tx.OfferPost{Model: m.Model, Ask: Ask, ValidUntil: StartMS + LifeMS})
	m.Channel = l.OpenChannel(t, Deposit)
	return m
}

// OpenChannel opens one more channel of the user to the operator.
func (l *Ledger) OpenChannel(t testing.TB, deposit fixed.Amount) tx.ID {
	t.Helper()
	return l.must(t, l.User, &tx.ChannelOpen{Payee: Account(l.Operator), Deposit: deposit, WindowMS: 20_000, ExpiryMS: StartMS + LifeMS, MaxLanes: 4})
}

// must sends a transaction that makes an object.
func (l *Ledger) must(t testing.TB, key keys.PrivateKey, payload tx.Payload) tx.ID {
	t.Helper()
	l.Clock.Advance(1)
	id, err := l.Block(&key, payload)
	if err != nil {
		t.Fatal(err)
	}
	return tx.ObjectID(id, payload.Kind(), 0)
}

// dataset registers rows under an id of the given first byte.
func (l *Ledger) dataset(t testing.TB, id byte, owner keys.Address, csv string) tx.ID {
	t.Helper()
	in, err := publish.Prepare("rows.csv", []byte(csv), publish.Input{Name: "rows", Terms: genesis.CCBY4().ID(), Owner: owner})
	if err != nil {
		t.Fatal(err)
	}
	l.PutBlob([]byte(csv))
	l.Put(state.DatasetKey(tx.ID{id}), state.Dataset{Owner: owner, Name: in.Name, Content: in.Content, RowRoot: in.RowRoot, Manifest: in.CID(),
		Rows: in.Rows, Features: in.Features, Bytes: in.Bytes, Terms: in.Terms, CreatedMS: uint64(id), Height: uint64(id)})
	return tx.ID{id}
}

// Voucher is the user's n-th promise in a channel: cum base units for an offer.
func (l *Ledger) Voucher(ch, offer tx.ID, nonce uint64, cum fixed.Amount) channel.SignedVoucher {
	return channel.Sign(l.User, l.ChainID, channel.Voucher{Channel: channel.ID(ch), Offer: channel.ID(offer), Nonce: nonce, Cum: cum, ExpiryMS: StartMS + LifeMS})
}
