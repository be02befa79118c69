// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/poa/program"
)

// MaxModelBytes bounds the weights of a model.
const MaxModelBytes = 1 << 40

// ModelManifest (0501) publishes a model version that a settled training task
// made. Its datasets and validation rows are the task's. Royalty is base units
// per request; AttrMethod and K say how each answer is attributed. Spec: MOD-01.
type ModelManifest struct {
	_           struct{}     `cbor:",toarray"`
	Name        string       `json:"name"`
	Task        ID           `json:"task"`
	WeightsRoot ID           `json:"weights_root"`
	Weights     content.ID   `json:"weights_cid"`
	Bytes       uint64       `json:"bytes"`
	Terms       ID           `json:"terms"`
	Royalty     fixed.Amount `json:"royalty"`
	AttrMethod  string       `json:"attr_method"`
	K           uint64       `json:"k"`
	Stake       fixed.Amount `json:"stake"`
}

// Kind implements Payload.
func (*ModelManifest) Kind() Kind { return KindModelManifest }

// Writes implements Payload: sender, deposits, items, object, task's model.
func (*ModelManifest) Writes() uint64 { return 5 }

// Check implements Payload.
func (p *ModelManifest) Check() error {
	if p.AttrMethod != program.KNN {
		return Errorf(EncField, "attr_method %q, only %q exists", p.AttrMethod, program.KNN)
	}
	return checks(
		name("name", p.Name, MaxName),
		object("task", p.Task),
		object("weights_root", p.WeightsRoot),
		blake3("weights_cid", p.Weights),
		within("bytes", p.Bytes, 1, MaxModelBytes),
		object("terms", p.Terms),
		within("k", p.K, 1, program.MaxK),
		positive("stake", p.Stake),
	)
}
