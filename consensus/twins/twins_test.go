// SPDX-License-Identifier: Apache-2.0

package twins

import (
	"flag"
	"testing"

	"github.com/openledger/openledger/internal/detrand"
)

var (
	views  = flag.Int("views", 2, "views whose partitions are enumerated")
	long   = flag.Int("long", 8, "views of sampled scenarios")
	sample = flag.Uint64("sample", 100, "number of sampled scenarios")
)

// TestEnumeration runs every scenario of -views views, mirror images once.
func TestEnumeration(t *testing.T) {
	c := cache(t)
	ran, pruned := 0, 0
	for i := range Count(*views) {
		s := At(*views, i)
		if !s.Canonical() {
			pruned++
			continue
		}
		if ran++; !run(t, c, s, i) {
			return
		}
	}
	t.Logf("%d views: %d scenarios run, %d mirror images left out, 0 violations", *views, ran, pruned)
}

// TestSample runs random scenarios of -long views.
func TestSample(t *testing.T) {
	c := cache(t)
	r := detrand.NewSplitMix(61)
	for range *sample {
		i := r.Below(Count(*long))
		if !run(t, c, At(*long, i), i) {
			return
		}
	}
	t.Logf("%d views: %d scenarios sampled of %d, 0 violations", *long, *sample, Count(*long))
}

func cache(t *testing.T) *Cache {
	t.Helper()
	c, err := NewCache()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func run(t *testing.T, c *Cache, s Scenario, i uint64) bool {
	if err := s.Run(c); err != nil {
		t.Errorf("scenario %d of %d views: %v", i, len(s.Sides), err)
	}
	return !t.Failed()
}

// TestEveryPartitionIsNamedOnce counts what the enumeration stands on.
func TestEveryPartitionIsNamedOnce(t *testing.T) {
	seen := map[Side]bool{}
	for i := range uint64(parts) {
		a := spread(i)
		if other := ^a & (1<<copies - 1); seen[a] || seen[other] || a>>3&1 == 1 {
			t.Errorf("partition %05b", a)
		}
		seen[a] = true
	}
	for twin := range copies - 1 {
		for i := range uint64(parts) {
			a := spread(i)
			m := a.mirror(twin)
			if !seen[m] || m.mirror(twin) != a || m.joins(twin, 4) != a.joins(twin, 4) {
				t.Errorf("mirror of %05b for %d is %05b", a, twin, m)
			}
			for y := range copies - 1 {
				if y != twin && a.joins(twin, y) != m.joins(4, y) {
					t.Errorf("mirror of %05b for %d is %05b: copy %d", a, twin, m, y)
				}
			}
		}
	}
	canonical := 0
	for i := range Count(2) {
		s := At(2, i)
		m := Scenario{s.Twin, []Side{s.Sides[0].mirror(s.Twin), s.Sides[1].mirror(s.Twin)}}
		if s.Canonical() {
			canonical++
		} else if !m.Canonical() {
			t.Errorf("%v: neither it nor its mirror image is run", s)
		}
	}
	if canonical*2 < int(Count(2)) || canonical == int(Count(2)) {
		t.Errorf("%d of %d are canonical", canonical, Count(2))
	}
}
