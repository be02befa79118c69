// SPDX-License-Identifier: Apache-2.0

package detrand

import (
	"encoding/binary"
	"math/bits"

	"github.com/openledger/openledger/internal/keys"
)

// wordsPerHash is how many 8-byte words one SHA-256 value gives.
const wordsPerHash = 4

// Draw is a stream of 64-bit words: the 8-byte big-endian pieces, first to
// last, of H(dom("draw", seed, purpose, id, counter)) for counter = 0, 1, 2, …
// The state is in the value: a Draw is not safe for concurrent use and two
// draws with the same inputs give the same words. Spec: EXE-05.
type Draw struct {
	seed    [32]byte
	purpose string
	id      [32]byte
	counter uint64
	block   [32]byte
	used    int // words taken from block
}

// New starts the stream of one purpose for one object. seed is seed(o) of the
// object; purpose is a short constant of the calling rule, so that two draws
// for one object are independent.
func New(seed [32]byte, purpose string, id [32]byte) *Draw {
	return &Draw{seed: seed, purpose: purpose, id: id, used: wordsPerHash}
}

// Uint64 returns the next word.
func (d *Draw) Uint64() uint64 {
	if d.used == wordsPerHash {
		d.block = keys.Sum(keys.DomainDraw, d.seed, d.purpose, d.id, d.counter)
		d.counter++
		d.used = 0
	}
	w := binary.BigEndian.Uint64(d.block[8*d.used:])
	d.used++
	return w
}

// Below returns a uniform value in [0, n): words not below the largest
// multiple of n that fits 2^64 are rejected, the accepted one is taken mod n.
// Below(0) is 0 and takes no word.
func (d *Draw) Below(n uint64) uint64 {
	if n == 0 {
		return 0
	}
	for {
		if v, ok := reduce(d.Uint64(), n); ok {
			return v
		}
	}
}

// reduce maps a word to [0, n), n > 0, and rejects the 2^64 mod n highest words,
// which would make the low values likelier than the others.
func reduce(w, n uint64) (v uint64, ok bool) {
	excess := -n % n // 2^64 mod n
	return w % n, w <= ^uint64(0)-excess
}

// Sample draws up to k different indices, in the order drawn. Each draw takes
// r = Below(Σ remaining weights) and picks the first index whose cumulative
// remaining weight, in index order, exceeds r; the picked index leaves the
// draw. Index i therefore comes first with probability weights[i]/Σ. Indices
// of weight 0 are never drawn, so fewer than k may come back.
//
// Weights are amounts, whose sum the supply bounds far below 2^64; if the sum
// does not fit 64 bits nothing is drawn. weights is not changed. Cost:
// O(k·len(weights)).
func (d *Draw) Sample(weights []uint64, k int) []int {
	left, total := remaining(weights)
	var picks []int
	for len(picks) < k && total > 0 {
		i := locate(left, d.Below(total))
		picks = append(picks, i)
		total -= left[i]
		left[i] = 0
	}
	return picks
}

// remaining copies the weights and sums them; on overflow the sum is 0.
func remaining(weights []uint64) (left []uint64, total uint64) {
	for _, w := range weights {
		sum, carry := bits.Add64(total, w, 0)
		if carry != 0 {
			return nil, 0
		}
		left, total = append(left, w), sum
	}
	return left, total
}

// locate returns the first index whose cumulative weight exceeds r < Σ left.
func locate(left []uint64, r uint64) int {
	i := 0
	for r >= left[i] {
		r -= left[i]
		i++
	}
	return i
}
