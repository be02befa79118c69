// SPDX-License-Identifier: Apache-2.0

package train_test

import (
	"os"
	"testing"

	"github.com/openledger/openledger/gpu/model"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/internal/table"
	"github.com/openledger/openledger/poa/program"
)

// digits splits the digits by a seeded permutation into 1,197 rows to train on
// and 600 to validate with.
func digits(tb testing.TB, arch model.Arch) (fit, val *model.Data) {
	tb.Helper()
	csv, err := os.ReadFile("../../testnet/demo/data/digits.csv")
	if err != nil {
		tb.Fatal(err)
	}
	tab, err := table.Parse("digits.csv", csv, table.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	d, err := model.Load(arch, tab)
	if err != nil {
		tb.Fatal(err)
	}
	fit, val = &model.Data{Features: d.Features}, &model.Data{Features: d.Features}
	for i := range d.Rows {
		j := int(fx.Perm(2024, 0, uint64(d.Rows), uint64(i)))
		part := fit
		if i >= 1197 {
			part = val
		}
		part.X = append(part.X, d.Row(j)...)
		part.Y = append(part.Y, d.Y[j])
		part.Rows++
	}
	return fit, val
}

func archOf(name string) model.Arch {
	a := model.Arch{Model: name, Features: 64, Classes: 10, Scale: 16}
	if name == program.MLP {
		a.Hidden = 32
	}
	return a
}

func encode(s program.Train) []byte { return enc.Encode(s) }
