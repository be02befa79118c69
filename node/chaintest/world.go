// SPDX-License-Identifier: Apache-2.0

package chaintest

import (
	"slices"
	"testing"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/node/store"
)

// Rich is the balance of each account in the genesis.
const Rich = 1_000 * fixed.OPEN

// GenesisMS is the genesis time of worlds that set no other, in Unix milliseconds.
const GenesisMS = 1_700_000_000_000

// World is one network's genesis with all its keys. It is for one goroutine.
type World struct {
	T      testing.TB
	Doc    genesis.Doc
	ID     [32]byte // of the chain
	Set    *valset.Set
	Votes  []keys.PrivateKey // vote keys in set order
	People []keys.PrivateKey // of accounts with Rich each
	// Signers are who signs certificates, by set index; nil: everybody.
	Signers []int
	nonces  []uint64
}

func key(kind byte, i int) keys.PrivateKey {
	return keys.FromSeed([32]byte{kind, byte(i), byte(i >> 8)})
}

// New makes a world whose chain starts at GenesisMS.
func New(t testing.TB, validators, people int) *World { return NewAt(t, validators, people, GenesisMS) }

// NewAt makes a world whose chain starts at timeMS.
func NewAt(t testing.TB, validators, people int, timeMS uint64) *World {
	t.Helper()
	powers := make([]uint64, validators)
	for i := range powers {
		powers[i] = 1
	}
	return NewWeighted(t, powers, people, timeMS)
}

// NewWeighted makes a world whose validators have these powers.
func NewWeighted(t testing.TB, powers []uint64, people int, timeMS uint64) *World {
	t.Helper()
	return newWorld(t, powers, people, timeMS, false)
}

// NewKeyed is NewWeighted with BLS and VRF keys, for networks that run: blocks that
// the world itself makes carry no shares and no VRF.
func NewKeyed(t testing.TB, powers []uint64, people int, timeMS uint64) *World {
	t.Helper()
	return newWorld(t, powers, people, timeMS, true)
}

func newWorld(t testing.TB, powers []uint64, people int, timeMS uint64, keyed bool) *World {
	t.Helper()
	w := &World{T: t, nonces: make([]uint64, people)}
	cfg := genesis.LocalConfig{TimeMS: timeMS}
	if !keyed {
		cfg.Network = genesis.Unkeyed
	}
	byKey := map[keys.PublicKey]keys.PrivateKey{}
	for i, power := range powers {
		vote := key(1, i)
		byKey[vote.Public()] = vote
		m := genesis.Member{Address: Address(key(2, i)), VoteKey: vote.Public(), Power: power}
		if keyed {
			m = genesis.Validator(m.Address, vote, power)
		}
		cfg.Validators = append(cfg.Validators, m)
		cfg.Accounts = append(cfg.Accounts, genesis.Alloc{Address: Address(key(2, i)), Amount: Rich})
	}
	for i := range people {
		w.People = append(w.People, key(3, i))
		cfg.Accounts = append(cfg.Accounts, genesis.Alloc{Address: w.Address(i), Amount: Rich})
	}
	var err error
	if w.Doc, err = genesis.Local(cfg); err != nil {
		t.Fatal(err)
	}
	w.ID = w.Doc.ChainID()
	if w.Set, err = w.Doc.ValidatorSet(); err != nil {
		t.Fatal(err)
	}
	for i := range powers {
		w.Votes = append(w.Votes, byKey[w.Set.Key(i)])
	}
	return w
}

// Operator is the account key of the validator with a set index.
func (w *World) Operator(index int) keys.PrivateKey {
	for i := range w.Votes {
		if k := key(2, i); Address(k) == w.Set.Entry(index).Address {
			return k
		}
	}
	w.T.Fatalf("no validator %d", index)
	return keys.PrivateKey{}
}

// Address is the account that a key speaks for.
func Address(k keys.PrivateKey) keys.Address { return keys.SingleAuth(k.Public()).Address() }

// Address is the account of a person.
func (w *World) Address(i int) keys.Address { return Address(w.People[i]) }

// Transfer signs a transfer with the sender's next nonce.
func (w *World) Transfer(from, to int, amount fixed.Amount) tx.Verified {
	w.T.Helper()
	n := w.nonces[from]
	w.nonces[from]++
	return w.Sign(from, tx.Body{Nonce: n, Payload: &tx.Transfer{To: w.Address(to), Amount: amount}})
}

// Sign completes and signs a body; a zero MaxFee or ValidUntil gets a generous
// value.
func (w *World) Sign(from int, b tx.Body) tx.Verified {
	w.T.Helper()
	if b.MaxFee == 0 {
		b.MaxFee = fixed.OPEN / 1_000
	}
	if b.ValidUntil == 0 {
		b.ValidUntil = 5_000
	}
	v, err := tx.Verify(w.ID, tx.Sign(w.ID, b, w.People[from]))
	if err != nil {
		w.T.Fatal(err)
	}
	return v
}

// Open binds the genesis to a store.
func (w *World) Open(s *store.Store) *chain.Chain {
	w.T.Helper()
	c, err := chain.Open(s, w.Doc)
	if err != nil {
		w.T.Fatal(err)
	}
	return c
}

// Parent is what a new block stands on.
type Parent struct {
	Header header.Header
	Roots  chain.Outcome
}

// Head is c's committed head as a parent.
func (w *World) Head(c *chain.Chain) Parent {
	w.T.Helper()
	h, _, err := c.Header(c.Head().Height)
	if err != nil {
		w.T.Fatal(err)
	}
	out, err := c.Outcome(h.Height)
	if err != nil {
		w.T.Fatal(err)
	}
	return Parent{*h, out}
}

// Child makes the block of a view on a parent, in one batch of the view's
// validator, justified by certificates. It has no certificate itself yet.
func (w *World) Child(p Parent, view uint64, txs ...tx.Verified) *chain.Block {
	w.T.Helper()
	return w.ChildOf(p, view, w.justify(&p.Header, view), txs...)
}

// ChildOf is Child with other leaves, lawful or not.
func (w *World) ChildOf(p Parent, view uint64, leaves [][]byte, txs ...tx.Verified) *chain.Block {
	w.T.Helper()
	b := ledger.Block{Header: w.header(p, view)}
	b.Header.Justification = merkle.Root(leaves)
	leader, epoch := b.Header.Leader, b.Header.Epoch
	if len(txs) > 0 {
		var raw [][]byte
		for _, t := range txs {
			raw = append(raw, t.Bytes())
		}
		batch := msg.NewBatch(w.ID, epoch, int(leader), view, raw, w.Votes[leader])
		b.Batches = []ledger.Batch{*batch}
		b.Header.PayloadRoot = header.PayloadRoot([][32]byte{batch.Digest(w.ID)})
		b.Header.Batches, b.Header.Txs = 1, uint64(len(txs))
	}
	block := w.check(b)
	block.Leaves = leaves
	return block
}

func (w *World) check(b ledger.Block) *chain.Block {
	w.T.Helper()
	v, err := ledger.Verify(w.ID, b, nil)
	if err != nil {
		w.T.Fatal(err)
	}
	return &chain.Block{Hash: b.Header.Hash(), Verified: v}
}

// justify makes the leaves of a block of a view on p. A seal is proved by its own
// Finalization here.
func (w *World) justify(p *header.Header, view uint64) [][]byte {
	leaves, epoch, low := [][]byte{{}}, p.Epoch, p.View
	switch {
	case p.Kind == header.KindSeal:
		proof := cert.FinalityProof{Finalization: *w.certify(cert.Finalize, p)}
		leaves[0], epoch, low = proof.Encode(), p.Epoch+1, 0
	case p.View > 0:
		leaves[0] = w.certify(cert.Notarize, p).Encode()
	}
	for v := low + 1; v < view; v++ {
		leaves = append(leaves, w.join(cert.Nullify, epoch, v, nil).Encode())
	}
	return leaves
}

// header is that of an empty block of a view on a parent. The set stays what it is,
// in every epoch.
func (w *World) header(p Parent, view uint64) header.Header {
	h := header.Header{
		Version: header.Version, ChainID: w.ID, Epoch: p.Header.Epoch, View: view, Height: p.Header.Height + 1,
		TimeMS: p.Header.TimeMS + 100, Parent: p.Header.Hash(), ParentView: p.Header.View, Justification: merkle.Root(nil),
		Leader: view % uint64(w.Set.Len()), PayloadRoot: header.PayloadRoot(nil), StateRoot: p.Roots.State, ReceiptsRoot: p.Roots.Receipts,
		SetHash: p.Header.SetHash, Beacon: p.Header.Beacon, CertifiedMS: p.Header.CertifiedMS,
	}
	if p.Header.Kind == header.KindSeal {
		h.Epoch, h.ParentView, h.SetHash = h.Epoch+1, 0, [32]byte(p.Header.NextSet)
	}
	return h
}

// Seal makes the last block of the epoch on c's head, final by the n-th carrier
// above it; n = 0: by itself.
func (w *World) Seal(c *chain.Chain, n int) *chain.Block {
	w.T.Helper()
	p := w.Head(c)
	return w.SealAt(c, p.Header.View+1, n)
}

// SealAt is Seal in a view.
func (w *World) SealAt(c *chain.Chain, view uint64, n int) *chain.Block {
	w.T.Helper()
	p := w.Head(c)
	h := w.header(p, view)
	leaves := w.justify(&p.Header, view)
	h.Kind, h.NextSet, h.Justification = header.KindSeal, p.Roots.NextSet[:], merkle.Root(leaves)
	b := w.check(ledger.Block{Header: h})
	b.Leaves = leaves
	for range n {
		up := w.header(Parent{h, chain.Outcome{Roots: chain.Roots{State: h.StateRoot, Receipts: h.ReceiptsRoot}}}, h.View+1)
		up.Kind, up.Height, up.Epoch, up.ParentView, up.SetHash = header.KindCarrier, h.Height, h.Epoch, h.View, h.SetHash
		leaf := [][]byte{w.certify(cert.Notarize, &h).Encode()}
		up.Justification, b.Leaves = merkle.Root(leaf), append(b.Leaves, leaf...)
		b.Carriers, h = append(b.Carriers, up), up
	}
	b.Finalization = w.certify(cert.Finalize, &h)
	return b
}

// Finalize signs a block's finalization with the votes of all Signers.
func (w *World) Finalize(b *chain.Block) *cert.Certificate { return w.Certify(cert.Finalize, b) }

// Certify joins the votes of all Signers for a block.
func (w *World) Certify(kind cert.Kind, b *chain.Block) *cert.Certificate {
	return w.certify(kind, b.Header())
}

func (w *World) certify(kind cert.Kind, h *header.Header) *cert.Certificate {
	hash := h.Hash()
	return w.join(kind, h.Epoch, h.View, hash[:])
}

func (w *World) join(kind cert.Kind, epoch, view uint64, block []byte) *cert.Certificate {
	var t msg.Tally
	var last *msg.Vote
	for i, k := range w.Votes {
		if w.Signers != nil && !slices.Contains(w.Signers, i) {
			continue
		}
		last = msg.SignVote(w.ID, kind, epoch, view, block, i, k)
		t.Add(last, w.Set.Len(), w.Set.Power(i))
	}
	return t.Certificate(last)
}

// Final makes the next block on c's head with its own finalization.
func (w *World) Final(c *chain.Chain, txs ...tx.Verified) *chain.Block {
	w.T.Helper()
	p := w.Head(c)
	view := p.Header.View + 1
	if p.Header.Kind == header.KindSeal {
		view = 1
	}
	b := w.Child(p, view, txs...)
	b.Finalization = w.Finalize(b)
	return b
}

// Grow commits blocks of one transfer each, and an empty one after each.
func (w *World) Grow(c *chain.Chain, blocks int) {
	w.T.Helper()
	for i := range blocks {
		var txs []tx.Verified
		if i%2 == 0 {
			txs = append(txs, w.Transfer(0, 1, 1))
		}
		if _, err := c.Commit(w.Final(c, txs...)); err != nil {
			w.T.Fatal(err)
		}
	}
}
