// SPDX-License-Identifier: Apache-2.0

package tx

import "github.com/openledger/openledger/internal/fixed"

// Bounds of ComputeRegister.
const (
	MaxDeviceClass = 32
	MaxPeerID      = 64
)

// ComputeRegister (0700) makes the sender an operator: it may claim tasks, post
// offers and be drawn as a checker with weight Bond (base units). PeerID is where
// it is reached. Spec: TASK-03.
type ComputeRegister struct {
	_           struct{}     `cbor:",toarray"`
	DeviceClass string       `json:"device_class"`
	PeerID      []byte       `json:"peer_id"`
	Bond        fixed.Amount `json:"bond"`
}

// Kind implements Payload.
func (*ComputeRegister) Kind() Kind { return KindComputeRegister }

// Writes implements Payload: sender, deposits, bonds, object, counter.
func (*ComputeRegister) Writes() uint64 { return 5 }

// Check implements Payload.
func (p *ComputeRegister) Check() error {
	return checks(
		name("device_class", p.DeviceClass, MaxDeviceClass),
		within("peer_id bytes", uint64(len(p.PeerID)), 1, MaxPeerID),
		positive("bond", p.Bond),
	)
}
