// SPDX-License-Identifier: Apache-2.0

package twins

import (
	"flag"
	"testing"
)

var states = flag.Int("states", 20_000, "states at which an exploration stops, for each faulty key")

// TestExplore walks through what three honest cores and a faulty key can reach in
// three views, for each place of the faulty key in the order of leaders.
func TestExplore(t *testing.T) {
	for faulty := range copies - 1 {
		r, err := NewExplorer(cache(t), faulty).Run(*states)
		if err != nil {
			t.Fatalf("faulty key %d: %v", faulty, err)
		}
		t.Logf("faulty key %d: %d states of the network, %d of single cores, exhausted %v, longest chain decided %d",
			faulty, r.States, r.Locals, r.Exhausted, r.Decided)
		if r.Decided == 0 {
			t.Errorf("faulty key %d: nothing was decided", faulty)
		}
	}
}
