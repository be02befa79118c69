// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"fmt"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/econ"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// candidate reads a registered validator. Errors: ObjUnknown.
func (m *machine) candidate(a keys.Address) (state.Candidate, error) {
	c, ok := load[state.Candidate](m, state.CandidateKey(a))
	if !ok {
		return c, tx.Errorf(tx.ObjUnknown, "%v is no validator", a)
	}
	return c, nil
}

// stake bonds money with a validator. Errors: ObjUnknown, StkJailed if the
// validator was removed, StkBondLow if the amount buys no share, TxFunds,
// ObjDeposit. Spec: STK-01.
func (m *machine) stake(p *tx.Stake) error {
	c, err := m.candidate(p.Validator)
	if err != nil {
		return err
	}
	shares, paid, err := m.buy(p.Validator, &c, m.sender(), p.Amount)
	if err != nil {
		return err
	}
	if err := m.move(m.sender(), state.Bonded, p.Amount, tx.TxFunds); err != nil {
		return err
	}
	store(m, state.CandidateKey(p.Validator), c)
	m.done([]ID{ID(p.Validator), ID(m.sender())}, uint64(p.Amount), shares, uint64(paid))
	return nil
}

// buy adds amount to a pool for a delegator, whose rewards so far are paid. The
// caller brings the money to bonded and stores the candidate. Errors: StkJailed,
// StkBondLow, ObjDeposit.
func (m *machine) buy(v keys.Address, c *state.Candidate, by keys.Address, amount fixed.Amount) (shares uint64, paid fixed.Amount, err error) {
	if c.Removed || (c.Tokens == 0 && c.Shares > 0) {
		return 0, 0, tx.Errorf(tx.StkJailed, "%v takes no stakes any more", v)
	}
	if shares, err = econ.BuyShares(amount, c.Tokens, c.Shares); err != nil {
		return 0, 0, err
	}
	if shares == 0 {
		return 0, 0, tx.Errorf(tx.StkBondLow, "%d nOPEN buy no share", amount)
	}
	k := state.DelegationKey(v, by)
	d, known := load[state.Delegation](m, k)
	if !known {
		d = state.Delegation{Seen: c.Acc}
		if d.Deposit, err = m.deposit(k, d); err != nil {
			return 0, 0, err
		}
	}
	if paid, err = m.payRewards(c, &d, by); err != nil {
		return 0, 0, err
	}
	if err := m.addShares(v, c, by, &d, amount, shares); err != nil {
		return 0, 0, err
	}
	store(m, k, d)
	return shares, paid, nil
}

// addShares books shares and their tokens.
func (m *machine) addShares(v keys.Address, c *state.Candidate, by keys.Address, d *state.Delegation, amount fixed.Amount, shares uint64) error {
	all, err := fixed.Add(fixed.Amount(c.Shares), fixed.Amount(shares))
	if err != nil {
		return err
	}
	c.Shares, c.Tokens, d.Shares = uint64(all), c.Tokens+amount, d.Shares+shares // parts of all; tokens below the supply
	if by == v {
		c.SelfShares += shares
	}
	return nil
}

// sell takes shares of a delegator out of a pool and returns what they are worth,
// which still lies in bonded. Rewards so far are paid; an empty delegation is
// deleted and its deposit returned. Errors: ObjUnknown for a stranger, TxFunds for
// more shares than there are, StkRedelegateHop for shares that are locked.
func (m *machine) sell(v keys.Address, c *state.Candidate, by keys.Address, shares uint64) (fixed.Amount, error) {
	d, ok := load[state.Delegation](m, state.DelegationKey(v, by))
	switch {
	case !ok:
		return 0, tx.Errorf(tx.ObjUnknown, "%v has no stake with %v", by, v)
	case shares > d.Shares:
		return 0, tx.Errorf(tx.TxFunds, "have %d shares, need %d", d.Shares, shares)
	case shares > d.Shares-d.Locked:
		return 0, tx.Errorf(tx.StkRedelegateHop, "%d of %d shares came by Redelegate and are locked", d.Locked, d.Shares)
	}
	if _, err := m.payRewards(c, &d, by); err != nil {
		return 0, err
	}
	return m.takeShares(v, c, by, d, shares)
}

// takeShares books shares out of a delegation whose rewards are paid and stores
// it.
func (m *machine) takeShares(v keys.Address, c *state.Candidate, by keys.Address, d state.Delegation, shares uint64) (fixed.Amount, error) {
	amount, err := econ.SellShares(shares, c.Tokens, c.Shares)
	if err != nil {
		return 0, err
	}
	c.Tokens, c.Shares, d.Shares = c.Tokens-amount, c.Shares-shares, d.Shares-shares
	if by == v {
		c.SelfShares -= shares
	}
	k := state.DelegationKey(v, by)
	if d.Shares > 0 {
		store(m, k, d)
		return amount, nil
	}
	m.remove(k)
	return amount, m.move(state.Deposits, by, d.Deposit, tx.TxInvariant)
}

// liable is what a stake that leaves a validator now still owes to its slashes. It
// ends unbonding_ms after the latest end that this epoch can have, so that nobody
// is free while evidence of the epoch is still taken.
func (m *machine) liable(v keys.Address, c state.Candidate) state.Liable {
	end := m.clock.EpochCTimeMS + m.p.EpochMS + maxTickMS
	return state.Liable{Validator: v, Epoch: m.epoch(), CutsAt: c.Cuts, DueMS: max(end, m.now()) + m.p.Staking.UnbondingMS}
}

// kept is what is left of x after the slashes that l is liable for.
func (m *machine) kept(l state.Liable, x uint64) (uint64, error) {
	c, err := m.candidate(l.Validator)
	if err != nil {
		return 0, err
	}
	for i := l.CutsAt; i < c.Cuts; i++ {
		cut, ok := load[econ.Cut](m, state.CutKey(l.Validator, i))
		if !ok {
			return 0, fmt.Errorf("no slash %d of %v", i, l.Validator)
		}
		if cut.Epoch > l.Epoch {
			continue
		}
		if x, err = cut.Keep(x); err != nil {
			return 0, err
		}
	}
	return x, nil
}

// unstake begins to pay shares out. Errors: ObjUnknown, TxFunds, StkRedelegateHop,
// ObjDeposit. Spec: STK-01.
func (m *machine) unstake(p *tx.Unstake) error {
	c, err := m.candidate(p.Validator)
	if err != nil {
		return err
	}
	amount, err := m.sell(p.Validator, &c, m.sender(), p.Shares)
	if err != nil {
		return err
	}
	store(m, state.CandidateKey(p.Validator), c)
	id := m.newID(0)
	u := state.Unbonding{Delegator: m.sender(), Amount: amount, Liable: m.liable(p.Validator, c)}
	k := state.UnbondingKey(id)
	if u.Deposit, err = m.deposit(k, u); err != nil {
		return err
	}
	if err := m.move(state.Bonded, state.Unbonds, amount, tx.TxInvariant); err != nil {
		return err
	}
	store(m, k, u)
	m.addDue(state.DueCTime, u.Liable.DueMS, state.DueUnbond, id[:])
	m.done([]ID{id, ID(p.Validator), ID(m.sender())}, uint64(amount), p.Shares, u.Liable.DueMS)
	return nil
}

// unbondDue pays a stake whose time is over, less the slashes that came meanwhile.
func (m *machine) unbondDue(id []byte) error {
	k := state.UnbondingKey(ID(id))
	u, ok := load[state.Unbonding](m, k)
	if !ok {
		return fmt.Errorf("no unbonding %x", id)
	}
	left, err := m.kept(u.Liable, uint64(u.Amount))
	if err != nil {
		return err
	}
	for _, pay := range []struct {
		from, to keys.Address
		amount   fixed.Amount
	}{
		{state.Unbonds, u.Delegator, fixed.Amount(left)},
		{state.Unbonds, state.Burned, u.Amount - fixed.Amount(left)},
		{state.Deposits, u.Delegator, u.Deposit},
	} {
		if err := m.move(pay.from, pay.to, pay.amount, tx.TxInvariant); err != nil {
			return err
		}
	}
	m.remove(k)
	m.emit(tx.KindUnstake, ledger.SubUnbonded, []ID{ID(id), ID(u.Liable.Validator), ID(u.Delegator)}, left, uint64(u.Amount)-left)
	return nil
}

// redelegate moves shares to another validator. Errors: ObjUnknown, TxFunds,
// StkRedelegateHop, StkJailed, StkBondLow, ObjDeposit. Spec: STK-01.
func (m *machine) redelegate(p *tx.Redelegate) error {
	from, err := m.candidate(p.From)
	if err != nil {
		return err
	}
	to, err := m.candidate(p.To)
	if err != nil {
		return err
	}
	amount, err := m.sell(p.From, &from, m.sender(), p.Shares)
	if err != nil {
		return err
	}
	shares, _, err := m.buy(p.To, &to, m.sender(), amount)
	if err != nil {
		return err
	}
	store(m, state.CandidateKey(p.From), from)
	store(m, state.CandidateKey(p.To), to)
	dk := state.DelegationKey(p.To, m.sender())
	d, _ := load[state.Delegation](m, dk)
	d.Locked += shares
	store(m, dk, d)
	id := m.newID(0)
	h := state.Hop{Delegator: m.sender(), To: p.To, Shares: shares, Liable: m.liable(p.From, from)}
	k := state.HopKey(id)
	if h.Deposit, err = m.deposit(k, h); err != nil {
		return err
	}
	store(m, k, h)
	m.addDue(state.DueCTime, h.Liable.DueMS, state.DueHop, id[:])
	m.done([]ID{id, ID(p.From), ID(p.To), ID(m.sender())}, uint64(amount), shares, h.Liable.DueMS)
	return nil
}

// hopDue frees redelegated shares; the part that slashes of the validator they
// left have taken meanwhile is burned.
func (m *machine) hopDue(id []byte) error {
	k := state.HopKey(ID(id))
	h, ok := load[state.Hop](m, k)
	if !ok {
		return fmt.Errorf("no redelegation %x", id)
	}
	dk := state.DelegationKey(h.To, h.Delegator)
	d, known := load[state.Delegation](m, dk)
	to, err := m.candidate(h.To)
	if err != nil || !known {
		return fmt.Errorf("redelegation %x without a stake: %w", id, err)
	}
	left, err := m.kept(h.Liable, h.Shares)
	if err != nil {
		return err
	}
	d.Locked -= h.Shares
	if _, err := m.payRewards(&to, &d, h.Delegator); err != nil {
		return err
	}
	burned, err := m.takeShares(h.To, &to, h.Delegator, d, h.Shares-left)
	if err != nil {
		return err
	}
	store(m, state.CandidateKey(h.To), to)
	if err := m.move(state.Bonded, state.Burned, burned, tx.TxInvariant); err != nil {
		return err
	}
	m.remove(k)
	m.emit(tx.KindRedelegate, ledger.SubHopEnded, []ID{ID(id), ID(h.To), ID(h.Delegator)}, left, uint64(burned))
	return m.move(state.Deposits, h.Delegator, h.Deposit, tx.TxInvariant)
}
