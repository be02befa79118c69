// SPDX-License-Identifier: Apache-2.0

package nodetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/exec"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/clock"
	"github.com/openledger/openledger/node/store"
	"github.com/openledger/openledger/node/worker"
)

// StartMS is the time of the genesis: the start of epoch 0.
const StartMS = 1_700_000_000_000

// Ledger is a chain of one-transaction blocks. It is safe for concurrent use.
type Ledger struct {
	Clock    *clock.Manual
	ChainID  [32]byte
	Operator keys.PrivateKey // has money
	User     keys.PrivateKey // has money
	Owner    keys.PrivateKey // of the model; has money

	mu       sync.Mutex
	now      view
	shared   bool // now was handed out and must not change
	height   uint64
	receipts map[uint64][]ledger.Receipt
	blobs    map[content.ID][]byte
}

// Account is the address of a key.
func Account(k keys.PrivateKey) keys.Address { return keys.SingleAuth(k.Public()).Address() }

// Key is the n-th key of the tests.
func Key(n byte) keys.PrivateKey { return keys.FromSeed([32]byte{0x7e, n}) }

// New returns a ledger with one validator and three rich accounts.
func New(t testing.TB) *Ledger {
	t.Helper()
	l := &Ledger{Clock: clock.NewManual(StartMS), Operator: Key(1), User: Key(2), Owner: Key(3),
		now: view{values: map[string][]byte{}}, receipts: map[uint64][]ledger.Receipt{}, blobs: map[content.ID][]byte{}}
	var accounts []genesis.Alloc
	for _, k := range []keys.PrivateKey{l.Operator, l.User, l.Owner} {
		accounts = append(accounts, genesis.Alloc{Address: Account(k), Amount: 1_000 * fixed.OPEN})
	}
	doc, err := genesis.Local(genesis.LocalConfig{Network: genesis.Unkeyed, TimeMS: StartMS, Accounts: accounts, // draws come at once
		Validators: []genesis.Member{{Address: Account(Key(9)), VoteKey: Key(9).Public(), Power: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	l.ChainID = doc.ChainID()
	l.apply(doc.Writes())
	return l
}

// apply changes the state.
func (l *Ledger) apply(writes []merkle.KV) {
	if l.shared && len(writes) > 0 {
		l.now, l.shared = view{keys: slices.Clone(l.now.keys), values: maps.Clone(l.now.values)}, false
	}
	for _, kv := range writes {
		at, found := slices.BinarySearchFunc(l.now.keys, kv.Key, bytes.Compare)
		switch {
		case kv.Value == nil && found:
			l.now.keys = slices.Delete(l.now.keys, at, at+1)
			delete(l.now.values, string(kv.Key))
		case kv.Value != nil:
			if !found {
				l.now.keys = slices.Insert(l.now.keys, at, kv.Key)
			}
			l.now.values[string(kv.Key)] = kv.Value
		}
	}
}

// Put stands a record in the state that no transaction made.
func (l *Ledger) Put(key []byte, rec any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.apply([]merkle.KV{{Key: key, Value: enc.Encode(rec)}})
}

// PutBlob makes content available to every node.
func (l *Ledger) PutBlob(b []byte) content.ID {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := content.Sum(b)
	l.blobs[id] = b
	return id
}

// view is one state.
type view struct {
	keys   [][]byte // ascending
	values map[string][]byte
}

// Get implements state.View.
func (v view) Get(key []byte) ([]byte, error) { return bytes.Clone(v.values[string(key)]), nil }

// Scan implements state.View.
func (v view) Scan(prefix, after []byte, limit int) (out []merkle.KV, err error) {
	from := prefix
	if bytes.Compare(after, prefix) > 0 {
		from = after
	}
	at, _ := slices.BinarySearchFunc(v.keys, from, bytes.Compare)
	for _, k := range v.keys[at:] {
		if !bytes.HasPrefix(k, prefix) || len(out) >= limit {
			break
		}
		if after == nil || bytes.Compare(k, after) > 0 {
			out = append(out, merkle.KV{Key: k, Value: v.values[string(k)]})
		}
	}
	return out, nil
}

// View is the state after the newest block; it does not change.
func (l *Ledger) View() state.View {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shared = true
	return l.now
}

// Block makes a block at the clock's time with at most one transaction. Errors:
// the *tx.Error of its receipt.
func (l *Ledger) Block(key *keys.PrivateKey, payload tx.Payload) (tx.ID, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.seal(); err != nil {
		return tx.ID{}, err
	}
	v := l.now
	var txs []tx.Verified
	var id tx.ID
	if key != nil {
		a, err := state.GetAccount(v, Account(*key))
		if err != nil {
			return id, err
		}
		b := tx.Body{Nonce: a.Nonce, MaxFee: fixed.OPEN, ValidUntil: l.height + 100, Payload: payload}
		one, err := tx.Verify(l.ChainID, tx.Sign(l.ChainID, b, *key))
		if err != nil {
			return id, err
		}
		id, txs = one.ID(), []tx.Verified{one}
	}
	res, err := exec.Simulate(v, exec.Env{ChainID: l.ChainID}, l.Clock.Wall(), txs)
	if err != nil {
		return id, err
	}
	l.apply(res.Writes)
	l.height++
	l.receipts[l.height] = res.Receipts
	if last := len(res.Receipts) - 1; key != nil && res.Receipts[last].Code != 0 {
		return id, tx.Errorf(res.Receipts[last].Code, "refused")
	}
	return id, nil
}

// seal makes the seal of the epoch if it is due.
func (l *Ledger) seal() error {
	clock, err1 := state.GetClock(l.now)
	params, err2 := state.GetParams(l.now)
	if err := errors.Join(err1, err2); err != nil || !clock.Due(params, l.Clock.Wall()) {
		return err
	}
	res, err := exec.SimulateSeal(l.now, exec.Env{ChainID: l.ChainID}, l.Clock.Wall())
	if err != nil {
		return err
	}
	l.apply(res.Writes)
	l.height++
	l.receipts[l.height] = res.Receipts
	return nil
}

// Tick advances the clock in steps of at most two seconds, each with a block, as
// a chain with a due-queue does.
func (l *Ledger) Tick(t testing.TB, ms uint64) {
	t.Helper()
	for ms > 0 {
		step := min(ms, 2_000)
		l.Clock.Advance(step)
		if _, err := l.Block(nil, nil); err != nil {
			t.Fatal(err)
		}
		ms -= step
	}
}

// Height is the newest block's.
func (l *Ledger) Height() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.height
}

// Receipts are those of a block.
func (l *Ledger) Receipts(height uint64) []ledger.Receipt {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.receipts[height]
}

// Free is an account's balance.
func (l *Ledger) Free(t testing.TB, a keys.Address) fixed.Amount {
	t.Helper()
	acc, err := state.GetAccount(l.View(), a)
	if err != nil {
		t.Fatal(err)
	}
	return acc.Free
}

// Services are those of one node: worker.Services over the ledger, with local
// records in memory that survive a restart of what uses them.
type Services struct {
	l     *Ledger
	key   keys.PrivateKey
	local *store.Local
	// Refuse, if set, is asked before a transaction is sent.
	Refuse func(tx.Payload) error
	// Cards, if set, lends devices.
	Cards func() worker.Card
	// Dir, if set, is where states of runs are saved.
	Dir string
}

// Services returns the services of a node with the given key.
func (l *Ledger) Services(key keys.PrivateKey) *Services {
	return &Services{l: l, key: key, local: store.OpenMemory().Local()}
}

// Operator implements worker.Services.
func (s *Services) Operator() keys.Address { return Account(s.key) }

// View implements worker.Services.
func (s *Services) View() (state.View, error) { return s.l.View(), nil }

// Content implements worker.Services.
func (s *Services) Content(_ context.Context, _ tx.ID, id content.ID, size uint64) ([]byte, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	b, ok := s.l.blobs[id]
	if !ok || uint64(len(b)) != size {
		return nil, fmt.Errorf("%w: content %v", errMissing, id)
	}
	return b, nil
}

var errMissing = errors.New("nobody has it")

// Keep implements worker.Services.
func (s *Services) Keep(b []byte) (content.ID, error) { return s.l.PutBlob(b), nil }

// Send implements worker.Services: one block, at once.
func (s *Services) Send(ctx context.Context, payload tx.Payload) error {
	if s.Refuse != nil {
		if err := s.Refuse(payload); err != nil {
			return err
		}
	}
	_, err := s.l.Block(&s.key, payload)
	return errors.Join(err, ctx.Err())
}

// Card implements worker.Services.
func (s *Services) Card(tx.ID) worker.Card {
	if s.Cards == nil {
		return nil
	}
	return s.Cards()
}

// Folder implements worker.Services.
func (s *Services) Folder() string { return s.Dir }

// Local implements worker.Services.
func (s *Services) Local() *store.Local { return s.local }
