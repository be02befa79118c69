// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/node/member"
	"github.com/openledger/openledger/node/metrics"
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
		Peers: len(n.host.Peers()), Peer: n.host.ID().String(), Addrs: n.host.Addrs(), Mempool: n.pool.Len()}
	s.GPU, s.Warnings = n.cardStatus()
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

// AdminResume implements api.NodeBackend. A word that is refused is an error.
func (n *Node) AdminResume(ctx context.Context, p api.ResumeParams) (api.Resume, error) {
	lag := n.lag()
	s, err := n.member.Resume(ctx, p.Checked && lag == 0)
	switch {
	case errors.Is(err, member.ErrVotes):
		return api.Resume{}, api.Service("NOT_ABSTAINING", err.Error(), "see what the node does with openledger status")
	case err != nil:
		return api.Resume{}, err
	case s.Refusal == "" && lag > 0:
		s.Refusal = fmt.Sprintf("peers have %d more final blocks: let this node catch up first", lag)
	}
	if p.Checked && s.Refusal != "" {
		return api.Resume{}, api.Service("RESUME_REFUSED", s.Refusal, "look at how it stands with openledger validator resume, without a flag")
	}
	accounts := func(list []int) []string {
		out := []string{}
		for _, i := range list {
			out = append(out, n.chain.Set().Entry(i).Address.String())
		}
		return out
	}
	return api.Resume{Reason: s.Reason, Epoch: s.Epoch, SignedUpTo: s.End, Bound: s.Bound, NullifyFrom: s.Nullify, Certified: s.Certified,
		Answered: accounts(s.Answered), Silent: accounts(s.Silent), Power: s.Power, Quorum: s.Quorum, IdleMS: s.IdleMS,
		Refusal: s.Refusal, Given: p.Checked}, nil
}

// snapshot is what GET /metrics shows.
func (n *Node) snapshot() (metrics.Snapshot, error) {
	v, err := n.view()
	if err != nil {
		return metrics.Snapshot{}, err
	}
	clock, err := state.GetClock(v)
	if err != nil {
		return metrics.Snapshot{}, err
	}
	list, _ := n.cards.Status()
	return metrics.Snapshot{Height: n.chain.Head().Height, Lag: n.lag(), Epoch: clock.Epoch,
		Peers: len(n.host.Peers()), Txs: n.pool.Len(), Cards: list}, nil
}
