// SPDX-License-Identifier: Apache-2.0

package model

import (
	"fmt"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/internal/table"
)

// Data are rows ready for a model: features as binary32, divided by the model's
// scale, and class labels.
type Data struct {
	Rows     int
	Features int
	X        []float32 // [Rows, Features], finite
	Y        []int     // [Rows], or nil if the rows have no labels
}

// Row returns the features of row i, which must not be changed.
func (d *Data) Row(i int) []float32 { return d.X[i*d.Features : (i+1)*d.Features] }

// Digest returns a hash of all features and labels in order. It names the data
// of a saved state; the ledger names data by the roots of poa/lineage.
func (d *Data) Digest() [32]byte {
	b := fx.AppendBits(nil, d.X)
	for _, y := range d.Y {
		b = append(b, byte(y), byte(y>>8), byte(y>>16), byte(y>>24))
	}
	return content.Sum(b).Hash()
}

// Load turns tables into Data: the rows of each table in file order, tables in
// the order given (for a task, ascending dataset id). Each cell is rounded to
// binary32 once and divided by arch.Scale. Either all tables have labels or
// none. Errors: ErrArch, ErrData, or *table.Error with the place of a cell that
// is too large or of a label outside 0..classes−1.
func Load(arch Arch, tables ...*table.Table) (*Data, error) {
	if err := arch.Check(); err != nil {
		return nil, err
	}
	if len(tables) == 0 {
		return nil, fmt.Errorf("%w: no table", ErrData)
	}
	d := &Data{Features: int(arch.Features)}
	for _, t := range tables {
		if t.Features != d.Features {
			return nil, fmt.Errorf("%w: %s has %d features, the model %d", ErrData, t.Name, t.Features, d.Features)
		}
		if (t.Labels == nil) != (tables[0].Labels == nil) {
			return nil, fmt.Errorf("%w: %s and %s: only one has labels", ErrData, tables[0].Name, t.Name)
		}
		if err := d.add(arch, t); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *Data) add(arch Arch, t *table.Table) error {
	scale := fx.FromInt(int32(arch.Scale))
	for i, v := range t.Float64() {
		x := fx.Div(fx.Canon(float32(v)), scale)
		if !fx.Finite(x) {
			return t.Errorf(i/t.Features, i%t.Features, "number is too large for the model")
		}
		d.X = append(d.X, x)
	}
	for i, y := range t.Labels {
		if y < 0 || y >= int64(arch.Classes) {
			return t.Errorf(i, t.Features, "label %d is not a class 0..%d", y, arch.Classes-1)
		}
		d.Y = append(d.Y, int(y))
	}
	d.Rows += t.Rows
	return nil
}
