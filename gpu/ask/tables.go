// SPDX-License-Identifier: Apache-2.0

package ask

import (
	"fmt"

	"github.com/openledger/openledger/gpu/infer"
	"github.com/openledger/openledger/gpu/model"
	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/internal/keys"
)

// tables answers rows of tables.
type tables struct {
	m    *infer.Model
	data *model.Data
	max  uint64
}

func newTables(j Job) (*tables, error) {
	d, err := model.Load(j.Table.Arch(), j.Tables...)
	if err != nil {
		return nil, err
	}
	if d.Y == nil && j.Spec.Max == 0 {
		return nil, fmt.Errorf("%w: rows without labels cannot be evaluated", train.ErrData)
	}
	return &tables{m: j.Table, data: d, max: j.Spec.Max}, nil
}

func (t *tables) rows(from, to uint64) ([]byte, error) {
	d := &model.Data{Rows: int(to - from), Features: t.data.Features, X: t.data.X[from*uint64(t.data.Features) : to*uint64(t.data.Features)]}
	list, err := t.m.Data(d)
	if err != nil {
		return nil, err
	}
	if t.max > 0 {
		return Results{Answers: list}.Encode(), nil
	}
	var out Results
	for i, a := range list {
		y := t.data.Y[int(from)+i]
		out.Judged = append(out.Judged, Judged{Right: a.Label == uint64(y), Loss: fx.Bits(xent(a.Floats(), y))})
	}
	return out.Encode(), nil
}

// xent is the cross-entropy of logits with a label. Spec: OP-05.
func xent(z []float32, y int) float32 {
	top := fx.RedMax(z)
	e := make([]float32, len(z))
	for i := range z {
		e[i] = fx.Exp(fx.Sub(z[i], top))
	}
	return fx.Sub(fx.Log(fx.RedSum(e)), fx.Sub(z[y], top))
}

func (t *tables) digest() ([32]byte, error) {
	return keys.Sum(keys.DomainProgram, t.m.Root(), t.data.Digest()), nil
}

func (t *tables) close() error { return nil }
