// SPDX-License-Identifier: Apache-2.0

package fx

import "math/bits"

const (
	permRounds = 8
	// permTable is the largest half width in bits for which an Order keeps its
	// round function as a table (128 KiB).
	permTable = 12
)

// Perm returns where position x goes in the pseudo-random permutation of
// [0, n) for the data epoch e: an eight-round Feistel network on the smallest
// even number of bits that holds n, applied again while the result is not below
// n. Being a bijection it always gets there, in at most four passes on average.
// It orders data; lots are drawn by package detrand.
//
// Bounds: x is taken modulo n; n = 0 returns 0. Cost: at most 32 calls of
// Philox on average. Spec: FX-06, TNS-04.
func Perm(seed uint64, e uint32, n, x uint64) uint64 {
	o := Order{seed: seed, epoch: e, n: n}
	return o.At(x)
}

// Order is Perm for many positions of one data epoch: it computes the round
// function once. The zero value orders nothing. Spec: FX-06.
type Order struct {
	seed  uint64
	epoch uint32
	n     uint64
	table []uint32 // [8, 2^w] words of the round function, or nil
}

// NewOrder returns the order of n rows in data epoch e. Cost: 8·2^w calls of
// Philox where 2^w is about sqrt(n), or none above 2²⁴ rows.
func NewOrder(seed uint64, e uint32, n uint64) *Order {
	o := &Order{seed: seed, epoch: e, n: n}
	w := o.half()
	if w > permTable {
		return o
	}
	table := make([]uint32, permRounds<<w)
	for i := range table {
		table[i] = o.round(uint32(i>>w), uint64(i)&(1<<w-1))
	}
	o.table = table
	return o
}

// half returns w, half the smallest even number of bits that holds n−1.
func (o *Order) half() int { return (bits.Len64(o.n-1) + 1) / 2 }

// round returns F, the round function of round j on the right half r.
func (o *Order) round(j uint32, r uint64) uint32 {
	if o.table != nil {
		return o.table[uint64(j)<<o.half()|r]
	}
	key := [2]uint32{uint32(o.seed), uint32(o.seed >> 32)}
	return Philox(key, [4]uint32{uint32(r), j, o.epoch, uint32(PurposeOrder)})[0]
}

// At returns Perm(seed, e, n, x). It is safe for concurrent use.
func (o *Order) At(x uint64) uint64 {
	if o.n == 0 {
		return 0
	}
	x %= o.n
	w := o.half()
	mask := uint64(1)<<w - 1
	for {
		l, r := x>>w, x&mask
		for j := range uint32(permRounds) {
			l, r = r, l^(uint64(o.round(j, r))&mask)
		}
		if x = l<<w | r; x < o.n {
			return x
		}
	}
}
