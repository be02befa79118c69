// SPDX-License-Identifier: Apache-2.0

package cuda

import "testing"

// A large card gets a square product of 4,096 in few launches, also if it does not say
// its clock; a launch on a small one is no longer than on a large one.
func TestGPU10LaunchesAreAsLongAsACardIsFast(t *testing.T) {
	const product = 1 << 36
	for name, c := range map[string]struct {
		card Card
		most uint64
	}{
		"132 multiprocessors":             {Card{Multiprocessor: 132, ClockKHz: 1_980_000}, 1},
		"132 whose clock is not told":     {Card{Multiprocessor: 132}, 2},
		"14 multiprocessors":              {Card{Multiprocessor: 14, ClockKHz: 1_500_000}, 16},
		"a card that says nothing at all": {Card{}, 16},
	} {
		if n := (product + c.card.slice() - 1) / c.card.slice(); n > c.most || n*2 < c.most {
			t.Errorf("%s: %d launches, want %d", name, n, c.most)
		}
	}
}
