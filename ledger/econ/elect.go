// SPDX-License-Identifier: Apache-2.0

package econ

import (
	"cmp"
	"slices"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
)

// Seat is a validator with its power, one unit per bonded OPEN.
type Seat struct {
	Address keys.Address
	Power   uint64
}

// Elect returns the next validators by power, then address.
//
// now is the current set, candidates who may sit in the next one with all that is
// bonded with them, each address once. The largest seats candidates are taken. If
// they are so many that a cap of capBPS of their sum can be met (n·capBPS > BPS),
// no one gets more. Then the rise is bounded: what leaves leaves at once, because
// a power without a bond behind it risks nothing; but of the next set at most a
// third is power that its holder does not have now. More is given in proportion
// (PAY-02 in the order of the result), at least one unit in all. If nobody is
// left, now stays.
//
// Sums of powers must fit 64 bits. Cost: O(n log n). Errors: fixed.ErrArith.
// Spec: STK-02.
func Elect(now, candidates []Seat, seats int, capBPS uint64) ([]Seat, error) {
	next := slices.DeleteFunc(slices.Clone(candidates), func(s Seat) bool { return s.Power == 0 })
	sortSeats(next)
	next = next[:min(seats, len(next))]
	if err := capSeats(next, capBPS); err != nil {
		return nil, err
	}
	if err := boundRise(now, next); err != nil {
		return nil, err
	}
	next = slices.DeleteFunc(next, func(s Seat) bool { return s.Power == 0 })
	if len(next) == 0 {
		next = slices.Clone(now)
	}
	sortSeats(next)
	return next, nil
}

func sortSeats(list []Seat) {
	slices.SortFunc(list, func(a, b Seat) int { return cmp.Or(cmp.Compare(b.Power, a.Power), a.Address.Compare(b.Address)) })
}

// capSeats lowers each power to capBPS of the sum, if so many seats can meet it.
func capSeats(list []Seat, capBPS uint64) error {
	if uint64(len(list))*capBPS <= BPS {
		return nil
	}
	var sum uint64
	for _, s := range list {
		sum += s.Power
	}
	most, err := fixed.MulDiv(sum, capBPS, BPS)
	for i := range list {
		list[i].Power = min(list[i].Power, max(1, most))
	}
	return err
}

// boundRise lowers next so that what rises above now is at most half of what
// stays, a third of the whole. A set of which nothing stays is not bounded.
func boundRise(now, next []Seat) error {
	old := make(map[keys.Address]uint64, len(now))
	for _, s := range now {
		old[s.Address] = s.Power
	}
	rises := make([]uint64, len(next))
	var kept, rise uint64
	for i, s := range next {
		stays := min(s.Power, old[s.Address])
		rises[i] = s.Power - stays
		kept, rise = kept+stays, rise+rises[i]
	}
	budget := max(1, kept/2)
	if kept == 0 || rise <= budget {
		return nil
	}
	parts, err := fixed.Split(budget, rises)
	if err != nil {
		return err
	}
	for i := range next {
		next[i].Power -= rises[i] - parts[i]
	}
	return nil
}
