// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"fmt"
	"slices"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/state"
)

// waived is after how many VRF blocks one leader may do for a seed, so that a
// network of one validator draws too (CONS-36).
const waived = 8

// beaconRuns reports whether blocks of this set can carry a VRF. Where they
// cannot, a seed comes from the constant R_genesis, at once.
func (m *machine) beaconRuns() bool { return !slices.ContainsFunc(m.validators, unkeyed) }

// seeds notes the randomness of this block, if it carries a VRF and somebody waits,
// and gives the objects that have waited long enough their seeds, oldest first, as
// far as the block's budget goes. What it notes is forgotten when nobody waits for
// it any more. Spec: CONS-36.
func (m *machine) seeds() error {
	first, err := m.o.Scan(state.DuePrefix(state.DueHeight), nil, 1)
	if err != nil || len(first) == 0 {
		return err
	}
	runs := m.beaconRuns()
	if runs && !m.block.VRF {
		return nil
	}
	if runs {
		store(m, state.BeaconKey(m.clock.Height), state.Beacon{Leader: m.validators[m.leader].Address, R: m.block.Beacon})
	}
	list, err := m.o.Scan(state.DuePrefix(state.DueHeight), nil, int(m.dues))
	if err != nil {
		return err
	}
	for _, kv := range list {
		since, kind, id, ok := state.ParseDue(state.DueHeight, kv.Key)
		if !ok || kind != state.DueTask {
			return fmt.Errorf("entry %x", kv.Key)
		}
		r, ready := m.block.Beacon, true
		if runs {
			if r, ready, err = m.randomness(since); err != nil {
				return err
			}
		}
		if !ready { // nor are those that began to wait later
			break
		}
		m.dues--
		t, err := m.task(ID(id))
		if err != nil {
			return err
		}
		if err := m.draw(ID(id), t, t, r); err != nil {
			return fmt.Errorf("entry %x: %w", kv.Key, err)
		}
	}
	return m.forgetBeacons()
}

// randomness is R of the least height s such that (since, s] holds beacon_blocks
// VRF blocks by two leaders; false if that height has not come.
func (m *machine) randomness(since uint64) (r [32]byte, ok bool, err error) {
	need := int(m.p.Staking.BeaconBlocks)
	list, err := m.o.Scan(state.BeaconPrefix(), state.BeaconKey(since), max(need, waived))
	if err != nil {
		return r, false, err
	}
	var first keys.Address
	two := false
	for i, kv := range list {
		var b state.Beacon
		if err := enc.Decode(kv.Value, &b); err != nil {
			return r, false, fmt.Errorf("beacon %x: %w", kv.Key, err)
		}
		if i == 0 {
			first = b.Leader
		}
		two = two || b.Leader != first
		if i+1 >= need && (two || i+1 >= waived) {
			return b.R, true, nil
		}
	}
	return r, false, nil
}

// forgetBeacons removes what lies before everybody who waits.
func (m *machine) forgetBeacons() error {
	oldest := ^uint64(0)
	first, err := m.o.Scan(state.DuePrefix(state.DueHeight), nil, 1)
	if err != nil {
		return err
	}
	if len(first) > 0 {
		oldest, _, _, _ = state.ParseDue(state.DueHeight, first[0].Key)
	}
	list, err := m.o.Scan(state.BeaconPrefix(), nil, int(m.p.DuePerBlock))
	for _, kv := range list {
		if string(kv.Key) > string(state.BeaconKey(oldest)) {
			break
		}
		m.remove(kv.Key)
	}
	return err
}
