// SPDX-License-Identifier: Apache-2.0

package cuda

import (
	"testing"

	"pgregory.net/rapid"
)

// Against a list of the live ranges: none overlaps another, nothing is lost.
func TestGPU10ArenaKeepsRangesApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const size = 64 * align
		a := newArena(size + align - 1)
		live := map[uint64]uint64{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if n := rapid.Uint64Range(0, 20*align).Draw(t, "n"); rapid.Bool().Draw(t, "take") {
				off, ok := a.take(n)
				if n == 0 && ok {
					t.Fatal("took nothing")
				}
				if !ok {
					continue
				}
				if off%align != 0 || off+n > size {
					t.Fatalf("%d bytes at %d of %d", n, off, size)
				}
				for o, m := range live {
					if off < o+m && o < off+n {
						t.Fatalf("%d at %d overlaps %d at %d", n, off, m, o)
					}
				}
				live[off] = n
				continue
			}
			for off, n := range live {
				a.give(off, n)
				delete(live, off)
				break
			}
		}
		for off, n := range live {
			a.give(off, n)
		}
		if len(a.free) != 1 || a.left() != size {
			t.Fatalf("after all is given back: %v", a.free)
		}
	})
}

func TestArenaTakesTheSmallestRange(t *testing.T) {
	a := newArena(10 * align)
	first, _ := a.take(4 * align)
	a.take(align)
	a.give(first, 4*align)
	if off, ok := a.take(5 * align); !ok || off != 5*align {
		t.Errorf("5 units at %d, %v", off, ok)
	}
	if off, ok := a.take(4 * align); !ok || off != 0 {
		t.Errorf("4 units at %d, %v", off, ok)
	}
	if _, ok := a.take(1); ok {
		t.Error("took from a full arena")
	}
}
