// SPDX-License-Identifier: Apache-2.0

package header

import (
	"fmt"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/vrf"
)

// Limits of an epoch and of the beacon.
const (
	SealView   = 1 << 20 // from this view on a block is a seal, whatever the time
	BeaconStep = 64      // every block at a multiple of this height feeds the beacon
)

// Rules is what the blocks of one epoch obey besides their parents: when it
// ends, which blocks are certified, which feed the beacon.
type Rules struct {
	Epoch      uint64
	StartMS    uint64 // time of the epoch's root
	EpochMS    uint64 // length of the epoch; 0: it never ends
	CertifyMS  uint64 // at most so long between certified blocks
	Aggregates bool   // the validators have BLS keys
	Draws      bool   // the validators have VRF keys
}

// Due reports whether a block on the epoch's root or on a normal block is a seal
// (CONS-40).
func (r *Rules) Due(view, timeMS uint64) bool {
	return r.EpochMS != 0 && (timeMS >= r.StartMS+r.EpochMS || view >= SealView)
}

// Kind returns the kind of a block of the epoch on parent p (CONS-40).
func (r *Rules) Kind(p *Header, view, timeMS uint64) uint64 {
	switch {
	case p.Kind != KindNormal && p.Epoch == r.Epoch:
		return KindCarrier
	case r.Due(view, timeMS):
		return KindSeal
	}
	return KindNormal
}

// Certify returns field 20 of block c on parent p (CONS-32): 1 for seals and
// carriers, for a block CertifyMS after the last certified one, and for an empty
// block that follows transactions. Without BLS keys it is 0.
func (r *Rules) Certify(p, c *Header) uint64 {
	if r.Aggregates && (c.Kind != KindNormal || c.TimeMS >= p.CertifiedMS+r.CertifyMS || c.Txs == 0 && p.Txs > 0) {
		return 1
	}
	return 0
}

// Draw reports whether block c carries a VRF, given whether the state after its
// parent has an object that awaits a seed (CONS-35).
func (r *Rules) Draw(c *Header, waiting bool) bool {
	return r.Draws && c.Kind != KindCarrier && (waiting || c.Kind == KindSeal || c.Height%BeaconStep == 0)
}

// Check tests the kind of c on parent p, whether it is certified, and whether it
// may, or must whatever the state, carry a VRF. Errors: ErrField.
func (r *Rules) Check(p, c *Header) error {
	draws := len(c.VRF) > 0
	switch {
	case c.Kind != r.Kind(p, c.View, c.TimeMS):
		return fmt.Errorf("%w: kind %d, want %d", ErrField, c.Kind, r.Kind(p, c.View, c.TimeMS))
	case c.Certify != r.Certify(p, c):
		return fmt.Errorf("%w: certify %d", ErrField, c.Certify)
	case draws && !r.Draw(c, true) || !draws && r.Draw(c, false):
		return fmt.Errorf("%w: VRF missing or not due", ErrField)
	}
	return nil
}

// Alpha returns what the leader of a view draws from: the input of its VRF,
// given the beacon after the parent (CONS-35).
func Alpha(chainID [32]byte, epoch, view uint64, parent [32]byte) []byte {
	return keys.Dom(keys.DomainBeacon, chainID, epoch, view, parent)
}

// Mix returns the beacon after a block whose VRF gave beta (CONS-35).
func Mix(parent, beta [32]byte) [32]byte { return keys.Sum(keys.DomainRandom, parent, beta) }

// CheckBeacon tests the VRF of c, a child of h, under its leader's key, and the
// beacon that it gives. Without a VRF there is nothing to test. Errors: ErrField.
// Cost: 0.5 ms with a VRF. Spec: CONS-35.
func (h *Header) CheckBeacon(c *Header, leader vrf.PublicKey) error {
	if len(c.VRF) == 0 {
		return nil
	}
	beta, err := vrf.Verify(leader, Alpha(c.ChainID, c.Epoch, c.View, h.Beacon), c.VRF)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrField, err)
	}
	if c.Beacon != Mix(h.Beacon, beta) {
		return fmt.Errorf("%w: beacon is not what the VRF gives", ErrField)
	}
	return nil
}
