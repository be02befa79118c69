// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"fmt"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// ID is an object id or another bare 32-byte value.
type ID = tx.ID

// machine executes one block. It lives for one call of Apply and is used from one
// goroutine.
type machine struct {
	env        Env
	block      blockInfo
	base       state.View // the state after the parent
	o          *state.Overlay
	p          state.Params
	validators []state.Validator
	leader     uint64
	clock      state.Clock // of this block
	dues       uint64      // entries of the due-queue that this block may still run
	accounts   accounts
	fault      error // first broken record

	burned fixed.Amount // base fees of this block
	tips   fixed.Amount // tips of this block

	// Of the transaction or duty that runs.
	delta  uint64 // money created so far, modulo 2^64; must end at 0
	events []ledger.Event
	index  uint64 // of the transaction in the block
	txid   ID
	body   *tx.Body
}

func newMachine(v state.View, env Env, b blockInfo) (*machine, error) {
	m := &machine{env: env, block: b, base: v, o: state.NewOverlay(v), leader: b.Leader}
	var err error
	if m.p, err = state.GetParams(v); err != nil {
		return nil, err
	}
	if m.clock, err = state.GetClock(v); err != nil {
		return nil, err
	}
	if m.validators, err = state.GetValidators(v); err != nil {
		return nil, err
	}
	c := &m.clock
	switch {
	case b.Height != c.Height+1:
		return nil, fmt.Errorf("%w: height %d on a state of height %d", ErrFault, b.Height, c.Height)
	case b.TimeMS <= c.TimeMS:
		return nil, fmt.Errorf("%w: time %d ms not after %d ms", ErrFault, b.TimeMS, c.TimeMS)
	case b.Leader >= uint64(len(m.validators)):
		return nil, fmt.Errorf("%w: leader %d of %d", ErrFault, b.Leader, len(m.validators))
	case b.Epoch != c.Epoch:
		return nil, fmt.Errorf("%w: block of epoch %d on a state of epoch %d", ErrFault, b.Epoch, c.Epoch)
	}
	m.dues = m.p.DuePerBlock
	c.CTimeMS += min(b.TimeMS-c.TimeMS, maxTickMS)
	c.Height, c.TimeMS, c.Weight = b.Height, b.TimeMS, 0
	m.accounts.open(m.o)
	return m, nil
}

// now is the chain time in milliseconds (ACC-03).
func (m *machine) now() uint64 { return m.clock.CTimeMS }

// epoch is the epoch that runs.
func (m *machine) epoch() uint64 { return m.clock.Epoch }

// sender is who signed the transaction that runs.
func (m *machine) sender() keys.Address { return m.body.Sender }

// newID is the id of the index-th object that the transaction creates (KEY-05).
func (m *machine) newID(index uint64) ID { return tx.ObjectID(m.txid, m.body.Kind, index) }

// broken returns what makes the whole block fail: an error of the view or a
// record that does not decode.
func (m *machine) broken() error {
	if m.fault != nil {
		return fmt.Errorf("%w: %w", ErrFault, m.fault)
	}
	return m.o.Err()
}

// emit records an event of the running transaction or duty.
func (m *machine) emit(k tx.Kind, sub uint8, ids []ID, amounts ...uint64) {
	m.events = append(m.events, ledger.Event{Kind: k, Sub: sub, IDs: ids, Amounts: amounts})
}

// done emits the event of success of the running transaction.
func (m *machine) done(ids []ID, amounts ...uint64) {
	m.emit(m.body.Kind, ledger.SubDone, ids, amounts...)
}

// load reads a record. A damaged record or view makes the block fail, so callers
// need not look at errors.
func load[T any](m *machine, key []byte) (T, bool) {
	rec, ok, err := state.Load[T](m.o, key)
	if err != nil && m.fault == nil {
		m.fault = err
	}
	return rec, ok
}

// has reports whether a record exists.
func (m *machine) has(key []byte) bool {
	b, err := m.o.Get(key)
	return err == nil && b != nil
}

// store writes a record.
func store[T any](m *machine, key []byte, rec T) { m.o.Put(key, enc.Encode(rec)) }

// remove deletes a record.
func (m *machine) remove(key []byte) { m.o.Delete(key) }

// move takes amount from one account and gives it to another. Errors: code with
// the missing amount if from has too little; nothing is changed then.
func (m *machine) move(from, to keys.Address, amount fixed.Amount, code tx.Code) error {
	e := m.accounts.get(m, from)
	if e.cur.Free < amount {
		return tx.Errorf(code, "have %d, need %d nOPEN", e.cur.Free, amount)
	}
	m.accounts.setFree(m, e, e.cur.Free-amount)
	m.credit(to, amount)
	return nil
}

// credit adds amount to an account. It cannot overflow while the supply is
// conserved, since no sum exceeds the supply.
func (m *machine) credit(to keys.Address, amount fixed.Amount) {
	if amount == 0 {
		return
	}
	e := m.accounts.get(m, to)
	m.accounts.setFree(m, e, e.cur.Free+amount)
}

// deposit takes the state deposit of a new record from the sender and returns it
// for the record to keep: byte_deposit × (key + value bytes), rec as it is before
// its Deposit field is set. Errors: ObjDeposit. Spec: FEE-03.
func (m *machine) deposit(key []byte, rec any) (fixed.Amount, error) {
	size := uint64(len(key) + len(enc.Encode(rec)))
	d, err := fixed.MulDiv(uint64(m.p.ByteDeposit), size, 1)
	if err != nil {
		return 0, tx.Errorf(tx.TxArith, "state deposit of %d bytes", size)
	}
	return fixed.Amount(d), m.move(m.sender(), state.Deposits, fixed.Amount(d), tx.ObjDeposit)
}

// person refuses a module account as receiver: its balance must equal what the
// rules put into it. Errors: ObjOwner.
func person(field string, a keys.Address) error {
	if n := state.ModuleName(a); n != "" {
		return tx.Errorf(tx.ObjOwner, "%s is the module account %q", field, n)
	}
	return nil
}
