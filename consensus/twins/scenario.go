// SPDX-License-Identifier: Apache-2.0

package twins

import "fmt"

// Scenario is one way to split a network of four equal validators, of which one
// has a twin. Copies 0 to 3 are the keys in set order, copy 4 is the twin.
type Scenario struct {
	Twin  int    // the key with two copies
	Sides []Side // by view, from view 1 on; from then on all are connected
}

// Side is the copies of one side of a partition, one bit each, of which copy 3 is
// never a member: that names each two-way partition once. 0 connects all.
type Side uint8

const (
	copies = 5
	parts  = 16 // two-way partitions of five copies
)

// Count returns how many scenarios of so many views there are, before pruning:
// 4 · 16^views. views is at most 8.
func Count(views int) uint64 { return (copies - 1) << (4 * views) }

// At returns scenario number i of Count(views).
func At(views int, i uint64) Scenario {
	s := Scenario{Twin: int(i % (copies - 1)), Sides: make([]Side, views)}
	i /= copies - 1
	for v := range s.Sides {
		s.Sides[v] = spread(i % parts)
		i /= parts
	}
	return s
}

// spread names partition number i by the side without copy 3.
func spread(i uint64) Side { return Side(i&7 | i&8<<1) }

// Canonical reports whether s stands for itself and its mirror image, in which
// the two copies of the key have changed places; of two that are equal up to that
// exchange one is canonical.
func (s Scenario) Canonical() bool {
	for _, a := range s.Sides {
		b := a.mirror(s.Twin)
		if a != b {
			return a < b
		}
	}
	return true
}

// mirror exchanges copy twin and copy 4.
func (a Side) mirror(twin int) Side {
	x, y := a>>twin&1, a>>4&1
	b := a&^(1<<twin|1<<4) | y<<twin | x<<4
	if b>>3&1 == 1 { // copy 3 is on the other side by our naming
		b = ^b & (1<<copies - 1)
	}
	return b
}

// joins reports whether two copies hear each other.
func (a Side) joins(x, y int) bool { return a>>x&1 == a>>y&1 }

// String prints the scenario in one line.
func (s Scenario) String() string {
	out := fmt.Sprintf("twin of %d", s.Twin)
	for v, a := range s.Sides {
		out += fmt.Sprintf(", view %d: ", v+1)
		if a == 0 {
			out += "all"
			continue
		}
		for _, side := range []Side{a, ^a & (1<<copies - 1)} {
			out += "{"
			for i := range copies {
				if side>>i&1 == 1 {
					out += fmt.Sprint(i)
				}
			}
			out += "}"
		}
	}
	return out
}
