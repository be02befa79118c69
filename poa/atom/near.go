// SPDX-License-Identifier: Apache-2.0

package atom

import "bytes"

// near answers "which of these rows are within τ": entries in buckets of the
// sum of their features. By Cauchy and Schwarz (Σa − Σb)² ≤ d·|a − b|², so a
// bucket as wide as that reach and its two neighbours hold every candidate.
type near struct {
	tau     uint64
	width   uint64
	buckets map[uint64][]entry // looked up, never ranged over
}

type entry struct {
	id       int32
	features []uint8
}

func newNear(dim int, tau uint64) near {
	return near{tau: tau, width: window(uint64(dim), tau) + 1, buckets: map[uint64][]entry{}}
}

func (n *near) bucket(f []uint8) uint64 {
	s := uint64(0)
	for _, v := range f {
		s += uint64(v)
	}
	return s/n.width + 1
}

func (n *near) add(f []uint8, id int32) {
	k := n.bucket(f)
	n.buckets[k] = append(n.buckets[k], entry{id, f})
}

// scan calls do for every entry within τ, in no order that may matter.
func (n *near) scan(f []uint8, do func(id int32, d uint64)) {
	k := n.bucket(f)
	for _, b := range [3]uint64{k - 1, k, k + 1} {
		for _, e := range n.buckets[b] {
			if d := dist2(e.features, f, n.tau); d <= n.tau {
				do(e.id, d)
			}
		}
	}
}

// nearest returns the closest entry within τ. Among equal distances the lower
// key wins; without keys, the lower id.
func (n *near) nearest(f []uint8, key func(int32) []byte) (id int32, hit bool) {
	var least uint64
	n.scan(f, func(i int32, d uint64) {
		if !hit || d < least || d == least && before(i, id, key) {
			id, least, hit = i, d, true
		}
	})
	return id, hit
}

func before(a, b int32, key func(int32) []byte) bool {
	if key != nil {
		if c := bytes.Compare(key(a), key(b)); c != 0 {
			return c < 0
		}
	}
	return a < b
}

// window returns the largest x with x² ≤ d·tau: sums further apart are past τ.
func window(d, tau uint64) uint64 {
	const most = 255 << 16 // no two sums are further apart
	lo, hi := uint64(0), uint64(most)
	for lo < hi {
		mid := (lo + hi + 1) / 2
		if mid*mid/d <= tau { // ⌊x²/d⌋ ≤ τ ⇐ x² ≤ d·τ: never too narrow
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return lo
}

// dist2 returns |a − b|², or some value above limit once it is past it.
func dist2(a, b []uint8, limit uint64) uint64 {
	var d uint64
	for i, v := range a {
		e := int64(v) - int64(b[i])
		if d += uint64(e * e); d > limit {
			return d
		}
	}
	return d
}
