// SPDX-License-Identifier: Apache-2.0

package econ

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/keys"
)

func seats(powers ...uint64) (out []Seat) {
	for i, p := range powers {
		out = append(out, Seat{Address: keys.Address{byte(i + 1)}, Power: p})
	}
	return out
}

func show(list []Seat) (out string) {
	for _, s := range list {
		out += fmt.Sprintf("%d:%d ", s.Address[0], s.Power)
	}
	return out
}

func TestSTK02KnownElections(t *testing.T) {
	eleven := slices.Repeat([]uint64{10}, 11)
	heavy := append([]uint64{900}, eleven[:10]...)
	for _, c := range []struct {
		name       string
		now, who   []Seat
		seats, cap int
		want       string
	}{
		{"nothing changes", seats(3, 2), seats(3, 2), 9, 1_000, "1:3 2:2 "},
		{"ties by address", seats(5, 5, 5), seats(5, 5, 5), 9, 1_000, "1:5 2:5 3:5 "},
		{"the smallest has no seat", seats(3, 2, 1), seats(3, 2, 1), 2, 1_000, "1:3 2:2 "},
		{"a bond that leaves takes its power along", seats(90, 10), seats(1, 10), 9, 1_000, "2:10 1:1 "},
		{"a third at most is new", seats(10), seats(10, 100), 9, 1_000, "1:10 2:5 "},
		{"the rise is shared in proportion", seats(10), seats(10, 30, 10), 9, 1_000, "1:10 2:3 3:2 "},
		{"who stays may rise too", seats(10), seats(100), 9, 1_000, "1:15 "},
		{"one unit may always rise", seats(1), seats(1, 50), 9, 1_000, "1:1 2:1 "},
		{"a set of which nothing stays is replaced", seats(10), seats(0, 7, 9), 9, 1_000, "3:9 2:7 "},
		{"nobody is left", seats(10, 4), nil, 9, 1_000, "1:10 2:4 "},
		{"ten cannot meet a cap of a tenth", seats(heavy[:10]...), seats(heavy[:10]...), 99, 1_000, "1:900 2:10 3:10 4:10 5:10 6:10 7:10 8:10 9:10 10:10 "},
		{"eleven can", seats(heavy...), seats(heavy...), 99, 1_000, "1:100 2:10 3:10 4:10 5:10 6:10 7:10 8:10 9:10 10:10 11:10 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Elect(c.now, c.who, c.seats, uint64(c.cap))
			if err != nil || show(got) != c.want {
				t.Errorf("%s, want %s, %v", show(got), c.want, err)
			}
		})
	}
}

func TestSTK02EveryElectionIsBoundedAndOrdered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(what string, low int) []Seat {
			var out []Seat
			for i := range rapid.IntRange(low, 20).Draw(t, what) {
				if p := rapid.Uint64Range(0, 1<<rapid.IntRange(0, 40).Draw(t, "bits")).Draw(t, "power"); p > 0 && rapid.Bool().Draw(t, "sits") {
					out = append(out, Seat{Address: keys.Address{byte(i + 1)}, Power: p})
				}
			}
			return out
		}
		now, who := draw("now", 1), draw("candidates", 0)
		limit, capBPS := rapid.IntRange(1, 20).Draw(t, "seats"), rapid.Uint64Range(1, BPS).Draw(t, "cap")
		got, err := Elect(now, who, limit, capBPS)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := Elect(now, rapid.Permutation(who).Draw(t, "order"), limit, capBPS)
		if !slices.Equal(got, again) {
			t.Fatalf("%s and %s depend on the order", show(got), show(again))
		}
		if len(who) == 0 {
			if len(got) != len(now) {
				t.Fatalf("nobody ran, yet %s became %s", show(now), show(got))
			}
			return
		}
		if len(got) == 0 || len(got) > limit {
			t.Fatalf("%d of %d seats", len(got), limit)
		}
		old, bonded := map[keys.Address]uint64{}, map[keys.Address]uint64{}
		for _, s := range now {
			old[s.Address] = s.Power
		}
		for _, s := range who {
			bonded[s.Address] = s.Power
		}
		var total, risen, kept uint64
		for i, s := range got {
			if s.Power == 0 || s.Power > bonded[s.Address] || i > 0 && (got[i-1].Power < s.Power || got[i-1].Power == s.Power && got[i-1].Address.Compare(s.Address) >= 0) {
				t.Fatalf("%s of %s", show(got), show(who))
			}
			total += s.Power
			kept += min(s.Power, old[s.Address])
			risen += s.Power - min(s.Power, old[s.Address])
		}
		if kept > 0 && risen > 1 && 3*risen > total {
			t.Fatalf("%d of %d is new: %s after %s", risen, total, show(got), show(now))
		}
	})
}

// Repeated elections reach what the bonds say, and stay there.
func TestSTK02ElectionsConverge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		powers := rapid.SliceOfN(rapid.Uint64Range(1, 1<<30), 2, 9).Draw(t, "bonded")
		who := seats(powers...)
		now := who[:1]
		now[0].Power = 1
		now = slices.Clone(now)
		who = seats(powers...)
		want := slices.Clone(who)
		sortSeats(want)
		for range 120 {
			next, err := Elect(now, who, 99, 1_000)
			if err != nil {
				t.Fatal(err)
			}
			now = next
		}
		if !slices.Equal(now, want) {
			t.Fatalf("%s after 120 elections, want %s", show(now), show(want))
		}
	})
}
