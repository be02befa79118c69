// SPDX-License-Identifier: Apache-2.0

package coretest_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/openledger/openledger/consensus/coretest"
	"github.com/openledger/openledger/consensus/evidence"
)

// TestOver runs one network per seed in which more than f collude (CONS-50,
// CONS-60): forks come, each convicts power above f, and nobody honest is ever
// named.
func TestOver(t *testing.T) {
	var mu sync.Mutex
	forked, sum := 0, coretest.Forks{Kinds: map[evidence.Kind]int{}}
	t.Run("seeds", func(t *testing.T) {
		for i := *seed; i < *seed+*over; i++ {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				s := coretest.New(coretest.DrawOver(i), i)
				if *over == 1 {
					s.Trace = func(line string) { t.Log(line) }
				}
				if err := s.Run(); err != nil {
					t.Fatalf("seed %d: %v", i, err)
				}
				f, err := s.Convict()
				if err != nil {
					t.Fatalf("seed %d: %v", i, err)
				}
				mu.Lock()
				defer mu.Unlock()
				sum.Pairs += f.Pairs
				if f.Pairs > 0 {
					forked++
				}
				for k, n := range f.Kinds {
					sum.Kinds[k] += n
				}
			})
		}
	})
	t.Logf("%d of %d seeds forked: %v", forked, *over, sum)
	if *over >= 50 && forked == 0 {
		t.Error("no fork at all: the collusion does not work")
	}
}
