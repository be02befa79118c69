// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/poa/program"
)

// MaxModelBytes bounds the weights of a model.
const MaxModelBytes = 1 << 40

// NoAttribution is the AttrMethod of models whose answers are attributed to nobody
// and thus never sold: language models.
const NoAttribution = "none"

// ModelManifest (0501) publishes a model version that a settled task made; its
// datasets and validation rows are the task's. Task zero is a language model from
// elsewhere. Royalty is base units per request; AttrMethod and K say how each answer
// is attributed, both of them 0 with NoAttribution. Spec: MOD-01, MOD-02.
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
	if err := p.checkMethod(); err != nil {
		return err
	}
	return checks(
		name("name", p.Name, MaxName),
		object("weights_root", p.WeightsRoot),
		blake3("weights_cid", p.Weights),
		within("bytes", p.Bytes, 1, MaxModelBytes),
		object("terms", p.Terms),
		positive("stake", p.Stake),
	)
}

func (p *ModelManifest) checkMethod() error {
	switch p.AttrMethod {
	case program.KNN:
		return checks(object("task", p.Task), within("k", p.K, 1, program.MaxK))
	case NoAttribution:
		return checks(within("k", p.K, 0, 0), within("royalty", uint64(p.Royalty), 0, 0))
	}
	return Errorf(EncField, "attr_method %q, only %q and %q exist", p.AttrMethod, program.KNN, NoAttribution)
}
