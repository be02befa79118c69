// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger/state"
)

// validators recounts each pool (INV-03): its shares are those of its delegators,
// the locked ones those of redelegations, what it holds covers what it owes. Fees
// are the pools' rewards, the tips and the pot of the running epoch.
func (a *audit) validators() error {
	locked := map[string]uint64{}
	var broken error
	err := each(a.v, state.ListHops, func(id ID, h state.Hop) {
		locked[string(state.DelegationKey(h.To, h.Delegator))] += h.Shares
		a.deposits += h.Deposit
		a.due[string(state.DueKey(state.DueCTime, h.Liable.DueMS, state.DueHop, id[:]))] = true
	})
	err = errors.Join(err, each(a.v, state.ListCandidates, func(id ID, c state.Candidate) {
		broken = errors.Join(broken, a.pool(keys.Address(id), c, locked))
	}))
	if err = errors.Join(err, broken); err != nil {
		return err
	}
	pot, _, err := state.Load[fixed.Amount](a.v, state.FeePotKey())
	if err != nil {
		return err
	}
	a.fees += pot
	return a.scan(state.TipsKey(keys.Address{})[:2], func(kv merkle.KV) error {
		var tips fixed.Amount
		err := enc.Decode(kv.Value, &tips)
		a.fees += tips
		return err
	})
}

// pool recounts one validator.
func (a *audit) pool(v keys.Address, c state.Candidate, locked map[string]uint64) error {
	a.bonded, a.fees, a.deposits = a.bonded+c.Tokens, a.fees+c.Held, a.deposits+c.Deposit
	shares, self, owed := uint64(0), uint64(0), uint64(c.Owed)
	list := func(view state.View, after *ID, limit int) ([]state.Entry[state.Delegation], error) {
		return state.ListDelegations(view, v, after, limit)
	}
	var broken error
	err := each(a.v, list, func(id ID, d state.Delegation) {
		k := string(state.DelegationKey(v, keys.Address(id)))
		if d.Locked != locked[k] || d.Locked > d.Shares {
			broken = fmt.Errorf("%w: INV-03: %v has %d of %d shares locked, redelegations hold %d", ErrInvariant, keys.Address(id), d.Locked, d.Shares, locked[k])
		}
		shares, a.deposits = shares+d.Shares, a.deposits+d.Deposit
		if keys.Address(id) == v {
			self = d.Shares
		}
		due, err := c.Due(d)
		owed += uint64(due)
		broken = errors.Join(broken, err)
	})
	if err = errors.Join(err, broken); err != nil {
		return err
	}
	if shares != c.Shares || self != c.SelfShares || owed > uint64(c.Held) || (c.Shares == 0 && c.Tokens != 0) {
		return fmt.Errorf("%w: INV-03: pool of %v: %d shares of %d are delegated, %d of %d its own, %d of %d owed",
			ErrInvariant, v, shares, c.Shares, self, c.SelfShares, owed, c.Held)
	}
	if c.SlashedBPS > 10_000 || c.Removed != (c.SlashedBPS > 0) {
		return fmt.Errorf("%w: INV-10: %v lost %d basis points", ErrInvariant, v, c.SlashedBPS)
	}
	return nil
}

// leaving adds up stakes on their way out.
func (a *audit) leaving() error {
	return each(a.v, state.ListUnbondings, func(id ID, u state.Unbonding) {
		a.unbonding += u.Amount
		a.deposits += u.Deposit
		a.due[string(state.DueKey(state.DueCTime, u.Liable.DueMS, state.DueUnbond, id[:]))] = true
	})
}
