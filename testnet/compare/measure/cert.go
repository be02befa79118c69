// SPDX-License-Identifier: Apache-2.0

package measure

// Certs is what it costs to check that a block is final in sync, in microseconds
// of processor per block, several times each.
type Certs struct {
	Validators, Segment int
	Ours                []float64 // one aggregate per segment of blocks
	List                []float64 // ours, a list of signatures per block
	Peer                []float64
}
