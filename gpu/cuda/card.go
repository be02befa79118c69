// SPDX-License-Identifier: Apache-2.0

package cuda

import "errors"

// ErrBuild means that this program was built without support for cards.
var ErrBuild = errors.New("built without support for NVIDIA cards; build with make and a C compiler")

// Card is an installed card.
type Card struct {
	Index          int
	Name, UUID     string
	Memory         uint64 // bytes
	Major, Minor   int    // compute capability
	Multiprocessor int    // how many
	ClockKHz       int
	Driver         int // version of the driver's interface, 12040 for 12.4
}

// Least compute capability that the kernels are compiled for.
const leastMajor, leastMinor = 7, 5

// Usable says whether the kernels run on the card.
func (c Card) Usable() bool {
	return c.Major > leastMajor || c.Major == leastMajor && c.Minor >= leastMinor
}

// What one launch may do in any case, in multiply-adds, and the clock of a card that
// says none.
const (
	leastSlice = 1 << 32
	leastKHz   = 1_000_000
)

// slice is the most multiply-adds of one launch, so that none takes long and others
// get their turn (GPU-10): what 64 lanes of each multiprocessor do in 20 ms at a
// quarter of their peak.
func (c Card) slice() uint64 {
	const milliseconds, lanes = 20, 64
	return max(leastSlice, uint64(max(c.Multiprocessor, 0))*uint64(max(c.ClockKHz, leastKHz))*milliseconds*lanes/4)
}
