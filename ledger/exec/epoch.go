// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/bls"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/vrf"
	"github.com/openledger/openledger/ledger/econ"
	"github.com/openledger/openledger/ledger/state"
)

// CurrentSet returns the validator set that signs the block after v. Errors:
// those of the view; valset.ErrSet for a damaged state.
func CurrentSet(v state.View) (*valset.Set, error) {
	c, err := state.GetClock(v)
	if err != nil {
		return nil, err
	}
	list, err := state.GetValidators(v)
	if err != nil {
		return nil, err
	}
	return makeSet(c.Epoch, list)
}

// PastSet returns the set of an epoch that has ended, while v keeps it. Errors:
// state.ErrUnknown.
func PastSet(v state.View, epoch uint64) (*valset.Set, error) {
	p, err := state.GetPastSet(v, epoch)
	if err != nil {
		return nil, err
	}
	return makeSet(epoch, p.Validators)
}

// NextSet returns the set of the next epoch as elected from v, the state after the
// parent of a seal (econ.Elect). A validator may sit in it if it is neither jailed
// nor removed, its self bond is at least min_self_bond, its keys may act, and it
// sits in the current set or has said in this epoch that it is ready.
//
// Cost: a scan of all registered validators, about 5 µs each. Errors: those of the
// view; valset.ErrSet for a damaged state. Spec: CONS-39, CONS-37, STK-02.
func NextSet(v state.View) (*valset.Set, error) {
	c, err1 := state.GetClock(v)
	p, err2 := state.GetParams(v)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	list, err := elected(v, c, p)
	if err != nil {
		return nil, err
	}
	return makeSet(c.Epoch+1, list)
}

// elected is the list behind NextSet.
func elected(v state.View, c state.Clock, p state.Params) ([]state.Validator, error) {
	current, err := state.GetValidators(v)
	if err != nil {
		return nil, err
	}
	byAddr := make(map[keys.Address]state.Validator, len(current))
	now := make([]econ.Seat, len(current))
	for i, x := range current {
		byAddr[x.Address], now[i] = x, econ.Seat{Address: x.Address, Power: x.Power}
	}
	var seats []econ.Seat
	var broken error
	err = each(v, state.ListCandidates, func(id ID, x state.Candidate) {
		a := keys.Address(id)
		_, sits := byAddr[a]
		bond, err := x.SelfBond()
		broken = errors.Join(broken, err)
		ready := sits || x.ReadyFor == c.Epoch+1
		if x.Removed || x.JailedTo > 0 || bond < p.Staking.MinSelfBond || x.KeysFrom > c.Epoch+1 || !ready {
			return
		}
		byAddr[a] = state.Validator{Address: a, VoteKey: x.VoteKey, BLSKey: x.BLSKey, VRFKey: x.VRFKey}
		seats = append(seats, econ.Seat{Address: a, Power: uint64(x.Tokens / fixed.OPEN)})
	})
	if err := errors.Join(err, broken); err != nil {
		return nil, err
	}
	next, err := econ.Elect(now, seats, int(p.Staking.MaxValidators), p.Staking.PowerCapBPS)
	if err != nil {
		return nil, err
	}
	out := make([]state.Validator, len(next))
	for i, s := range next {
		out[i] = byAddr[s.Address]
		out[i].Power = s.Power
	}
	return out, nil
}

// Waiting reports whether an object awaits a seed in v, so that the next block
// carries a VRF (CONS-35). Errors: those of the view.
func Waiting(v state.View) (bool, error) {
	list, err := v.Scan(state.DuePrefix(state.DueHeight), nil, 1)
	return len(list) > 0, err
}

// makeSet makes the set of an epoch. If one validator has no BLS or VRF key, which
// only those of the unkeyed network's genesis have not, none brings its own in.
func makeSet(epoch uint64, list []state.Validator) (*valset.Set, error) {
	bare := slices.ContainsFunc(list, unkeyed)
	entries := make([]valset.Entry, len(list))
	for i, v := range list {
		entries[i] = valset.Entry{Address: v.Address, Key: v.VoteKey, Power: v.Power}
		if !bare {
			entries[i].BLS, entries[i].VRF = v.BLSKey[:], v.VRFKey[:]
		}
	}
	return valset.New(epoch, entries)
}

func unkeyed(v state.Validator) bool {
	return v.BLSKey == (bls.PublicKey{}) || v.VRFKey == (vrf.PublicKey{})
}

// endEpoch runs the duties of the epoch that this block ends and starts the next
// one. Spec: EXE-04.
func (m *machine) endEpoch() error {
	ended := m.clock.Epoch
	m.dues = m.p.DuePerBlock
	if err := m.runDue(state.DueEpoch, ended); err != nil {
		return fmt.Errorf("%w: duties of epoch %d: %w", ErrFault, ended, err)
	}
	if err := m.shareFees(); err != nil {
		return fmt.Errorf("%w: rewards of epoch %d: %w", ErrFault, ended, err)
	}
	if err := m.turnSet(); err != nil {
		return fmt.Errorf("%w: validators after epoch %d: %w", ErrFault, ended, err)
	}
	m.clock.Epoch, m.clock.EpochStartMS, m.clock.EpochCTimeMS = ended+1, m.block.TimeMS, m.clock.CTimeMS
	return m.settled()
}

// turnSet makes the set elected before this block, a seal, the current one, keeps
// the old one while its offences can be punished, and forgets those that cannot.
func (m *machine) turnSet() error {
	clock, err := state.GetClock(m.base)
	if err != nil {
		return err
	}
	list, err := elected(m.base, clock, m.p)
	if err != nil {
		return err
	}
	set, err := makeSet(clock.Epoch+1, list)
	if err != nil {
		return err
	}
	if h := set.Hash(); len(m.block.NextSet) > 0 && !bytes.Equal(m.block.NextSet, h[:]) {
		return fmt.Errorf("the seal names set %x, elected is %x", m.block.NextSet, h)
	}
	store(m, state.ValidatorsKey(), list)
	store(m, state.PastSetKey(m.epoch()), state.PastSet{Validators: m.validators, Seed: m.setSeed(), EndMS: m.now()})
	store(m, state.SetSeedKey(), m.block.Beacon)
	return m.forgetSets()
}

// setSeed orders the leaders of the running epoch (CONS-41): the beacon of the
// seal before it, of the first epoch SHA-256(chain id).
func (m *machine) setSeed() [32]byte {
	if seed, ok := load[[32]byte](m, state.SetSeedKey()); ok {
		return seed
	}
	return sha256.Sum256(m.env.ChainID[:])
}

// forgetSets removes past sets whose offences are too old to be punished. Each
// seal adds one set and looks at two.
func (m *machine) forgetSets() error {
	old, err := m.o.Scan(state.PastSetPrefix(), nil, 2)
	for _, kv := range old {
		if p, ok := load[state.PastSet](m, kv.Key); ok && p.EndMS+m.p.Staking.UnbondingMS <= m.now() {
			m.remove(kv.Key)
		}
	}
	return err
}
