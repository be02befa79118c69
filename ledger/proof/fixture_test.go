// SPDX-License-Identifier: Apache-2.0

package proof

import (
	"testing"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger/econ"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
)

// world is a tiny ledger: four validators, one offer with a settled epoch of
// receipts, and a header that certifies the state.
type world struct {
	chainID  [32]byte
	set      *valset.Set
	voters   map[keys.PublicKey]keys.PrivateKey
	nodes    map[string][]byte
	flat     map[string][]byte
	root     merkle.StateRoot
	anchor   Anchor
	operator keys.PrivateKey
	offer    state.ID
	model    state.ID
	price    econ.Price
	signed   []receipt.SignedReceipt
	book     *receipt.Book
	commit   receipt.Commit
	commitID state.ID
}

// Node implements merkle.NodeReader.
func (w *world) Node(key []byte) ([]byte, error) { return w.nodes[string(key)], nil }

func owner(i byte) keys.Address { return keys.Address{0: i} }

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{
		chainID: [32]byte{0x11}, voters: map[keys.PublicKey]keys.PrivateKey{}, nodes: map[string][]byte{}, flat: map[string][]byte{},
		operator: keys.FromSeed([32]byte{7}), offer: state.ID{0x0f}, model: state.ID{0x0d}, commitID: state.ID{0xec},
		price: econ.Price{Ask: 20_000, Royalty: 10_000},
	}
	w.makeSet(t)
	w.makeBook(t)
	op := keys.SingleAuth(w.operator.Public()).Address()
	w.commit = receipt.Commit{
		Operator: op, Epoch: 3, Offer: w.offer, Model: w.model, Trainer: owner(9), Price: w.price, Rates: econ.DefaultRates(),
		Receipts: w.book.ReceiptRoot, Lines: w.book.LineRoot, Rule: receipt.Rule, Bond: 10_000, Status: receipt.Settled,
	}
	w.flat[string(state.CommitKey(w.commitID))] = enc.Encode(w.commit)
	w.flat[string(state.OfferKey(w.offer))] = enc.Encode(state.Offer{Operator: op, Model: w.model, Ask: w.price.Ask})
	w.flat[string(state.ModelKey(w.model))] = enc.Encode(state.Model{Owner: owner(9), Weights: content.Sum(nil), Royalty: w.price.Royalty})
	w.flat[string(state.ParamsKey())] = enc.Encode(state.LocalParams())
	for i := range byte(20) {
		w.flat[string(state.AccountKey(owner(i)))] = enc.Encode(state.Account{Free: fixed.Amount(i)})
	}
	w.seal(t)
	return w
}

func (w *world) makeSet(t testing.TB) {
	var entries []valset.Entry
	for i := range byte(4) {
		k := keys.FromSeed([32]byte{0x40, i})
		w.voters[k.Public()] = k
		entries = append(entries, valset.Entry{Address: owner(0xf0 + i), Key: k.Public(), Power: 1})
	}
	var err error
	if w.set, err = valset.New(1, entries); err != nil {
		t.Fatal(err)
	}
}

func (w *world) makeBook(t testing.TB) {
	var list []receipt.Receipt
	for i := range uint64(5) {
		r := receipt.Receipt{
			Offer: w.offer, Channel: state.ID{0xc0}, Nonce: i + 1, Cum: 30_000 * fixed.Amount(i+1), ReqCommit: state.ID{1}, RespCommit: state.ID{2},
			Units: 1, Gross: 30_000, TimeMS: 1_000 + i, Rule: receipt.Rule, Model: w.model,
			Attr: []receipt.Attr{{Owner: owner(1), Weight: 1 << 38}, {Owner: owner(2), Weight: 1 << 39}, {Owner: owner(3), Weight: 1 << 37}},
		}
		if i == 2 {
			r.Attr = r.Attr[:1]
		}
		list = append(list, r)
		w.signed = append(w.signed, receipt.Sign(w.operator, w.chainID, r))
	}
	var err error
	if w.book, err = receipt.NewBook(list, w.price, econ.DefaultRates()); err != nil {
		t.Fatal(err)
	}
}

// seal builds the state tree and lets the validators sign a header over it.
func (w *world) seal(t testing.TB) {
	var writes []merkle.KV
	for k, v := range w.flat {
		writes = append(writes, merkle.KV{Key: []byte(k), Value: v})
	}
	root, nodes, _, err := merkle.Update(w, merkle.StateRoot{}, 1, writes)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		w.nodes[string(n.Key)] = n.Value
	}
	w.root = root
	h := header.Header{
		Version: header.Version, ChainID: w.chainID, Epoch: 1, View: 9, ParentView: 8, Height: 8, TimeMS: 5_000,
		StateRoot: root.Hash, SetHash: w.set.Hash(), NextSet: []byte{}, VRF: []byte{},
	}
	child := h
	child.Parent, child.View, child.ParentView, child.Height, child.TimeMS = h.Hash(), 10, 9, 9, 5_001
	w.anchor = NewAnchor(h, cert.FinalityProof{Finalization: w.finalize(child), Headers: []header.Header{child}}, w.set)
}

// finalize signs h with three of the four validators.
func (w *world) finalize(h header.Header) cert.Certificate {
	hash := h.Hash()
	c := cert.Certificate{Kind: cert.Finalization, Epoch: 1, View: h.View, Block: hash[:], Signers: []byte{0b1011}}
	msg := cert.SignBytes(w.chainID, cert.Finalize, 1, h.View, hash[:])
	for _, i := range []int{0, 1, 3} {
		sig := w.voters[w.set.Key(i)].Sign(msg)
		c.Sigs = append(c.Sigs, sig[:]...)
	}
	return c
}

// prove proves a key of the state, present or absent.
func (w *world) prove(t testing.TB, key []byte) merkle.StateProof {
	t.Helper()
	p, err := merkle.ProveState(w, w.root, key, w.flat[string(key)])
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// trust is what a reader knows.
func (w *world) trust() Trust {
	return Trust{ChainID: w.chainID, Header: w.anchor.Header.Hash(), Set: w.set.Hash()}
}

func (w *world) why(t testing.TB, payee keys.Address) Why {
	t.Helper()
	y, err := NewWhy(w.anchor, w.prove(t, state.CommitKey(w.commitID)), w.book, w.signed, payee)
	if err != nil {
		t.Fatal(err)
	}
	return y
}

func (w *world) receipt(t testing.TB, i int) Receipt {
	t.Helper()
	return NewReceipt(w.chainID, w.signed[i], &Terms{
		Anchor: w.anchor, Offer: w.prove(t, state.OfferKey(w.offer)), Model: w.prove(t, state.ModelKey(w.model)), Params: w.prove(t, state.ParamsKey()),
	})
}
