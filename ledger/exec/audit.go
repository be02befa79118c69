// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
)

// ErrInvariant reports a state that no sequence of blocks may lead to.
var ErrInvariant = errors.New("invariant broken")

// Audit recounts the whole state: the supply (INV-01), every module account
// against the objects that it holds money for (INV-03, INV-04, INV-06, INV-08),
// the shares of each validator against its pool, the fields of slashes (INV-10), and
// the due-queue against the objects that wait in it, both ways (INV-15).
//
// Cost: a scan of the state. Errors: ErrInvariant; errors of the view.
func Audit(v state.View) error {
	a := audit{v: v, due: map[string]bool{}}
	for _, f := range []func() error{a.supply, a.items, a.tasks, a.channels, a.pending, a.commits, a.validators, a.leaving, a.balances, a.queue} {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// audit adds up what module accounts owe.
type audit struct {
	v                                              state.View
	stakes, bonds, escrow, locked, deposits, waits fixed.Amount
	commitBonds, pools                             fixed.Amount
	bonded, unbonding, fees                        fixed.Amount
	due                                            map[string]bool // due-queue keys that must exist
}

func (a *audit) supply() error {
	sum, err := state.Recount(a.v)
	if err == nil && sum != state.Total {
		err = fmt.Errorf("%w: INV-01: accounts hold %d of %d", ErrInvariant, sum, state.Total)
	}
	return err
}

// each pages through a listing.
func each[T any](v state.View, list func(state.View, *ID, int) ([]state.Entry[T], error), f func(ID, T)) error {
	const page = 500
	var after *ID
	for {
		es, err := list(v, after, page)
		if err != nil {
			return err
		}
		for _, e := range es {
			f(e.ID, e.Value)
		}
		if len(es) < page {
			return nil
		}
		after = &es[len(es)-1].ID
	}
}

// items adds up Datanets, datasets, models, attributions, operators and offers.
func (a *audit) items() error {
	var broken error
	err := errors.Join(
		each(a.v, state.ListDatanets, func(_ ID, r state.Datanet) { a.deposits += r.Deposit }),
		each(a.v, state.ListDatasets, func(_ ID, r state.Dataset) { a.deposits += r.Deposit; a.stakes += r.Stake }),
		each(a.v, state.ListModels, func(id ID, r state.Model) {
			a.deposits += r.Deposit
			a.stakes += r.Stake
			at, ok, err := state.Load[state.Attribution](a.v, state.AttributionKey(id))
			if ok {
				a.deposits += at.Deposit
				a.stakes += at.Bond
			}
			broken = errors.Join(broken, err)
		}),
		each(a.v, state.ListOperators, func(_ ID, r state.Operator) { a.deposits += r.Deposit; a.bonds += r.Bond }),
		each(a.v, state.ListOffers, func(_ ID, r state.Offer) { a.deposits += r.Deposit }),
	)
	return errors.Join(err, broken)
}

func (a *audit) tasks() error {
	return each(a.v, state.ListTasks, func(id ID, t task.Task) {
		a.deposits += t.Deposit
		if !t.State.Final() {
			a.escrow += t.Spec.Price + t.Spec.CheckFee
			k := state.DueKey(state.DueCTime, t.DueMS, state.DueTask, id[:])
			if t.State == task.Drawing {
				k = state.DueKey(state.DueHeight, t.SeedAfter, state.DueTask, id[:])
			}
			a.due[string(k)] = true
		}
	})
}

func (a *audit) channels() error {
	return each(a.v, state.ListChannels, func(id ID, c channel.Channel) {
		a.deposits += c.Held
		a.locked += c.Locked()
		a.due[string(state.DueKey(state.DueCTime, c.EndMS(), state.DueChannel, id[:]))] = true
	})
}

func (a *audit) pending() error {
	prefix := state.PendingPrefix()
	return a.scan(prefix, func(kv merkle.KV) error {
		var p receipt.Pending
		if err := enc.Decode(kv.Value, &p); err != nil {
			return fmt.Errorf("pending %x: %w", kv.Key, err)
		}
		a.waits += p.Total
		if p.DueEpoch != 0 {
			a.due[string(state.DueKey(state.DueEpoch, p.DueEpoch, state.DuePending, kv.Key[len(prefix):]))] = true
		}
		return nil
	})
}

func (a *audit) commits() error {
	return each(a.v, state.ListCommits, func(id ID, c receipt.Commit) {
		a.deposits += c.Held
		if c.Status == receipt.Committed {
			a.commitBonds += c.Bond
			a.due[string(state.DueKey(state.DueEpoch, c.DueEpoch, state.DueCommit, id[:]))] = true
			return
		}
		a.pools += fixed.Amount(c.Lines.Sum) - c.Claimed
	})
}

// balances compares the module accounts with what was added up.
func (a *audit) balances() error {
	for _, x := range []struct {
		module keys.Address
		want   fixed.Amount
	}{
		{state.Items, a.stakes}, {state.Compute, a.bonds}, {state.Tasks, a.escrow}, {state.Channels, a.locked},
		{state.Deposits, a.deposits}, {state.Pending, a.waits}, {state.Pools, a.pools}, {state.Bonds, a.commitBonds},
		{state.Bonded, a.bonded}, {state.Unbonds, a.unbonding}, {state.Fees, a.fees},
	} {
		acc, err := state.GetAccount(a.v, x.module)
		if err != nil {
			return err
		}
		if acc.Free != x.want {
			return fmt.Errorf("%w: INV-08: module %q holds %d, its objects need %d", ErrInvariant, state.ModuleName(x.module), acc.Free, x.want)
		}
	}
	return nil
}

// queue compares the due-queue with the objects that wait.
func (a *audit) queue() error {
	found := 0
	var err error
	for _, clock := range state.DueClocks {
		err = errors.Join(err, a.scan(state.DuePrefix(clock), func(kv merkle.KV) error {
			if !a.due[string(kv.Key)] {
				return fmt.Errorf("%w: INV-15: due-queue entry %x without object", ErrInvariant, kv.Key)
			}
			found++
			return nil
		}))
	}
	if err == nil && found != len(a.due) {
		err = fmt.Errorf("%w: INV-15: %d objects wait, %d have an entry", ErrInvariant, len(a.due), found)
	}
	return err
}

// scan pages through the entries below a prefix.
func (a *audit) scan(prefix []byte, f func(merkle.KV) error) error {
	const page = 500
	var after []byte
	for {
		kvs, err := a.v.Scan(prefix, after, page)
		if err != nil {
			return err
		}
		for _, kv := range kvs {
			if err := f(kv); err != nil {
				return err
			}
		}
		if len(kvs) < page {
			return nil
		}
		after = kvs[len(kvs)-1].Key
	}
}
