// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/x/rate"
)

// Per-peer limits of P2P-04 and P2P-05.
const (
	PeerConns   = 8        // connections of one peer
	PeerStreams = 64       // streams of one peer
	PeerMemory  = 32 << 20 // bytes reserved by one peer
	ConnsPerIP  = 5        // connections of one IPv4 address or IPv6 /56
)

// lanNets are exempt from the per-address limits in the lan profile; loopback
// is exempt in every profile, since all of it is this machine.
var lanNets = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"),
}

var loopbackNets = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// LocalNets returns the loopback and LAN networks in CIDR notation.
func LocalNets() []string {
	var out []string
	for _, p := range append(append([]netip.Prefix(nil), loopbackNets...), lanNets...) {
		out = append(out, p.String())
	}
	return out
}

// connRate bounds new connections per address: 16 at once, then one per 5 s.
var connRate = rate.Limit{RPS: 0.2, Burst: 16}

// Limits returns the scaling limits of the profile. Every field of every
// BaseLimit is set, because zero means "block all" to the resource manager; the
// increases stay zero, so the machine's memory changes nothing. Spec: P2P-04.
func Limits(p Profile) rcmgr.ScalingLimitConfig {
	conns := p.ConnsHigh + 32 // room while the connection manager trims
	system := base(p.Streams, conns, p.Memory)
	peer := base(PeerStreams, PeerConns, PeerMemory)
	half := base(p.Streams/2, conns, p.Memory/2)
	return rcmgr.ScalingLimitConfig{
		SystemBaseLimit:               system,
		TransientBaseLimit:            base(p.Streams/4, min(conns, 64), p.Memory/8),
		AllowlistedSystemBaseLimit:    system,
		AllowlistedTransientBaseLimit: base(p.Streams/4, min(conns, 64), p.Memory/8),
		ServiceBaseLimit:              half,
		ServicePeerBaseLimit:          peer,
		ProtocolBaseLimit:             half,
		ProtocolPeerBaseLimit:         peer,
		PeerBaseLimit:                 peer,
		ConnBaseLimit:                 base(PeerStreams, 1, PeerMemory),
		StreamBaseLimit:               base(1, 1, 17<<20),
	}
}

// base sets all fields: each direction may use the whole, the total binds.
func base(streams, conns int, memory int64) rcmgr.BaseLimit {
	return rcmgr.BaseLimit{
		Streams: streams, StreamsInbound: streams, StreamsOutbound: streams,
		Conns: conns, ConnsInbound: conns, ConnsOutbound: conns,
		FD: conns, Memory: memory,
	}
}

// NewResourceManager builds the resource manager of the profile, including the
// connection count per address. The caller closes it with the host.
// Spec: P2P-04, P2P-05.
func NewResourceManager(p Profile) (network.ResourceManager, error) {
	free := loopbackNets
	if p.DialPrivate {
		free = append(append([]netip.Prefix(nil), free...), lanNets...)
	}
	var v4, v6 []rcmgr.NetworkPrefixLimit
	var noRate []rate.PrefixLimit
	for _, n := range free {
		l := rcmgr.NetworkPrefixLimit{Network: n, ConnCount: math.MaxInt}
		if n.Addr().Is4() {
			v4 = append(v4, l)
		} else {
			v6 = append(v6, l)
		}
		noRate = append(noRate, rate.PrefixLimit{Prefix: n, Limit: rate.Limit{}})
	}
	limits := Limits(p)
	rm, err := rcmgr.NewResourceManager(
		rcmgr.NewFixedLimiter(limits.Scale(0, 0)),
		rcmgr.WithMetricsDisabled(),
		rcmgr.WithNetworkPrefixLimit(v4, v6),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: ConnsPerIP}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: ConnsPerIP}}),
		rcmgr.WithConnRateLimiters(&rate.Limiter{
			NetworkPrefixLimits: noRate,
			SubnetRateLimiter: rate.SubnetLimiter{
				IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: connRate}},
				IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 56, Limit: connRate}},
				GracePeriod:      time.Minute,
			},
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("resource manager: %w", err)
	}
	return rm, nil
}
