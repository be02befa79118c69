// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// maxTickMS is how far one block can move the chain clock (ACC-03).
const maxTickMS = 10_000

// ErrFault reports a broken invariant, a damaged record or a header that does not
// follow the state: the node must stop.
var ErrFault = errors.New("execution fault")

// Env is what execution knows besides the state.
type Env struct {
	ChainID [32]byte // SHA-256 of the genesis document
}

// Result is the effect of one block: Writes ascending by key (a nil Value
// deletes), and the receipts, those of the system first. Weight is what the block
// used (FEE-02).
type Result struct {
	Writes   []merkle.KV
	Receipts []ledger.Receipt
	Weight   uint64
}

// Apply executes b on the state v after its parent. It is pure and runs in the
// order of EXE-02: clock, due-queue, transactions, fees, the duties of the epoch
// if b is its seal, invariants.
//
// Cost: about 2 µs per transfer. Errors: ErrFault, errors of the view.
func Apply(v state.View, env Env, b ledger.VerifiedBlock) (Result, error) {
	h := b.Header()
	return run(v, env, blockInfo{Height: h.Height, TimeMS: h.TimeMS, Leader: h.Leader, Epoch: h.Epoch,
		Seal: h.Kind == header.KindSeal, NextSet: h.NextSet, VRF: len(h.VRF) > 0, Beacon: h.Beacon}, b.Txs())
}

// Simulate executes txs as the next block of this epoch would, timeMS later than
// the last one by at least 1 ms, led by the first validator. Nothing is kept.
// Errors: those of Apply.
func Simulate(v state.View, env Env, timeMS uint64, txs []tx.Verified) (Result, error) {
	b, err := next(v, env, timeMS)
	if err != nil {
		return Result{}, err
	}
	return run(v, env, b, txs)
}

// SimulateSeal executes the seal of this epoch as the next block. Nothing is kept.
// Errors: those of Apply.
func SimulateSeal(v state.View, env Env, timeMS uint64) (Result, error) {
	b, err := next(v, env, timeMS)
	if err != nil {
		return Result{}, err
	}
	b.Seal = true
	return run(v, env, b, nil)
}

// next is a block after v by the first validator, without a VRF.
func next(v state.View, env Env, timeMS uint64) (blockInfo, error) {
	c, err := state.GetClock(v)
	return blockInfo{Height: c.Height + 1, TimeMS: max(timeMS, c.TimeMS+1), Epoch: c.Epoch, Beacon: sha256.Sum256(env.ChainID[:])}, err
}

// blockInfo is what execution needs from a header.
type blockInfo struct {
	Height  uint64
	TimeMS  uint64
	Leader  uint64 // index in the validator set
	Epoch   uint64
	Seal    bool     // the last block of its epoch, without transactions (EXE-04)
	NextSet []byte   // of a seal: hash of the next set; empty if nobody checks it
	VRF     bool     // whether the block carries a VRF (CONS-35)
	Beacon  [32]byte // R after this block
}

func run(v state.View, env Env, b blockInfo, txs []tx.Verified) (Result, error) {
	m, err := newMachine(v, env, b)
	if err != nil {
		return Result{}, err
	}
	var receipts []ledger.Receipt
	if err := m.begin(); err != nil {
		return Result{}, err
	}
	if len(m.events) > 0 {
		receipts = append(receipts, ledger.Receipt{Events: m.events})
	}
	for i := range txs {
		m.index = uint64(i)
		receipts = append(receipts, m.transact(txs[i]))
		if err := m.broken(); err != nil {
			return Result{}, fmt.Errorf("transaction %v: %w", txs[i].ID(), err)
		}
	}
	if b.Seal {
		if len(txs) > 0 {
			return Result{}, fmt.Errorf("%w: a seal with %d transactions", ErrFault, len(txs))
		}
		m.txid, m.body, m.events, m.delta = ID{}, nil, nil, 0
		if err := m.endEpoch(); err != nil {
			return Result{}, err
		}
		receipts = appendSystem(receipts, m.events)
	}
	if err := m.finish(); err != nil {
		return Result{}, err
	}
	return Result{Writes: m.o.Writes(), Receipts: receipts, Weight: m.clock.Weight}, nil
}

// appendSystem adds events to the receipt of the block itself, which comes first.
func appendSystem(receipts []ledger.Receipt, events []ledger.Event) []ledger.Receipt {
	if len(events) == 0 {
		return receipts
	}
	if len(receipts) == 0 {
		return []ledger.Receipt{{Events: events}}
	}
	receipts[0].Events = append(receipts[0].Events, events...)
	return receipts
}

// begin runs what comes before the transactions: the due-queue, what an ended
// epoch left over first.
func (m *machine) begin() error {
	if e := m.epoch(); e > 0 {
		if err := m.runDue(state.DueEpoch, e-1); err != nil {
			return fmt.Errorf("%w: due-queue: %w", ErrFault, err)
		}
	}
	if err := m.seeds(); err != nil {
		return fmt.Errorf("%w: seeds: %w", ErrFault, err)
	}
	if err := m.runDue(state.DueCTime, m.now()); err != nil {
		return fmt.Errorf("%w: due-queue: %w", ErrFault, err)
	}
	return m.settled()
}

// settled checks that a duty created and lost no money.
func (m *machine) settled() error {
	if m.delta != 0 {
		return fmt.Errorf("%w: duties created or lost money", ErrFault)
	}
	return m.broken()
}

// finish pays fees, sets the next base fee, checks the invariants and writes
// accounts and clock.
func (m *machine) finish() error {
	leader := m.validators[m.leader].Address
	m.credit(state.Burned, m.burned)
	m.tip(leader, m.tips)
	next, err := nextBaseFee(m.p, m.clock.BaseFee, m.clock.Weight)
	if err != nil {
		return fmt.Errorf("%w: base fee: %w", ErrFault, err)
	}
	m.clock.BaseFee = next
	store(m, state.ClockKey(), m.clock)
	if err := m.accounts.conserved(); err != nil {
		return err
	}
	m.accounts.flush(m.o)
	return m.broken()
}

// nextBaseFee is FEE-02: the base fee moves by an eighth of its distance to half
// of the block weight, at least 1, and never below the minimum.
func nextBaseFee(p state.Params, b fixed.Amount, used uint64) (fixed.Amount, error) {
	target := p.MaxBlockWeight / 2
	diff := max(used, target) - min(used, target)
	d, err := fixed.MulDiv(uint64(b), diff, 8*target)
	if err != nil {
		return 0, err
	}
	switch {
	case used > target:
		return fixed.Add(b, fixed.Amount(max(1, d)))
	case used < target:
		return max(p.BaseFeeMin, b-fixed.Amount(d)), nil
	}
	return b, nil
}
