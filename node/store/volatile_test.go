// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestAVolatileStoreIsAnEarlierStateAfterAPowerLossAndNotBelowItsLastSync whatever
// operation the machine died at.
func TestAVolatileStoreIsAnEarlierStateAfterAPowerLossAndNotBelowItsLastSync(t *testing.T) {
	lost := 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 0))
		v, plain := NewVolatile(), OpenMemory()
		s, err := v.Open()
		if err != nil {
			t.Fatal(err)
		}
		mustCommit(t, s)
		mustCommit(t, plain)
		want := []any{fmt.Sprint(dump(t, plain))}
		safe := uint64(0)
		v.Plan(1+r.IntN(40), []int{0, 50, 100}[r.IntN(3)])
		for range 30 {
			b := block(t, s, storyWrites(r.Uint64N(40))...)
			if err = s.Commit(b); err == nil && r.IntN(4) == 0 {
				if err = s.Sync(); err == nil {
					safe = b.Height
				}
			}
			if b.Height == nextHeight(plain) {
				if err := plain.Commit(b); err != nil {
					t.Fatal(err)
				}
				want = append(want, fmt.Sprint(dump(t, plain)))
			}
			if err != nil {
				break
			}
		}
		if err != nil && !errors.Is(err, ErrCrash) {
			t.Fatal(err)
		}
		before := nextHeight(s) - 1
		v.LosePower(r)
		if _, err := s.Body(safe); !errors.Is(err, ErrCrash) {
			t.Fatalf("seed %d: a dead process reads: %v", seed, err)
		}
		s, err = v.Open()
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		h, _ := s.Head()
		if h.Height < safe || fmt.Sprint(dump(t, s)) != want[h.Height] {
			t.Fatalf("seed %d: height %d after a power loss, synced up to %d", seed, h.Height, safe)
		}
		if h.Height < before {
			lost++
		}
	}
	if lost < 10 {
		t.Errorf("blocks were lost in %d of 60 runs: the test shows little", lost)
	}
}
