// SPDX-License-Identifier: Apache-2.0

package lm

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/openledger/openledger/gpu/cpu/kern"
	"github.com/openledger/openledger/internal/fx"
)

// ErrLogits reports a row of logits with a NaN or +Inf: there is nothing to choose.
var ErrLogits = errors.New("the model's answer is not a number")

// ErrSampling reports settings out of bounds.
var ErrSampling = errors.New("sampling settings out of bounds")

// Sampling chooses a token from a row of logits. The zero value takes the greatest,
// lowest id of equals. Spec: INF-02.
type Sampling struct {
	// Temperature is 0, or above it up to 100: logits are multiplied by its inverse.
	Temperature float32
	// TopK keeps the k greatest logits, lowest ids of equals; 0 keeps all.
	TopK uint32
	// TopP keeps the shortest list of the most probable whose sum reaches it; 0 and 1
	// keep all.
	TopP float32
	// Seed and Choice (which of several answers) draw; positions are those of tokens.
	Seed   uint64
	Choice uint32
}

// Check verifies the settings. Errors: ErrSampling.
func (s Sampling) Check() error {
	if !(s.Temperature >= 0 && s.Temperature <= 100) {
		return fmt.Errorf("%w: temperature %g is not in 0 to 100", ErrSampling, s.Temperature)
	}
	if !(s.TopP >= 0 && s.TopP <= 1) {
		return fmt.Errorf("%w: top_p %g is not in 0 to 1", ErrSampling, s.TopP)
	}
	return nil
}

// Pick returns the token for a position, the number of tokens before it: z =
// logits·(1/T); the k greatest; softmax over them in order of ids; ordered by
// (probability descending, id ascending) the shortest prefix whose chain sum is ≥
// TopP; of it the first whose chain sum is > u·total, u = u01 at the position of
// stream Choice, purpose 4. Cost: O(V), about 10 ns for each of V, 0.1 ns for the
// greatest. Errors: ErrLogits, ErrSampling. Spec: INF-02.
func (s Sampling) Pick(logits []float32, position uint64) (uint32, error) {
	if err := s.Check(); err != nil {
		return 0, err
	}
	top := reduce(logits, vectors().RedMax)
	if !fx.Finite(top) || len(logits) == 0 {
		return 0, fmt.Errorf("%w: the greatest logit is %g", ErrLogits, top)
	}
	if s.Temperature == 0 {
		return uint32(slices.Index(logits, top)), nil
	}
	ids, p := s.candidates(logits)
	cum, total := make([]float32, 0, len(p)), float32(0)
	for _, v := range p {
		total = fx.Add(total, v)
		cum = append(cum, total)
		if s.TopP > 0 && s.TopP < 1 && total >= s.TopP {
			break
		}
	}
	line := fx.Mul(fx.Stream{Seed: s.Seed, Stream: s.Choice, Purpose: fx.PurposeSampling}.U01(position), total)
	for i, sum := range cum {
		if sum > line {
			return ids[i], nil
		}
	}
	return ids[0], nil // the sum is too small to be cut
}

// vectors are the kernels of this machine, the same bits on every one.
var vectors = sync.OnceValue(func() kern.CPU {
	c, err := kern.Detect(os.Getenv("OPENLEDGER_CPU"))
	if err != nil {
		return kern.CPU{}
	}
	return c
})

// reduce is red/1 by f, which takes blocks. Spec: FX-04.
func reduce(x []float32, f func([]float32) float32) float32 {
	if len(x) <= kern.RedBlock {
		return f(x)
	}
	var parts []float32
	for block := range slices.Chunk(x, kern.RedBlock) {
		parts = append(parts, f(block))
	}
	return reduce(parts, f)
}

// candidates are the tokens that TopK keeps with their probabilities, in their order.
func (s Sampling) candidates(logits []float32) (ids []uint32, p []float32) {
	c, z := vectors(), make([]float32, len(logits))
	c.Elem(kern.Scale, z, kern.Scalars{fx.Div(1, s.Temperature)}, logits)
	if k := int(s.TopK); k > 0 && k < len(z) {
		ids = slices.Clone(descending(z)[:k])
		slices.Sort(ids)
		z = taken(z, ids)
	}
	c.Elem(kern.SubS, z, kern.Scalars{reduce(z, c.RedMax)}, z)
	c.Elem(kern.Exp, z, kern.Scalars{}, z)
	c.Elem(kern.DivS, z, kern.Scalars{reduce(z, c.RedSum)}, z)
	order := descending(z)
	if ids == nil {
		return order, taken(z, order)
	}
	return taken(ids, order), taken(z, order)
}

// taken are the elements of x at these places.
func taken[T any](x []T, at []uint32) []T {
	out := make([]T, len(at))
	for i, j := range at {
		out[i] = x[j]
	}
	return out
}

// descending are the indices of x from the greatest value to the least, equal ones as
// they stand, NaN last: a radix sort, for a vocabulary has 10⁵ tokens.
func descending(x []float32) []uint32 {
	list, next := make([]uint64, len(x)), make([]uint64, len(x))
	for i, v := range x {
		key := uint64(1<<32 - 1)
		if v == v {
			b := fx.Bits(fx.Add(v, 0)) // −0 is +0
			key = uint64(^b ^ uint32(int32(b)>>31)&(1<<31-1) ^ 1<<31)
		}
		list[i] = key<<32 | uint64(i)
	}
	const digit = 11 // three of them cover a key, the last by more than is there
	for shift := 32; shift < 64; shift += digit {
		var at [1 << digit]uint32
		for _, v := range list {
			at[v>>shift&(1<<digit-1)]++
		}
		sum := uint32(0)
		for d, n := range at {
			at[d], sum = sum, sum+n
		}
		for _, v := range list {
			d := v >> shift & (1<<digit - 1)
			next[at[d]] = v
			at[d]++
		}
		list, next = next, list
	}
	out := make([]uint32, len(x))
	for i, v := range list {
		out[i] = uint32(v)
	}
	return out
}
