// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"bytes"
	"fmt"

	"github.com/openledger/openledger/consensus/valset"
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

// NextSet returns the set of the next epoch as elected from v, the state after the
// parent of a seal. Errors: those of the view; valset.ErrSet for a damaged state.
// Spec: CONS-39.
func NextSet(v state.View) (*valset.Set, error) {
	c, err := state.GetClock(v)
	if err != nil {
		return nil, err
	}
	list, err := state.GetValidators(v)
	if err != nil {
		return nil, err
	}
	return makeSet(c.Epoch+1, list)
}

// Waiting reports whether an object awaits a seed in v, so that the next block
// carries a VRF (CONS-35). Errors: those of the view.
func Waiting(v state.View) (bool, error) {
	list, err := v.Scan(state.DuePrefix(state.DueHeight), nil, 1)
	return len(list) > 0, err
}

func makeSet(epoch uint64, list []state.Validator) (*valset.Set, error) {
	entries := make([]valset.Entry, len(list))
	for i, v := range list {
		entries[i] = valset.Entry{Address: v.Address, Key: v.VoteKey, Power: v.Power}
	}
	return valset.New(epoch, entries)
}

// endEpoch runs the duties of the epoch that this block ends and starts the next
// one. Spec: EXE-04.
func (m *machine) endEpoch() error {
	ended := m.clock.Epoch
	m.dues = m.p.DuePerBlock
	if err := m.runDue(state.DueEpoch, ended); err != nil {
		return fmt.Errorf("%w: duties of epoch %d: %w", ErrFault, ended, err)
	}
	if m.block.Seal {
		if err := m.turnSet(); err != nil {
			return fmt.Errorf("%w: validators after epoch %d: %w", ErrFault, ended, err)
		}
	}
	m.clock.Epoch, m.clock.EpochStartMS, m.clock.EpochCTimeMS = ended+1, m.block.TimeMS, m.clock.CTimeMS
	return m.settled()
}

// turnSet makes the set elected before this block, a seal, the current one.
func (m *machine) turnSet() error {
	set, err := NextSet(m.base)
	if err != nil {
		return err
	}
	if h := set.Hash(); len(m.block.NextSet) > 0 && !bytes.Equal(m.block.NextSet, h[:]) {
		return fmt.Errorf("the seal names set %x, elected is %x", m.block.NextSet, h)
	}
	list := make([]state.Validator, set.Len())
	for i := range list {
		e := set.Entry(i)
		list[i] = state.Validator{Address: e.Address, VoteKey: e.Key, Power: e.Power}
	}
	store(m, state.ValidatorsKey(), list)
	return nil
}
