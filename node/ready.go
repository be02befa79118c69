// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// sayReady is a duty of each block. A validator that its operator has registered and
// that is not in the set says once per epoch that its node follows the chain: only
// then may it enter (CONS-39).
func (n *Node) sayReady(ctx context.Context) error {
	v, err := n.view()
	if err != nil {
		return err
	}
	c, err := state.GetCandidate(v, n.operator())
	if errors.Is(err, state.ErrUnknown) {
		return nil
	}
	clock, err2 := state.GetClock(v)
	p, err3 := state.GetParams(v)
	bond, err4 := c.SelfBond()
	if err := errors.Join(err, err2, err3, err4); err != nil {
		return err
	}
	next, key := clock.Epoch+1, n.cfg.Validator.Public()
	switch {
	case c.VoteKey != key || c.Removed || c.JailedTo > 0 || bond < p.Staking.MinSelfBond, // nothing that this node can say would help
		c.ReadyFor == next || c.KeysFrom > next,
		n.chain.Set().Index(key) >= 0,
		n.lag() > maxLag:
		return nil
	}
	err = services{n}.Send(ctx, &tx.ValidatorReady{Epoch: clock.Epoch, Protocol: header.Version})
	switch {
	case errors.Is(err, tx.ObjWindowClosed): // the epoch ended meanwhile
		return nil
	case err == nil:
		n.log.Info("ready to validate", "epoch", next, "account", n.operator())
	}
	return err
}
