// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"context"
	"net"
)

// Place says where the nodes of a network run. The zero value is this machine,
// with links over loopback.
type Place struct {
	Hosts  []string   // address of each node for its peers
	Prefix [][]string // command that starts a program at each place and becomes it
	// Dial reaches the RPC of a node, which listens on its own loopback. Nil: the
	// usual way.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Host is the address of node i for its peers.
func (p Place) Host(i int) string {
	if i < len(p.Hosts) {
		return p.Hosts[i]
	}
	return "127.0.0.1"
}

// Command is how a program starts as node i.
func (p Place) Command(i int, program string, args ...string) []string {
	var prefix []string
	if i < len(p.Prefix) {
		prefix = p.Prefix[i]
	}
	return append(append(append([]string{}, prefix...), program), args...)
}
