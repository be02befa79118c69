// SPDX-License-Identifier: Apache-2.0

package settle

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/econ"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

const (
	retryMS    = 2_000 // after a refusal
	boundaryMS = 300   // how far validators' clocks may lag behind ours
)

// Run does what is due: books redeems of new blocks, redeems vouchers that
// waited long enough, and commits the books of epochs that ended. Everything it
// needs is on disk, so a crash in between repeats at most a step that changes
// nothing. Errors: all that failed, joined; the next call tries again.
func (t *Till) Run(ctx context.Context) error {
	t.mu.Lock()
	used := t.used
	t.mu.Unlock()
	if !used {
		return nil
	}
	maps.DeleteFunc(t.later, func(_ string, at uint64) bool { return at <= t.cfg.Clock.Wall() })
	if err := t.follow(ctx); err != nil {
		return err
	}
	sent, err := t.redeem(ctx)
	if sent {
		if err2 := t.follow(ctx); err2 != nil {
			return errors.Join(err, err2)
		}
	}
	return errors.Join(err, t.commit(ctx))
}

// follow books the redeems of new blocks.
func (t *Till) follow(ctx context.Context) error {
	at, _, err := load[uint64](t.db, []byte(keyCursor))
	if err != nil {
		return err
	}
	list, upTo, err := t.cfg.Redeems(ctx, at)
	if err != nil || upTo <= at {
		return err
	}
	for _, r := range list {
		if err := t.book(ctx, r); err != nil {
			return err
		}
	}
	return t.db.put([]byte(keyCursor), upTo, false)
}

// book moves the receipts that a redeem paid for into the book of its epoch. It
// changes nothing when it runs again.
func (t *Till) book(ctx context.Context, r Redeem) error {
	leave, err := t.Enter(ctx, r.Channel)
	if err != nil {
		return err
	}
	defer leave()
	id := laneID{r.Channel, r.Offer}
	l, held, err := t.db.lane(id)
	if err != nil || !held || r.Height <= l.Seen {
		return err // a lane that nothing was served on, or seen before
	}
	before := l.Redeemed
	if l.Redeemed, err = fixed.Add(before, r.Delta); err != nil {
		return err
	}
	l.Seen = r.Height
	entries, err := t.db.open(id)
	if err != nil {
		return err
	}
	b, booked := bookID{r.Epoch, r.Offer}, 0
	paid := slices.DeleteFunc(entries, func(e openEntry) bool { return e.cum > l.Redeemed })
	for _, e := range paid {
		if e.cum <= before {
			continue // booked before a crash that left its entry
		}
		booked++
		if err := t.db.l.Put(bookKey(b, id.channel, e.nonce), nil, false); err != nil {
			return err
		}
	}
	if booked > 0 {
		if err := t.db.l.Put(dueKey(b), nil, false); err != nil {
			return err
		}
	}
	if err := t.db.put(laneKey(id), l, false); err != nil {
		return err
	}
	for _, e := range paid {
		if err := t.db.l.Delete(openKey(id, e.nonce), false); err != nil {
			return err
		}
	}
	t.settled(id, l)
	return nil
}

// settled forgets a lane that holds nothing more than was redeemed.
func (t *Till) settled(id laneID, l laneRecord) {
	if l.Newest.Voucher.Cum > l.Redeemed {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.dirty, id)
}

// candidate is a voucher that can be redeemed.
type candidate struct {
	voucher channel.SignedVoucher
	urgent  bool
}

// redeem sends the vouchers that are due, and with them all others that can be
// redeemed. sent is true if a block may have redeemed some.
func (t *Till) redeem(ctx context.Context) (sent bool, err error) {
	list, err := t.candidates(ctx)
	if err != nil || !slices.ContainsFunc(list, func(c candidate) bool { return c.urgent }) {
		return false, err
	}
	for part := range slices.Chunk(list, channel.MaxVouchers) {
		p := &tx.ChannelRedeem{}
		for _, c := range part {
			p.Vouchers = append(p.Vouchers, c.voucher)
		}
		sent = true
		err = t.cfg.Services.Send(ctx, p)
		var refused *tx.Error
		if errors.As(err, &refused) {
			err = t.redeemEach(ctx, p.Vouchers, err)
		}
		if err != nil {
			return sent, fmt.Errorf("redeem: %w", err)
		}
		t.log.Info("vouchers redeemed", "lanes", len(part))
	}
	return sent, nil
}

// redeemEach sends vouchers one by one after they were refused together with
// why, so that one cannot hold up the others.
func (t *Till) redeemEach(ctx context.Context, list []channel.SignedVoucher, why error) error {
	var errs []error
	for _, v := range list {
		err := why
		if len(list) > 1 {
			err = t.cfg.Services.Send(ctx, &tx.ChannelRedeem{Vouchers: []channel.SignedVoucher{v}})
		}
		if err != nil {
			t.later[string(laneKey(laneID{v.Voucher.Channel, v.Voucher.Offer}))] = t.cfg.Clock.Wall() + retryMS
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// candidates lists what can be redeemed now, ascending by lane.
func (t *Till) candidates(ctx context.Context) ([]candidate, error) {
	v, err := t.cfg.Services.View()
	if err != nil {
		return nil, err
	}
	params, err1 := state.GetParams(v)
	clock, err2 := state.GetClock(v)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	t.mu.Lock()
	ids := make([]laneID, 0, len(t.dirty))
	for id := range t.dirty {
		ids = append(ids, id)
	}
	t.mu.Unlock()
	slices.SortFunc(ids, func(a, b laneID) int { return slices.Compare(laneKey(a), laneKey(b)) })
	var out []candidate
	chans := map[ID]channel.Channel{} // as earlier vouchers of this list leave them
	for _, id := range ids {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		c, ok, err := t.candidate(v, params, clock, id, chans)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, c)
		}
	}
	return out, nil
}

// candidate decides about one lane. A lane whose channel has ended is forgotten.
func (t *Till) candidate(v state.View, p state.Params, clock state.Clock, id laneID, chans map[ID]channel.Channel) (c candidate, ok bool, err error) {
	l, held, err := t.db.lane(id)
	if err != nil || !held || l.Answered == nil || t.later[string(laneKey(id))] > t.cfg.Clock.Wall() {
		return c, false, err
	}
	ch, known := chans[id.channel]
	if !known {
		ch, err = state.GetChannel(v, id.channel)
		if errors.Is(err, state.ErrUnknown) {
			t.mu.Lock()
			delete(t.dirty, id)
			t.mu.Unlock()
			return c, false, nil
		}
		if err != nil {
			return c, false, err
		}
	}
	at, err := laneOf(v, id)
	if err != nil {
		return c, false, err
	}
	wall := t.cfg.Clock.Wall()
	now := ChainNow(clock, wall)
	next, _, _, refused := channel.Redeem(ch, at, l.Answered.Voucher, now)
	if refused != nil {
		return c, false, nil
	}
	chans[id.channel] = next
	wait := redeemAfter(p)
	left := min(ch.EndMS(), l.Answered.Voucher.ExpiryMS)
	urgent := wall >= l.SinceMS+wait || ch.ClosingMS != 0 || left <= now+2*wait ||
		clock.Due(p, wall+wait/2)
	return candidate{voucher: *l.Answered, urgent: urgent}, true, nil
}

// commit sends the commits of epochs that ended.
func (t *Till) commit(ctx context.Context) error {
	list, err := t.db.due()
	if err != nil || len(list) == 0 {
		return err
	}
	var errs []error
	for _, b := range list {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if t.later[string(dueKey(b))] > t.cfg.Clock.Wall() {
			continue
		}
		if err := t.commitBook(ctx, b); err != nil {
			t.later[string(dueKey(b))] = t.cfg.Clock.Wall() + retryMS
			errs = append(errs, fmt.Errorf("commit of epoch %d: %w", b.epoch, err))
		}
	}
	return errors.Join(errs...)
}

// commitBook commits one book, if its epoch has ended.
func (t *Till) commitBook(ctx context.Context, b bookID) error {
	v, err := t.cfg.Services.View()
	if err != nil {
		return err
	}
	params, err1 := state.GetParams(v)
	clock, err2 := state.GetClock(v)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	wall := t.cfg.Clock.Wall()
	running := clock.Epoch
	if clock.Due(params, wall-min(wall, boundaryMS)) { // the next block is a seal
		running++
	}
	if running <= b.epoch {
		return nil
	}
	p, err := t.prepare(v, b, params.Rates)
	if err != nil || p == nil {
		return t.done(b, err)
	}
	if _, err := state.CommitOf(v, t.cfg.Services.Operator(), b.epoch, b.offer); !errors.Is(err, state.ErrUnknown) {
		return t.done(b, err) // a crash came between sending and noting it
	}
	if clock.Epoch > b.epoch+params.CommitEpochs {
		t.log.Warn("epoch was not committed in time; payers get their money back", "epoch", b.epoch, "offer", b.offer)
		return t.done(b, nil)
	}
	err = t.cfg.Services.Send(ctx, p)
	var refused *tx.Error
	if errors.As(err, &refused) && (refused.Code == tx.ObjExists || refused.Code == tx.ObjWindowClosed) {
		return t.done(b, nil)
	}
	if err == nil {
		t.log.Info("epoch committed", "epoch", b.epoch, "offer", b.offer, "receipts", p.ReceiptCount, "sum", p.ReceiptSum)
		err = t.done(b, nil)
	}
	return err
}

// done takes a book off the list, unless err.
func (t *Till) done(b bookID, err error) error {
	if err != nil {
		return err
	}
	return t.db.l.Delete(dueKey(b), false)
}

// prepare makes the commit of a book and notes each payee's run of lines; nil if
// the book is empty.
func (t *Till) prepare(v state.View, b bookID, rates econ.Rates) (*tx.EpochCommit, error) {
	price, err := priceOf(v, b.offer)
	if err != nil {
		return nil, err
	}
	book, _, err := t.build(b, price, rates)
	if errors.Is(err, ErrUnknown) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, payee := range book.Payees() {
		run, err := runOf(book, payee)
		if err != nil {
			return nil, err
		}
		if err := t.db.put(runKey(payee, b), run, false); err != nil {
			return nil, err
		}
	}
	sum := fixed.Amount(book.ReceiptRoot.Sum)
	p := &tx.EpochCommit{Epoch: b.epoch, Offer: b.offer, ReceiptRoot: book.ReceiptRoot.Hash, ReceiptSum: sum, ReceiptCount: book.ReceiptRoot.Count,
		LineRoot: book.LineRoot.Hash, LineSum: fixed.Amount(book.LineRoot.Sum), LineCount: book.LineRoot.Count,
		Rule: receipt.Rule, Bond: receipt.MinBond(sum)}
	return p, nil
}

// priceOf is the price of an offer.
func priceOf(v state.View, offer ID) (econ.Price, error) {
	o, err := state.GetOffer(v, offer)
	if err != nil {
		return econ.Price{}, err
	}
	m, err := state.GetModel(v, o.Model)
	return econ.Price{Ask: o.Ask, Royalty: m.Royalty}, err
}

// runOf is a payee's run of lines and what it sums to.
func runOf(b *receipt.Book, payee keys.Address) (runRecord, error) {
	first, last, err := b.Run(payee)
	if err != nil {
		return runRecord{}, err
	}
	out := runRecord{First: first}
	for _, l := range b.Lines[first : last+1] {
		if out.Amount, err = fixed.Add(out.Amount, l.Amount); err != nil {
			return runRecord{}, err
		}
	}
	return out, nil
}
