// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"
)

// ID is a libp2p peer id. Its String form is base58; the Go value holds the raw
// bytes and works as a map key.
type ID = peer.ID

// ErrProfile reports a profile name that does not exist.
var ErrProfile = errors.New("unknown network profile")

// ErrAddr reports a text that is not a multiaddr ending in /p2p/<peer id>.
var ErrAddr = errors.New("not a peer address")

// Profile is one row of the table below P2P-03: how large a node's network
// footprint may grow and whom it may dial.
type Profile struct {
	Name        string
	ConnsLow    int   // the connection manager trims down to this
	ConnsHigh   int   // trimming starts above this
	Streams     int   // streams of the whole host
	Memory      int64 // bytes of the whole host
	DialPrivate bool  // private and loopback addresses may be dialled
	TCPFirst    bool  // TCP is dialled before QUIC (P2P-01)
}

var profiles = []Profile{
	{Name: "home", ConnsLow: 32, ConnsHigh: 96, Streams: 1024, Memory: 256 << 20},
	{Name: "server", ConnsLow: 128, ConnsHigh: 384, Streams: 4096, Memory: 1 << 30},
	{Name: "validator", ConnsLow: 64, ConnsHigh: 192, Streams: 4096, Memory: 1 << 30, TCPFirst: true},
	{Name: "lan", ConnsLow: 64, ConnsHigh: 192, Streams: 2048, Memory: 256 << 20, DialPrivate: true, TCPFirst: true},
}

// ProfileByName returns the named profile; the empty name means "home".
// Errors: ErrProfile. Spec: P2P-03.
func ProfileByName(name string) (Profile, error) {
	if name == "" {
		name = "home"
	}
	for _, p := range profiles {
		if p.Name == name {
			return p, nil
		}
	}
	return Profile{}, fmt.Errorf("%q: want home, server, validator or lan: %w", name, ErrProfile)
}

// ParseAddr reads a full address such as /ip4/1.2.3.4/tcp/9943/p2p/12D3Koo….
// Errors: ErrAddr.
func ParseAddr(s string) (peer.AddrInfo, error) {
	ai, err := peer.AddrInfoFromString(s)
	if err != nil {
		return peer.AddrInfo{}, fmt.Errorf("%q: %w: %w", s, ErrAddr, err)
	}
	if len(ai.Addrs) == 0 {
		return peer.AddrInfo{}, fmt.Errorf("%q has no transport address: %w", s, ErrAddr)
	}
	return *ai, nil
}
