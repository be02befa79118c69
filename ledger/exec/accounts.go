// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"fmt"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/state"
)

// accounts caches every account that a block touches, so that one is decoded and
// encoded once per block however often it moves.
type accounts struct {
	view    state.View
	byAddr  map[keys.Address]*account
	order   []*account // of first touch
	journal []accountChange
}

type account struct {
	addr  keys.Address
	start fixed.Amount // free balance before the block
	cur   state.Account
	dirty bool
}

type accountChange struct {
	acc *account
	old state.Account
}

func (c *accounts) open(v state.View) {
	c.view, c.byAddr = v, make(map[keys.Address]*account)
}

// get returns the cached account. The caller changes it through set or setFree
// only.
func (c *accounts) get(m *machine, a keys.Address) *account {
	if e := c.byAddr[a]; e != nil {
		return e
	}
	rec, _, err := state.LoadAccount(m.o, a)
	if err != nil && m.fault == nil {
		m.fault = err
	}
	e := &account{addr: a, start: rec.Free, cur: rec}
	c.byAddr[a] = e
	c.order = append(c.order, e)
	return e
}

// set replaces an account and remembers the old one.
func (c *accounts) set(m *machine, e *account, rec state.Account) {
	c.journal = append(c.journal, accountChange{e, e.cur})
	m.delta += uint64(rec.Free) - uint64(e.cur.Free)
	e.cur, e.dirty = rec, true
}

func (c *accounts) setFree(m *machine, e *account, free fixed.Amount) {
	rec := e.cur
	rec.Free = free
	c.set(m, e, rec)
}

func (c *accounts) mark() int { return len(c.journal) }

// revert undoes every change since mark. An account stays dirty, which rewrites
// the value that it has.
func (c *accounts) revert(mark int) {
	for i := len(c.journal) - 1; i >= mark; i-- {
		c.journal[i].acc.cur = c.journal[i].old
	}
	c.journal = c.journal[:mark]
}

// conserved checks INV-01 over what the block writes: the touched accounts hold
// together what they held before. Errors: ErrFault.
func (c *accounts) conserved() error {
	var before, after fixed.Amount
	for _, e := range c.order {
		var err1, err2 error
		before, err1 = fixed.Add(before, e.start)
		after, err2 = fixed.Add(after, e.cur.Free)
		if err1 != nil || err2 != nil {
			return fmt.Errorf("%w: balances overflow", ErrFault)
		}
	}
	if before != after {
		return fmt.Errorf("%w: supply not conserved: touched accounts held %d, now %d", ErrFault, before, after)
	}
	return nil
}

// flush writes the changed accounts.
func (c *accounts) flush(o *state.Overlay) {
	for _, e := range c.order {
		if e.dirty {
			o.Put(state.AccountKey(e.addr), e.cur.Encode())
		}
	}
}
