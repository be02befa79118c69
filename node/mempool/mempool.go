// SPDX-License-Identifier: Apache-2.0

package mempool

import (
	"errors"
	"hash/maphash"
	"sync"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/exec"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// Errors of Add besides the ledger's own tx errors.
var (
	ErrKnown = errors.New("transaction is already waiting")
	ErrFull  = errors.New("mempool is full")
)

// NonceWindow is how far ahead of the account a nonce may be.
const NonceWindow = 64

// expireEvery is how many heights pass between looks for expired transactions.
const expireEvery = 32

// Limits bound the pool.
type Limits struct {
	Txs, Bytes, PerSender int
}

// DefaultLimits are those of CONS-30.
func DefaultLimits() Limits { return Limits{Txs: 100_000, Bytes: 64 << 20, PerSender: NonceWindow} }

// Pool is safe for concurrent use.
type Pool struct {
	limits Limits
	head   func() (state.View, error)
	now    func() uint64
	seed   maphash.Seed

	mu      sync.Mutex
	byRaw   map[uint64]*entry // of what was admitted, by a hash of its bytes
	byID    map[tx.ID]*entry
	senders map[keys.Address]*queue
	ready   map[keys.Address]*queue // of senders with a transaction that could be in a batch now
	count   int                     // transactions that the pool admitted, and their bytes
	bytes   int
	arrived uint64
	version uint64 // counts commits; 0: the state was not looked at yet
	params  state.Params
	clock   state.Clock
	floor   *entry // full pool: nothing below this one gets in; nil if not known
}

// New returns an empty pool. head gives the newest committed state, now
// monotonic milliseconds.
func New(limits Limits, head func() (state.View, error), now func() uint64) *Pool {
	return &Pool{limits: limits, head: head, now: now, seed: maphash.MakeSeed(), byRaw: map[uint64]*entry{}, byID: map[tx.ID]*entry{},
		senders: map[keys.Address]*queue{}, ready: map[keys.Address]*queue{}}
}

// Add admits a gossiped transaction if it could be included now or once its
// sender's earlier ones are. Errors: ErrKnown, ErrFull, *tx.Error (tx_nonce_low,
// tx_nonce_gap, tx_expired, tx_fee_low, tx_funds), those of the view.
func (p *Pool) Add(v tx.Verified) error { return p.AddAll([]tx.Verified{v}, false)[0] }

// AddAll is Add for several at once, in order. own says that they came to this
// node by themselves, so that it is this node that batches them. Results have the
// order of list.
func (p *Pool) AddAll(list []tx.Verified, own bool) []error {
	errs := make([]error, len(list))
	for !p.tryAll(list, own, errs) {
	}
	return errs
}

// tryAll looks at the state without the lock; it reports false if a block was
// committed meanwhile.
func (p *Pool) tryAll(list []tx.Verified, own bool, errs []error) bool {
	version, err := p.start()
	if err != nil {
		return fill(errs, err)
	}
	view, err := p.head()
	if err != nil {
		return fill(errs, err)
	}
	accounts := make(map[keys.Address]state.Account, len(list))
	for _, v := range list {
		a := v.Body().Sender
		if _, ok := accounts[a]; ok {
			continue
		}
		if accounts[a], err = state.GetAccount(view, a); err != nil {
			return fill(errs, err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.version != version {
		return false
	}
	for i, v := range list {
		errs[i] = p.insert(v, accounts[v.Body().Sender], own)
	}
	return true
}

func fill(errs []error, err error) bool {
	for i := range errs {
		errs[i] = err
	}
	return true
}

// start returns the version of the state that the pool knows, after looking at
// it for the first time.
func (p *Pool) start() (uint64, error) {
	p.mu.Lock()
	version := p.version
	p.mu.Unlock()
	if version > 0 {
		return version, nil
	}
	if err := p.Committed(nil, nil); err != nil {
		return 0, err
	}
	return p.start()
}

// insert admits one; the lock is held.
func (p *Pool) insert(v tx.Verified, a state.Account, own bool) error {
	if p.byID[v.ID()] != nil {
		return ErrKnown
	}
	b := v.Body()
	err := exec.CheckAccount(p.params, p.clock, a, v)
	if err != nil && !(errors.Is(err, tx.TxNonceGap) && b.Nonce-a.Nonce < NonceWindow) {
		return err
	}
	q := p.senders[b.Sender]
	if q == nil {
		q = new(queue)
	}
	next := max(q.next, a.Nonce)
	if b.Nonce < next {
		return tx.Errorf(tx.TxNonceLow, "nonce %d, the account is at %d", b.Nonce, next)
	}
	p.arrived++
	e := newEntry(v, p.params, p.arrived)
	e.own, e.at = own, p.now()
	old := q.at(b.Nonce)
	if old != nil && (old.out > 0 || !e.outbids(old, p.clock.BaseFee)) {
		return tx.Errorf(tx.TxFeeLow, "nonce %d is waiting already; a replacement pays at least one eighth more, and comes before the first is in a batch", b.Nonce)
	}
	if err := q.affords(e, old, a.Free); err != nil {
		return err
	}
	if old == nil {
		if q.checked() >= p.limits.PerSender || !p.makeRoom(e, q, next) {
			return ErrFull
		}
	} else {
		p.remove(old)
	}
	p.senders[b.Sender] = q // removing may have taken an empty queue out
	q.next, q.known = next, true
	q.insert(e)
	p.byID[v.ID()], p.byRaw[maphash.Bytes(p.seed, v.Bytes())] = e, e
	p.count++
	p.bytes += len(v.Bytes())
	p.settle(b.Sender, q)
	return nil
}

// settle keeps the list of senders that a batch could take something of.
func (p *Pool) settle(a keys.Address, q *queue) {
	ready := q.head(q.next) != nil
	if ready && !q.ready {
		p.ready[a] = q
	} else if !ready && q.ready {
		delete(p.ready, a)
	}
	q.ready = ready
}

// remove drops an entry; the lock is held.
func (p *Pool) remove(e *entry) {
	delete(p.byID, e.v.ID())
	if !e.foreign {
		if h := maphash.Bytes(p.seed, e.v.Bytes()); p.byRaw[h] == e {
			delete(p.byRaw, h)
		}
		p.count--
		p.bytes -= len(e.v.Bytes())
		p.floor = nil
	}
	a := e.v.Body().Sender
	q := p.senders[a]
	q.remove(e)
	p.settle(a, q)
	if len(q.txs) == 0 {
		delete(p.senders, a)
	}
}

// Hold says that a held batch has these transactions: they are not selected until
// Release. Those that the pool does not know it lists as waiting, without looking
// at the state; how many there can be is bounded by what is held.
func (p *Pool) Hold(txs []tx.Verified) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, v := range txs {
		a := v.Body().Sender
		q := p.senders[a]
		if e := p.byID[v.ID()]; e != nil {
			e.out++
			p.settle(a, q)
			continue
		}
		if q == nil {
			q = new(queue)
			p.senders[a] = q
		} else if q.at(v.Body().Nonce) != nil || v.Body().Nonce < q.next {
			continue
		}
		p.arrived++
		e := &entry{v: v, order: p.arrived, foreign: true, out: 1, spend: spend(v)}
		q.insert(e)
		p.byID[v.ID()] = e
		p.settle(a, q)
	}
}

// Release takes back one Hold of each transaction: the batch was included, or
// given up. What the pool itself admitted and no block included waits again.
func (p *Pool) Release(txs []tx.Verified) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, v := range txs {
		e := p.byID[v.ID()]
		if e == nil || e.out == 0 {
			continue
		}
		if e.out--; e.out > 0 {
			continue
		}
		if e.foreign {
			p.remove(e)
			continue
		}
		p.settle(v.Body().Sender, p.senders[v.Body().Sender])
	}
}

// Committed forgets what a block executed and, for its senders, what can no
// longer be included or paid; a transaction that was refused without a fee stays
// if it can still come. Call it when the new state is the head. receipts end with
// those of included. Errors: those of the view.
func (p *Pool) Committed(included []tx.Verified, receipts []ledger.Receipt) error {
	view, err := p.head()
	if err != nil {
		return err
	}
	params, err1 := state.GetParams(view)
	clock, err2 := state.GetClock(view)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	look := p.forget(included, receipts[len(receipts)-len(included):], params, clock)
	accounts := make([]state.Account, len(look))
	for i, a := range look {
		if accounts[i], err = state.GetAccount(view, a); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, a := range look {
		if q := p.senders[a]; q != nil {
			p.recheck(a, q, accounts[i])
		}
	}
	if clock.Height%expireEvery == 0 {
		p.expire(clock.Height)
	}
	return nil
}

// forget drops what was executed and lists the senders of whom more waits.
func (p *Pool) forget(included []tx.Verified, receipts []ledger.Receipt, params state.Params, clock state.Clock) (look []keys.Address) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.version++
	p.params, p.clock = params, clock
	seen := map[keys.Address]bool{}
	for i, v := range included {
		a := v.Body().Sender
		q := p.senders[a]
		if q == nil {
			continue
		}
		if !receipts[i].Refused() {
			q.next, q.known = max(q.next, v.Body().Nonce+1), true
			if e := p.byID[v.ID()]; e != nil {
				p.remove(e)
			}
		}
		if len(q.txs) > 0 && !seen[a] {
			seen[a] = true
			look = append(look, a)
		}
	}
	return look
}

// recheck drops of a sender what is below the account's nonce, and from the first
// transaction on that its balance does not cover; the lock is held.
func (p *Pool) recheck(a keys.Address, q *queue, acc state.Account) {
	q.next, q.known = max(q.next, acc.Nonce), true
	var total fixed.Amount
	broke := false
	var gone []*entry
	for _, e := range q.txs {
		if e.nonce() >= q.next && !broke {
			sum, err := fixed.Add(total, e.spend)
			total, broke = sum, err != nil || sum > acc.Free
		}
		if e.nonce() < q.next || broke && e.out == 0 {
			gone = append(gone, e)
		}
	}
	for _, e := range gone {
		p.remove(e)
	}
	p.settle(a, q)
}

// expire drops what no block above height may include; the lock is held.
func (p *Pool) expire(height uint64) {
	for _, e := range p.byID {
		if e.out == 0 && e.v.Body().ValidUntil <= height {
			p.remove(e)
		}
	}
}
