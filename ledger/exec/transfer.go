// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// transfer moves money. Errors: TxFunds, ObjOwner for a module account.
func (m *machine) transfer(p *tx.Transfer) error {
	if err := person("to", p.To); err != nil {
		return err
	}
	if err := m.move(m.sender(), p.To, p.Amount, tx.TxFunds); err != nil {
		return err
	}
	m.done([]ID{ID(m.sender()), ID(p.To)}, uint64(p.Amount))
	return nil
}

// faucetDrip pays from the faucet, once per address and ledger epoch. Errors:
// TxPaused where there is no faucet, ObjLimit for a second drip, ObjOwner,
// TxFunds when the faucet is empty.
func (m *machine) faucetDrip(p *tx.FaucetDrip) error {
	if !m.p.Faucet {
		return tx.Errorf(tx.TxPaused, "this network has no faucet")
	}
	if err := person("to", p.To); err != nil {
		return err
	}
	k := state.FaucetKey(p.To)
	if last, ok := load[uint64](m, k); ok && last >= m.epoch() {
		return tx.Errorf(tx.ObjLimit, "%v was paid in epoch %d", p.To, last)
	}
	if err := m.move(state.Faucet, p.To, m.p.FaucetDrip, tx.TxFunds); err != nil {
		return err
	}
	store(m, k, m.epoch())
	m.done([]ID{ID(m.sender()), ID(p.To)}, uint64(m.p.FaucetDrip), m.epoch())
	return nil
}
