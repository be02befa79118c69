// SPDX-License-Identifier: Apache-2.0

package model

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/poa/program"
)

// MaxParams bounds the weights and biases of a model: 4 MiB of binary32.
const MaxParams = 1 << 20

// Errors of this package. Each function names those that it returns.
var (
	// ErrArch means a model that is unknown or too large.
	ErrArch = errors.New("unsupported model")
	// ErrBlob means bytes that are not the encoding of a model's weights.
	ErrBlob = errors.New("bad weights")
	// ErrNotFinite means a NaN or an infinity where only numbers may be.
	ErrNotFinite = errors.New("number is not finite")
	// ErrData means a table that does not fit the model.
	ErrData = errors.New("data does not fit the model")
)

// Arch is the architecture record of a model: what its tensors mean. Features
// are divided by Scale before use; Hidden is 0 for softmax/1.
type Arch struct {
	_        struct{} `cbor:",toarray"`
	Model    string   `json:"model"`
	Features uint64   `json:"features"`
	Classes  uint64   `json:"classes"`
	Hidden   uint64   `json:"hidden"`
	Scale    uint64   `json:"scale"`
}

// ArchOf returns the architecture that a training run produces.
func ArchOf(t program.Train) Arch {
	return Arch{Model: t.Model, Features: t.Features, Classes: t.Classes, Hidden: t.Hidden, Scale: t.Scale}
}

// Check verifies the bounds of package program and MaxParams. Errors: ErrArch.
func (a Arch) Check() error {
	t := program.Train{Model: a.Model, Features: a.Features, Classes: a.Classes, Hidden: a.Hidden,
		Scale: a.Scale, Batch: 1, StepsPerSegment: 1, Segments: 1, LR: 1}
	if err := t.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrArch, err)
	}
	if n := t.Params(); n > MaxParams {
		return fmt.Errorf("%w: %d parameters, at most %d", ErrArch, n, MaxParams)
	}
	return nil
}

// layer is the shape of one dense layer and the names of its two tensors.
type layer struct {
	in, out int
	w, b    string
	gain    uint32 // bits of g in the initial deviation, see Init
}

// layers lists the dense layers from input to output; a rectifier stands
// between two of them.
func (a Arch) layers() []layer {
	f, c, h := int(a.Features), int(a.Classes), int(a.Hidden)
	if a.Model == program.MLP {
		return []layer{
			{in: f, out: h, w: "w1", b: "b1", gain: gainHidden},
			{in: h, out: c, w: "w2", b: "b2"},
		}
	}
	return []layer{{in: f, out: c, w: "w", b: "b"}}
}
