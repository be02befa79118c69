// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"sync"
	"testing"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// memView is a state in memory: sorted keys and a map.
type memView struct {
	vals map[string][]byte
	keys []string // ascending
}

func newMemView(writes []merkle.KV) *memView {
	v := &memView{vals: map[string][]byte{}}
	v.write(writes)
	return v
}

func (v *memView) write(writes []merkle.KV) {
	for _, kv := range writes {
		k := string(kv.Key)
		_, had := v.vals[k]
		at, _ := slices.BinarySearch(v.keys, k)
		switch {
		case kv.Value == nil && had:
			delete(v.vals, k)
			v.keys = slices.Delete(v.keys, at, at+1)
		case kv.Value != nil:
			v.vals[k] = kv.Value
			if !had {
				v.keys = slices.Insert(v.keys, at, k)
			}
		}
	}
}

func (v *memView) clone() *memView {
	c := &memView{vals: make(map[string][]byte, len(v.vals)), keys: slices.Clone(v.keys)}
	for k, b := range v.vals {
		c.vals[k] = b
	}
	return c
}

func (v *memView) Get(key []byte) ([]byte, error) { return v.vals[string(key)], nil }

func (v *memView) Scan(prefix, after []byte, limit int) ([]merkle.KV, error) {
	from := string(prefix)
	if after != nil && string(after) >= from {
		from = string(after) + "\x00"
	}
	at, _ := slices.BinarySearch(v.keys, from)
	var out []merkle.KV
	for ; at < len(v.keys) && len(out) < limit; at++ {
		if !bytes.HasPrefix([]byte(v.keys[at]), prefix) {
			break
		}
		out = append(out, merkle.KV{Key: []byte(v.keys[at]), Value: v.vals[v.keys[at]]})
	}
	return out, nil
}

// key returns the test key of a number; people are numbered from 0.
func key(n int) keys.PrivateKey {
	var seed [32]byte
	seed[0], seed[1], seed[31] = byte(n), byte(n>>8), 0xa5
	return keys.FromSeed(seed)
}

func addr(n int) keys.Address { return keys.SingleAuth(key(n).Public()).Address() }

const (
	startMS  = 4_000_000_000_000_000 // larger than any amount in a test
	tickMS   = 500
	people   = 12
	rich     = 1_000_000 * fixed.OPEN
	leaderNo = 100 // number of the first validator's key
)

// chain drives Apply block by block and checks after each that two runs agree
// and that no money came or went.
type chain struct {
	t    testing.TB
	env  Env
	view *memView
	time uint64
	fee  fixed.Amount // max_fee of sign
	tip  uint64       // of sign
	// nonces by person, counted as transactions are made
	nonces map[int]uint64
	seen   func(ledger.Event) // told of every event, if set
}

func newChain(t testing.TB, change ...func(*genesis.Doc)) *chain {
	t.Helper()
	cfg := genesis.LocalConfig{Network: genesis.Unkeyed, TimeMS: startMS}
	for n := range 2 {
		cfg.Validators = append(cfg.Validators, genesis.Member{Address: addr(leaderNo + n), VoteKey: key(leaderNo + n).Public(), Power: uint64(2 - n)})
	}
	return startChain(t, cfg, change...)
}

// newKeyedChain has four validators of 10 OPEN with all keys: draws wait for their
// seeds.
func newKeyedChain(t testing.TB, change ...func(*genesis.Doc)) *chain {
	t.Helper()
	return startChain(t, genesis.LocalConfig{TimeMS: startMS, Validators: keyed()}, change...)
}

// keyed are the members of newKeyedChain.
var keyed = sync.OnceValue(func() (out []genesis.Member) {
	for n := range 4 {
		out = append(out, genesis.Validator(addr(leaderNo+n), key(leaderNo+n), 10))
	}
	return out
})

func startChain(t testing.TB, cfg genesis.LocalConfig, change ...func(*genesis.Doc)) *chain {
	t.Helper()
	for n := range people {
		cfg.Accounts = append(cfg.Accounts, genesis.Alloc{Address: addr(n), Amount: rich})
	}
	d, err := genesis.Local(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(&d)
	}
	if err := d.Check(); err != nil {
		t.Fatal(err)
	}
	return &chain{t: t, env: Env{ChainID: d.ChainID()}, view: newMemView(d.Writes()), time: d.TimeMS, fee: fixed.OPEN, nonces: map[int]uint64{}}
}

// sign makes the next transaction of a person with plenty of fee.
func (c *chain) sign(n int, p tx.Payload) tx.Verified {
	c.t.Helper()
	nonce := c.nonces[n]
	c.nonces[n]++
	return c.signBody(n, tx.Body{Nonce: nonce, MaxFee: c.fee, Tip: fixed.Amount(c.tip), ValidUntil: c.height() + 100, Payload: p})
}

func (c *chain) signBody(n int, b tx.Body) tx.Verified {
	c.t.Helper()
	s, err := tx.Decode(tx.Sign(c.env.ChainID, b, key(n)).Encode())
	if err != nil {
		c.t.Fatalf("%T: %v", b.Payload, err)
	}
	v, err := tx.Verify(c.env.ChainID, s)
	if err != nil {
		c.t.Fatalf("%T: %v", b.Payload, err)
	}
	return v
}

func (c *chain) clock() state.Clock {
	c.t.Helper()
	clock, err := state.GetClock(c.view)
	if err != nil {
		c.t.Fatal(err)
	}
	return clock
}

func (c *chain) height() uint64 { return c.clock().Height }

// block applies one block tickMS later, after the seal of the epoch if that is
// due.
func (c *chain) block(txs ...tx.Verified) Result { return c.blockAfter(tickMS, txs...) }

func (c *chain) blockAfter(ms uint64, txs ...tx.Verified) Result {
	c.t.Helper()
	c.time += ms
	if p, err := state.GetParams(c.view); err != nil {
		c.t.Fatal(err)
	} else if c.clock().Due(p, c.time) {
		seal := c.apply(blockInfo{Seal: true}, nil)
		if len(txs) == 0 {
			return seal
		}
		c.time++
		res := c.apply(blockInfo{}, txs)
		res.Receipts = append(seal.Receipts, res.Receipts...)
		return res
	}
	return c.apply(blockInfo{}, txs)
}

// apply applies one block at c.time; the rest of b is filled in.
func (c *chain) apply(b blockInfo, txs []tx.Verified) Result {
	c.t.Helper()
	clock := c.clock()
	b.Height, b.TimeMS, b.Epoch = clock.Height+1, c.time, clock.Epoch
	if b.Beacon == ([32]byte{}) {
		b.Beacon = sha256.Sum256(c.env.ChainID[:]) // R_genesis
	}
	res, err := c.try(b, txs)
	if err != nil {
		c.t.Fatal(err)
	}
	c.view.write(res.Writes)
	if err := Audit(c.view); err != nil {
		c.t.Fatal(err)
	}
	for _, r := range res.Receipts {
		for _, e := range r.Events {
			if c.seen != nil {
				c.seen(e)
			}
		}
	}
	return res
}

// try runs a block twice and returns the result if both runs agree.
func (c *chain) try(b blockInfo, txs []tx.Verified) (Result, error) {
	c.t.Helper()
	res, err := run(c.view, c.env, b, txs)
	again, err2 := run(c.view, c.env, b, txs)
	if (err == nil) != (err2 == nil) {
		c.t.Fatalf("two runs: %v and %v", err, err2)
	}
	if err == nil && !sameResult(res, again) {
		c.t.Fatal("EXE-01: two runs differ")
	}
	return res, err
}

func sameResult(a, b Result) bool {
	return ledger.ReceiptsRoot(a.Receipts) == ledger.ReceiptsRoot(b.Receipts) &&
		slices.EqualFunc(a.Writes, b.Writes, func(x, y merkle.KV) bool {
			return bytes.Equal(x.Key, y.Key) && bytes.Equal(x.Value, y.Value) && (x.Value == nil) == (y.Value == nil)
		})
}

// do applies one transaction of a person alone in a block, wants it to succeed
// and returns the id of its object 0.
func (c *chain) do(n int, p tx.Payload) ID {
	c.t.Helper()
	v := c.sign(n, p)
	if r := c.receipt(v); r.Code != tx.OK {
		c.t.Fatalf("%v by person %d: %v", p.Kind(), n, r.Code)
	}
	return tx.ObjectID(v.ID(), p.Kind(), 0)
}

// code applies one transaction of a person alone in a block and returns its code.
func (c *chain) code(n int, p tx.Payload) tx.Code {
	c.t.Helper()
	return c.receipt(c.sign(n, p)).Code
}

// receipt applies one transaction and returns its receipt.
func (c *chain) receipt(v tx.Verified) ledger.Receipt {
	c.t.Helper()
	res := c.block(v)
	r := res.Receipts[len(res.Receipts)-1]
	if r.TxID != v.ID() {
		c.t.Fatalf("last receipt is of %v", r.TxID)
	}
	return r
}

func (c *chain) free(a keys.Address) fixed.Amount {
	c.t.Helper()
	acc, err := state.GetAccount(c.view, a)
	if err != nil {
		c.t.Fatal(err)
	}
	return acc.Free
}
