// SPDX-License-Identifier: Apache-2.0

package lm

import (
	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/poa/decoder"
	"github.com/openledger/openledger/poa/program"
)

// SessionMemory is what a session for texts of most tokens takes on a device beside
// the weights, in bytes. Errors: program.ErrSpec.
func SessionMemory(n decoder.Net, most uint64) (uint64, error) {
	a, rows := n.Arch, min(chunk, most)
	keys := (most + block - 1) / block * block
	total := 8*keys*a.KVHeads*a.HeadDim*a.Layers + 4*(rows*(3+a.Hidden+a.Heads*a.HeadDim)+a.Vocab)
	for _, part := range []func() (program.Graph, error){
		func() (program.Graph, error) { return n.Embed(rows) }, func() (program.Graph, error) { return n.Project(rows) },
		func() (program.Graph, error) { return n.Finish(rows, keys) }, func() (program.Graph, error) { return n.Head(1) },
	} {
		g, err := part()
		if err != nil {
			return 0, err
		}
		m, err := gpu.PlanMemory(g)
		if err != nil {
			return 0, err
		}
		total += m
	}
	return total, nil
}
