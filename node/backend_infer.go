// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"

	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/rpc/api"
)

// AccountPayouts implements api.ObjectBackend.
func (n *Node) AccountPayouts(context.Context, api.AccountParams) (api.AccountPayouts, error) {
	return api.AccountPayouts{}, errNoService
}

// ChannelGet implements api.ObjectBackend.
func (n *Node) ChannelGet(ctx context.Context, p api.IDParams) (api.ChannelView, error) {
	o, err := object(ctx, n, p, state.ChannelKey(p.ID), state.GetChannel)
	return api.ChannelView{ID: o.ID, Value: o.Value, Height: o.Height, Proof: o.Proof}, err
}

var errNoService = api.Service("MODEL_UNAVAILABLE", "this node serves no model", "ask a node that serves: openledger infer --list")

// InferModels implements api.InferBackend.
func (n *Node) InferModels(context.Context, api.Empty) (api.InferModels, error) {
	return api.InferModels{}, errNoService
}

// InferRun implements api.InferBackend.
func (n *Node) InferRun(context.Context, api.InferParams) (api.InferAnswer, error) {
	return api.InferAnswer{}, errNoService
}

// PoaWhy implements api.InferBackend.
func (n *Node) PoaWhy(context.Context, api.WhyParams) (api.Why, error) {
	return api.Why{}, errNoService
}

// PoaClaim implements api.InferBackend.
func (n *Node) PoaClaim(context.Context, api.ClaimParams) (api.Claim, error) {
	return api.Claim{}, errNoService
}
