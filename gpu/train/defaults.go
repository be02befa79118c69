// SPDX-License-Identifier: Apache-2.0

package train

import (
	"fmt"

	"github.com/openledger/openledger/gpu/model"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// Defaults returns a spec for a model over rows of data that needs no tuning on
// small tables whose features lie between 0 and scale: batches of 32, momentum
// 0.9, learning rate 0.1, up to 16 segments; softmax/1 with L2 0.001 for 20
// data epochs, mlp/1 with 32 hidden units and L2 0.0001 for 30. On the digits
// (1,197 rows to train on, 600 to validate with, scale 16) both label at least
// 96% of the validation rows right; softmax/1 takes about 0.1 s on one core,
// mlp/1 about 0.5 s.
//
// Errors: program.ErrSpec, model.ErrArch.
func Defaults(name string, features, classes, scale, rows uint64) (program.Train, error) {
	t := program.Train{Model: name, Features: features, Classes: classes, Scale: max(1, scale),
		Batch: 32, LR: fx.Bits(0.1), L2: fx.Bits(1e-3), Momentum: fx.Bits(0.9), Seed: 1}
	epochs := uint64(20)
	if name == program.MLP {
		t.Hidden, t.L2, epochs = 32, fx.Bits(1e-4), 30
	}
	steps := max(1, (min(rows, 1<<40)*epochs+t.Batch-1)/t.Batch)
	t.Segments = min(16, steps)
	t.StepsPerSegment = (steps + t.Segments - 1) / t.Segments
	if err := t.Check(); err != nil {
		return program.Train{}, fmt.Errorf("defaults for %q over %d rows: %w", name, rows, err)
	}
	return t, model.ArchOf(t).Check()
}
