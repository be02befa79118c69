// SPDX-License-Identifier: Apache-2.0

package coretest_test

import (
	"flag"
	"fmt"
	"testing"

	"github.com/openledger/openledger/consensus/coretest"
)

var (
	seeds = flag.Uint64("seeds", 120, "number of seeds that TestSim runs")
	seed  = flag.Uint64("seed", 0, "first seed that TestSim and TestOver run")
	over  = flag.Uint64("over", 60, "number of seeds that TestOver runs")
)

// TestSim runs one network per seed. Run one alone, with its events, by
// -args -seed N -seeds 1 and -v.
func TestSim(t *testing.T) {
	for i := *seed; i < *seed+*seeds; i++ {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			s := coretest.New(coretest.Draw(i), i)
			if *seeds == 1 {
				s.Trace = func(line string) { t.Log(line) }
			}
			if err := s.Run(); err != nil {
				t.Fatalf("seed %d: %v", i, err)
			}
		})
	}
}
