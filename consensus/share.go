// SPDX-License-Identifier: Apache-2.0

package consensus

import (
	"slices"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/internal/bls"
)

// join makes a certificate of the votes that count together with v, whose power
// is a quorum.
func (c *Core) join(t *msg.Tally, v *msg.Vote) *cert.Certificate {
	if len(v.Share) > 0 {
		return c.aggregate(t, v)
	}
	return t.Certificate(v)
}

// aggregate adds the shares up unchecked and checks the sum once. Shares that do
// not hold are dropped for good and shown; if what is left is no quorum, it
// returns nil, and the next share tries again (CONS-12).
func (c *Core) aggregate(t *msg.Tally, v *msg.Vote) *cert.Certificate {
	k, err := c.cfg.Set.BLS()
	if err != nil {
		return nil // a share from a damaged record: the set has none
	}
	shares := t.Shares(v)
	sum, bad, err := k.Combine(cert.FinalBytes(c.cfg.ChainID, v.Epoch, v.View, v.Block), shares)
	if broken(mutShareUnchecked) {
		bad = nil // signers of shares that the sum leaves out
	}
	for _, i := range bad {
		c.conflict(&msg.Message{Vote: t.Drop(v, i, c.cfg.Set.Power(i))}, nil)
	}
	shares = slices.DeleteFunc(shares, func(s bls.Share) bool { return slices.Contains(bad, s.Member) })
	power := uint64(0)
	for _, s := range shares {
		power += c.cfg.Set.Power(s.Member)
	}
	if err != nil || power < c.quorum {
		return nil
	}
	return t.Aggregate(v, shares, sum)
}
