// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"errors"

	"github.com/openledger/openledger/consensus/evidence"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/econ"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// slashEvidence punishes the offences that the evidence shows and pays the
// reporter its part of what is taken at once. Errors: StkEvidenceOld for an epoch
// whose set is not kept, StkEvidenceBad if it convicts nobody, StkEvidenceUsed if
// nothing new follows. Spec: STK-04, CONS-51.
func (m *machine) slashEvidence(p *tx.SlashEvidence) error {
	e, err := evidence.Decode(p.Evidence)
	if err != nil {
		return tx.Errorf(tx.StkEvidenceBad, "%v", err)
	}
	set, seed, err := m.setOf(e.Epoch())
	if err != nil {
		return err
	}
	offences, err := evidence.Court{ChainID: m.env.ChainID, Set: set, Seed: &seed, BadTx: func(raw []byte) bool { return invalid(m.env.ChainID, raw) }}.Check(e)
	if err != nil {
		return tx.Errorf(tx.StkEvidenceBad, "%v", err)
	}
	var taken fixed.Amount
	convicted, changed := false, false
	for _, o := range offences {
		k := OffenceKey(o)
		if m.has(k) {
			continue
		}
		m.o.Put(k, emptyList)
		if o.Class == evidence.Jail {
			cut, err := m.jail(o)
			if err != nil {
				return err
			}
			taken, changed = taken+cut, true
			continue
		}
		convicted = true
		ck := state.ConvictionKey(o.Address)
		if c, stands := load[state.Conviction](m, ck); !stands || !m.stands(c) {
			store(m, ck, state.Conviction{Power: set.Power(o.Index), Epoch: o.Epoch, AtMS: m.now()})
		}
	}
	if convicted {
		cut, any, err := m.slashConvicted(set.Total(), e.View())
		if err != nil {
			return err
		}
		taken, changed = taken+cut, changed || any
	}
	if !changed {
		return tx.Errorf(tx.StkEvidenceUsed, "%d offences, all punished before", len(offences))
	}
	return m.payReporter(e, taken)
}

// payReporter moves what slashes took out of bonded.
func (m *machine) payReporter(e *evidence.Evidence, taken fixed.Amount) error {
	part, err := fixed.MulDiv(uint64(taken), econ.ReporterBPS, econ.BPS)
	if err != nil {
		return err
	}
	if err := m.move(state.Bonded, m.sender(), fixed.Amount(part), tx.TxInvariant); err != nil {
		return err
	}
	if err := m.move(state.Bonded, state.Burned, taken-fixed.Amount(part), tx.TxInvariant); err != nil {
		return err
	}
	m.done([]ID{ID(m.sender())}, e.Epoch(), e.View(), part)
	return nil
}

// setOf returns the set of an epoch and the seed of its leaders' order. Errors:
// StkEvidenceOld unless it is the running one or one that ended less than
// unbonding_ms ago.
func (m *machine) setOf(epoch uint64) (*valset.Set, [32]byte, error) {
	if epoch == m.epoch() {
		set, err := makeSet(epoch, m.validators)
		return set, m.setSeed(), err
	}
	p, ok := load[state.PastSet](m, state.PastSetKey(epoch))
	if !ok || m.now()-p.EndMS >= m.p.Staking.UnbondingMS {
		return nil, [32]byte{}, tx.Errorf(tx.StkEvidenceOld, "epoch %d, it is %d", epoch, m.epoch())
	}
	set, err := makeSet(epoch, p.Validators)
	return set, p.Seed, err
}

// slashConvicted brings everybody convicted within unbonding_ms to the part that
// their power together asks for, and removes them for good. w is the power of the
// set in which the newest offence happened. It reports what was taken and whether
// anything changed.
func (m *machine) slashConvicted(w, view uint64) (taken fixed.Amount, changed bool, err error) {
	list, err := m.o.Scan(state.ConvictionPrefix(), nil, maxConvicted)
	if err != nil {
		return 0, false, err
	}
	var power uint64
	var guilty []keys.Address
	for _, kv := range list {
		var c state.Conviction
		if err := enc.Decode(kv.Value, &c); err != nil {
			return 0, false, errors.Join(m.broken(), err)
		}
		if !m.stands(c) {
			m.remove(kv.Key)
			continue
		}
		power += c.Power // of each set at most 2^52, and few sets
		guilty = append(guilty, keys.Address(kv.Key[2:]))
	}
	bps, err := econ.SlashBPS(power, w)
	if err != nil {
		return 0, false, err
	}
	for _, a := range guilty {
		c, err := m.candidate(a)
		if err != nil {
			return 0, false, err
		}
		if c.SlashedBPS >= bps {
			continue
		}
		of, _ := load[state.Conviction](m, state.ConvictionKey(a))
		cut, err := m.cut(a, &c, econ.Cut{Epoch: of.Epoch, Num: econ.BPS - bps, Den: econ.BPS - c.SlashedBPS})
		if err != nil {
			return 0, false, err
		}
		c.SlashedBPS, c.Removed = bps, true
		store(m, state.CandidateKey(a), c)
		taken, changed = taken+cut, true
		m.emit(tx.KindSlashEvidence, ledger.SubSlashed, []ID{ID(a)}, of.Epoch, view, bps, uint64(cut))
	}
	return taken, changed, nil
}

// stands reports whether a conviction still counts.
func (m *machine) stands(c state.Conviction) bool { return m.now()-c.AtMS < m.p.Staking.UnbondingMS }

// maxConvicted bounds the convictions that are looked at: more than can be in the
// sets of one unbonding time and not lose everything.
const maxConvicted = 4_096

// jail takes a thousandth and keeps the validator out of the next set.
func (m *machine) jail(o evidence.Offence) (fixed.Amount, error) {
	c, err := m.candidate(o.Address)
	if err != nil {
		return 0, err
	}
	cut, err := m.cut(o.Address, &c, econ.Cut{Epoch: o.Epoch, Num: econ.BPS - econ.JailBPS, Den: econ.BPS})
	if err != nil {
		return 0, err
	}
	c.JailedTo = m.epoch() + 1
	store(m, state.CandidateKey(o.Address), c)
	m.emit(tx.KindSlashEvidence, ledger.SubJailed, []ID{ID(o.Address)}, o.Epoch, o.View, c.JailedTo, uint64(cut))
	return cut, nil
}

// cut applies a slash to a pool and appends it to the validator's log, for the
// stakes that are on their way. It returns what the pool lost, which still lies in
// bonded; the caller stores the candidate.
func (m *machine) cut(a keys.Address, c *state.Candidate, x econ.Cut) (fixed.Amount, error) {
	left, err := x.Keep(uint64(c.Tokens))
	if err != nil {
		return 0, err
	}
	lost := c.Tokens - fixed.Amount(left)
	c.Tokens = fixed.Amount(left)
	store(m, state.CutKey(a, c.Cuts), x)
	c.Cuts++
	return lost, nil
}
