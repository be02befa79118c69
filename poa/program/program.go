// SPDX-License-Identifier: Apache-2.0

package program

import (
	"errors"
	"fmt"
	"math/bits"
)

// ErrSpec reports a description outside the bounds of this package.
var ErrSpec = errors.New("program out of bounds")

// Models that Train knows.
const (
	Softmax = "softmax/1" // multinomial logistic regression
	MLP     = "mlp/1"     // one hidden layer
)

// KNN is the one attribution method: exact integer KNN-Shapley.
const KNN = "knn/1"

// Bounds of a description.
const (
	MaxFeatures = 4_096
	MaxClasses  = 256
	MaxHidden   = 1_024
	MaxScale    = 1 << 24
	MaxBatch    = 4_096
	MaxSteps    = 65_536
	MaxSegments = 4_096
	MaxCost     = 1 << 40 // multiply-adds of a whole training run
	MaxK        = 256
	MaxRows     = 4_096 // validation rows of one attribution segment
)

// Train describes a training run as a chain of segments. Features are divided by
// Scale before use; LR, L2 and Momentum are the bits of binary32 values. Hidden
// is 0 for Softmax. Every field enters the replay, so equal descriptions over
// equal data give equal bytes. Spec: TASK-02.
type Train struct {
	_               struct{} `cbor:",toarray"`
	Model           string   `json:"model"`
	Features        uint64   `json:"features"`
	Classes         uint64   `json:"classes"`
	Hidden          uint64   `json:"hidden"`
	Scale           uint64   `json:"scale"`
	Batch           uint64   `json:"batch"`             // rows per step
	StepsPerSegment uint64   `json:"steps_per_segment"` // steps between two committed states
	Segments        uint64   `json:"segments"`
	LR              uint32   `json:"lr"`
	L2              uint32   `json:"l2"`
	Momentum        uint32   `json:"momentum"`
	Seed            uint64   `json:"seed"`
}

// Bits of binary32 values that bound the step sizes.
const (
	bitsOne = 0x3f800000 // 1.0
	bitsInf = 0x7f800000
)

// Check verifies every bound, the step sizes (LR > 0, L2 ≥ 0, 0 ≤ Momentum < 1,
// all finite) and Cost ≤ MaxCost. Errors: ErrSpec.
func (t Train) Check() error {
	if err := t.checkModel(); err != nil {
		return err
	}
	for _, f := range []struct {
		name        string
		v, min, max uint64
	}{
		{"features", t.Features, 1, MaxFeatures},
		{"classes", t.Classes, 2, MaxClasses},
		{"scale", t.Scale, 1, MaxScale},
		{"batch", t.Batch, 1, MaxBatch},
		{"steps_per_segment", t.StepsPerSegment, 1, MaxSteps},
		{"segments", t.Segments, 1, MaxSegments},
	} {
		if f.v < f.min || f.v > f.max {
			return fmt.Errorf("%w: %s %d is not in %d..%d", ErrSpec, f.name, f.v, f.min, f.max)
		}
	}
	// The bits of non-negative binary32 values ascend with the values.
	switch {
	case t.LR == 0 || t.LR >= bitsInf:
		return fmt.Errorf("%w: lr is not a finite number above 0", ErrSpec)
	case t.L2 >= bitsInf:
		return fmt.Errorf("%w: l2 is not a finite number from 0", ErrSpec)
	case t.Momentum >= bitsOne:
		return fmt.Errorf("%w: momentum is not in [0, 1)", ErrSpec)
	}
	if c := t.Cost(); c > MaxCost {
		return fmt.Errorf("%w: cost %d exceeds %d multiply-adds", ErrSpec, c, uint64(MaxCost))
	}
	return nil
}

func (t Train) checkModel() error {
	switch t.Model {
	case Softmax:
		if t.Hidden != 0 {
			return fmt.Errorf("%w: %s has no hidden layer", ErrSpec, Softmax)
		}
	case MLP:
		if t.Hidden < 1 || t.Hidden > MaxHidden {
			return fmt.Errorf("%w: hidden %d is not in 1..%d", ErrSpec, t.Hidden, MaxHidden)
		}
	default:
		return fmt.Errorf("%w: unknown model %q", ErrSpec, t.Model)
	}
	return nil
}

// Params is the number of weights and biases. Meaningful only after Check.
func (t Train) Params() uint64 {
	if t.Model == MLP {
		return (t.Features+1)*t.Hidden + (t.Hidden+1)*t.Classes
	}
	return (t.Features + 1) * t.Classes
}

// Cost estimates the multiply-adds of the whole run, forward and backward:
// 3 · parameters · batch · steps · segments, saturating at 2^64 − 1.
func (t Train) Cost() uint64 {
	c := uint64(3)
	for _, f := range [4]uint64{t.Params(), t.Batch, t.StepsPerSegment, t.Segments} {
		hi, lo := bits.Mul64(c, f)
		if hi != 0 {
			return ^uint64(0)
		}
		c = lo
	}
	return c
}

// Attribute describes an attribution over validation rows, Rows of them per
// segment. Tau is the squared distance up to which rows count as near
// duplicates; Soft picks the soft-label form of KNN-Shapley. Spec: TASK-02,
// KNN-01.
type Attribute struct {
	_      struct{} `cbor:",toarray"`
	Method string   `json:"method"`
	K      uint64   `json:"k"`
	Soft   bool     `json:"soft"`
	Rows   uint64   `json:"rows"` // validation rows per segment
	Tau    uint64   `json:"tau"`
}

// Check verifies the method and the bounds. Errors: ErrSpec.
func (a Attribute) Check() error {
	switch {
	case a.Method != KNN:
		return fmt.Errorf("%w: unknown method %q", ErrSpec, a.Method)
	case a.K < 1 || a.K > MaxK:
		return fmt.Errorf("%w: k %d is not in 1..%d", ErrSpec, a.K, MaxK)
	case a.Rows < 1 || a.Rows > MaxRows:
		return fmt.Errorf("%w: rows %d is not in 1..%d", ErrSpec, a.Rows, MaxRows)
	}
	return nil
}

// Segments is how many segments an attribution over validation rows has: ⌈validation/Rows⌉.
// Meaningful only after Check.
func (a Attribute) Segments(validation uint64) uint64 {
	n := validation / a.Rows
	if validation%a.Rows != 0 {
		n++
	}
	return n
}
