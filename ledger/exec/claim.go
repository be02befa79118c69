// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// claimWord holds the claim bits of 256 line indices, least significant bit of
// the first byte first.
type claimWord = [32]byte

// claimEpoch pays a payee his run of lines of a settled commit. Anyone may send
// it. One bit per first line stops a second claim, and all claims of a commit
// together never exceed its lines' sum, whatever the operator committed to.
//
// Errors: ObjUnknown, ObjWindowOpen before the commit settles, ObjOwner for a
// module account, RcpRange for a proof that does not hold or a run worth nothing,
// RcpClaimed. Spec: PAY-05, INV-06.
func (m *machine) claimEpoch(p *tx.ClaimEpoch) error {
	k := state.CommitKey(p.Commit)
	c, ok := load[receipt.Commit](m, k)
	if !ok {
		return tx.Errorf(tx.ObjUnknown, "no epoch commit %v", p.Commit)
	}
	if c.Status != receipt.Settled {
		return tx.Errorf(tx.ObjWindowOpen, "the commit settles when epoch %d ends", c.DueEpoch)
	}
	if err := person("payee", p.Payee); err != nil {
		return err
	}
	amount, err := receipt.ClaimAmount(c.Lines, p.Payee, p.First, p.Last, p.Proof)
	if err != nil {
		return tx.Errorf(tx.RcpRange, "%v", err)
	}
	if amount == 0 {
		return tx.Errorf(tx.RcpRange, "the lines are worth nothing")
	}
	if err := m.markClaimed(p.Commit, p.First); err != nil {
		return err
	}
	claimed, err := fixed.Add(c.Claimed, amount)
	if err != nil || uint64(claimed) > c.Lines.Sum {
		return tx.Errorf(tx.RcpClaimed, "%d of %d is claimed, no room for %d", c.Claimed, c.Lines.Sum, amount)
	}
	c.Claimed = claimed
	if err := m.move(state.Pools, p.Payee, amount, tx.TxInvariant); err != nil {
		return err
	}
	store(m, k, c)
	m.done([]ID{p.Commit, ID(p.Payee)}, uint64(amount), p.First, p.Last)
	return nil
}

// markClaimed sets the claim bit of a first line. Errors: RcpClaimed.
func (m *machine) markClaimed(commit ID, first uint64) error {
	k := state.ClaimedKey(commit, first/256)
	word, _ := load[claimWord](m, k)
	at, bit := first%256/8, byte(1)<<(first%8)
	if word[at]&bit != 0 {
		return tx.Errorf(tx.RcpClaimed, "line %d", first)
	}
	word[at] |= bit
	store(m, k, word)
	return nil
}
