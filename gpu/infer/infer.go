// SPDX-License-Identifier: Apache-2.0

package infer

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/gpu/model"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/internal/table"
)

// Errors of this package; others come from package model.
var (
	// ErrRoot means weights with another root than the model's.
	ErrRoot = errors.New("weights do not have the model's root")
	// ErrAnswers means bytes that are not encoded answers.
	ErrAnswers = errors.New("bad answers")
)

// Answer is what a model says about one row: the label and the bits of the
// logit of each class.
type Answer struct {
	_      struct{} `cbor:",toarray"`
	Label  uint64   `json:"label"`
	Logits []uint32 `json:"logits"`
}

// Floats returns the logits as numbers, for printing.
func (a Answer) Floats() []float32 {
	out := make([]float32, len(a.Logits))
	for i, b := range a.Logits {
		out[i] = fx.FromBits(b)
	}
	return out
}

// Model answers rows. It is not safe for concurrent use; Clone gives each
// goroutine its own.
type Model struct {
	weights *model.Weights
	net     *model.Net
}

// New returns a model with these weights, which must not be changed after.
func New(w *model.Weights) *Model { return &Model{weights: w, net: model.NewNet(w)} }

// Load reads the weights of a model from its blob and checks them against the
// root that the ledger records. Errors: those of model.Decode, ErrRoot.
func Load(blob []byte, root [32]byte) (*Model, error) {
	w, err := model.Decode(blob)
	if err != nil {
		return nil, err
	}
	if got := w.Root(); got != root {
		return nil, fmt.Errorf("%w: %x, want %x", ErrRoot, got[:8], root[:8])
	}
	return New(w), nil
}

// Clone returns an independent model with the same weights.
func (m *Model) Clone() *Model { return New(m.weights) }

// Root is the root of the weights. Spec: TNS-01.
func (m *Model) Root() [32]byte { return m.weights.Root() }

// Arch returns the architecture record.
func (m *Model) Arch() model.Arch { return m.weights.Arch }

// Data answers every row of d, which must have been loaded for Arch. Labels of
// d are not looked at. Errors: model.ErrData, model.ErrNotFinite if a logit
// overflows.
func (m *Model) Data(d *model.Data) ([]Answer, error) {
	a := m.Arch()
	if uint64(d.Features) != a.Features {
		return nil, fmt.Errorf("%w: %d features, the model has %d", model.ErrData, d.Features, a.Features)
	}
	out, got := make([]Answer, d.Rows), m.answer(d)
	for i := range out {
		logits := got.logits[uint64(i)*a.Classes : uint64(i+1)*a.Classes]
		if !fx.AllFinite(logits) {
			return nil, fmt.Errorf("%w: a logit of row %d", model.ErrNotFinite, i)
		}
		out[i] = Answer{Label: uint64(got.labels[i]), Logits: make([]uint32, len(logits))}
		for k, z := range logits {
			out[i].Logits[k] = fx.Bits(z)
		}
	}
	return out, nil
}

// Table answers every row of a parsed table, with or without labels. Errors:
// those of model.Load and Data.
func (m *Model) Table(t *table.Table) ([]Answer, error) {
	d, err := model.Load(m.Arch(), t)
	if err != nil {
		return nil, err
	}
	return m.Data(d)
}

// Accuracy counts the rows of d, which has labels, that the model labels right.
func (m *Model) Accuracy(d *model.Data) (correct, rows int) {
	for i, label := range m.answer(d).labels {
		if label == d.Y[i] {
			correct++
		}
	}
	return correct, d.Rows
}

type answers struct {
	_    struct{} `cbor:",toarray"`
	List []Answer
}

// Encode returns answers as bytes, the form that a response is committed in.
// At most 65,536 answers.
func Encode(list []Answer) []byte { return enc.Encode(answers{List: list}) }

// Decode reads Encode. Errors: ErrAnswers.
func Decode(b []byte) ([]Answer, error) {
	var a answers
	if err := enc.Decode(b, &a); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnswers, err)
	}
	for i, r := range a.List {
		if uint64(len(r.Logits)) <= r.Label {
			return nil, fmt.Errorf("%w: answer %d has label %d of %d classes", ErrAnswers, i, r.Label, len(r.Logits))
		}
	}
	return a.List, nil
}
