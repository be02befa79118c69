// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// computeRegister makes the sender an operator. Errors: ObjExists, StkBondLow,
// ObjLimit, TxFunds for the bond, ObjDeposit. Spec: TASK-03.
func (m *machine) computeRegister(p *tx.ComputeRegister) error {
	k := state.OperatorKey(m.sender())
	count, _ := load[uint64](m, state.OperatorCountKey())
	switch {
	case m.has(k):
		return tx.Errorf(tx.ObjExists, "%v is registered", m.sender())
	case p.Bond < m.p.ComputeBond:
		return tx.Errorf(tx.StkBondLow, "bond %d, at least %d", p.Bond, m.p.ComputeBond)
	case count >= m.p.MaxOperators:
		return tx.Errorf(tx.ObjLimit, "%d operators are registered", count)
	}
	rec := state.Operator{DeviceClass: p.DeviceClass, PeerID: p.PeerID, Bond: p.Bond, CreatedMS: m.now()}
	var err error
	if rec.Deposit, err = m.deposit(k, rec); err != nil {
		return err
	}
	if err := m.move(m.sender(), state.Compute, p.Bond, tx.TxFunds); err != nil {
		return err
	}
	store(m, k, rec)
	store(m, state.OperatorCountKey(), count+1)
	m.done([]ID{ID(m.sender())}, uint64(p.Bond), uint64(rec.Deposit))
	return nil
}

// offerPost offers answers of a model. Errors: TskBond for a sender that is no
// operator, ObjUnknown for the model, PoaNoMethod for one without attribution,
// LicPurpose if its terms do not permit inference for money, ObjWindowClosed for a time that has passed, ObjDeposit.
func (m *machine) offerPost(p *tx.OfferPost) error {
	if !m.has(state.OperatorKey(m.sender())) {
		return tx.Errorf(tx.TskBond, "%v is no registered operator", m.sender())
	}
	model, ok := load[state.Model](m, state.ModelKey(p.Model))
	if !ok {
		return tx.Errorf(tx.ObjUnknown, "no model %v", p.Model)
	}
	if model.AttrMethod == tx.NoAttribution {
		return tx.Errorf(tx.PoaNoMethod, "model %v names no attribution: nobody would be paid for its answers", p.Model)
	}
	if err := m.permits(model.Terms, state.TermsInfer|state.TermsCommercial); err != nil {
		return err
	}
	if p.ValidUntil <= m.now() {
		return tx.Errorf(tx.ObjWindowClosed, "valid_until %d ms, now %d ms", p.ValidUntil, m.now())
	}
	id := m.newID(0)
	rec := state.Offer{Operator: m.sender(), Model: p.Model, Ask: p.Ask, ValidUntil: p.ValidUntil, CreatedMS: m.now()}
	k := state.OfferKey(id)
	var err error
	if rec.Deposit, err = m.deposit(k, rec); err != nil {
		return err
	}
	store(m, k, rec)
	m.done([]ID{id, ID(m.sender()), p.Model}, uint64(p.Ask), uint64(rec.Deposit))
	return nil
}

// permits reports whether terms allow every use in flags. Errors: LicTerms for
// unknown terms, LicPurpose.
func (m *machine) permits(id ID, flags uint64) error {
	t, ok := load[state.Terms](m, state.TermsKey(id))
	if !ok {
		return tx.Errorf(tx.LicTerms, "no terms %v", id)
	}
	if t.Flags&flags != flags {
		return tx.Errorf(tx.LicPurpose, "%s permits 0x%x, need 0x%x", t.SPDX, t.Flags, flags)
	}
	return nil
}
