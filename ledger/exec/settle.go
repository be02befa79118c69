// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/econ"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// epochCommit binds the sender to what it served under an offer in a ledger epoch
// that has ended, within commit_epochs epochs. It settles when the next epoch ends.
//
// Errors: ObjUnknown and ObjOwner for the offer, PoaRuleInactive, ObjWindowOpen
// while the epoch runs, ObjWindowClosed, ObjExists, RcpSum if a sum does not fit
// what is pending, the price or the split, RcpBond, ObjDeposit, TxFunds for the
// bond. Spec: RCP-03, RCP-05.
func (m *machine) epochCommit(p *tx.EpochCommit) error {
	offer, ok := load[state.Offer](m, state.OfferKey(p.Offer))
	now := m.epoch()
	switch {
	case !ok:
		return tx.Errorf(tx.ObjUnknown, "no offer %v", p.Offer)
	case offer.Operator != m.sender():
		return tx.Errorf(tx.ObjOwner, "the offer is of %v", offer.Operator)
	case p.Rule != receipt.Rule:
		return tx.Errorf(tx.PoaRuleInactive, "rule %q, active is %q", p.Rule, receipt.Rule)
	case p.Epoch >= now:
		return tx.Errorf(tx.ObjWindowOpen, "epoch %d has not ended, it is %d", p.Epoch, now)
	case now-p.Epoch > m.p.CommitEpochs:
		return tx.Errorf(tx.ObjWindowClosed, "epoch %d, it is %d and %d epochs are allowed", p.Epoch, now, m.p.CommitEpochs)
	}
	index := state.CommitOfKey(m.sender(), p.Epoch, p.Offer)
	if m.has(index) {
		return tx.Errorf(tx.ObjExists, "epoch %d is committed", p.Epoch)
	}
	model, ok := load[state.Model](m, state.ModelKey(offer.Model))
	if !ok {
		return tx.Errorf(tx.ObjUnknown, "no model %v", offer.Model)
	}
	rec := receipt.Commit{
		Operator: m.sender(), Epoch: p.Epoch, Offer: p.Offer, Model: offer.Model, Trainer: model.Owner,
		Price: econ.Price{Ask: offer.Ask, Royalty: model.Royalty}, Rates: m.p.Rates,
		Receipts: merkle.SumRoot{Hash: p.ReceiptRoot, Sum: uint64(p.ReceiptSum), Count: p.ReceiptCount},
		Lines:    merkle.SumRoot{Hash: p.LineRoot, Sum: uint64(p.LineSum), Count: p.LineCount},
		Rule:     p.Rule, Bond: p.Bond, Status: receipt.Committed, DueEpoch: now + 1,
	}
	if err := m.coverPending(rec); err != nil {
		return err
	}
	id := m.newID(0)
	k := state.CommitKey(id)
	var err error
	if rec.Held, err = m.deposit(k, rec); err != nil {
		return err
	}
	if err := m.move(m.sender(), state.Bonds, p.Bond, tx.TxFunds); err != nil {
		return err
	}
	store(m, k, rec)
	store(m, index, id)
	m.addDue(state.DueEpoch, rec.DueEpoch, state.DueCommit, id[:])
	m.done([]ID{id, ID(m.sender()), p.Offer}, p.Epoch, rec.Receipts.Sum, rec.Lines.Sum, uint64(p.Bond))
	return nil
}

// coverPending checks the sums of a commit and takes its pending out of the
// due-queue: from now on the commit settles it.
func (m *machine) coverPending(c receipt.Commit) error {
	k := state.PendingKey(c.Operator, c.Epoch, c.Offer)
	pending, ok := load[receipt.Pending](m, k)
	if !ok {
		return tx.Errorf(tx.RcpSum, "nothing is pending for epoch %d", c.Epoch)
	}
	if err := checkSums(c, pending.Total); err != nil {
		return err
	}
	m.removeDue(state.DueEpoch, pending.DueEpoch, state.DuePending, k[2:])
	pending.DueEpoch = 0
	store(m, k, pending)
	return nil
}

// checkSums verifies what RCP-03 asks of a commit's figures: receipts at the
// offer's price, no more than what is pending, lines no more than the
// contributors' part and at most receipt.MaxAttr per receipt, and the bond.
func checkSums(c receipt.Commit, pending fixed.Amount) error {
	gross, err := c.Price.Gross(c.Receipts.Count)
	if err != nil {
		return err
	}
	if uint64(gross) != c.Receipts.Sum {
		return tx.Errorf(tx.RcpSum, "%d receipts at %d + %d make %d, not %d", c.Receipts.Count, c.Price.Ask, c.Price.Royalty, gross, c.Receipts.Sum)
	}
	if gross > pending {
		return tx.Errorf(tx.RcpSum, "receipts sum to %d, pending is %d", gross, pending)
	}
	split, err := econ.SplitGross(gross, c.Price, c.Rates)
	if err != nil {
		return err
	}
	if c.Lines.Sum > uint64(split.Contributors) {
		return tx.Errorf(tx.RcpSum, "lines sum to %d, the contributors' part is %d", c.Lines.Sum, split.Contributors)
	}
	empty := merkle.SumRoot{Hash: sha256.Sum256(nil)}
	if c.Lines.Count > receipt.MaxAttr*c.Receipts.Count || c.Lines.Count == 0 && c.Lines != empty {
		return tx.Errorf(tx.RcpSum, "%d lines for %d receipts", c.Lines.Count, c.Receipts.Count)
	}
	if least := receipt.MinBond(gross); c.Bond < least {
		return tx.Errorf(tx.RcpBond, "bond %d, at least %d", c.Bond, least)
	}
	return nil
}

// commitDue settles a commit whose window has ended: PAY-01 over the receipts'
// sum, the lines to the pool that payees claim from, what no line names to the
// treasury, what the receipts do not cover back to the payers, the bond back to
// the operator. Spec: RCP-05, PAY-01, INV-05.
func (m *machine) commitDue(id []byte) error {
	k := state.CommitKey(ID(id))
	c, ok := load[receipt.Commit](m, k)
	if !ok {
		return fmt.Errorf("no commit %x", id)
	}
	pk := state.PendingKey(c.Operator, c.Epoch, c.Offer)
	pending, ok := load[receipt.Pending](m, pk)
	if !ok {
		return fmt.Errorf("commit %x without pending", id)
	}
	gross, lines := fixed.Amount(c.Receipts.Sum), fixed.Amount(c.Lines.Sum)
	split, err := econ.SplitGross(gross, c.Price, c.Rates)
	if err != nil {
		return err
	}
	sum, _ := load[econ.Summary](m, state.SummaryKey(c.Epoch))
	if sum, err = sum.Settle(split, lines); err != nil {
		return err
	}
	store(m, state.SummaryKey(c.Epoch), sum)
	c.Status, c.DueEpoch = receipt.Settled, 0
	store(m, k, c)
	treasury := split.Treasury + split.Contributors - lines
	m.emit(tx.KindEpochCommit, ledger.SubEpochSettled, []ID{ID(id), ID(c.Operator), ID(c.Trainer)},
		c.Epoch, uint64(gross), uint64(split.Burn), uint64(treasury), uint64(split.Validators), uint64(split.Operator), uint64(lines), uint64(split.Trainer))
	for _, pay := range []struct {
		from, to keys.Address
		amount   fixed.Amount
	}{
		{state.Pending, state.Burned, split.Burn},
		{state.Pending, state.Treasury, treasury},
		{state.Pending, c.Operator, split.Operator},
		{state.Pending, c.Trainer, split.Trainer},
		{state.Pending, state.Pools, lines},
		{state.Pending, state.Fees, split.Validators},
		{state.Bonds, c.Operator, c.Bond},
	} {
		if err := m.move(pay.from, pay.to, pay.amount, tx.TxInvariant); err != nil {
			return err
		}
	}
	pot, _ := load[fixed.Amount](m, state.FeePotKey())
	store(m, state.FeePotKey(), pot+split.Validators) // below the supply
	return m.refund(pk, pending, pending.Total-gross)
}

// pendingDue refunds a pending that no commit covered in time (RCP-05).
func (m *machine) pendingDue(id []byte) error {
	op, epoch, offer, ok := parsePending(id)
	if !ok {
		return fmt.Errorf("pending id %x", id)
	}
	k := state.PendingKey(op, epoch, offer)
	pending, ok := load[receipt.Pending](m, k)
	if !ok {
		return fmt.Errorf("no pending %x", id)
	}
	return m.refund(k, pending, pending.Total)
}

// parsePending splits operator ‖ epoch ‖ offer.
func parsePending(id []byte) (op keys.Address, epoch uint64, offer ID, ok bool) {
	if len(id) != 32+8+32 {
		return op, 0, offer, false
	}
	return keys.Address(id[:32]), binary.BigEndian.Uint64(id[32:40]), ID(id[40:]), true
}

// refund gives amount of a pending back to its payers in proportion (PAY-02) and
// deletes it; the rest of it must have been paid out.
func (m *machine) refund(key []byte, p receipt.Pending, amount fixed.Amount) error {
	m.remove(key)
	if amount == 0 {
		return nil
	}
	op, epoch, offer, ok := parsePending(key[2:])
	if !ok {
		return fmt.Errorf("pending key %x", key)
	}
	paid := make([]fixed.Amount, len(p.Parts))
	for i, x := range p.Parts {
		paid[i] = x.Amount
	}
	parts, err := econ.Refund(amount, paid)
	if err != nil {
		return err
	}
	ids, amounts := []ID{ID(op), offer}, []uint64{epoch}
	for i, x := range p.Parts {
		if err := m.move(state.Pending, x.Payer, parts[i], tx.TxInvariant); err != nil {
			return err
		}
		ids, amounts = append(ids, ID(x.Payer)), append(amounts, uint64(parts[i]))
	}
	sum, _ := load[econ.Summary](m, state.SummaryKey(epoch))
	if sum, err = sum.Refund(amount); err != nil {
		return err
	}
	store(m, state.SummaryKey(epoch), sum)
	m.emit(tx.KindEpochCommit, ledger.SubPendingRefund, ids, amounts...)
	return nil
}
