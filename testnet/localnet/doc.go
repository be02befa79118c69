// SPDX-License-Identifier: Apache-2.0

// Package localnet runs a network of separate node processes on one machine:
// keys, genesis, start, kill, heal, stop (NET-01). Everything lives in one
// folder; the processes survive the one that started them, and any later process
// can find them again through the folder's network.json.
//
//	net, err := localnet.Create(localnet.Options{Dir: dir, Program: exe})
//	err = net.Start(ctx, nil)
//	defer net.Down()
package localnet
