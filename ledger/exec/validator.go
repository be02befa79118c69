// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/bls"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// maxEditBPS is how far a commission moves at once.
const maxEditBPS = 100

// validatorRegister makes the sender a candidate with new keys, which may act two
// epochs later. Errors: ObjExists, StkBondLow, StkPop for a proof that does not
// hold, StkKeyUsed, TxFunds, ObjDeposit. Spec: STK-01, KEY-04, CONS-37.
func (m *machine) validatorRegister(p *tx.ValidatorRegister) error {
	k := state.CandidateKey(m.sender())
	switch {
	case m.has(k):
		return tx.Errorf(tx.ObjExists, "%v is registered", m.sender())
	case p.SelfBond < m.p.Staking.MinSelfBond:
		return tx.Errorf(tx.StkBondLow, "self bond %d, at least %d", p.SelfBond, m.p.Staking.MinSelfBond)
	case !keys.Verify(p.VoteKey, p.RegisterBytes(m.env.ChainID, m.sender()), p.VoteProof):
		return tx.Errorf(tx.StkPop, "the vote key has not signed for this account")
	}
	if err := bls.VerifyPossession(p.BLSKey, p.Possession); err != nil {
		return tx.Errorf(tx.StkPop, "%v", err)
	}
	for _, used := range [][]byte{p.VoteKey[:], p.BLSKey[:], p.VRFKey[:]} {
		uk := state.UsedKeyKey(used)
		if by, known := load[keys.Address](m, uk); known {
			return tx.Errorf(tx.StkKeyUsed, "key %x is of %v", used, by)
		}
		store(m, uk, m.sender())
	}
	c := state.Candidate{VoteKey: p.VoteKey, BLSKey: p.BLSKey, VRFKey: p.VRFKey, Commission: p.Commission, KeysFrom: m.epoch() + 2}
	var err error
	if c.Deposit, err = m.deposit(k, c); err != nil {
		return err
	}
	if _, _, err := m.buy(m.sender(), &c, m.sender(), p.SelfBond); err != nil {
		return err
	}
	if err := m.move(m.sender(), state.Bonded, p.SelfBond, tx.TxFunds); err != nil {
		return err
	}
	store(m, k, c)
	m.done([]ID{ID(m.sender()), ID(p.VoteKey)}, uint64(p.SelfBond), p.Commission, c.KeysFrom, uint64(c.Deposit))
	return nil
}

// validatorEdit changes the commission. Errors: ObjUnknown, ObjLimit for a step
// above 100 basis points, ObjWindowOpen for a second change in one epoch.
func (m *machine) validatorEdit(p *tx.ValidatorEdit) error {
	c, err := m.candidate(m.sender())
	if err != nil {
		return err
	}
	if step := max(c.Commission, p.Commission) - min(c.Commission, p.Commission); step > maxEditBPS {
		return tx.Errorf(tx.ObjLimit, "from %d to %d basis points, at most %d at once", c.Commission, p.Commission, maxEditBPS)
	}
	if c.NextEdit > m.epoch() {
		return tx.Errorf(tx.ObjWindowOpen, "changed in epoch %d already", m.epoch())
	}
	c.Commission, c.NextEdit = p.Commission, m.epoch()+1
	store(m, state.CandidateKey(m.sender()), c)
	m.done([]ID{ID(m.sender())}, p.Commission)
	return nil
}

// unjail ends a jail whose time is over. Errors: ObjUnknown, ObjPhase for a
// validator that is not jailed, StkJailed before the time, or for good.
func (m *machine) unjail(*tx.Unjail) error {
	c, err := m.candidate(m.sender())
	switch {
	case err != nil:
		return err
	case c.Removed:
		return tx.Errorf(tx.StkJailed, "%v is removed for good", m.sender())
	case c.JailedTo == 0:
		return tx.Errorf(tx.ObjPhase, "%v is not jailed", m.sender())
	case c.JailedTo > m.epoch():
		return tx.Errorf(tx.StkJailed, "until epoch %d, it is %d", c.JailedTo, m.epoch())
	}
	c.JailedTo = 0
	store(m, state.CandidateKey(m.sender()), c)
	m.done([]ID{ID(m.sender())}, m.epoch())
	return nil
}

// validatorReady lets the sender enter the next set. Errors: ObjUnknown,
// ObjWindowClosed or ObjWindowOpen for another epoch than the running one,
// ObjPhase for a protocol that the chain does not run. Spec: CONS-39.
func (m *machine) validatorReady(p *tx.ValidatorReady) error {
	c, err := m.candidate(m.sender())
	switch {
	case err != nil:
		return err
	case p.Epoch < m.epoch():
		return tx.Errorf(tx.ObjWindowClosed, "epoch %d, it is %d", p.Epoch, m.epoch())
	case p.Epoch > m.epoch():
		return tx.Errorf(tx.ObjWindowOpen, "epoch %d, it is %d", p.Epoch, m.epoch())
	case p.Protocol != header.Version:
		return tx.Errorf(tx.ObjPhase, "protocol %d, the chain runs %d", p.Protocol, uint64(header.Version))
	}
	c.ReadyFor = p.Epoch + 1
	store(m, state.CandidateKey(m.sender()), c)
	m.done([]ID{ID(m.sender())}, p.Epoch, p.Protocol)
	return nil
}
