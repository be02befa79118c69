// SPDX-License-Identifier: Apache-2.0

package tx

import "github.com/openledger/openledger/internal/fixed"

// OfferPost (0703) offers answers of a model at Ask base units per request until
// ValidUntil, chain milliseconds. The offer is immutable; its id names a lane.
type OfferPost struct {
	_          struct{}     `cbor:",toarray"`
	Model      ID           `json:"model"`
	Ask        fixed.Amount `json:"ask"`
	ValidUntil uint64       `json:"valid_until"`
}

// Kind implements Payload.
func (*OfferPost) Kind() Kind { return KindOfferPost }

// Writes implements Payload: sender, deposits, object.
func (*OfferPost) Writes() uint64 { return 3 }

// Check implements Payload.
func (p *OfferPost) Check() error {
	return checks(
		object("model", p.Model),
		positive("ask", p.Ask),
		within("valid_until", p.ValidUntil, 1, 1<<62),
	)
}
