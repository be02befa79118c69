// SPDX-License-Identifier: Apache-2.0

// Package node puts one node together: store, chain, consensus driver or
// follower, network, mempool, work, RPC. New builds everything in one readable
// function, Run starts the parts in order and stops them in reverse (NODE-11).
// It holds no rule that nodes must agree on.
//
//	n, err := node.New(node.Config{Home: home, Genesis: doc, …})
//	err = n.Run(ctx)
package node
