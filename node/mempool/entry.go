// SPDX-License-Identifier: Apache-2.0

package mempool

import (
	"cmp"
	"math/bits"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// entry is one waiting transaction.
type entry struct {
	v      tx.Verified
	weight uint64
	spend  fixed.Amount // the most that it can take from its sender, as far as known
	order  uint64       // of arrival
}

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

// queue holds one sender's transactions by nonce; next is the account's nonce
// when it was last looked at.
type queue struct {
	next  uint64
	txs   map[uint64]*entry
	ready bool // txs has next, and the pool counts it
}

func newQueue() *queue { return &queue{txs: map[uint64]*entry{}} }

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
	for n := next; n < nonce; n++ {
		if q.txs[n] == nil {
			return false
		}
	}
	return true
}

// last returns the entry with the highest nonce, and whether every nonce from
// next up to it is there. The queue is not empty.
func (q *queue) last() (tail *entry, whole bool) {
	top := uint64(0)
	for n, e := range q.txs {
		if tail == nil || n > top {
			tail, top = e, n
		}
	}
	return tail, top-q.next+1 == uint64(len(q.txs))
}

// makeRoom evicts entries that are worth less than e until it fits: first those
// that wait for a missing nonce, then the lowest tip per weight, always the last
// of a sender. It reports whether there is room. The lock is held.
func (p *Pool) makeRoom(e *entry, q *queue, next uint64) bool {
	size := len(e.v.Bytes())
	whole := q.wholeTo(next, e.v.Body().Nonce)
	for len(p.byID) >= p.limits.Txs || p.bytes+size > p.limits.Bytes {
		if p.floor != nil && (!whole || e.compare(p.floor) <= 0) {
			return false // as the last look found
		}
		victim, theirs := p.cheapest()
		if victim == nil || victim.v.Body().Sender == e.v.Body().Sender {
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
		case victim == nil, whole && !w, whole == w && tail.compare(victim) < 0:
			victim, whole = tail, w
		}
	}
	return victim, whole
}
