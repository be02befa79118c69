// SPDX-License-Identifier: Apache-2.0

package sim_test

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openledger/openledger/testnet/sim"
)

var (
	seeds = flag.Uint64("seeds", 20, "number of seeds that TestSeeds runs")
	kills = flag.Int("kills", 60, "how many processes die in TestKilledAgainAndAgain")
	seed  = flag.Uint64("seed", 0, "first seed that TestSeeds runs")
)

// TestSeeds runs one network per seed. Run one alone, with its events, by
// -args -seed N -seeds 1 and -v.
func TestSeeds(t *testing.T) {
	var mu sync.Mutex
	total := map[string]int{}
	for i := *seed; i < *seed+*seeds; i++ {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := sim.New(t, sim.Draw(i), i)
				if *seeds == 1 {
					s.Trace = func(line string) { t.Log(line) }
				}
				err := s.Run()
				mu.Lock()
				defer mu.Unlock()
				for what, n := range s.Counts() {
					total[what] += n
				}
				if err != nil {
					t.Fatalf("seed %d: %v\nrepeat: go test ./testnet/sim -run TestSeeds -v -count=1 -args -seed %d -seeds 1", i, err, i)
				}
			})
		})
	}
	for _, what := range slices.Sorted(maps.Keys(total)) {
		t.Logf("%6d %s", total[what], what)
	}
}

// TestAValidatorJoinsByStakeAndAnotherLeaves over 20 epochs under load, with
// partitions: all chains agree, roots and supply included.
func TestAValidatorJoinsByStakeAndAnotherLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sim.New(t, sim.Story(), *seed)
		if testing.Verbose() {
			s.Trace = func(line string) { t.Log(line) }
		}
		if err := s.Run(); err != nil {
			t.Fatal(err)
		}
		t.Log(s.Counts())
	})
}

// TestKilledAgainAndAgain at any append, sync or write, with the loss of what was not
// synced or without: no key signs twice, nothing final is lost, and it goes on, also
// where nobody could give back what one validator alone has lost.
func TestKilledAgainAndAgain(t *testing.T) {
	for name, powers := range map[string][]uint64{"four": {5, 5, 5, 5}, "alone": {1}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := sim.New(t, sim.Killed(powers, *kills), *seed)
				if *seeds == 1 {
					s.Trace = func(line string) { t.Log(line) }
				}
				err := s.Run()
				t.Log(s.Counts())
				if err != nil {
					t.Fatal(err)
				}
				if n := s.Counts()["the machine has crashed"]; n < *kills*9/10 {
					t.Errorf("%d processes died, want %d", n, *kills)
				}
			})
		})
	}
}

// TestCONS45MoreThanFLoseTheirLogs at once or one after another, and one validator
// alone: the network stands still until the operators give their word, lives on
// then, and no key signs twice.
func TestCONS45MoreThanFLoseTheirLogs(t *testing.T) {
	for _, x := range []struct {
		name   string
		powers []uint64
		lose   int
		gap    time.Duration
	}{
		{"two of four at once", []uint64{5, 5, 5, 5}, 2, 0},
		{"two of four, one after another", []uint64{5, 5, 5, 5}, 2, 3 * time.Second},
		{"one alone", []uint64{1}, 1, 0},
	} {
		t.Run(x.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := sim.New(t, sim.Forgetful(x.powers, x.lose, x.gap), *seed)
				if testing.Verbose() {
					s.Trace = func(line string) { t.Log(line) }
				}
				if err := s.Run(); err != nil {
					t.Fatal(err)
				}
				if n := s.Counts()["word"]; n == 0 {
					t.Error("nobody had to give a word")
				}
			})
		})
	}
}
