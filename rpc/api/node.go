// SPDX-License-Identifier: Apache-2.0

package api

import "context"

// NodeBackend answers about this process.
type NodeBackend interface {
	NodeStatus(context.Context, Empty) (NodeStatus, error)
	NodePeers(context.Context, Empty) (NodePeers, error)
	NodeDoctor(context.Context, Empty) (NodeDoctor, error)
	AdminStop(context.Context, Empty) (Empty, error)
	AdminResume(context.Context, ResumeParams) (Resume, error)
}

// ResumeParams are those of admin_resume.
type ResumeParams struct {
	Checked bool `json:"checked,omitempty"` // the operator's word: no other process signs with this key
}

// Resume is how a validator that does not vote stands, and whether its operator's
// word was taken (CONS-45). Views are those of Epoch.
type Resume struct {
	Reason      string   `json:"reason"` // why it does not vote
	Epoch       uint64   `json:"epoch"`
	SignedUpTo  uint64   `json:"signed_up_to"` // nothing of a later view was signed; 0: not known
	Bound       uint64   `json:"bound"`        // nothing up to here is signed again; 0: no new log yet
	NullifyFrom uint64   `json:"nullify_from"` // except Nullify, from here on; 0: none
	Certified   uint64   `json:"certified"`    // highest certified view that anybody who answered has shown
	Answered    []string `json:"answered"`     // accounts of other validators
	Silent      []string `json:"silent"`
	Power       uint64   `json:"power"` // of those who answered
	Quorum      uint64   `json:"quorum"`
	IdleMS      uint64   `json:"idle_ms"` // since the newest final block
	Refusal     string   `json:"refusal"` // why the word is not taken now; empty: it would be
	Given       bool     `json:"given"`   // it was taken
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
	GPU       []Card   `json:"gpu"`
	Warnings  []string `json:"warnings"`
}

// Card is one card that the node's owner offers.
type Card struct {
	Index       int    `json:"index"`
	Name        string `json:"name"`
	Class       string `json:"class"` // device class; empty until it was opened
	UUID        string `json:"uuid"`
	Memory      uint64 `json:"memory"`      // bytes that may be used
	Share       uint64 `json:"share"`       // percent of the time
	State       string `json:"state"`       // starting, ready, busy, resting, lost, off
	Why         string `json:"why"`         // it rests, is lost or off
	Task        string `json:"task"`        // that it works for
	Temperature int    `json:"temperature"` // °C; 0 unless there is a limit
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
	def("admin_resume", Admin, "How a validator that lost the record of its votes stands; with checked, its operator's word to go on.", `{"checked":true}`, Backend.AdminResume),
}
