// SPDX-License-Identifier: Apache-2.0

package p2ptest

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/marcopolo/simnet"

	"github.com/openledger/openledger/p2p/peers"
	"github.com/openledger/openledger/p2p/stream"
)

// Stranger is a bare libp2p host that speaks no protocol of ours unless a test
// makes it, for what a well-behaved host would not send.
type Stranger struct {
	t testing.TB
	h host.Host
}

// Stranger starts a stranger with the next address.
func (n *Net) Stranger() *Stranger {
	n.t.Helper()
	n.mu.Lock()
	i := n.hosts
	n.hosts++
	n.mu.Unlock()
	seed := make([]byte, 32)
	seed[0], seed[31] = byte(i), 0xaa
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		n.t.Fatalf("stranger: %v", err)
	}
	h, err := libp2p.New(
		libp2p.Identity(key),
		libp2p.ListenAddrStrings(fmt.Sprintf("/ip4/%s/udp/8000/quic-v1", simnet.IntToPublicIPv4(i))),
		libp2p.Transport(libp2pquic.NewTransport),
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.DisableIdentifyAddressDiscovery(), libp2p.DisableRelay(), libp2p.DisableMetrics(),
		quicOn(n.sim, n.link))
	if err != nil {
		n.t.Fatalf("stranger: %v", err)
	}
	n.t.Cleanup(func() { _ = h.Close() })
	return &Stranger{t: n.t, h: h}
}

// ID returns the stranger's peer id.
func (s *Stranger) ID() peers.ID { return s.h.ID() }

// Dial connects without any handshake of ours.
func (s *Stranger) Dial(ctx context.Context, addr string) error {
	ai, err := peers.ParseAddr(addr)
	if err != nil {
		return err
	}
	return s.h.Connect(ctx, ai)
}

// OnDisconnect calls f when a connection ends.
func (s *Stranger) OnDisconnect(f func()) {
	s.h.Network().Notify(&network.NotifyBundle{DisconnectedF: func(network.Network, network.Conn) { f() }})
}

// Exchange opens a stream, sends one frame, closes its side and returns all that
// comes back.
func (s *Stranger) Exchange(ctx context.Context, id peers.ID, proto string, req []byte) ([]byte, error) {
	st, err := s.h.NewStream(ctx, id, protocol.ID(proto))
	if err != nil {
		return nil, err
	}
	defer st.Reset()
	if _, err := st.Write(stream.AppendFrame(nil, req)); err != nil {
		return nil, err
	}
	if err := st.CloseWrite(); err != nil {
		return nil, err
	}
	return io.ReadAll(st)
}
