// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"fmt"
	"slices"

	"github.com/openledger/openledger/gpu/infer"
	"github.com/openledger/openledger/gpu/model"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/node/worker"
	"github.com/openledger/openledger/poa/atom"
	"github.com/openledger/openledger/poa/knn"
	"github.com/openledger/openledger/poa/payout"
)

// loaded is a model that can answer and say whose data an answer rests on.
type loaded struct {
	arch   model.Arch
	owners []keys.Address // ascending
	hands  chan *hand     // scratch of each slot
}

// hand is the scratch of one running answer.
type hand struct {
	net   *infer.Model
	asker *payout.Asker
}

// loadModel fetches weights and datasets and prepares the attribution that the
// manifest declares: knn/1 with its K, soft as the attribution task's, near
// duplicates bounded by the default of the features' declared range (ATM-07).
func (g *Gateway) loadModel(ctx context.Context, id ID, m state.Model) (*loaded, error) {
	blob, err := g.cfg.Services.Content(ctx, id, m.Weights, m.Bytes)
	if err != nil {
		return nil, err
	}
	net, err := infer.Load(blob, m.WeightsRoot)
	if err != nil {
		return nil, err
	}
	datasets, valid, err := worker.LoadModel(ctx, g.cfg.Services, m)
	if err != nil {
		return nil, err
	}
	arch := net.Arch()
	params := knn.Params{K: m.K, Soft: true, Classes: max(arch.Classes, worker.Classes(datasets))}
	plan, err := worker.Plan(datasets, valid, params, atom.Tau(arch.Features, arch.Scale), max(1, valid.Record.Rows))
	if err != nil {
		return nil, err
	}
	pool, err := plan.Pool()
	if err != nil {
		return nil, err
	}
	if uint64(pool.Dim()) != arch.Features {
		return nil, fmt.Errorf("%w: %d features in the data, %d in the weights", ErrRow, pool.Dim(), arch.Features)
	}
	out := &loaded{arch: arch, hands: make(chan *hand, g.cfg.Parallel)}
	for _, d := range datasets {
		out.owners = append(out.owners, d.Record.Owner)
	}
	slices.SortFunc(out.owners, keys.Address.Compare)
	out.owners = slices.Compact(out.owners)
	for range g.cfg.Parallel {
		out.hands <- &hand{net: net.Clone(), asker: pool.Asker()}
	}
	return out, nil
}

// fits reports whether a row can be answered. Errors: ErrRow.
func (m *loaded) fits(row []uint8) error {
	if uint64(len(row)) != m.arch.Features {
		return fmt.Errorf("%w: %d numbers, the model has %d features", ErrRow, len(row), m.arch.Features)
	}
	return nil
}

// answer computes the answer to a row and the owners that it credits: none if no
// owner's data speaks for it. Errors: ErrRow, model.ErrNotFinite.
func (m *loaded) answer(row []uint8) (infer.Answer, []receipt.Attr, error) {
	if err := m.fits(row); err != nil {
		return infer.Answer{}, nil, err
	}
	h := <-m.hands
	defer func() { m.hands <- h }()
	d := &model.Data{Rows: 1, Features: len(row), X: make([]float32, len(row))}
	scale := fx.FromInt(int32(m.arch.Scale))
	for i, c := range row {
		d.X[i] = fx.Div(fx.FromInt(int32(c)), scale)
	}
	list, err := h.net.Data(d)
	if err != nil {
		return infer.Answer{}, nil, err
	}
	weights, attributed, err := h.asker.Weights(row, int64(list[0].Label))
	if err != nil || !attributed {
		return list[0], nil, err
	}
	all := make([]receipt.Attr, len(weights))
	for i, w := range weights {
		all[i] = receipt.Attr{Owner: m.owners[i], Weight: w}
	}
	attr, err := receipt.TopAttr(all)
	return list[0], attr, err
}
