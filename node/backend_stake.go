// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"

	"github.com/openledger/openledger/ledger/econ"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/rpc/api"
)

// ChainCandidates implements api.ObjectBackend.
func (n *Node) ChainCandidates(_ context.Context, p api.Page) (api.List[state.Candidate], error) {
	return list(n, p, state.ListCandidates)
}

// AccountStake implements api.ObjectBackend.
func (n *Node) AccountStake(_ context.Context, p api.StakeParams) (api.StakeView, error) {
	height := n.chain.Head().Height
	v, err := n.chain.ViewAt(height)
	if err != nil {
		return api.StakeView{}, err
	}
	c, err1 := state.GetCandidate(v, p.Validator)
	d, err2 := state.GetDelegation(v, p.Validator, p.Address)
	if errors.Is(err2, state.ErrUnknown) && p.Address == p.Validator { // it may still have commission to claim
		err2 = nil
	}
	if err := errors.Join(err1, err2); err != nil {
		return api.StakeView{}, clientError(err)
	}
	worth, err1 := econ.SellShares(d.Shares, c.Tokens, c.Shares)
	due, err2 := c.Due(d)
	if p.Address == p.Validator {
		due += c.Owed
	}
	return api.StakeView{Validator: p.Validator, Address: p.Address, Shares: d.Shares, Locked: d.Locked, Worth: worth, Rewards: due,
		Height: height}, errors.Join(err1, err2)
}
