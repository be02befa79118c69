// SPDX-License-Identifier: Apache-2.0

package consensus

import "github.com/openledger/openledger/consensus/header"

// draw puts the own VRF into a header whose other fields stand, if it is due
// after parent p (CONS-35).
func (c *Core) draw(h *header.Header, p *block) {
	if !c.rules.Draw(h, p.waiting) {
		return
	}
	proof, beta := c.cfg.VRF.Prove(header.Alpha(h.ChainID, h.Epoch, h.View, p.head.Beacon))
	h.VRF, h.Beacon = proof[:], header.Mix(p.head.Beacon, beta)
}

// drawn reports whether the VRF of h, a child of p, is its leader's and gives
// the beacon. Whether one is due, the state after p shows: see rooted.
func (c *Core) drawn(p *block, h *header.Header) bool {
	if len(h.VRF) == 0 || broken(mutBeacon) {
		return true
	}
	return c.rules.Draws && h.Leader < uint64(c.n) && p.head.CheckBeacon(h, c.cfg.Set.VRF(int(h.Leader))) == nil
}
