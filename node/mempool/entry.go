// SPDX-License-Identifier: Apache-2.0

package mempool

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// entry is one waiting transaction.
type entry struct {
	v       tx.Verified
	weight  uint64
	spend   fixed.Amount // the most that it can take from its sender, as far as known
	order   uint64       // of arrival
	at      uint64       // of arrival, in milliseconds
	own     bool         // came to this node by itself, not by gossip
	foreign bool         // known from other validators' batches alone, never checked against the state
	out     int          // held batches that hold it; above 0 it is not selected
}

func (e *entry) nonce() uint64 { return e.v.Body().Nonce }

func newEntry(v tx.Verified, p state.Params, order uint64) *entry {
	return &entry{v: v, weight: v.Weight(p.KindWeight), spend: spend(v), order: order}
}

// spend is what a transaction may take from its sender, as far as the pool can
// tell: the fee and a transfer's amount.
func spend(v tx.Verified) fixed.Amount {
	s := v.Body().MaxFee
	if t, ok := v.Body().Payload.(*tx.Transfer); ok {
		sum, err := fixed.Add(s, t.Amount)
		if err != nil {
			return ^fixed.Amount(0)
		}
		return sum
	}
	return s
}

// fee is what the entry would pay at a base fee, and whether it can.
func (e *entry) fee(base fixed.Amount) (fixed.Amount, bool) {
	burn, err := fixed.MulDiv(e.weight, uint64(base), 1)
	if err != nil {
		return 0, false
	}
	fee, err := fixed.Add(fixed.Amount(burn), e.v.Body().Tip)
	return fee, err == nil && fee <= e.v.Body().MaxFee
}

// outbids reports whether e pays at least an eighth more than old, and can pay
// more still. What counts is the fee at the present base fee: a higher bound
// alone costs nothing and must not buy a place.
func (e *entry) outbids(old *entry, base fixed.Amount) bool {
	now, ok := e.fee(base)
	was, _ := old.fee(base)
	return ok && e.v.Body().MaxFee >= old.v.Body().MaxFee && now-min(now, was) >= max(was/8, 1)
}

// compare orders entries by tip per weight; earlier arrival wins a tie.
func (e *entry) compare(o *entry) int {
	h1, l1 := bits.Mul64(uint64(e.v.Body().Tip), o.weight)
	h2, l2 := bits.Mul64(uint64(o.v.Body().Tip), e.weight)
	return cmp.Or(cmp.Compare(h1, h2), cmp.Compare(l1, l2), cmp.Compare(o.order, e.order))
}

// queue holds one sender's transactions in the order of their nonces, at most
// one of each. next is the account's nonce when it was last looked at, if known.
type queue struct {
	next  uint64
	known bool
	txs   []*entry
	ready bool // the pool counts it
}

func (q *queue) find(nonce uint64) (int, bool) {
	return slices.BinarySearchFunc(q.txs, nonce, func(e *entry, n uint64) int { return cmp.Compare(e.nonce(), n) })
}

func (q *queue) at(nonce uint64) *entry {
	if i, ok := q.find(nonce); ok {
		return q.txs[i]
	}
	return nil
}

func (q *queue) insert(e *entry) {
	i, _ := q.find(e.nonce())
	q.txs = slices.Insert(q.txs, i, e)
}

func (q *queue) remove(e *entry) {
	if i, ok := q.find(e.nonce()); ok && q.txs[i] == e {
		q.txs = slices.Delete(q.txs, i, i+1)
	}
}

// head returns the first transaction from nonce on that is in no batch, if every
// one before it is here or in the chain; nil if there is none.
func (q *queue) head(nonce uint64) *entry {
	i, ok := q.find(nonce)
	for ; ok && i < len(q.txs) && q.txs[i].nonce() == nonce; i, nonce = i+1, nonce+1 {
		if q.txs[i].out == 0 {
			return q.txs[i]
		}
	}
	return nil
}

// checked counts the transactions that the pool itself admitted.
func (q *queue) checked() (n int) {
	for _, e := range q.txs {
		if !e.foreign {
			n++
		}
	}
	return n
}

// affords checks that the sender can pay e, in place of old, with all that
// waits. Errors: tx.TxFunds.
func (q *queue) affords(e, old *entry, free fixed.Amount) error {
	total := e.spend
	for _, other := range q.txs {
		if other == old {
			continue
		}
		var err error
		if total, err = fixed.Add(total, other.spend); err != nil {
			return tx.Errorf(tx.TxFunds, "waiting transactions overflow")
		}
	}
	if total > free {
		return tx.Errorf(tx.TxFunds, "have %d, need %d with what is waiting", free, total)
	}
	return nil
}

// wholeTo reports whether every nonce from next up to, not including, nonce is
// there.
func (q *queue) wholeTo(next, nonce uint64) bool {
	if next >= nonce {
		return true
	}
	i, ok := q.find(next)
	j, _ := q.find(nonce)
	return ok && uint64(j-i) == nonce-next
}

// last returns the entry with the highest nonce, and whether every nonce from
// next up to it is there. The queue is not empty.
func (q *queue) last() (tail *entry, whole bool) {
	tail = q.txs[len(q.txs)-1]
	return tail, q.wholeTo(q.next, tail.nonce())
}

// makeRoom evicts entries that are worth less than e until it fits: first those
// that wait for a missing nonce, then the lowest tip per weight, always the last
// of a sender, none that is in a batch. It reports whether there is room. The
// lock is held.
func (p *Pool) makeRoom(e *entry, q *queue, next uint64) bool {
	size := len(e.v.Bytes())
	whole := q.wholeTo(next, e.nonce())
	for p.count >= p.limits.Txs || p.bytes+size > p.limits.Bytes {
		if p.floor != nil && (!whole || e.compare(p.floor) <= 0) {
			return false // as the last look found
		}
		victim, theirs := p.cheapest()
		if victim == nil {
			return false
		}
		// Of its own sender e takes only the place of what waits for it.
		if victim.v.Body().Sender == e.v.Body().Sender && (!whole || theirs || victim.nonce() < e.nonce()) {
			return false
		}
		if theirs {
			if !whole || e.compare(victim) <= 0 {
				p.floor = victim
				return false
			}
		} else if !whole && e.compare(victim) <= 0 {
			return false
		}
		p.remove(victim)
	}
	return true
}

// cheapest finds the entry to evict first; whole says that its sender's
// transactions could all be included. Cost: linear in the waiting transactions.
func (p *Pool) cheapest() (victim *entry, whole bool) {
	for _, q := range p.senders {
		tail, w := q.last()
		switch {
		case tail.out > 0:
		case victim == nil, whole && !w, whole == w && tail.compare(victim) < 0:
			victim, whole = tail, w
		}
	}
	return victim, whole
}
