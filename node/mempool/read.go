// SPDX-License-Identifier: Apache-2.0

package mempool

import (
	"bytes"
	"cmp"
	"container/heap"
	"hash/maphash"
	"slices"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/tx"
)

// Lookup implements ledger.Cache: it returns a transaction that the pool admitted
// by its bytes.
func (p *Pool) Lookup(raw []byte) (tx.Verified, bool) {
	h := maphash.Bytes(p.seed, raw)
	p.mu.Lock()
	e := p.byRaw[h]
	p.mu.Unlock()
	if e == nil || !bytes.Equal(e.v.Bytes(), raw) {
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

// Pending reports whether a transaction waits, in no batch, that the next block
// could include. One that waits for an earlier nonce wants no block.
func (p *Pool) Pending() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.ready) > 0
}

// Alive reports whether any of the transactions of a batch still waits. Those of
// blocks do not.
func (p *Pool) Alive(txs []tx.Verified) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(txs, func(v tx.Verified) bool { return p.byID[v.ID()] != nil })
}

// Weight returns what a batch weighs, and what a block may at most (FEE-01).
func (p *Pool) Weight(txs []tx.Verified) (sum, most uint64) {
	if _, err := p.start(); err != nil {
		return 0, 0 // the node stops for that elsewhere
	}
	p.mu.Lock()
	kind, most := p.params.KindWeight, p.params.MaxBlockWeight
	p.mu.Unlock()
	for _, v := range txs {
		sum += v.Weight(kind)
	}
	return sum, most
}

// OfSender returns how many transactions of a wait and the first free nonce at
// or after nonce.
func (p *Pool) OfSender(a keys.Address, nonce uint64) (count int, next uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.senders[a]
	if q == nil {
		return 0, nonce
	}
	for q.at(nonce) != nil {
		nonce++
	}
	return len(q.txs), nonce
}

// IDs returns up to limit waiting transactions, of one sender if given, oldest
// first. Cost: linear in the waiting transactions.
func (p *Pool) IDs(sender *keys.Address, limit int) []tx.ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	var oldest latest
	keep := func(e *entry) {
		if heap.Push(&oldest, e); len(oldest) > limit {
			heap.Pop(&oldest)
		}
	}
	if sender == nil {
		for _, e := range p.byID {
			keep(e)
		}
	} else if q := p.senders[*sender]; q != nil {
		for _, e := range q.txs {
			keep(e)
		}
	}
	slices.SortFunc(oldest, func(a, b *entry) int { return cmp.Compare(a.order, b.order) })
	var out []tx.ID
	for _, e := range oldest {
		out = append(out, e.v.ID())
	}
	return out
}

// latest is a heap whose root arrived last.
type latest []*entry

func (h latest) Len() int           { return len(h) }
func (h latest) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h latest) Less(i, j int) bool { return h[i].order > h[j].order }
func (h *latest) Push(x any)        { *h = append(*h, x.(*entry)) }
func (h *latest) Pop() any          { return pop((*[]*entry)(h)) }

// heads is a heap of the next transaction of each sender: best tip per weight
// first, then the oldest.
type heads []*entry

func (h heads) Len() int           { return len(h) }
func (h heads) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h heads) Less(i, j int) bool { return h[i].compare(h[j]) > 0 }
func (h *heads) Push(x any)        { *h = append(*h, x.(*entry)) }
func (h *heads) Pop() any          { return pop((*[]*entry)(h)) }

func pop(h *[]*entry) *entry {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// Select returns waiting transactions in no batch for a batch of at most maxBytes
// whose block has at least the given height, and at most the block weight: senders
// by tip per weight, each sender by nonce without a gap. mine says whether this
// node batches a gossiped transaction of a sender that has waited so many
// milliseconds; nil: all. What could not pay or is not valid at height stays, with
// all that follows it.
func (p *Pool) Select(maxBytes int, height uint64, mine func(a keys.Address, waited uint64) bool) []tx.Verified {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	fits := func(e *entry) bool {
		return p.fits(e, height) && (e.own || mine == nil || mine(e.v.Body().Sender, now-min(e.at, now)))
	}
	var h heads
	for _, q := range p.ready {
		if e := q.head(q.next); e != nil && fits(e) {
			h = append(h, e)
		}
	}
	heap.Init(&h)
	var out []tx.Verified
	weight, bytes := p.params.MaxBlockWeight, maxBytes
	for len(h) > 0 {
		e := heap.Pop(&h).(*entry)
		size := len(e.v.Bytes())
		if size > bytes || e.weight > weight {
			continue
		}
		bytes, weight = bytes-size, weight-e.weight
		out = append(out, e.v)
		if after := p.senders[e.v.Body().Sender].head(e.nonce() + 1); after != nil && fits(after) {
			heap.Push(&h, after)
		}
	}
	return out
}

// fits reports whether a block at height can include e as far as validity and
// fee go.
func (p *Pool) fits(e *entry, height uint64) bool {
	until := e.v.Body().ValidUntil
	_, ok := e.fee(p.clock.BaseFee)
	return ok && until >= height && until-height <= p.params.ValidAhead
}
