// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"strconv"

	"github.com/openledger/openledger/node/doctor"
	"github.com/openledger/openledger/rpc/api"
)

// NodeDoctor implements api.NodeBackend: the checks that a running node can make
// of itself, after those of its home.
func (n *Node) NodeDoctor(context.Context, api.Empty) (api.NodeDoctor, error) {
	checks := doctor.Home(n.cfg.Home, n.cfg.Settings)
	checks = append(checks, doctor.Judge("peers", len(n.host.Peers()) > 0 || n.chain.Set().Len() == 1,
		"connected: "+strconv.Itoa(len(n.host.Peers())), "check p2p.bootstrap in config.toml"))
	checks = append(checks, doctor.Judge("sync", n.lag() <= maxLag, strconv.Itoa(int(n.lag()))+" heights behind", "wait, or ask a peer: openledger status"))
	if err := n.store.Check(false); err != nil {
		checks = append(checks, doctor.Judge("database", false, err.Error(), "stop the node, move ledger/ away and start again: it will sync anew"))
	} else {
		checks = append(checks, doctor.Judge("database", true, "sampled state equals its root", ""))
	}
	return api.NodeDoctor{Checks: checks}, nil
}
