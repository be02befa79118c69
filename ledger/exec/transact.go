// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"errors"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// Check makes the common checks of TXN-03 for the block after v, without
// executing the payload. An error wrapping tx.ErrFuture says that only an earlier
// nonce is missing; all else was found good.
//
// Errors: *tx.Error with TxNonceLow, TxExpired, TxFeeLow, TxFunds, TxNonceGap;
// errors of the view.
func Check(v state.View, _ Env, t tx.Verified) error {
	p, err := state.GetParams(v)
	if err != nil {
		return err
	}
	c, err := state.GetClock(v)
	if err != nil {
		return err
	}
	a, err := state.GetAccount(v, t.Body().Sender)
	if err != nil {
		return err
	}
	return CheckAccount(p, c, a, t)
}

// CheckAccount is Check for a caller that holds parameters, clock and the
// sender's account, all of one state. Errors: those of Check, but for the view's.
func CheckAccount(p state.Params, c state.Clock, a state.Account, t tx.Verified) error {
	_, err := admit(p, c, c.Height+1, a, t)
	return err
}

// price is what an admitted transaction pays, in base units.
type price struct {
	weight uint64
	burn   fixed.Amount // weight × base fee
	tip    fixed.Amount
}

// admit is TXN-03 for height h: nonce, validity, fee, funds. c holds the base fee.
func admit(p state.Params, c state.Clock, h uint64, a state.Account, t tx.Verified) (price, error) {
	b := t.Body()
	if b.Nonce < a.Nonce {
		return price{}, tx.Errorf(tx.TxNonceLow, "nonce %d, account is at %d", b.Nonce, a.Nonce)
	}
	if b.ValidUntil < h || b.ValidUntil-h > p.ValidAhead {
		return price{}, tx.Errorf(tx.TxExpired, "valid_until %d, height %d, at most %d ahead", b.ValidUntil, h, p.ValidAhead)
	}
	w := t.Weight(p.KindWeight)
	burn, err := fixed.MulDiv(w, uint64(c.BaseFee), 1)
	if err != nil {
		return price{}, tx.Errorf(tx.TxArith, "fee of weight %d at base fee %d", w, c.BaseFee)
	}
	fee, err := fixed.Add(fixed.Amount(burn), b.Tip)
	if err != nil || fee > b.MaxFee {
		return price{}, tx.Errorf(tx.TxFeeLow, "max_fee %d, need %d plus tip %d", b.MaxFee, burn, b.Tip)
	}
	if a.Free < b.MaxFee {
		return price{}, tx.Errorf(tx.TxFunds, "have %d, max_fee %d", a.Free, b.MaxFee)
	}
	if b.Nonce > a.Nonce {
		return price{}, tx.Errorf(tx.TxNonceGap, "nonce %d, account is at %d", b.Nonce, a.Nonce)
	}
	return price{weight: w, burn: fixed.Amount(burn), tip: b.Tip}, nil
}

// transact runs one transaction: admission, fee, payload. Whatever a failing
// payload did is undone; fee and nonce stay (TXN-03).
func (m *machine) transact(t tx.Verified) ledger.Receipt {
	m.txid, m.body, m.events, m.delta = t.ID(), t.Body(), nil, 0
	r := ledger.Receipt{TxID: m.txid}
	e := m.accounts.get(m, m.body.Sender)
	cost, err := admit(m.p, m.clock, m.clock.Height, e.cur, t)
	if err == nil && m.clock.Weight+cost.weight > m.p.MaxBlockWeight {
		err = tx.Errorf(tx.TxNotYet, "weight %d of %d is used", m.clock.Weight, m.p.MaxBlockWeight)
	}
	if err != nil {
		r.Code = tx.CodeOf(err)
		return r
	}
	m.charge(t, e, cost)
	r.Fee = cost.burn + cost.tip
	m.delta = 0

	mark, accMark := m.o.Mark(), m.accounts.mark()
	err = m.dispatch()
	if err == nil && m.delta != 0 {
		err = tx.Errorf(tx.TxInvariant, "the payload does not conserve money")
	}
	if err != nil {
		m.o.Revert(mark)
		m.accounts.revert(accMark)
		r.Code = codeOf(err)
		return r
	}
	r.Events = m.events
	return r
}

// charge takes the fee, counts the nonce and stores the revealed Auth.
func (m *machine) charge(t tx.Verified, e *account, c price) {
	rec := e.cur
	rec.Free -= c.burn + c.tip
	rec.Nonce++
	if rec.Auth == nil {
		rec.Auth = t.Auth()
	}
	m.accounts.set(m, e, rec)
	m.burned += c.burn
	m.tips += c.tip
	m.clock.Weight += c.weight
}

// codeOf maps the error of a payload to its code; arithmetic that would wrap is
// TxArith (ACC-02), an error without a code TxInvariant.
func codeOf(err error) tx.Code {
	var c tx.Code
	switch {
	case errors.As(err, &c):
		return c
	case errors.Is(err, fixed.ErrArith):
		return tx.TxArith
	}
	return tx.TxInvariant
}

// dispatch runs the payload's effects.
func (m *machine) dispatch() error {
	switch p := m.body.Payload.(type) {
	case *tx.Transfer:
		return m.transfer(p)
	case *tx.FaucetDrip:
		return m.faucetDrip(p)
	case *tx.Stake:
		return m.stake(p)
	case *tx.Unstake:
		return m.unstake(p)
	case *tx.Redelegate:
		return m.redelegate(p)
	case *tx.ValidatorRegister:
		return m.validatorRegister(p)
	case *tx.ValidatorEdit:
		return m.validatorEdit(p)
	case *tx.Unjail:
		return m.unjail(p)
	case *tx.SlashEvidence:
		return m.slashEvidence(p)
	case *tx.RewardClaim:
		return m.rewardClaim(p)
	case *tx.ValidatorReady:
		return m.validatorReady(p)
	case *tx.DatasetUpload:
		return m.datasetUpload(p)
	case *tx.DatanetCreate:
		return m.datanetCreate(p)
	case *tx.ModelManifest:
		return m.modelManifest(p)
	case *tx.TrainDescriptor:
		return m.trainDescriptor(p)
	case *tx.TaskClaim:
		return m.taskClaim(p)
	case *tx.TaskCommit:
		return m.taskCommit(p)
	case *tx.CheckCommit:
		return m.checkCommit(p)
	case *tx.CheckReveal:
		return m.checkReveal(p)
	case *tx.ComputeRegister:
		return m.computeRegister(p)
	case *tx.OfferPost:
		return m.offerPost(p)
	case *tx.ChannelOpen:
		return m.channelOpen(p)
	case *tx.ChannelRedeem:
		return m.channelRedeem(p)
	case *tx.ChannelClose:
		return m.channelClose(p)
	case *tx.EpochCommit:
		return m.epochCommit(p)
	case *tx.ClaimEpoch:
		return m.claimEpoch(p)
	case *tx.AttributionCommit:
		return m.attributionCommit(p)
	}
	return tx.Errorf(tx.EncKind, "kind %v", m.body.Kind)
}
