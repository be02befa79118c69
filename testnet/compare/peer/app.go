// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/exec"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/mempool"
	"github.com/openledger/openledger/node/store"
)

// syncEvery is how many blocks with transactions lie between two syncs of the
// state, as in our node.
const syncEvery = 64

// App is the ledger behind CometBFT's application interface. CometBFT calls it
// from several connections at once.
type App struct {
	abci.BaseApplication
	env   exec.Env
	store *store.Store

	mu   sync.Mutex
	seen map[string]tx.Verified // by signed bytes: verified, not yet in a block

	height   atomic.Int64 // of CometBFT, which counts empty blocks too
	next     *store.Batch // what Commit will write
	done     []tx.Verified
	unsynced int
}

// OpenApp opens or makes the ledger's database in dir.
func OpenApp(dir string, doc genesis.Doc) (*App, error) {
	s, err := store.Open(dir, store.Options{})
	if err != nil {
		return nil, err
	}
	a := &App{env: exec.Env{ChainID: doc.ChainID()}, store: s, seen: map[string]tx.Verified{}}
	if _, ok := s.Head(); !ok {
		return a, a.writeGenesis(doc)
	}
	head, _ := s.Head()
	body, err := s.Body(head.Height)
	if err != nil || len(body) != 8 {
		return nil, errors.Join(err, fmt.Errorf("height of the last block: %x", body))
	}
	a.height.Store(int64(binary.BigEndian.Uint64(body)))
	return a, nil
}

// Close closes the database.
func (a *App) Close() error { return a.store.Close() }

type noNodes struct{}

// Node implements merkle.NodeReader for the empty tree.
func (noNodes) Node([]byte) ([]byte, error) { return nil, store.ErrNotFound }

func (a *App) writeGenesis(doc genesis.Doc) error {
	writes := doc.Writes()
	root, nodes, stale, err := merkle.Update(noNodes{}, merkle.StateRoot{}, 0, writes)
	if err != nil {
		return err
	}
	return a.store.Commit(store.Batch{Body: make([]byte, 8), Writes: writes, Nodes: nodes, Stale: stale, Root: root})
}

func (a *App) view() (*store.View, error) {
	head, _ := a.store.Head()
	return a.store.View(head.Height)
}

func (a *App) appHash() []byte {
	head, _ := a.store.Head()
	return head.Root.Hash[:]
}

// Info implements abci.Application.
func (a *App) Info(context.Context, *abci.RequestInfo) (*abci.ResponseInfo, error) {
	return &abci.ResponseInfo{LastBlockHeight: a.height.Load(), LastBlockAppHash: a.appHash()}, nil
}

// InitChain implements abci.Application.
func (a *App) InitChain(context.Context, *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
	return &abci.ResponseInitChain{AppHash: a.appHash()}, nil
}

// Query implements abci.Application: the data is an address, the answer its nonce.
func (a *App) Query(_ context.Context, r *abci.RequestQuery) (*abci.ResponseQuery, error) {
	v, err := a.view()
	if err != nil {
		return nil, err
	}
	if len(r.Data) != len(keys.Address{}) {
		return &abci.ResponseQuery{Code: 1, Log: "not an address"}, nil
	}
	acc, err := state.GetAccount(v, keys.Address(r.Data))
	return &abci.ResponseQuery{Value: binary.BigEndian.AppendUint64(nil, acc.Nonce)}, err
}

// Lookup implements ledger.Cache.
func (a *App) Lookup(raw []byte) (tx.Verified, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	v, ok := a.seen[string(raw)]
	return v, ok
}

func (a *App) keep(list ...tx.Verified) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, v := range list {
		a.seen[string(v.Bytes())] = v
	}
}

// CheckTx implements abci.Application: signature and state, as our mempool; a
// nonce may wait for earlier ones.
func (a *App) CheckTx(_ context.Context, r *abci.RequestCheckTx) (*abci.ResponseCheckTx, error) {
	v, ok := a.Lookup(r.Tx)
	if !ok {
		s, err := tx.Decode(r.Tx)
		if err == nil {
			v, err = tx.Verify(a.env.ChainID, s)
		}
		if err != nil {
			return refusal(err), nil
		}
	}
	view, err := a.view()
	if err != nil {
		return nil, err
	}
	if err := exec.Check(view, a.env, v); err != nil {
		acc, e := state.GetAccount(view, v.Body().Sender)
		if e != nil || !errors.Is(err, tx.TxNonceGap) || v.Body().Nonce-acc.Nonce >= mempool.NonceWindow {
			return refusal(errors.Join(err, e)), nil
		}
	}
	if !ok {
		a.keep(v)
	}
	return &abci.ResponseCheckTx{GasWanted: 1}, nil
}

func refusal(err error) *abci.ResponseCheckTx {
	return &abci.ResponseCheckTx{Code: 1, Log: err.Error()}
}

// ProcessProposal implements abci.Application: everything is verified before a
// vote, signatures that are new in one batch.
func (a *App) ProcessProposal(_ context.Context, r *abci.RequestProcessProposal) (*abci.ResponseProcessProposal, error) {
	list, err := ledger.VerifyTxs(a.env.ChainID, r.Txs, a)
	if err != nil {
		return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_REJECT}, nil
	}
	a.keep(list...)
	return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_ACCEPT}, nil
}

// FinalizeBlock implements abci.Application.
func (a *App) FinalizeBlock(_ context.Context, r *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	a.next, a.done = nil, nil
	a.height.Store(r.Height - 1)
	if len(r.Txs) == 0 {
		return &abci.ResponseFinalizeBlock{AppHash: a.appHash()}, nil
	}
	view, err := a.view()
	if err != nil {
		return nil, err
	}
	list, err := ledger.VerifyTxs(a.env.ChainID, r.Txs, a)
	if err != nil {
		return nil, err
	}
	out, err := exec.Simulate(view, a.env, uint64(r.Time.UnixMilli()), list)
	if err != nil {
		return nil, err
	}
	head := view.Head()
	root, nodes, stale, err := merkle.Update(view, head.Root, head.Height+1, out.Writes)
	if err != nil {
		return nil, err
	}
	a.done = list
	a.next = &store.Batch{Height: head.Height + 1, Body: binary.BigEndian.AppendUint64(nil, uint64(r.Height)), Writes: out.Writes, Nodes: nodes, Stale: stale, Root: root}
	copy(a.next.HeaderHash[:], r.Hash)
	results := make([]*abci.ExecTxResult, len(list))
	receipts := out.Receipts[len(out.Receipts)-len(list):]
	for i := range results {
		results[i] = &abci.ExecTxResult{Code: uint32(receipts[i].Code)}
	}
	return &abci.ResponseFinalizeBlock{TxResults: results, AppHash: root.Hash[:]}, nil
}

// Commit implements abci.Application.
func (a *App) Commit(context.Context, *abci.RequestCommit) (*abci.ResponseCommit, error) {
	defer a.height.Add(1) // executed: a watcher may see it
	if a.next == nil {
		return &abci.ResponseCommit{}, nil
	}
	if err := a.store.Commit(*a.next); err != nil {
		return nil, err
	}
	a.mu.Lock()
	for _, v := range a.done {
		delete(a.seen, string(v.Bytes()))
	}
	a.mu.Unlock()
	if a.unsynced++; a.unsynced >= syncEvery {
		a.unsynced = 0
		return &abci.ResponseCommit{}, a.store.Sync()
	}
	return &abci.ResponseCommit{}, nil
}
