// SPDX-License-Identifier: Apache-2.0

package consensus

import (
	"bytes"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
)

// sealDue reports whether the next block of the epoch is its seal, by our clock
// (CONS-40). It counts as work.
func (c *Core) sealDue() bool { return c.rules.Due(c.cur, c.wall) }

// awaitSeal asks for a Timer at the end of the epoch.
func (c *Core) awaitSeal() {
	if end := c.rules.StartMS + c.rules.EpochMS; c.rules.EpochMS != 0 && c.wall < end {
		c.wait(c.now + end - c.wall)
	}
}

// carries reports whether a block on p is a carrier: p is the seal of this epoch
// or a carrier itself.
func (c *Core) carries(p *block) bool { return p != c.root && p.head.Kind != header.KindNormal }

// ready reports whether a block may stand on b: its result is ours. What stands
// on a seal is not executed and needs no more than the seal's place.
func (c *Core) ready(b *block) bool {
	if !b.held || c.lawful(b) != good {
		return false
	}
	return b.executed || c.carries(b) && c.rooted(b) == good
}

// startsWith reports whether leaf is a proof of the epoch's root: empty for
// genesis, else any FinalityProof of the seal (CONS-40).
func (c *Core) startsWith(leaf []byte) bool {
	s := &c.cfg.Start
	if broken(mutStart) {
		return true
	}
	if s.Header.View == 0 || bytes.Equal(leaf, s.Proof) {
		return len(leaf) == len(s.Proof)
	}
	p, err := cert.DecodeProof(leaf)
	return err == nil && p.Verify(s.Set, c.cfg.ChainID, &s.Header) == nil
}

// sealProof proves path[i], the seal, by its own finalization or by that of the
// carrier path[0] above it.
func (c *Core) sealProof(path []*block, i int, fin *cert.Certificate) *cert.FinalityProof {
	p := &cert.FinalityProof{Finalization: *fin, Headers: []header.Header{}}
	if fin.Hash() == path[i].hash {
		return p
	}
	for i--; i >= 0; i-- {
		p.Headers = append(p.Headers, path[i].head)
	}
	return p
}

// startCert returns the certificate in the proof of the epoch's root, nil at
// genesis. Whoever missed the end of the epoch before learns of it thereby.
func (c *Core) startCert() *cert.Certificate {
	if p, err := cert.DecodeProof(c.cfg.Start.Proof); err == nil {
		return &p.Finalization
	}
	return nil
}
