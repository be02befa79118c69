// SPDX-License-Identifier: Apache-2.0

package mempool

import (
	"cmp"
	"container/heap"
	"errors"
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
	arrived uint64
}

type entry struct {
	v      tx.Verified
	weight uint64
	order  uint64
}

// queue holds one sender's transactions by nonce; next is the account's nonce
// when it was last looked at.
type queue struct {
	next uint64
	txs  map[uint64]*entry
}

// New returns an empty pool. head gives the newest committed state.
func New(limits Limits, env exec.Env, head func() (state.View, error)) *Pool {
	return &Pool{limits: limits, env: env, head: head, byRaw: map[string]*entry{}, byID: map[tx.ID]*entry{}, senders: map[keys.Address]*queue{}}
}

// Add admits v if it could be included now or once its sender's earlier ones
// are. Errors: ErrKnown, ErrFull, *tx.Error (tx_nonce_low, tx_nonce_gap,
// tx_expired, tx_fee_low, tx_funds).
func (p *Pool) Add(v tx.Verified) error {
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
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.insert(v, a)
}

// admission is what the state says about a transaction's sender and price.
type admission struct {
	account state.Account
	weight  uint64
}

// admit makes the ledger's checks; a nonce that waits for earlier ones is good
// within NonceWindow.
func (p *Pool) admit(view state.View, v tx.Verified) (admission, error) {
	account, err1 := state.GetAccount(view, v.Body().Sender)
	params, err2 := state.GetParams(view)
	if err := errors.Join(err1, err2); err != nil {
		return admission{}, err
	}
	err := exec.Check(view, p.env, v)
	if errors.Is(err, tx.ErrFuture) && v.Body().Nonce-account.Nonce < NonceWindow {
		err = nil
	}
	return admission{account, v.Weight(params.KindWeight)}, err
}

// spend is what a transaction may take from its sender, as far as the pool can
// tell: the fee and a transfer's amount.
func spend(v tx.Verified) fixed.Amount {
	s := v.Body().MaxFee
	if t, ok := v.Body().Payload.(*tx.Transfer); ok {
		if sum, err := fixed.Add(s, t.Amount); err == nil {
			return sum
		}
		return ^fixed.Amount(0)
	}
	return s
}

func (p *Pool) insert(v tx.Verified, a admission) error {
	b := v.Body()
	q := p.senders[b.Sender]
	if q == nil {
		q = &queue{txs: map[uint64]*entry{}}
	}
	q.next = max(q.next, a.account.Nonce)
	if b.Nonce < q.next {
		return tx.Errorf(tx.TxNonceLow, "nonce %d, the account is at %d", b.Nonce, q.next)
	}
	old := q.txs[b.Nonce]
	if old != nil && (b.MaxFee < old.v.Body().MaxFee+old.v.Body().MaxFee/8 || b.Tip < old.v.Body().Tip) {
		return tx.Errorf(tx.TxFeeLow, "nonce %d is waiting already; a replacement pays at least one eighth more", b.Nonce)
	}
	if old == nil && (len(p.byID) >= p.limits.Txs || p.bytes+len(v.Bytes()) > p.limits.Bytes || len(q.txs) >= p.limits.PerSender) {
		return ErrFull
	}
	total := spend(v)
	for _, e := range q.txs {
		if e == old {
			continue
		}
		var err error
		if total, err = fixed.Add(total, spend(e.v)); err != nil {
			return tx.Errorf(tx.TxFunds, "waiting transactions overflow")
		}
	}
	if total > a.account.Free {
		return tx.Errorf(tx.TxFunds, "have %d, need %d with what is waiting", a.account.Free, total)
	}
	if old != nil {
		p.remove(old)
	}
	p.arrived++
	e := &entry{v: v, weight: a.weight, order: p.arrived}
	q.txs[b.Nonce] = e
	p.senders[b.Sender] = q
	p.byID[v.ID()], p.byRaw[string(v.Bytes())] = e, e
	p.bytes += len(v.Bytes())
	return nil
}

// remove drops an entry; the lock is held.
func (p *Pool) remove(e *entry) {
	b := e.v.Body()
	delete(p.byID, e.v.ID())
	delete(p.byRaw, string(e.v.Bytes()))
	p.bytes -= len(e.v.Bytes())
	q := p.senders[b.Sender]
	if q != nil && q.txs[b.Nonce] == e {
		if delete(q.txs, b.Nonce); len(q.txs) == 0 {
			delete(p.senders, b.Sender)
		}
	}
}

// Lookup implements ledger.Cache: it returns a waiting transaction by its bytes.
func (p *Pool) Lookup(raw []byte) (tx.Verified, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.byRaw[string(raw)]
	if e == nil {
		return tx.Verified{}, false
	}
	return e.v, true
}

// Has reports whether a transaction waits.
func (p *Pool) Has(id tx.ID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byID[id] != nil
}

// Get returns the bytes of a waiting transaction, nil if there is none.
func (p *Pool) Get(id tx.ID) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.byID[id]; e != nil {
		return e.v.Bytes()
	}
	return nil
}

// Len counts the waiting transactions.
func (p *Pool) Len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.byID)
}

// Pending reports whether a transaction waits.
func (p *Pool) Pending() bool { return p.Len() > 0 }

// OfSender returns how many transactions of a wait and the first free nonce at
// or after nonce.
func (p *Pool) OfSender(a keys.Address, nonce uint64) (count int, next uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.senders[a]
	if q == nil {
		return 0, nonce
	}
	for q.txs[nonce] != nil {
		nonce++
	}
	return len(q.txs), nonce
}

// IDs returns up to limit waiting transactions, of one sender if given, oldest
// first.
func (p *Pool) IDs(sender *keys.Address, limit int) []tx.ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []*entry
	for _, e := range p.byID {
		if sender == nil || e.v.Body().Sender == *sender {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b *entry) int { return cmp.Compare(a.order, b.order) })
	var out []tx.ID
	for _, e := range list[:min(limit, len(list))] {
		out = append(out, e.v.ID())
	}
	return out
}

// heads is a heap of the next transaction of each sender: best tip per weight
// first, then the oldest.
type heads []*entry

func (h heads) Len() int      { return len(h) }
func (h heads) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h heads) Less(i, j int) bool {
	a, b := uint64(h[i].v.Body().Tip)/h[i].weight, uint64(h[j].v.Body().Tip)/h[j].weight
	if a != b {
		return a > b
	}
	return h[i].order < h[j].order
}
func (h *heads) Push(x any) { *h = append(*h, x.(*entry)) }
func (h *heads) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// Select returns waiting transactions of at most maxBytes: senders by tip per
// weight, each sender by nonce without a gap, without those that taken names.
func (p *Pool) Select(maxBytes int, taken func(id [32]byte) bool) [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	var h heads
	for _, q := range p.senders {
		n := q.next
		for q.txs[n] != nil && taken(q.txs[n].v.ID()) {
			n++
		}
		if e := q.txs[n]; e != nil {
			h = append(h, e)
		}
	}
	heap.Init(&h)
	var out [][]byte
	for size := 0; len(h) > 0; {
		e := heap.Pop(&h).(*entry)
		b := e.v.Body()
		if size += len(e.v.Bytes()); size > maxBytes {
			break
		}
		out = append(out, e.v.Bytes())
		if next := p.senders[b.Sender].txs[b.Nonce+1]; next != nil && !taken(next.v.ID()) {
			heap.Push(&h, next)
		}
	}
	return out
}

// Committed forgets what a block included and, for its senders, what can no
// longer be included. Call it when the new state is the head. Errors: those of
// the view.
func (p *Pool) Committed(included []tx.Verified, height uint64) error {
	view, err := p.head()
	if err != nil {
		return err
	}
	next := map[keys.Address]uint64{}
	for _, v := range included {
		a := v.Body().Sender
		if _, ok := next[a]; ok {
			continue
		}
		account, err := state.GetAccount(view, a)
		if err != nil {
			return err
		}
		next[a] = account.Nonce
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, v := range included {
		if e := p.byID[v.ID()]; e != nil {
			p.remove(e)
		}
	}
	for a, n := range next {
		p.advance(a, n)
	}
	if height%256 == 0 {
		p.expire(height)
	}
	return nil
}

// advance drops a sender's transactions below nonce; the lock is held.
func (p *Pool) advance(a keys.Address, nonce uint64) {
	q := p.senders[a]
	if q == nil {
		return
	}
	q.next = max(q.next, nonce)
	for n, e := range q.txs {
		if n < q.next {
			p.remove(e)
		}
	}
}

// expire drops what no block may include any more; the lock is held.
func (p *Pool) expire(height uint64) {
	for _, e := range p.byID {
		if e.v.Body().ValidUntil <= height {
			p.remove(e)
		}
	}
}
