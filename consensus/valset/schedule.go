// SPDX-License-Identifier: Apache-2.0

package valset

import (
	"crypto/sha256"
	"slices"
)

// window is how many past views a Schedule remembers.
const window = 1024

// Schedule names the leader of each view: smooth weighted round robin in the
// order of SHA-256(seed ‖ key), from zero credits at view 1 (CONS-41). Each
// validator leads exactly Power/g views of every W/g, g the common divisor.
//
// A Schedule remembers where it stands and belongs to one goroutine. Views may
// be asked in any order; ascending ones cost O(n) each, and one older than 1,024
// views starts again from view 1 of the period.
type Schedule struct {
	set    *Set
	order  []int // set indices in schedule order
	period uint64
	at     uint64 // views done within the period
	credit []int64
	ring   [window]uint16
}

// NewSchedule starts the schedule of set under seed. In the first epoch seed is
// SHA-256(chain_id), later the beacon of the seal.
func NewSchedule(set *Set, seed [32]byte) *Schedule {
	n := set.Len()
	s := &Schedule{set: set, order: make([]int, n), credit: make([]int64, n)}
	rank := make([][32]byte, n)
	g := uint64(0)
	for i := range n {
		k := set.Key(i)
		rank[i] = sha256.Sum256(append(seed[:], k[:]...))
		s.order[i] = i
		g = gcd(g, set.Power(i))
	}
	slices.SortFunc(s.order, func(a, b int) int { return slices.Compare(rank[a][:], rank[b][:]) })
	s.period = set.Total() / g
	return s
}

// Leader returns the set index of the leader of view, which starts at 1.
func (s *Schedule) Leader(view uint64) int {
	if view == 0 {
		return s.order[0]
	}
	turn := (view-1)%s.period + 1
	if turn+window <= s.at || turn == 0 {
		s.at = 0
		clear(s.credit)
	}
	for s.at < turn {
		s.step()
	}
	return int(s.ring[turn%window])
}

// step fills in the next view of the period.
func (s *Schedule) step() {
	best := 0
	for j, i := range s.order {
		s.credit[j] += int64(s.set.Power(i))
		if s.credit[j] > s.credit[best] {
			best = j
		}
	}
	s.credit[best] -= int64(s.set.Total())
	s.at++
	s.ring[s.at%window] = uint16(s.order[best])
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
