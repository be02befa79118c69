// SPDX-License-Identifier: Apache-2.0

package p2ptest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/marcopolo/simnet"

	"github.com/openledger/openledger/p2p"
)

// ChainID is the network of hosts that set no other.
var ChainID = [32]byte{0x0a, 0x1b, 0x2c, 0x3d, 0xff}

// Patience bounds every wait of this package, in virtual time on a simulated
// network.
const Patience = 30 * time.Second

// Virtual runs f on virtual time. All goroutines of f must have ended when it
// returns; a leak is a failure of the test.
func Virtual(t *testing.T, f func(*testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// Net is a simulated network. Make it inside Virtual. Its hosts are closed, then
// the network, when the test ends.
type Net struct {
	t    testing.TB
	sim  *simnet.Simnet
	link simnet.NodeBiDiLinkSettings

	mu    sync.Mutex
	hosts int
}

// NewNet starts a network of 50 Mbit/s links and 25 ms one way.
func NewNet(t testing.TB) *Net {
	t.Helper()
	link := simnet.LinkSettings{BitsPerSecond: 50_000_000}
	n := &Net{t: t, sim: &simnet.Simnet{LatencyFunc: simnet.StaticLatency(25 * time.Millisecond)},
		link: simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link}}
	n.sim.Start()
	t.Cleanup(n.sim.Close)
	return n
}

// Host starts a host with the next address and seed. prepare, if not nil, may
// change its configuration; register, if not nil, runs before it listens.
func (n *Net) Host(prepare func(*p2p.Config), register ...func(*p2p.Host)) *p2p.Host {
	n.t.Helper()
	n.mu.Lock()
	i := n.hosts
	n.hosts++
	n.mu.Unlock()
	cfg := config(i)
	cfg.Listen = []string{fmt.Sprintf("/ip4/%s/udp/8000/quic-v1", simnet.IntToPublicIPv4(i))}
	cfg.NoTCP = true
	cfg.Extra = []libp2p.Option{quicOn(n.sim, n.link)}
	return start(n.t, cfg, prepare, register)
}

// Loopback starts a host on 127.0.0.1 with TCP and QUIC on free ports, in real
// time. seed makes its identity.
func Loopback(t testing.TB, seed int, prepare func(*p2p.Config), register ...func(*p2p.Host)) *p2p.Host {
	t.Helper()
	cfg := config(seed)
	cfg.Listen = p2p.ListenOn("127.0.0.1", 0)
	return start(t, cfg, prepare, register)
}

func config(i int) p2p.Config {
	return p2p.Config{
		KeySeed:   [32]byte{byte(i), byte(i >> 8), 1},
		ChainID:   ChainID,
		Profile:   "lan",
		UserAgent: "openledger/test",
		Status:    func() p2p.Status { return p2p.Status{} },
	}
}

func start(t testing.TB, cfg p2p.Config, prepare func(*p2p.Config), register []func(*p2p.Host)) *p2p.Host {
	t.Helper()
	if prepare != nil {
		prepare(&cfg)
	}
	h, err := p2p.New(cfg)
	if err != nil {
		t.Fatalf("new host: %v", err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Errorf("close host: %v", err)
		}
	})
	for _, f := range register {
		f(h)
	}
	if err := h.Start(); err != nil {
		t.Fatalf("start host: %v", err)
	}
	return h
}

// Connect makes a dial b and waits until both see each other.
func Connect(t testing.TB, a, b *p2p.Host) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	if err := a.Connect(ctx, b.Addrs()[0]); err != nil {
		t.Fatalf("connect: %v", err)
	}
	if _, ok := b.Peer(a.ID()); !ok {
		t.Fatal("the dialled host does not know the dialler after the handshake")
	}
}

// Wait returns the next value of c or fails the test.
func Wait[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	select {
	case v := <-c:
		return v
	case <-ctx.Done():
		t.Fatalf("no %s within %s", what, Patience)
		panic("unreachable")
	}
}
