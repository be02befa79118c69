// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"math"
	"slices"

	"github.com/openledger/openledger/gpu/cpu/kern"
	"github.com/openledger/openledger/internal/fx"
)

// order maps a binary32 to an integer in the order of values, −0 = +0, every NaN
// last.
func order(v float32) uint32 {
	b := math.Float32bits(v)
	switch {
	case v != v:
		return math.MaxUint32
	case v == 0:
		return 1 << 31
	}
	return b ^ (uint32(int32(b)>>31) | 1<<31) // no branch: signs come as they like
}

// signed maps an int32 to an integer in its order.
func signed(v int32) uint32 { return uint32(v) ^ 1<<31 }

// columns are the columns of sort_pairs and merge_pairs in the order of their ranks,
// equal ranks by number: place[at[i]] = i.
type columns struct {
	at, place []uint32
}

// columns costs a sort of one row, for all rows.
func (c *call) columns(rank []int32) columns {
	keys := make([]uint64, len(rank))
	for j, r := range rank {
		keys[j] = uint64(signed(r))<<32 | uint64(j)
	}
	slices.Sort(keys)
	k := columns{make([]uint32, len(rank)), make([]uint32, len(rank))}
	for i, v := range keys {
		k.at[i], k.place[uint32(v)] = uint32(v), uint32(i)
	}
	return k
}

// keys are the order of the columns cols of row r among those of their row; a column
// outside counts as 0.
func (c *call) keys(k columns, r int, cols []int32) []uint64 {
	keys, n := make([]uint64, len(cols)), c.a[2]
	if fx.Type(c.attrs[0]) == fx.F32 {
		row := c.f(0)[r*n:][:n]
		for i, x := range cols {
			if uint(x) >= uint(n) {
				x = 0
			}
			keys[i] = uint64(order(row[x]))<<32 | uint64(k.place[x])
		}
		return keys
	}
	row := c.i(0)[r*n:][:n]
	for i, x := range cols {
		if uint(x) >= uint(n) {
			x = 0
		}
		keys[i] = uint64(signed(row[x]))<<32 | uint64(k.place[x])
	}
	return keys
}

func (c *call) sortPairs() {
	rows, n, width := c.a[1], c.a[2], c.a[3]
	k, y := c.columns(c.i(1)), c.yi()
	runs := (n + width - 1) / width
	c.rows(rows*runs, 16*min(width, n), func(_ *kern.Worker, i int) {
		r, first := i/runs, i%runs*width
		out := y[r*n+first : r*n+min(first+width, n)]
		for j := range out {
			out[j] = int32(first + j)
		}
		keys := c.keys(k, r, out)
		slices.Sort(keys)
		for j, v := range keys {
			out[j] = int32(k.at[uint32(v)])
		}
	})
}

// mergePairs merges runs that are sorted, element after element; of others, which only
// the definition's search through them gives a meaning, it computes that.
func (c *call) mergePairs() {
	rows, n, width := c.a[1], c.a[2], c.a[3]
	k, in, y := c.columns(c.i(1)), c.i(2), c.yi()
	pairs := (n-1)/width/2 + 1
	c.rows(rows*pairs, 16*min(2*width, n), func(_ *kern.Worker, i int) {
		r, first := i/pairs, i%pairs*2*width
		mid, end := min(first+width, n), min(first+2*width, n)
		keys := c.keys(k, r, in[r*n+first:r*n+end])
		a, b := keys[:mid-first], keys[mid-first:]
		if !slices.IsSorted(a) || !slices.IsSorted(b) {
			c.elements(r*n+first, r*n+end)
			return
		}
		x, z := r*n+first, r*n+mid
		for at := x; at < r*n+end; at++ {
			if len(b) == 0 || len(a) > 0 && a[0] < b[0] {
				y[at], a, x = in[x], a[1:], x+1
			} else {
				y[at], b, z = in[z], b[1:], z+1
			}
		}
	})
}

// topK sorts the row, or where few of many are wanted goes through it once with a
// heap of the best so far, the least of them first.
func (c *call) topK() {
	rows, n, k := c.a[0], c.a[1], c.a[2]
	x, y := c.f(0), c.yi()
	c.rows(rows, 4*n, func(_ *kern.Worker, r int) {
		var keys []uint64 // the less, the greater the value or the lower the column
		if k > n/8 {
			keys = make([]uint64, 0, n)
			for j, v := range x[r*n:][:n] {
				keys = append(keys, uint64(^order(v))<<32|uint64(j))
			}
		} else {
			for j, v := range x[r*n:][:n] {
				switch key := uint64(^order(v))<<32 | uint64(j); {
				case len(keys) < k:
					keys = append(keys, key)
					for i := len(keys) - 1; i > 0 && keys[(i-1)/2] < keys[i]; i = (i - 1) / 2 {
						keys[i], keys[(i-1)/2] = keys[(i-1)/2], keys[i]
					}
				case key < keys[0]:
					keys[0] = key
					sink(keys)
				}
			}
		}
		slices.Sort(keys)
		for i, v := range keys[:k] {
			y[r*k+i] = int32(uint32(v))
		}
	})
}

// sink moves the first element of a heap to its place.
func sink(h []uint64) {
	for i := 0; ; {
		j := 2*i + 1
		if j >= len(h) {
			return
		}
		if j+1 < len(h) && h[j+1] > h[j] {
			j++
		}
		if h[i] >= h[j] {
			return
		}
		h[i], h[j] = h[j], h[i]
		i = j
	}
}
