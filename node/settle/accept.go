// SPDX-License-Identifier: Apache-2.0

package settle

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/state"
)

// Terms are what a voucher of an offer has to meet.
type Terms struct {
	Price      fixed.Amount // of one answer
	ValidUntil uint64       // chain time at which the offer ends
}

// Accept decides about a voucher and has it on disk when it returns. It returns
// the stored answer of a request that was answered before, nil for a request that
// is to be answered now. A voucher that was taken before a crash and not answered
// may be sent again, with any row. row is the SHA-256 of the request.
//
// Errors: those of channel.CheckVoucher, ErrNonce, ErrPrice, ErrEnding, ErrSpent;
// state.ErrUnknown for the channel; those of the store. Spec: CHN-03, CHN-06.
func (t *Till) Accept(terms Terms, s channel.SignedVoucher, row [32]byte) (*Answer, error) {
	id := laneID{s.Voucher.Channel, s.Voucher.Offer}
	v, err := t.cfg.Services.View()
	if err != nil {
		return nil, err
	}
	ch, err := state.GetChannel(v, id.channel)
	if err != nil {
		return nil, err
	}
	if s.Payer() != ch.Payer {
		return nil, channel.ErrSignature
	}
	lane, held, err := t.db.lane(id)
	if err != nil {
		return nil, err
	}
	answered, ok, err := t.db.answer(id, s.Voucher.Nonce)
	if err != nil {
		return nil, err
	}
	if ok {
		return repeated(t.cfg.ChainID, answered, s, row)
	}
	again := held && lane.Newest == s
	h, err := t.hold(v, terms, id, ch, again)
	if err != nil {
		return nil, err
	}
	if err := h.check(t.cfg.ChainID, id, s); err != nil || again {
		return nil, err
	}
	return nil, t.take(id, lane, held, h, s)
}

// repeated is the answer to a request with a voucher that paid before.
func repeated(chainID [32]byte, a answerRecord, s channel.SignedVoucher, row [32]byte) (*Answer, error) {
	if err := s.Verify(chainID); err != nil {
		return nil, err
	}
	if a.Row != row || a.Answer.Receipt.Receipt.Cum != s.Voucher.Cum {
		return nil, ErrSpent
	}
	return &a.Answer, nil
}

// holding is what a voucher is measured against. Amounts are base units.
type holding struct {
	channel channel.Channel
	lane    *channel.Lane // on chain; nil if nothing was redeemed
	nonce   uint64        // of the newest voucher held
	cum     fixed.Amount  // of the newest voucher held
	others  fixed.Amount  // held on other lanes of the channel, not redeemed
	terms   Terms
	now     uint64 // chain time
	margin  uint64 // time needed to redeem
	height  uint64 // of the view
}

// hold reads what a voucher is measured against. A voucher that is sent again is
// not measured against itself.
func (t *Till) hold(v state.View, terms Terms, id laneID, ch channel.Channel, again bool) (holding, error) {
	params, err1 := state.GetParams(v)
	clock, err2 := state.GetClock(v)
	if err := errors.Join(err1, err2); err != nil {
		return holding{}, err
	}
	h := holding{channel: ch, terms: terms, now: ChainNow(clock, t.cfg.Clock.Wall()), margin: 2 * redeemAfter(params), height: clock.Height}
	var err error
	if h.lane, err = laneOf(v, id); err != nil {
		return holding{}, err
	}
	newest := map[laneID]channel.Voucher{}
	if err := t.db.lanes(&id.channel, func(at laneID, l laneRecord) bool {
		newest[at] = l.Newest.Voucher
		return true
	}); err != nil {
		return holding{}, err
	}
	if !again {
		h.nonce, h.cum = newest[id].Nonce, newest[id].Cum
	}
	delete(newest, id)
	for at, n := range newest {
		l, err := laneOf(v, at)
		if err != nil {
			return holding{}, err
		}
		redeemed := fixed.Amount(0)
		if l != nil {
			redeemed = l.Redeemed
		}
		h.others += max(n.Cum, redeemed) - redeemed // each was below the deposit
	}
	return h, nil
}

// laneOf is a lane on chain, nil if nothing was redeemed on it.
func laneOf(v state.View, id laneID) (*channel.Lane, error) {
	l, ok, err := state.Load[channel.Lane](v, state.LaneKey(id.channel, id.offer))
	if err != nil || !ok {
		return nil, err
	}
	return &l, nil
}

// check decides whether s pays for one more answer. Errors: those of
// channel.CheckVoucher, ErrEnding, ErrNonce, ErrPrice. Spec: CHN-03, CHN-06.
func (h holding) check(chainID [32]byte, id laneID, s channel.SignedVoucher) error {
	v := s.Voucher
	delta, err := channel.CheckVoucher(chainID, id.channel, h.channel, h.lane, s, h.now)
	if err != nil {
		return err
	}
	nonce, cum := h.nonce, h.cum
	if h.lane != nil {
		nonce, cum = max(nonce, h.lane.Nonce), max(cum, h.lane.Redeemed)
	}
	least, err := fixed.Add(cum, h.terms.Price)
	switch {
	case h.terms.ValidUntil <= h.now || h.channel.ClosingMS != 0 || min(h.channel.EndMS(), v.ExpiryMS) < h.now+h.margin:
		return ErrEnding
	case v.Nonce <= nonce:
		return fmt.Errorf("%w: nonce %d, the last one was %d", ErrNonce, v.Nonce, nonce)
	case err != nil || v.Cum < least:
		return fmt.Errorf("%w: cum %d, at least %d + %d", ErrPrice, v.Cum, cum, h.terms.Price)
	case delta > h.channel.Locked() || h.others > h.channel.Locked()-delta:
		return fmt.Errorf("%w: adds %d, other offers hold %d, %d left", channel.ErrCumOver, delta, h.others, h.channel.Locked())
	}
	return nil
}

// take puts an accepted voucher on disk.
func (t *Till) take(id laneID, l laneRecord, held bool, h holding, s channel.SignedVoucher) error {
	if !held {
		if err := t.begin(h.height); err != nil {
			return err
		}
		l.Seen = h.height
		if h.lane != nil {
			l.Redeemed = h.lane.Redeemed
		}
	}
	if l.Answered == nil || l.Answered.Voucher.Cum <= l.Redeemed {
		l.SinceMS = t.cfg.Clock.Wall()
	}
	l.Newest = s
	if err := t.db.put(openKey(id, s.Voucher.Nonce), s.Voucher.Cum, false); err != nil {
		return err
	}
	return t.db.put(laneKey(id), l, true)
}

// Finish puts the answer to an accepted voucher on disk. Only then may it be
// given away, and the voucher be redeemed. Errors: those of the store.
func (t *Till) Finish(s channel.SignedVoucher, row [32]byte, a Answer) error {
	id := laneID{s.Voucher.Channel, s.Voucher.Offer}
	if err := t.db.put(answerKey(id, s.Voucher.Nonce), answerRecord{Row: row, Answer: a}, true); err != nil {
		return err
	}
	l, ok, err := t.db.lane(id)
	if err != nil || !ok {
		return err
	}
	l.Answered = &s
	if err := t.db.put(laneKey(id), l, false); err != nil {
		return err
	}
	t.mu.Lock()
	t.dirty[id] = true
	t.mu.Unlock()
	return nil
}
