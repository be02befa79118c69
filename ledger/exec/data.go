// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"slices"

	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// datanetCreate opens a registry. Errors: ObjExists for a used name, LicTerms for
// unknown terms, ObjDeposit. Spec: DAT-01.
func (m *machine) datanetCreate(p *tx.DatanetCreate) error {
	nameKey := state.DatanetNameKey(p.Name)
	if m.has(nameKey) {
		return tx.Errorf(tx.ObjExists, "the name %q is used", p.Name)
	}
	for _, t := range p.Terms {
		if !m.has(state.TermsKey(t)) {
			return tx.Errorf(tx.LicTerms, "no terms %v", t)
		}
	}
	id := m.newID(0)
	rec := state.Datanet{Owner: m.sender(), Name: p.Name, Gate: p.Gate, Terms: p.Terms,
		StakeBase: p.StakeBase, CreatedMS: m.now()}
	k := state.DatanetKey(id)
	var err error
	if rec.Deposit, err = m.deposit(k, rec); err != nil {
		return err
	}
	store(m, k, rec)
	store(m, nameKey, id)
	m.done([]ID{id, ID(m.sender())}, uint64(p.StakeBase), uint64(rec.Deposit))
	return nil
}

// datasetUpload registers a dataset, active at once. Errors: ObjUnknown for the
// Datanet, LicTerms, DatStakeLow, DatDuplicate for bytes or rows that are
// registered, TxFunds for the stake, ObjDeposit. Height and index of the upload give
// its rows their priority. Spec: DAT-02, ATM-02.
func (m *machine) datasetUpload(p *tx.DatasetUpload) error {
	net, ok := load[state.Datanet](m, state.DatanetKey(p.Datanet))
	switch {
	case !ok:
		return tx.Errorf(tx.ObjUnknown, "no datanet %v", p.Datanet)
	case !slices.Contains(net.Terms, p.Terms):
		return tx.Errorf(tx.LicTerms, "datanet %q does not allow terms %v", net.Name, p.Terms)
	case p.Stake < net.StakeBase:
		return tx.Errorf(tx.DatStakeLow, "stake %d, datanet %q wants %d", p.Stake, net.Name, net.StakeBase)
	}
	contentKey, rowsKey := state.DatasetContentKey(p.Content), state.DatasetRowsKey(p.RowRoot)
	for _, k := range [][]byte{contentKey, rowsKey} {
		if twin, ok := load[ID](m, k); ok {
			return tx.Errorf(tx.DatDuplicate, "same content as dataset %v", twin)
		}
	}
	id := m.newID(0)
	rec := state.Dataset{Owner: m.sender(), Datanet: p.Datanet, Name: p.Name, Content: p.Content,
		RowRoot: p.RowRoot, Manifest: p.Manifest, Rows: p.Rows, Features: p.Features, Bytes: p.Bytes,
		Terms: p.Terms, Stake: p.Stake, CreatedMS: m.now(), Height: m.clock.Height, TxIndex: m.index}
	k := state.DatasetKey(id)
	var err error
	if rec.Deposit, err = m.deposit(k, rec); err != nil {
		return err
	}
	if err := m.move(m.sender(), state.Items, p.Stake, tx.TxFunds); err != nil {
		return err
	}
	store(m, k, rec)
	store(m, contentKey, id)
	store(m, rowsKey, id)
	m.done([]ID{id, ID(m.sender()), p.Datanet, p.RowRoot}, uint64(p.Stake), uint64(rec.Deposit), p.Rows)
	return nil
}
