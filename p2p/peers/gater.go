// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"net/netip"
	"sync"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Labels of the gater's refusals, in the order in which they are tried.
const (
	RefuseDenied  = "denied"  // peer or network on the deny list
	RefusePrivate = "private" // private address outside the profile's rule
	RefuseBanned  = "banned"  // ban from scores
)

// GaterConfig configures NewGater.
type GaterConfig struct {
	Book         *Book
	DialPrivate  bool           // every private address may be dialled
	AllowPrivate []netip.Prefix // else only these private networks
	DenyPeers    []ID
	DenyNets     []netip.Prefix
}

// Gater decides which connections may exist, in the order of P2P-05: deny list,
// private-address rule, bans. Connection counts per address are in Limits.
// Static peers (the operator wrote their address down) pass the private rule.
// Safe for concurrent use.
type Gater struct {
	cfg GaterConfig

	mu      sync.Mutex
	static  map[ID]bool
	refused map[string]uint64
}

// NewGater returns a gater over cfg.Book.
func NewGater(cfg GaterConfig) *Gater {
	return &Gater{cfg: cfg, static: make(map[ID]bool), refused: make(map[string]uint64)}
}

// AllowStatic exempts id from the private-address rule.
func (g *Gater) AllowStatic(id ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.static[id] = true
}

// Refused returns how often each label refused, for metrics.
func (g *Gater) Refused() map[string]uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make(map[string]uint64, len(g.refused))
	for k, v := range g.refused {
		out[k] = v
	}
	return out
}

// InterceptPeerDial implements connmgr.ConnectionGater.
func (g *Gater) InterceptPeerDial(id ID) bool { return g.allowPeer(id) }

// InterceptAddrDial implements connmgr.ConnectionGater.
func (g *Gater) InterceptAddrDial(id ID, a ma.Multiaddr) bool {
	ip, ok := addrIP(a)
	if !ok {
		return true // a name is resolved first and comes back as an address
	}
	if g.deniedNet(ip) {
		return g.refuse(RefuseDenied)
	}
	if g.cfg.DialPrivate || !isPrivate(ip) {
		return true
	}
	for _, p := range g.cfg.AllowPrivate {
		if p.Contains(ip) {
			return true
		}
	}
	g.mu.Lock()
	static := g.static[id]
	g.mu.Unlock()
	return static || g.refuse(RefusePrivate)
}

// InterceptAccept implements connmgr.ConnectionGater.
func (g *Gater) InterceptAccept(c network.ConnMultiaddrs) bool {
	if ip, ok := addrIP(c.RemoteMultiaddr()); ok && g.deniedNet(ip) {
		return g.refuse(RefuseDenied)
	}
	return true
}

// InterceptSecured implements connmgr.ConnectionGater.
func (g *Gater) InterceptSecured(dir network.Direction, id ID, _ network.ConnMultiaddrs) bool {
	return dir == network.DirOutbound || g.allowPeer(id) // outbound was asked before the dial
}

// InterceptUpgraded implements connmgr.ConnectionGater.
func (g *Gater) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

func (g *Gater) allowPeer(id ID) bool {
	for _, d := range g.cfg.DenyPeers {
		if d == id {
			return g.refuse(RefuseDenied)
		}
	}
	return !g.cfg.Book.Banned(id) || g.refuse(RefuseBanned)
}

func (g *Gater) deniedNet(ip netip.Addr) bool {
	for _, p := range g.cfg.DenyNets {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// refuse counts and returns false.
func (g *Gater) refuse(label string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refused[label]++
	return false
}

func addrIP(a ma.Multiaddr) (netip.Addr, bool) {
	ip, err := manet.ToIP(a)
	if err != nil {
		return netip.Addr{}, false
	}
	addr, ok := netip.AddrFromSlice(ip)
	return addr.Unmap(), ok
}

func isPrivate(ip netip.Addr) bool {
	return ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified()
}
