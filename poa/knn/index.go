// SPDX-License-Identifier: Apache-2.0

package knn

import (
	"bytes"
	"fmt"
	"math/bits"
	"slices"

	"github.com/openledger/openledger/poa"
)

// Point is one row: uint8 features, a label, and the content key that breaks
// ties of distance (ATM-06). Equal keys fall back to the row index, so zero
// keys mean ties by index.
type Point struct {
	Features []uint8
	Label    int64
	Key      [32]byte
}

// Index holds training rows ready for distance sorts. It is read-only after
// NewIndex and safe for concurrent use; each worker takes its own Orderer.
type Index struct {
	dim    int
	rank   []uint32 // training rows by (content key, row)
	packed []uint64 // rank-major, two features a word
	norm   []uint64 // |a|² by rank
	labels []int64  // by training row
}

// NewIndex copies 1..2^22 points of equal width 1..2^16. Memory: 4 bytes per
// feature. Errors: poa.ErrEmpty, poa.ErrRange, poa.ErrShape.
func NewIndex(points []Point) (*Index, error) {
	if err := checkPoints(points); err != nil {
		return nil, err
	}
	x := &Index{dim: len(points[0].Features)}
	keys := make([][32]byte, len(points))
	x.labels = make([]int64, len(points))
	for i, p := range points {
		keys[i], x.labels[i] = p.Key, p.Label
	}
	x.rank = RankByKey(keys)
	words := (x.dim + 1) / 2
	x.packed = make([]uint64, words*len(points))
	x.norm = make([]uint64, len(points))
	for r, i := range x.rank {
		x.norm[r] = pack(x.packed[r*words:(r+1)*words], points[i].Features, 0, 32)
	}
	return x, nil
}

func checkPoints(points []Point) error {
	if len(points) == 0 {
		return poa.ErrEmpty
	}
	dim := len(points[0].Features)
	if len(points) > poa.MaxRows || dim == 0 || dim > poa.MaxFeatures {
		return fmt.Errorf("%w: %d rows of %d features", poa.ErrRange, len(points), dim)
	}
	for i, p := range points {
		if len(p.Features) != dim {
			return fmt.Errorf("%w: row %d has %d features, row 0 has %d", poa.ErrShape, i, len(p.Features), dim)
		}
	}
	return nil
}

// RankByKey returns row indices by ascending (key, index). Spec: KNN-01, ATM-06.
func RankByKey(keys [][32]byte) []uint32 {
	rank := make([]uint32, len(keys))
	for i := range rank {
		rank[i] = uint32(i)
	}
	slices.SortStableFunc(rank, func(a, b uint32) int {
		return bytes.Compare(keys[a][:], keys[b][:])
	})
	return rank
}

// pack writes two features a word, the first shifted by a bits and the second
// by b, and returns Σ x². A training row packs (0, 32), a query (32, 0): the
// product of two words then holds x0·y0 + x1·y1 from bit 32 up, and below it a
// sum that stays under 2^32 for up to 2^16 features.
func pack(out []uint64, f []uint8, a, b uint) (norm uint64) {
	for j, v := range f {
		w := uint64(v)
		norm += w * w
		if j%2 == 0 {
			out[j/2] = w << a
		} else {
			out[j/2] |= w << b
		}
	}
	return norm
}

// Len returns the number of training rows.
func (x *Index) Len() int { return len(x.labels) }

// Dim returns the number of features.
func (x *Index) Dim() int { return x.dim }

// Labels returns the labels by training row; not to be changed.
func (x *Index) Labels() []int64 { return x.labels }

// Orderer sorts neighbours for one query at a time. Not for concurrent use.
type Orderer struct {
	x     *Index
	query []uint64
	keys  []uint64 // d² << 32 | training row, by rank
	spare []uint64
	order []uint32
	count []uint32
}

// Orderer returns a sorter with its own scratch: about 20 bytes per row.
func (x *Index) Orderer() *Orderer {
	n := x.Len()
	return &Orderer{
		x: x, query: make([]uint64, (x.dim+1)/2),
		keys: make([]uint64, n), spare: make([]uint64, n),
		order: make([]uint32, n), count: make([]uint32, 1<<radixBits),
	}
}

// Order returns the training rows by ascending (squared distance, content key,
// row). The slice is overwritten by the next call. q has Dim features.
// Cost: O(n·Dim), then a radix sort. Spec: KNN-01.
func (o *Orderer) Order(q []uint8) []uint32 {
	clear(o.query)
	qq := pack(o.query, q, 32, 0)
	words := len(o.query)
	all := uint64(0)
	low := ^uint64(0)
	for r, norm := range o.x.norm {
		d := qq + norm - 2*(dot(o.x.packed[r*words:(r+1)*words], o.query)>>32)
		o.keys[r] = d<<32 | uint64(o.x.rank[r])
		low = min(low, d)
		all = max(all, d)
	}
	for i, k := range o.radix(low, all) {
		o.order[i] = uint32(k)
	}
	return o.order
}

// dot returns Σ a[j]·b[j] mod 2^64. Two sums keep the multiplier busy.
func dot(a, b []uint64) uint64 {
	var s, t uint64
	for len(a) >= 4 && len(b) >= 4 {
		s += a[0] * b[0]
		t += a[1] * b[1]
		s += a[2] * b[2]
		t += a[3] * b[3]
		a, b = a[4:], b[4:]
	}
	for j := range a {
		s += a[j] * b[j]
	}
	return s + t
}

const radixBits = 11

// radix sorts keys by their upper half, stably, so that ties keep the order of
// content keys. low and high bound that half.
func (o *Orderer) radix(low, high uint64) []uint64 {
	from, to := o.keys, o.spare
	width := bits.Len64(high - low)
	passes := (width + radixBits - 1) / radixBits
	if passes == 0 {
		return from
	}
	digit := (width + passes - 1) / passes
	mask := uint64(1)<<digit - 1
	count := o.count[:1<<digit]
	base := low << 32
	for p := range passes {
		shift := 32 + p*digit
		clear(count)
		for _, k := range from {
			count[(k-base)>>shift&mask]++
		}
		at := uint32(0)
		for b, n := range count {
			count[b], at = at, at+n
		}
		for _, k := range from {
			b := (k - base) >> shift & mask
			to[count[b]] = k
			count[b]++
		}
		from, to = to, from
	}
	o.keys, o.spare = from, to
	return from
}
