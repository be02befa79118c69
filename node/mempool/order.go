// SPDX-License-Identifier: Apache-2.0

package mempool

import (
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// Order lists, by index, the open batches that a block may have one after the
// other so that no transaction comes before its sender's earlier ones. taken are
// those of the block's undecided ancestors. A batch that waits for a later one of
// the list comes after it; one that waits for what is not there is left out. Cost:
// a look at the account of each sender that is not known yet. Errors: those of the
// view.
func (p *Pool) Order(taken, open [][]tx.Verified) ([]int, error) {
	next, err := p.nonces(open)
	if err != nil {
		return nil, err
	}
	for _, txs := range taken {
		for _, v := range txs {
			if n, ok := next[v.Body().Sender]; ok {
				next[v.Body().Sender] = max(n, v.Body().Nonce+1)
			}
		}
	}
	var order, late []int
	for i, txs := range open {
		if follow(next, txs) {
			order = append(order, i)
		} else {
			late = append(late, i)
		}
	}
	for _, i := range late {
		if follow(next, open[i]) {
			order = append(order, i)
		}
	}
	return order, nil
}

// follow counts the transactions of a batch in next, or none of them if one leaves
// a gap.
func follow(next map[keys.Address]uint64, txs []tx.Verified) bool {
	for i, v := range txs {
		b := v.Body()
		switch n := next[b.Sender]; {
		case b.Nonce == n:
			next[b.Sender] = n + 1
		case b.Nonce > n:
			for j := i - 1; j >= 0; j-- { // undo
				if b := txs[j].Body(); next[b.Sender] == b.Nonce+1 {
					next[b.Sender] = b.Nonce
				}
			}
			return false
		}
	}
	return true
}

// nonces returns the account nonce of each sender, as far as it is known.
func (p *Pool) nonces(batches [][]tx.Verified) (map[keys.Address]uint64, error) {
	next := map[keys.Address]uint64{}
	var unknown []keys.Address
	p.mu.Lock()
	for _, txs := range batches {
		for _, v := range txs {
			a := v.Body().Sender
			if _, ok := next[a]; ok {
				continue
			}
			next[a] = 0
			if q := p.senders[a]; q != nil && q.known {
				next[a] = q.next
			} else {
				unknown = append(unknown, a)
			}
		}
	}
	p.mu.Unlock()
	view, err := p.head()
	if err != nil {
		return nil, err
	}
	for _, a := range unknown {
		acc, err := state.GetAccount(view, a)
		if err != nil {
			return nil, err
		}
		next[a] = acc.Nonce
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range unknown {
		if q := p.senders[a]; q != nil {
			q.next, q.known = max(q.next, next[a]), true
			p.settle(a, q)
		}
	}
	return next, nil
}
