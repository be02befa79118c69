// SPDX-License-Identifier: Apache-2.0

package fx

// Purpose separates the uses of one seed; it is the last counter word.
// Spec: FX-06.
type Purpose uint32

// The purposes of FX-06.
const (
	PurposeInit     Purpose = 1
	PurposeOrder    Purpose = 2
	PurposeDropout  Purpose = 3
	PurposeSampling Purpose = 4
	PurposeSketch   Purpose = 5
	PurposeBench    Purpose = 6
)

// Philox returns the four output words of Philox4x32-10 for one key and
// counter. Cost: 20 multiplications. Source: Salmon et al., "Parallel random
// numbers: as easy as 1, 2, 3", SC 2011. Spec: FX-06.
func Philox(key [2]uint32, ctr [4]uint32) [4]uint32 {
	k0, k1 := key[0], key[1]
	for range 10 {
		h0, l0 := mul32(0xd2511f53, ctr[0])
		h1, l1 := mul32(0xcd9e8d57, ctr[2])
		ctr = [4]uint32{h1 ^ ctr[1] ^ k0, l1, h0 ^ ctr[3] ^ k1, l0}
		k0 += 0x9e3779b9
		k1 += 0xbb67ae85
	}
	return ctr
}

func mul32(a, b uint32) (hi, lo uint32) {
	p := uint64(a) * uint64(b)
	return uint32(p >> 32), uint32(p)
}

// Stream is a random-access sequence of words: equal fields give equal words
// everywhere, and streams that differ in any field are unrelated. The zero
// value is not used by any clause because purposes start at 1. Spec: FX-06.
type Stream struct {
	// Seed is the 64-bit key.
	Seed uint64
	// Stream separates sequences of one purpose, for example tensors.
	Stream uint32
	// Purpose separates uses.
	Purpose Purpose
}

func (s Stream) block(index uint64) [4]uint32 {
	return Philox(
		[2]uint32{uint32(s.Seed), uint32(s.Seed >> 32)},
		[4]uint32{uint32(index), uint32(index >> 32), s.Stream, uint32(s.Purpose)})
}

// Word returns word i: output word i mod 4 at index ⌊i/4⌋. Spec: FX-06.
func (s Stream) Word(i uint64) uint32 { return s.block(i / 4)[i%4] }

// U01 returns number i of a uniform distribution on the multiples of 2⁻²⁴ in
// [0, 1). Spec: FX-06.
func (s Stream) U01(i uint64) float32 { return u01(s.Word(i)) }

func u01(w uint32) float32 { return float32(float32(int32(w>>8)) * f(0x33800000)) }

// Normal returns number i of an approximately normal distribution with mean 0
// and variance 1: the chain of the uniforms 12i … 12i+11, minus 6. Its range
// is [−6, 6). i must be below 2⁶⁴/12. Spec: FX-06.
func (s Stream) Normal(i uint64) float32 {
	var acc float32
	for b := range uint64(3) {
		for _, w := range s.block(3*i + b) {
			acc = float32(acc + u01(w))
		}
	}
	return float32(acc - 6)
}

// Sign returns +1 or −1: the lowest bit of word i, 1 meaning −1. Spec: FX-06.
func (s Stream) Sign(i uint64) float32 {
	if s.Word(i)&1 == 1 {
		return -1
	}
	return 1
}

// FillU01 sets out[i] = U01(i). Spec: FX-06.
func (s Stream) FillU01(out []float32) {
	for i := range out {
		out[i] = s.U01(uint64(i))
	}
}

// FillNormal sets out[i] = Normal(i). Spec: FX-06.
func (s Stream) FillNormal(out []float32) {
	for i := range out {
		out[i] = s.Normal(uint64(i))
	}
}
