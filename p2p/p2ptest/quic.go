// SPDX-License-Identifier: Apache-2.0

package p2ptest

import (
	"net"
	"sync/atomic"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/marcopolo/simnet"
	"github.com/quic-go/quic-go"
	"go.uber.org/fx"
)

// sourceIP answers which address a host sends from: the one it listens on.
type sourceIP struct{ ip atomic.Pointer[net.IP] }

// PreferredSourceIPForDestination implements quicreuse.SourceIPSelector.
func (s *sourceIP) PreferredSourceIPForDestination(*net.UDPAddr) (net.IP, error) {
	return *s.ip.Load(), nil
}

// quicOn makes the QUIC transport of one host use an endpoint of the simulated
// network instead of a UDP socket.
func quicOn(sim *simnet.Simnet, link simnet.NodeBiDiLinkSettings) libp2p.Option {
	src := new(sourceIP)
	build := func(lc fx.Lifecycle, reset quic.StatelessResetKey, token quic.TokenGeneratorKey, opts ...quicreuse.Option) (*quicreuse.ConnManager, error) {
		cm, err := quicreuse.NewConnManager(reset, token, opts...)
		if err == nil {
			lc.Append(fx.StopHook(cm.Close)) // a manager that is handed in is not closed by the host
		}
		return cm, err
	}
	return libp2p.QUICReuse(build,
		quicreuse.OverrideSourceIPSelector(func() (quicreuse.SourceIPSelector, error) { return src, nil }),
		quicreuse.OverrideListenUDP(func(_ string, addr *net.UDPAddr) (net.PacketConn, error) {
			src.ip.Store(&addr.IP)
			return sim.NewEndpoint(addr, link), nil
		}))
}
