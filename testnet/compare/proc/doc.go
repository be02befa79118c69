// SPDX-License-Identifier: Apache-2.0

// Package proc runs the node processes of a network, both kinds alike, and reads
// from /proc what they cost. It knows nothing of what they run.
//
//	g := &proc.Group{Dir: dir}
//	err := g.Start("node0", []string{exe, "node", "--home", home})
//	defer g.Stop()
//
// Clauses: CONS-70.
package proc
