// SPDX-License-Identifier: Apache-2.0

package detrand

import (
	"encoding/binary"
	"math/bits"

	"github.com/openledger/openledger/internal/keys"
)

// SplitMix is the splitmix64 generator of ARC-04. The zero value is the stream
// of seed 0. Copying it copies the position. Not for secrets.
//
// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number
// generators", OOPSLA 2014, the variant with the constants of java.util and
// of Vigna's public-domain splitmix64.
type SplitMix struct{ state uint64 }

// NewSplitMix returns the stream of a seed.
func NewSplitMix(seed uint64) *SplitMix { return &SplitMix{state: seed} }

// PoASeed derives the splitmix seed of one leaf of an attribution job: the
// first 8 bytes, big-endian, of SHA-256(dom("poa", seed, purpose, index)).
// Spec: ARC-04.
func PoASeed(seed [32]byte, purpose string, index uint64) uint64 {
	h := keys.Sum(keys.DomainPoA, seed, purpose, index)
	return binary.BigEndian.Uint64(h[:8])
}

// Next returns the next 64-bit word.
func (s *SplitMix) Next() uint64 {
	s.state += 0x9e3779b97f4a7c15
	z := s.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Below returns the high 64 bits of Next()·n, a value in [0, n). The bias is
// at most n/2^64, which ARC-04 accepts for one word per value. Below(0) is 0
// and still takes a word.
func (s *SplitMix) Below(n uint64) uint64 {
	hi, _ := bits.Mul64(s.Next(), n)
	return hi
}

// Shuffle permutes n elements by Fisher–Yates: for i = n−1 … 1 it calls
// swap(i, Below(i+1)). n below 2 takes no word.
func (s *SplitMix) Shuffle(n int, swap func(i, j int)) {
	for i := n - 1; i >= 1; i-- {
		swap(i, int(s.Below(uint64(i)+1)))
	}
}

// Perm returns the shuffle of 0 … n−1.
func (s *SplitMix) Perm(n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	s.Shuffle(n, func(i, j int) { p[i], p[j] = p[j], p[i] })
	return p
}
