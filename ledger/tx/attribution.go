// SPDX-License-Identifier: Apache-2.0

package tx

import "github.com/openledger/openledger/internal/fixed"

// Bounds of AttributionCommit.
const (
	MaxRule   = 16
	MaxParams = 2 << 10
	MaxOwners = 4_096
)

// AttributionCommit (1301) records whose data made a model good: the result of a
// settled attribution task over the model's own datasets. WeightRoot is the hash
// of the Merkle-sum tree over the Owners weights, W their sum: 2^40, or 0 when
// nothing is attributed. Leaves counts the job's segments. Bond is base units.
// Spec: FLW-01.
type AttributionCommit struct {
	_          struct{}     `cbor:",toarray"`
	Model      ID           `json:"model"`
	Job        ID           `json:"job"`
	Rule       string       `json:"rule"`
	WeightRoot ID           `json:"weight_root"`
	W          uint64       `json:"w"`
	Owners     uint64       `json:"owners"`
	ResultRoot ID           `json:"result_root"`
	Leaves     uint64       `json:"leaves"`
	Params     []byte       `json:"params,omitempty"`
	Bond       fixed.Amount `json:"bond"`
}

// Kind implements Payload.
func (*AttributionCommit) Kind() Kind { return KindAttributionCommit }

// Writes implements Payload: sender, deposits, items, object.
func (*AttributionCommit) Writes() uint64 { return 4 }

// Check implements Payload. More than 2 KiB of Params is PoaParamsSize.
func (p *AttributionCommit) Check() error {
	if len(p.Params) > MaxParams {
		return Errorf(PoaParamsSize, "%d bytes, at most %d", len(p.Params), MaxParams)
	}
	return checks(
		object("model", p.Model),
		object("job", p.Job),
		name("rule", p.Rule, MaxRule),
		within("owners", p.Owners, 0, MaxOwners),
		object("result_root", p.ResultRoot),
		within("leaves", p.Leaves, 1, MaxDatasetRows),
		positive("bond", p.Bond),
	)
}
