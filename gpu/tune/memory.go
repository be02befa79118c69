// SPDX-License-Identifier: Apache-2.0

package tune

import (
	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/poa/decoder"
)

// Memory is what a run of these steps holds on a device, the model and its data
// included, in bytes. Cost: that of making the graph. Errors: program.ErrSpec.
func Memory(spec decoder.Train) (uint64, error) {
	g, err := spec.Graph()
	if err != nil {
		return 0, err
	}
	total, err := gpu.PlanMemory(g)
	if err != nil {
		return 0, err
	}
	for _, in := range g.Inputs {
		n := in.Type.Size()
		for _, s := range in.Shape {
			n *= s
		}
		total += n
	}
	return total + 4*uint64(len(g.Outputs)), nil
}
