// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"os"
	"path/filepath"

	"github.com/openledger/openledger/rpc/api"
)

// startWork starts the node's duties beside the chain.
func (n *Node) startWork(ctx context.Context) {
	n.spawn(func() { n.housekeeping(ctx) })
}

// housekeeping does small things after each block.
func (n *Node) housekeeping(ctx context.Context) {
	at := api.Cursor{Height: n.chain.Head().Height}
	for n.events.Wait(ctx, at) == nil {
		at.Height = n.chain.Head().Height
		n.retryEarly(ctx)
	}
}

// gpuReport lists the NVIDIA devices that the driver shows; it does not use them.
func gpuReport(setting string) []string {
	out := []string{}
	if setting != "auto" {
		return out
	}
	names, _ := filepath.Glob("/proc/driver/nvidia/gpus/*/information")
	for _, name := range names {
		if b, err := os.ReadFile(name); err == nil {
			out = append(out, firstLine(string(b)))
		}
	}
	return out
}
