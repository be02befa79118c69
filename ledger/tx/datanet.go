// SPDX-License-Identifier: Apache-2.0

package tx

import "github.com/openledger/openledger/internal/fixed"

// Bounds of DatanetCreate.
const (
	MaxDatanetName = 48
	MaxTerms       = 16
	GateOpen       = 0 // anyone with the stake may publish
)

// DatanetCreate (0401) opens a registry of datasets under a unique name. Terms
// are the licence terms that its datasets may carry, ascending; StakeBase is the
// least stake of a dataset in base units. Spec: DAT-01.
type DatanetCreate struct {
	_         struct{}     `cbor:",toarray"`
	Name      string       `json:"name"`
	Gate      uint8        `json:"gate"`
	Terms     []ID         `json:"terms"`
	StakeBase fixed.Amount `json:"stake_base"`
}

// Kind implements Payload.
func (*DatanetCreate) Kind() Kind { return KindDatanetCreate }

// Writes implements Payload: sender, deposits, object, name.
func (*DatanetCreate) Writes() uint64 { return 4 }

// Check implements Payload.
func (p *DatanetCreate) Check() error {
	if p.Gate != GateOpen {
		return Errorf(EncField, "gate %d, only %d (open) exists", p.Gate, GateOpen)
	}
	return checks(
		name("name", p.Name, MaxDatanetName),
		set("terms", p.Terms, MaxTerms),
	)
}
