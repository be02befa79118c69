// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"testing"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger/econ"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

func newTestMachine(t *testing.T, c *chain) *machine {
	t.Helper()
	m, err := newMachine(c.view, c.env, blockInfo{Height: c.height() + 1, TimeMS: c.time + 1, Epoch: c.clock().Epoch})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A stake that left pays for slashes that came after it left, of offences up to
// the epoch in which it left, and for no others.
func TestSTK01WhatLeftPaysForItsOwnTimeOnly(t *testing.T) {
	m := newTestMachine(t, newChain(t))
	v := addr(leaderNo)
	c, err := m.candidate(v)
	if err != nil {
		t.Fatal(err)
	}
	for i, cut := range []econ.Cut{{Epoch: 1, Num: 1, Den: 2}, {Epoch: 2, Num: 2, Den: 3}, {Epoch: 3, Num: 4, Den: 5}} {
		store(m, state.CutKey(v, uint64(i)), cut)
	}
	c.Cuts = 3
	store(m, state.CandidateKey(v), c)
	for _, x := range []struct{ epoch, at, want uint64 }{
		{0, 0, 3_000}, {1, 0, 1_500}, {2, 0, 1_000}, {3, 0, 800}, {9, 0, 800}, {2, 1, 2_000}, {3, 2, 2_400}, {2, 2, 3_000}, {9, 3, 3_000},
	} {
		if got, err := m.kept(state.Liable{Validator: v, Epoch: x.epoch, CutsAt: x.at}, 3_000); err != nil || got != x.want {
			t.Errorf("left in epoch %d with %d slashes in the log: %d, want %d, %v", x.epoch, x.at, got, x.want, err)
		}
	}
}

// A pool without shares gives all rewards to its validator.
func TestSTK03APoolWithoutSharesPaysItsValidator(t *testing.T) {
	m := newTestMachine(t, newChain(t))
	v := addr(leaderNo)
	c, err := m.candidate(v)
	if err != nil {
		t.Fatal(err)
	}
	c.Shares, c.Tokens, c.Commission = 0, 0, 100
	store(m, state.CandidateKey(v), c)
	if err := m.reward(v, 1_000); err != nil {
		t.Fatal(err)
	}
	if c, _ = m.candidate(v); c.Owed != 1_000 || c.Held != 1_000 || !c.Acc.IsZero() {
		t.Errorf("%+v", c)
	}
}

// What buys no share of a pool is refused, so that nobody gives it away.
func TestSTK01AnAmountThatBuysNoShareIsRefused(t *testing.T) {
	c := newChain(t)
	v := addr(leaderNo)
	rec, err := state.GetCandidate(c.view, v)
	if err != nil {
		t.Fatal(err)
	}
	rec.Shares /= 2 // as no history leads to: a share is worth two units
	m := newTestMachine(t, c)
	m.body = &tx.Body{Sender: addr(0)}
	if _, _, err := m.buy(v, &rec, addr(0), 1); tx.CodeOf(err) != tx.StkBondLow {
		t.Error(err)
	}
	if shares, _, err := m.buy(v, &rec, addr(0), fixed.Amount(3)); err != nil || shares != 1 {
		t.Errorf("%d shares, %v", shares, err)
	}
}
