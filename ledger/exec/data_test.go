// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"testing"

	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// TestATM02UploadsOfOneBlockAreOrderedByTheirPlaceInIt has the rows of two uploads
// ordered by block and transaction, which the uploader cannot grind as an id.
func TestATM02UploadsOfOneBlockAreOrderedByTheirPlaceInIt(t *testing.T) {
	w := newWorld(t)
	first, second := w.sign(owner, w.upload("first")), w.sign(stranger, w.upload("second"))
	w.block(first, second)
	for i, v := range []tx.Verified{first, second} {
		d, err := state.GetDataset(w.view, tx.ObjectID(v.ID(), tx.KindDatasetUpload, 0))
		if err != nil {
			t.Fatal(err)
		}
		if d.Height != w.height() || d.TxIndex != uint64(i) {
			t.Errorf("upload %d of block %d is recorded at (%d, %d)", i, w.height(), d.Height, d.TxIndex)
		}
	}
}
