// SPDX-License-Identifier: Apache-2.0

package mempool

import (
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
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
	env    exec.Env
	head   func() (state.View, error)

	mu      sync.Mutex
	byRaw   map[string]*entry
	byID    map[tx.ID]*entry
	senders map[keys.Address]*queue
	bytes   int
	ready   int // senders whose next transaction waits
	arrived uint64
	params  state.Params // of the head, as Add or Committed last saw it
	clock   state.Clock
	floor   *entry // full pool: nothing below this one gets in; nil if not known
}

// New returns an empty pool. head gives the newest committed state.
func New(limits Limits, env exec.Env, head func() (state.View, error)) *Pool {
	return &Pool{limits: limits, env: env, head: head, byRaw: map[string]*entry{}, byID: map[tx.ID]*entry{}, senders: map[keys.Address]*queue{}}
}

// Add admits v if it could be included now or once its sender's earlier ones
// are. Errors: ErrKnown, ErrFull, *tx.Error (tx_nonce_low, tx_nonce_gap,
// tx_expired, tx_fee_low, tx_funds).
func (p *Pool) Add(v tx.Verified) error {
	for {
		if p.Has(v.ID()) {
			return ErrKnown
		}
		view, err := p.head()
		if err != nil {
			return err
		}
		a, err := p.admit(view, v)
		if err != nil {
			return err
		}
		if done, err := p.tryInsert(v, a); done {
			return err
		}
	}
}

// tryInsert inserts unless a block was committed since a was read.
func (p *Pool) tryInsert(v tx.Verified, a admission) (done bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a.clock.Height < p.clock.Height {
		return false, nil
	}
	p.params, p.clock = a.params, a.clock
	return true, p.insert(v, a)
}

// admission is what the state says about a transaction's sender and price.
type admission struct {
	account state.Account
	params  state.Params
	clock   state.Clock
}

// admit makes the ledger's checks; a nonce that waits for earlier ones is good
// within NonceWindow.
func (p *Pool) admit(view state.View, v tx.Verified) (a admission, err error) {
	var err1, err2, err3 error
	a.account, err1 = state.GetAccount(view, v.Body().Sender)
	a.params, err2 = state.GetParams(view)
	a.clock, err3 = state.GetClock(view)
	if err := errors.Join(err1, err2, err3); err != nil {
		return admission{}, err
	}
	err = exec.Check(view, p.env, v)
	if errors.Is(err, tx.TxNonceGap) && v.Body().Nonce-a.account.Nonce < NonceWindow {
		err = nil
	}
	return a, err
}

// insert is Add with the lock held.
func (p *Pool) insert(v tx.Verified, a admission) error {
	if p.byID[v.ID()] != nil {
		return ErrKnown
	}
	b := v.Body()
	q := p.senders[b.Sender]
	if q == nil {
		q = newQueue()
	}
	next := max(q.next, a.account.Nonce)
	if b.Nonce < next {
		return tx.Errorf(tx.TxNonceLow, "nonce %d, the account is at %d", b.Nonce, next)
	}
	p.arrived++
	e := newEntry(v, a.params, p.arrived)
	old := q.txs[b.Nonce]
	if old != nil && !e.outbids(old, p.clock.BaseFee) {
		return tx.Errorf(tx.TxFeeLow, "nonce %d is waiting already; a replacement pays at least one eighth more", b.Nonce)
	}
	if err := q.affords(e, old, a.account.Free); err != nil {
		return err
	}
	if old == nil {
		if len(q.txs) >= p.limits.PerSender {
			return ErrFull
		}
		if !p.makeRoom(e, q, next) {
			return ErrFull
		}
	} else {
		p.remove(old)
	}
	p.senders[b.Sender] = q // removing may have taken an empty queue out
	q.next, q.txs[b.Nonce] = next, e
	p.byID[v.ID()], p.byRaw[string(v.Bytes())] = e, e
	p.bytes += len(v.Bytes())
	p.settle(q)
	return nil
}

// settle keeps the count of senders that could be in a block now.
func (p *Pool) settle(q *queue) {
	ready := q.txs[q.next] != nil
	if ready && !q.ready {
		p.ready++
	} else if !ready && q.ready {
		p.ready--
	}
	q.ready = ready
}

// remove drops an entry; the lock is held.
func (p *Pool) remove(e *entry) {
	b := e.v.Body()
	delete(p.byID, e.v.ID())
	delete(p.byRaw, string(e.v.Bytes()))
	p.bytes -= len(e.v.Bytes())
	p.floor = nil
	q := p.senders[b.Sender]
	delete(q.txs, b.Nonce)
	p.settle(q)
	if len(q.txs) == 0 {
		delete(p.senders, b.Sender)
	}
}

// Committed forgets what a block included and, for its senders, what can no
// longer be included or paid. Call it when the new state is the head. Errors:
// those of the view.
func (p *Pool) Committed(included []tx.Verified) error {
	view, err := p.head()
	if err != nil {
		return err
	}
	params, err1 := state.GetParams(view)
	clock, err2 := state.GetClock(view)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	accounts := map[keys.Address]state.Account{}
	for _, v := range included {
		a := v.Body().Sender
		if _, ok := accounts[a]; ok {
			continue
		}
		if accounts[a], err = state.GetAccount(view, a); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.params, p.clock = params, clock
	for _, v := range included {
		if e := p.byID[v.ID()]; e != nil {
			p.remove(e)
		}
	}
	for a, account := range accounts {
		if q := p.senders[a]; q != nil {
			p.recheck(q, account)
		}
	}
	if clock.Height%expireEvery == 0 {
		p.expire(clock.Height)
	}
	return nil
}

// recheck drops of a sender what is below the account's nonce, and from the first
// transaction on that its balance does not cover; the lock is held.
func (p *Pool) recheck(q *queue, a state.Account) {
	q.next = max(q.next, a.Nonce)
	var total fixed.Amount
	broke := false
	for _, n := range slices.Sorted(maps.Keys(q.txs)) {
		e := q.txs[n]
		if n >= q.next && !broke {
			sum, err := fixed.Add(total, e.spend)
			total, broke = sum, err != nil || sum > a.Free
		}
		if n < q.next || broke {
			p.remove(e)
		}
	}
	p.settle(q)
}

// expire drops what no block above height may include; the lock is held.
func (p *Pool) expire(height uint64) {
	for _, e := range p.byID {
		if e.v.Body().ValidUntil <= height {
			p.remove(e)
		}
	}
}
