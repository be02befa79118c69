// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"slices"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/econ"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// payRewards pays a delegator what its shares have earned since Seen. The caller
// stores both records. Spec: STK-03.
func (m *machine) payRewards(c *state.Candidate, d *state.Delegation, to keys.Address) (fixed.Amount, error) {
	due, err := c.Due(*d)
	if err != nil {
		return 0, err
	}
	d.Seen = c.Acc
	return due, m.payHeld(c, to, due)
}

// payHeld pays out of what a validator's pool holds in fees.
func (m *machine) payHeld(c *state.Candidate, to keys.Address, amount fixed.Amount) error {
	held, err := fixed.Sub(c.Held, amount)
	if err != nil {
		return err
	}
	c.Held = held
	return m.move(state.Fees, to, amount, tx.TxInvariant)
}

// rewardClaim pays the sender its rewards with one validator, and a validator its
// commission. Errors: ObjUnknown if the sender has no stake there, ObjPhase if
// nothing is due. Spec: STK-03.
func (m *machine) rewardClaim(p *tx.RewardClaim) error {
	c, err := m.candidate(p.Validator)
	if err != nil {
		return err
	}
	k := state.DelegationKey(p.Validator, m.sender())
	d, known := load[state.Delegation](m, k)
	own := p.Validator == m.sender()
	if !known && !own {
		return tx.Errorf(tx.ObjUnknown, "%v has no stake with %v", m.sender(), p.Validator)
	}
	var paid fixed.Amount
	if known {
		if paid, err = m.payRewards(&c, &d, m.sender()); err != nil {
			return err
		}
		store(m, k, d)
	}
	var owed fixed.Amount
	if own {
		owed, c.Owed = c.Owed, 0
		if err := m.payHeld(&c, m.sender(), owed); err != nil {
			return err
		}
	}
	if paid+owed == 0 {
		return tx.Errorf(tx.ObjPhase, "nothing is due")
	}
	store(m, state.CandidateKey(p.Validator), c)
	m.done([]ID{ID(p.Validator), ID(m.sender())}, uint64(paid), uint64(owed))
	return nil
}

// tip keeps the tips of a block for its leader until the seal.
func (m *machine) tip(leader keys.Address, amount fixed.Amount) {
	if amount == 0 {
		return
	}
	k := state.TipsKey(leader)
	sum, _ := load[fixed.Amount](m, k)
	store(m, k, sum+amount) // cannot wrap while the supply is conserved
	m.credit(state.Fees, amount)
}

// shareFees gives the validators of the ended epoch what the epoch earned: the
// fee pot by power (PAY-02, ascending address), to each its tips, the commission
// first, the rest to its pool by shares. Spec: STK-03.
func (m *machine) shareFees() error {
	list := slices.Clone(m.validators)
	slices.SortFunc(list, func(a, b state.Validator) int { return a.Address.Compare(b.Address) })
	weights := make([]uint64, len(list))
	for i, v := range list {
		weights[i] = v.Power
	}
	pot, _ := load[fixed.Amount](m, state.FeePotKey())
	parts, err := fixed.Split(uint64(pot), weights)
	if err != nil {
		return err
	}
	var ids []ID
	var amounts []uint64
	for i, v := range list {
		k := state.TipsKey(v.Address)
		tips, tipped := load[fixed.Amount](m, k)
		sum, err := fixed.Add(fixed.Amount(parts[i]), tips)
		if err != nil {
			return err
		}
		if tipped {
			m.remove(k)
		}
		if sum == 0 {
			continue
		}
		if err := m.reward(v.Address, sum); err != nil {
			return err
		}
		ids, amounts = append(ids, ID(v.Address)), append(amounts, uint64(sum))
	}
	if pot > 0 {
		m.remove(state.FeePotKey())
	}
	if len(ids) > 0 {
		m.emit(tx.KindRewardClaim, ledger.SubValidatorsPaid, ids, amounts...)
	}
	return nil
}

// reward adds amount, which lies in fees, to a validator's pool. What no share
// owns goes to the validator itself.
func (m *machine) reward(a keys.Address, amount fixed.Amount) error {
	c, err := m.candidate(a)
	if err != nil {
		return err
	}
	own, err := fixed.MulDiv(uint64(amount), c.Commission, econ.BPS)
	if err != nil {
		return err
	}
	if c.Shares == 0 {
		own = uint64(amount)
	}
	if rest := uint64(amount) - own; rest > 0 {
		per, err := fixed.NewU256(rest).Shl64()
		if err != nil {
			return err
		}
		if per, _, err = per.Div(c.Shares); err != nil {
			return err
		}
		if c.Acc, err = c.Acc.Add(per); err != nil {
			return err
		}
	}
	c.Owed, c.Held = c.Owed+fixed.Amount(own), c.Held+amount // below the supply
	store(m, state.CandidateKey(a), c)
	return nil
}
