// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"math/rand/v2"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/chaintest"
)

// account is a key that sends transactions.
type account struct {
	key  keys.PrivateKey
	next uint64 // nonce
}

func (a *account) address() keys.Address { return chaintest.Address(a.key) }

// stakers are those who move stakes in a run with Turnover. One validator joins,
// and when it sits in the set another one leaves.
type stakers struct {
	people  []*account
	joiner  *account // operator of the last machine
	leaver  *account // operator of the validator with index 1
	epoch   uint64   // in which the last moves were made
	started bool
	left    bool
}

// issue signs a payload with the account's next nonce and leaves it to the clients.
func (s *Sim) issue(a *account, p tx.Payload) {
	s.book.mu.Lock()
	top := s.book.top
	s.book.mu.Unlock()
	b := tx.Body{Nonce: a.next, MaxFee: fixed.OPEN / 10, ValidUntil: top + 4_000, Payload: p}
	a.next++
	v, err := tx.Verify(s.w.ID, tx.Sign(s.w.ID, b, a.key))
	if err != nil {
		s.fail("load", "%T: %v", p, err)
		return
	}
	s.mu.Lock()
	s.sent = append(s.sent, v)
	s.mu.Unlock()
}

// turnover makes the moves of a new epoch.
func (s *Sim) turnover(r *rand.Rand) {
	p := s.highest()
	if p == nil {
		return
	}
	v, err := p.chain.View()
	if err != nil {
		return
	}
	clock, err := state.GetClock(v)
	k := &s.stakers
	if err != nil || k.started && clock.Epoch == k.epoch {
		return
	}
	if !k.started {
		key := s.machines[len(s.machines)-1].vote
		s.issue(k.joiner, tx.NewValidatorRegister(s.w.ID, k.joiner.address(), key, 500, 5*fixed.OPEN))
	}
	k.started, k.epoch = true, clock.Epoch
	set := p.chain.Set()
	sits := set.Index(s.machines[len(s.machines)-1].vote.Public()) >= 0
	if !sits {
		s.issue(k.joiner, &tx.ValidatorReady{Epoch: clock.Epoch, Protocol: header.Version})
	} else if own := k.leaver.address(); !k.left {
		if d, err := state.GetDelegation(v, own, own); err == nil {
			k.left = true
			s.issue(k.leaver, &tx.Unstake{Validator: own, Shares: d.Shares})
		}
	}
	who, to := k.people[r.IntN(len(k.people))], set.Entry(r.IntN(set.Len())).Address
	switch d, err := state.GetDelegation(v, to, who.address()); {
	case err != nil || d.Shares == 0 || r.IntN(3) == 0:
		s.issue(who, &tx.Stake{Validator: to, Amount: 1 + fixed.Amount(r.Uint64N(uint64(fixed.OPEN)))})
	case r.IntN(2) == 0:
		s.issue(who, &tx.RewardClaim{Validator: to})
	default:
		s.issue(who, &tx.Unstake{Validator: to, Shares: 1 + d.Shares/2})
	}
}

// highest is the process with the longest chain, nil if none runs.
func (s *Sim) highest() (best *process) {
	for _, m := range s.machines {
		if p := m.process(); p != nil && (best == nil || p.chain.Head().Height > best.chain.Head().Height) {
			best = p
		}
	}
	return best
}

// turned asserts that so many epochs have ended, that the joiner sits and has
// signed, and that the leaver does not.
func (s *Sim) turned() {
	if s.p.Epochs == 0 {
		return
	}
	joiner := s.machines[len(s.machines)-1].vote.Public()
	set := s.highest().chain.Set()
	signed := map[uint64]bool{}
	s.book.mu.Lock()
	for w := range s.book.said {
		if w.key == joiner && w.kind == cert.Finalize {
			signed[w.epoch] = true
		}
	}
	s.book.mu.Unlock()
	switch {
	case set.Epoch() < s.p.Epochs:
		s.fail("epochs", "%d epochs have ended, want %d", set.Epoch(), s.p.Epochs)
	case set.Index(joiner) < 0 || len(signed) < 3:
		s.fail("turnover", "the new validator has index %d and signed in epochs %v", set.Index(joiner), signed)
	case set.Index(s.w.Votes[1].Public()) >= 0:
		s.fail("turnover", "the validator that left sits still")
	}
	s.trace("%d epochs; the new validator signed in %d", set.Epoch(), len(signed))
}
