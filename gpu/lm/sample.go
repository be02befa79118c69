// SPDX-License-Identifier: Apache-2.0

package lm

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

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
// stream Choice, purpose 4. Cost: O(V log V). Errors: ErrLogits, ErrSampling.
// Spec: INF-02.
func (s Sampling) Pick(logits []float32, position uint64) (uint32, error) {
	if err := s.Check(); err != nil {
		return 0, err
	}
	best := fx.Argmax(logits)
	if top := fx.RedMax(logits); !fx.Finite(top) || len(logits) == 0 {
		return 0, fmt.Errorf("%w: the greatest logit is %g", ErrLogits, top)
	}
	if s.Temperature == 0 {
		return uint32(best), nil
	}
	list := s.candidates(logits)
	cum, total := make([]float32, 0, len(list)), float32(0)
	for _, c := range list {
		total = fx.Add(total, c.p)
		cum = append(cum, total)
		if s.TopP > 0 && s.TopP < 1 && total >= s.TopP {
			break
		}
	}
	line := fx.Mul(fx.Stream{Seed: s.Seed, Stream: s.Choice, Purpose: fx.PurposeSampling}.U01(position), total)
	for i, sum := range cum {
		if sum > line {
			return list[i].id, nil
		}
	}
	return list[0].id, nil // the sum is too small to be cut
}

type candidate struct {
	id uint32
	p  float32 // the logit, then the probability
}

// candidates are the tokens that TopK keeps, by probability.
func (s Sampling) candidates(logits []float32) []candidate {
	list, inverse := make([]candidate, len(logits)), fx.Div(1, s.Temperature)
	for i, z := range logits {
		list[i] = candidate{uint32(i), fx.Mul(z, inverse)}
	}
	order := func(a, b candidate) int { return cmp.Or(cmp.Compare(b.p, a.p), cmp.Compare(a.id, b.id)) }
	if s.TopK > 0 && int(s.TopK) < len(list) {
		slices.SortFunc(list, order)
		list = list[:s.TopK]
		slices.SortFunc(list, func(a, b candidate) int { return cmp.Compare(a.id, b.id) })
	}
	z := make([]float32, len(list))
	for i, c := range list {
		z[i] = c.p
	}
	top := fx.RedMax(z)
	for i := range z {
		z[i] = fx.Exp(fx.Sub(z[i], top))
	}
	sum := fx.RedSum(z)
	for i := range list {
		list[i].p = fx.Div(z[i], sum)
	}
	slices.SortFunc(list, order)
	return list
}
