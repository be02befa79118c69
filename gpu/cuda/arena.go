// SPDX-License-Identifier: Apache-2.0

package cuda

import "slices"

// align is the alignment of every allocation in bytes.
const align = 256

// arena hands out ranges of one allocation. The zero value has no room.
// Spec: GPU-10.
type arena struct {
	free []span // ascending, never empty ones, never two that touch
}

type span struct{ off, size uint64 }

func newArena(size uint64) *arena {
	if size = size / align * align; size == 0 {
		return &arena{}
	}
	return &arena{free: []span{{0, size}}}
}

func rounded(n uint64) uint64 { return (n + align - 1) / align * align }

// take returns the offset of n bytes in the smallest range that has room.
func (a *arena) take(n uint64) (off uint64, ok bool) {
	if n = rounded(n); n == 0 {
		return 0, false
	}
	best := -1
	for i, s := range a.free {
		if s.size >= n && (best < 0 || s.size < a.free[best].size) {
			best = i
		}
	}
	if best < 0 {
		return 0, false
	}
	s := &a.free[best]
	off = s.off
	s.off, s.size = s.off+n, s.size-n
	if s.size == 0 {
		a.free = slices.Delete(a.free, best, best+1)
	}
	return off, true
}

// give takes back n bytes at off, which take gave.
func (a *arena) give(off, n uint64) {
	n = rounded(n)
	i, _ := slices.BinarySearchFunc(a.free, off, func(s span, off uint64) int {
		if s.off < off {
			return -1
		}
		return 1
	})
	a.free = slices.Insert(a.free, i, span{off, n})
	if i+1 < len(a.free) && off+n == a.free[i+1].off {
		a.free[i].size += a.free[i+1].size
		a.free = slices.Delete(a.free, i+1, i+2)
	}
	if i > 0 && a.free[i-1].off+a.free[i-1].size == off {
		a.free[i-1].size += a.free[i].size
		a.free = slices.Delete(a.free, i, i+1)
	}
}

// left is the sum of all free ranges in bytes.
func (a *arena) left() (n uint64) {
	for _, s := range a.free {
		n += s.size
	}
	return n
}
