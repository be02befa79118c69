// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/rpc/api"
)

var _ api.Backend = (*Node)(nil)

// NodeStatus implements api.NodeBackend.
func (n *Node) NodeStatus(context.Context, api.Empty) (api.NodeStatus, error) {
	head := n.chain.Head()
	v, err := n.view()
	if err != nil {
		return api.NodeStatus{}, err
	}
	clock, err := state.GetClock(v)
	if err != nil {
		return api.NodeStatus{}, err
	}
	s := api.NodeStatus{Chain: n.chain.Env().ChainID, Network: n.cfg.Genesis.Network, Version: Version, State: n.state.Load().(string),
		Height: head.Height, Finalized: head.Height, StateRoot: head.Root.Hash, Epoch: clock.Epoch, Lag: n.lag(),
		Peers: len(n.host.Peers()), Peer: n.host.ID().String(), Addrs: n.host.Addrs(), Mempool: n.pool.Len(),
		GPU: gpuReport(n.cfg.Settings.GPU.Devices), Warnings: []string{}}
	if s.Lag > maxLag {
		s.State = "syncing"
	}
	if set := n.chain.Set(); n.member.Elected() {
		s.Validator = set.Entry(set.Index(n.cfg.Validator.Public())).Address.String()
	}
	if !n.cfg.Operator.IsZero() {
		s.Operator = n.operator().String()
	}
	if a := n.member.Abstains(); a != nil {
		s.State, s.Warnings = "observing", append(s.Warnings, a.Warning())
	}
	if s.Peers == 0 && n.chain.Set().Len() > 1 {
		s.Warnings = append(s.Warnings, "no peers: check p2p.bootstrap and run openledger doctor")
	}
	return s, nil
}

// operator is the account of the node's operator key.
func (n *Node) operator() keys.Address { return keys.SingleAuth(n.cfg.Operator.Public()).Address() }

// NodePeers implements api.NodeBackend.
func (n *Node) NodePeers(context.Context, api.Empty) (api.NodePeers, error) {
	out := api.NodePeers{Items: []api.Peer{}}
	for _, p := range n.host.Peers() {
		item := api.Peer{ID: p.ID.String(), Height: p.Status.Height, Score: int(n.host.Book().Score(p.ID))}
		if len(p.Status.Listen) > 0 {
			item.Addr = p.Status.Listen[0]
		}
		out.Items = append(out.Items, item)
	}
	return out, nil
}

// AdminStop implements api.NodeBackend.
func (n *Node) AdminStop(context.Context, api.Empty) (api.Empty, error) {
	n.stop()
	return api.Empty{}, nil
}
