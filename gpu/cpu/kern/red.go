// SPDX-License-Identifier: Apache-2.0

package kern

import (
	"math"

	"github.com/openledger/openledger/internal/fx"
)

const (
	lanes = 32
	// RedBlock is how many values one reduction takes; longer rows are reduced
	// block by block, then the partial results (FX-04).
	RedBlock = 4096
)

// RedSum is red/1 of at most RedBlock values by addition. Cost: about 0.05 ns
// per value from the cache. Spec: FX-04.
func (c CPU) RedSum(x []float32) float32 {
	switch body, tail := split(x, 0); c.path {
	case AVX512:
		return redSumAVX512(body, len(x)/lanes, &tail[0])
	case AVX2:
		return redSumAVX2(body, len(x)/lanes, &tail[0])
	}
	return fx.RedSum(x)
}

// RedSumSq is red/1 of the squares of at most RedBlock values. Spec: FX-04.
func (c CPU) RedSumSq(x []float32) float32 {
	switch body, tail := split(x, 0); c.path {
	case AVX512:
		return redSumSqAVX512(body, len(x)/lanes, &tail[0])
	case AVX2:
		return redSumSqAVX2(body, len(x)/lanes, &tail[0])
	}
	return fx.RedSumSq(x)
}

// RedMax is red/1 of at most RedBlock values by the maximum. Spec: FX-04.
func (c CPU) RedMax(x []float32) float32 {
	switch body, tail := split(x, float32(math.Inf(-1))); c.path {
	case AVX512:
		return redMaxAVX512(body, len(x)/lanes, &tail[0])
	case AVX2:
		return redMaxAVX2(body, len(x)/lanes, &tail[0])
	}
	return fx.RedMax(x)
}

// split returns the start of x and its last, partial block of 32 filled up with
// the neutral element. That changes no bit: a lane that starts at +0 is never
// −0, so adding +0 keeps it, and so does the maximum with −Inf.
func split(x []float32, neutral float32) (body *float32, tail [lanes]float32) {
	if len(x) > RedBlock {
		panic("kern: a reduction takes at most 4,096 values")
	}
	if len(x) > 0 {
		body = &x[0]
	}
	n := copy(tail[:], x[len(x)&^(lanes-1):])
	for i := n; i < lanes; i++ {
		tail[i] = neutral
	}
	return body, tail
}
