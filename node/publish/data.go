// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"fmt"

	"github.com/openledger/openledger/internal/table"
	"github.com/openledger/openledger/ledger/state"
)

// Data is the verified content of a dataset: a table or a text, the other is nil;
// the zero Data is none.
type Data struct {
	Table *table.Table
	Text  *Text
}

// Rows is the number of rows.
func (d Data) Rows() uint64 {
	switch {
	case d.Text != nil:
		return uint64(len(d.Text.Rows))
	case d.Table != nil:
		return uint64(d.Table.Rows)
	}
	return 0
}

// Features is the number of features, 0 of a text.
func (d Data) Features() uint64 {
	if d.Table == nil {
		return 0
	}
	return uint64(d.Table.Features)
}

// LoadData checks content bytes against a dataset's record, its numbers of rows and
// features included, and reads the table or text. Errors: ErrManifest, *table.Error,
// *TextError.
func LoadData(rec state.Dataset, b []byte) (d Data, err error) {
	if rec.Features == 0 {
		d.Text, err = LoadText(rec.Content, rec.RowRoot, b)
	} else {
		d.Table, err = Load(rec.Content, rec.RowRoot, b)
	}
	if err == nil && (d.Rows() != rec.Rows || d.Features() != rec.Features) {
		err = fmt.Errorf("%w: %d rows of %d features, registered as %d of %d", ErrManifest, d.Rows(), d.Features(), rec.Rows, rec.Features)
	}
	if err != nil {
		return Data{}, err
	}
	return d, nil
}
