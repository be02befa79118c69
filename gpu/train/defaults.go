// SPDX-License-Identifier: Apache-2.0

package train

import (
	"fmt"

	"github.com/openledger/openledger/gpu/model"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// Defaults returns a spec for a model over rows of data that works without
// tuning on small tables with features from 0 to scale.
func Defaults(name string, features, classes, scale, rows uint64) (program.Train, error) {
	t := program.Train{Model: name, Features: features, Classes: classes, Scale: max(1, scale), Batch: 32, Seed: 1}
	epochs := uint64(40)
	t.LR, t.L2, t.Momentum = fx.Bits(0.1), fx.Bits(1e-4), fx.Bits(0.9)
	if name == program.MLP {
		t.Hidden = 32
	}
	steps := max(1, (rows*epochs+t.Batch-1)/t.Batch)
	t.Segments = min(16, steps)
	t.StepsPerSegment = (steps + t.Segments - 1) / t.Segments
	if err := t.Check(); err != nil {
		return program.Train{}, fmt.Errorf("defaults for %q: %w", name, err)
	}
	return t, model.ArchOf(t).Check()
}
