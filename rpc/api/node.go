// SPDX-License-Identifier: Apache-2.0

package api

import "context"

// NodeBackend answers about this process.
type NodeBackend interface {
	NodeStatus(context.Context, Empty) (NodeStatus, error)
	NodePeers(context.Context, Empty) (NodePeers, error)
	NodeDoctor(context.Context, Empty) (NodeDoctor, error)
	AdminStop(context.Context, Empty) (Empty, error)
}

// NodeStatus is the answer of node_status.
type NodeStatus struct {
	Chain     Hash     `json:"chain"`
	Network   string   `json:"network"`
	Version   string   `json:"version"`
	State     string   `json:"state"` // starting, syncing, observing, validating, stopping
	Height    uint64   `json:"height"`
	Finalized uint64   `json:"finalized"`
	StateRoot Hash     `json:"state_root"` // after Height
	Epoch     uint64   `json:"epoch"`      // ledger epoch
	Lag       uint64   `json:"lag"`        // heights behind the best peer
	Peers     int      `json:"peers"`
	Peer      string   `json:"peer"` // this host's peer id
	Addrs     []string `json:"addrs"`
	Validator string   `json:"validator,omitempty"` // this validator's account
	Operator  string   `json:"operator,omitempty"`  // account that works and checks
	Mempool   int      `json:"mempool"`
	GPU       []string `json:"gpu"`
	Warnings  []string `json:"warnings"`
}

// Peer is one connected peer.
type Peer struct {
	ID      string `json:"id"`
	Addr    string `json:"addr"`
	Height  uint64 `json:"height"`
	Version string `json:"version"`
	Score   int    `json:"score"`
}

// NodePeers lists connected peers.
type NodePeers struct {
	Items []Peer `json:"items"`
}

// Check is one line of the doctor.
type Check struct {
	Name   string `json:"name"`
	Status string `json:"status"` // ok, warn or fail
	Value  string `json:"value"`
	Fix    string `json:"fix,omitempty"`
}

// NodeDoctor lists the checks.
type NodeDoctor struct {
	Checks []Check `json:"checks"`
}

var nodeMethods = []Method{
	def("node_status", Read, "What this node is doing.", `{}`, Backend.NodeStatus),
	def("node_peers", Read, "Connected peers.", `{}`, Backend.NodePeers),
	def("node_doctor", Admin, "Self-diagnosis of the running node.", `{}`, Backend.NodeDoctor),
	def("admin_stop", Admin, "Stop the node gracefully.", `{}`, Backend.AdminStop),
}
