// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"errors"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// laneBytes is the most that one lane takes in the state: its key and two
// integers.
const laneBytes = 2 + 32 + 32 + 1 + 9 + 9

// footprint is what a channel can grow to; its payer deposits for all of it when
// he opens it, so that a redeem costs its sender no deposit.
type footprint struct {
	_       struct{} `cbor:",toarray"`
	Channel channel.Channel
	Lanes   []byte
}

// channelOpen locks a deposit for a payee. Errors: ObjOwner if the payee is the
// sender or a module account, ChnWindow for times out of bounds, ObjDeposit,
// TxFunds. Spec: CHN-01.
func (m *machine) channelOpen(p *tx.ChannelOpen) error {
	if err := person("payee", p.Payee); err != nil {
		return err
	}
	now := m.now()
	switch {
	case p.Payee == m.sender():
		return tx.Errorf(tx.ObjOwner, "payer and payee are the same account")
	case p.WindowMS < m.p.ChannelMinMS || p.WindowMS > m.p.ChannelMaxMS:
		return tx.Errorf(tx.ChnWindow, "window %d ms, want %d to %d", p.WindowMS, m.p.ChannelMinMS, m.p.ChannelMaxMS)
	case p.ExpiryMS < now+p.WindowMS || p.ExpiryMS-now > m.p.ChannelLifeMS:
		return tx.Errorf(tx.ChnWindow, "expiry %d ms, want %d to %d", p.ExpiryMS, now+p.WindowMS, now+m.p.ChannelLifeMS)
	}
	id := m.newID(0)
	c := channel.Channel{
		Payer: m.sender(), Payee: p.Payee, Deposit: p.Deposit,
		WindowMS: p.WindowMS, ExpiryMS: p.ExpiryMS, MaxLanes: p.MaxLanes,
	}
	k := state.ChannelKey(id)
	var err error
	if c.Held, err = m.deposit(k, footprint{Channel: c, Lanes: make([]byte, laneBytes*p.MaxLanes)}); err != nil {
		return err
	}
	if err := m.move(m.sender(), state.Channels, p.Deposit, tx.TxFunds); err != nil {
		return err
	}
	store(m, k, c)
	m.addDue(state.DueCTime, c.EndMS(), state.DueChannel, id[:])
	m.done([]ID{id, ID(c.Payer), ID(c.Payee)}, uint64(c.Deposit), uint64(c.Held), c.ExpiryMS)
	return nil
}

// channel reads a channel. Errors: ObjUnknown.
func (m *machine) channel(id ID) (channel.Channel, error) {
	c, ok := load[channel.Channel](m, state.ChannelKey(id))
	if !ok {
		return c, tx.Errorf(tx.ObjUnknown, "no channel %v", id)
	}
	return c, nil
}

// channelRedeem turns vouchers into pending income of their payees, in order; all
// of them or none. Errors: ObjUnknown for a channel, ChnLane for an offer that is
// not the payee's or has no room for a lane, ChnVoucherSig, ChnCumLow, ChnCumOver,
// ChnWindow, ObjLimit if too many payers share one pending. Spec: CHN-03, CHN-04.
func (m *machine) channelRedeem(p *tx.ChannelRedeem) error {
	for i := range p.Vouchers {
		if err := m.redeem(p.Vouchers[i]); err != nil {
			return err
		}
	}
	return nil
}

func (m *machine) redeem(s channel.SignedVoucher) error {
	v := s.Voucher
	c, err := m.channel(v.Channel)
	if err != nil {
		return err
	}
	offer, ok := load[state.Offer](m, state.OfferKey(v.Offer))
	if !ok || offer.Operator != c.Payee {
		return tx.Errorf(tx.ChnLane, "offer %v is not of payee %v", v.Offer, c.Payee)
	}
	var lane *channel.Lane
	if l, ok := load[channel.Lane](m, state.LaneKey(v.Channel, v.Offer)); ok {
		lane = &l
	}
	if _, err := channel.CheckVoucher(m.env.ChainID, v.Channel, c, lane, s, m.now()); err != nil {
		return channelCode(err)
	}
	c, l, delta, err := channel.Redeem(c, lane, v, m.now())
	if err != nil {
		return channelCode(err)
	}
	if err := m.move(state.Channels, state.Pending, delta, tx.TxInvariant); err != nil {
		return err
	}
	if err := m.addPending(c, v.Offer, delta); err != nil {
		return err
	}
	store(m, state.ChannelKey(v.Channel), c)
	store(m, state.LaneKey(v.Channel, v.Offer), l)
	m.done([]ID{v.Channel, v.Offer, ID(c.Payee), ID(c.Payer)}, uint64(delta), m.epoch())
	return nil
}

// addPending books delta as income of this ledger epoch. A new pending is due for
// refund when the epochs in which it can be committed have ended (RCP-05).
func (m *machine) addPending(c channel.Channel, offer ID, delta fixed.Amount) error {
	k := state.PendingKey(c.Payee, m.epoch(), offer)
	p, known := load[receipt.Pending](m, k)
	next, ok, err := p.Add(c.Payer, delta)
	if err != nil {
		return err
	}
	if !ok {
		return tx.Errorf(tx.ObjLimit, "%d payers in this epoch", len(p.Parts))
	}
	if !known {
		next.DueEpoch = m.epoch() + m.p.CommitEpochs
		m.addDue(state.DueEpoch, next.DueEpoch, state.DuePending, k[2:])
	}
	store(m, k, next)
	return nil
}

// channelCode maps the refusals of a voucher to codes.
func channelCode(err error) error {
	for _, c := range []struct {
		err  error
		code tx.Code
	}{
		{channel.ErrFormat, tx.ChnVoucherSig},
		{channel.ErrSignature, tx.ChnVoucherSig},
		{channel.ErrChannel, tx.ChnVoucherSig},
		{channel.ErrCumLow, tx.ChnCumLow},
		{channel.ErrCumOver, tx.ChnCumOver},
		{channel.ErrLane, tx.ChnLane},
		{channel.ErrExpired, tx.ChnWindow},
		{channel.ErrClosed, tx.ChnWindow},
	} {
		if errors.Is(err, c.err) {
			return tx.Errorf(c.code, "%v", err)
		}
	}
	return err
}

// channelClose ends a channel: at once by the payee; by the payer after its
// window, so that the payee can still redeem. Errors: ObjUnknown, ObjOwner,
// ObjPhase if the payer closes twice. Spec: CHN-05.
func (m *machine) channelClose(p *tx.ChannelClose) error {
	c, err := m.channel(p.Channel)
	if err != nil {
		return err
	}
	switch {
	case m.sender() == c.Payee:
		m.done([]ID{p.Channel, ID(m.sender())}, m.now())
		m.removeDue(state.DueCTime, c.EndMS(), state.DueChannel, p.Channel[:])
		return m.endChannel(p.Channel, c)
	case m.sender() != c.Payer:
		return tx.Errorf(tx.ObjOwner, "%v is neither payer nor payee", m.sender())
	case c.ClosingMS != 0:
		return tx.Errorf(tx.ObjPhase, "closing at %d ms", c.EndMS())
	}
	m.removeDue(state.DueCTime, c.EndMS(), state.DueChannel, p.Channel[:])
	c.ClosingMS = m.now() + c.WindowMS // EndMS never lies after the expiry
	m.addDue(state.DueCTime, c.EndMS(), state.DueChannel, p.Channel[:])
	store(m, state.ChannelKey(p.Channel), c)
	m.done([]ID{p.Channel, ID(m.sender())}, c.EndMS())
	return nil
}

// channelDue ends a channel whose time has come.
func (m *machine) channelDue(id []byte) error {
	c, err := m.channel(ID(id))
	if err != nil {
		return err
	}
	return m.endChannel(ID(id), c)
}

// endChannel returns what was not spent and the state deposit to the payer and
// deletes channel and lanes. The caller has removed the due-queue entry.
func (m *machine) endChannel(id ID, c channel.Channel) error {
	prefix := state.LaneKey(id, ID{})[:2+len(id)]
	lanes, err := m.o.Scan(prefix, nil, channel.MaxLanes)
	if err != nil {
		return err
	}
	for _, kv := range lanes {
		m.remove(kv.Key)
	}
	if err := m.move(state.Channels, c.Payer, c.Locked(), tx.TxInvariant); err != nil {
		return err
	}
	if err := m.move(state.Deposits, c.Payer, c.Held, tx.TxInvariant); err != nil {
		return err
	}
	m.remove(state.ChannelKey(id))
	m.emit(tx.KindChannelOpen, ledger.SubChannelClosed, []ID{id, ID(c.Payer), ID(c.Payee)}, uint64(c.Paid), uint64(c.Locked()))
	return nil
}
