// SPDX-License-Identifier: Apache-2.0

package p2p

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/p2p/gossip"
	"github.com/openledger/openledger/p2p/mesh"
	"github.com/openledger/openledger/p2p/peers"
	"github.com/openledger/openledger/p2p/stream"
)

const (
	trimGrace   = 20 * time.Second // P2P-04
	dialTimeout = 10 * time.Second
)

// Host is the node's libp2p host with its services. Safe for concurrent use.
// Between New and Start protocols and topics are registered; then it listens.
type Host struct {
	cfg     Config
	par     parsed
	log     *slog.Logger
	h       host.Host
	book    *peers.Book
	gater   *peers.Gater
	stream  *stream.Service
	gossip  *gossip.Router
	mesh    *mesh.Mesh
	table   *table
	dialer  *dialer
	members atomic.Pointer[[]keys.PublicKey] // as of the last SetMembers

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	once   sync.Once
	mu     sync.Mutex
	closed bool
}

// New builds a host that does not listen yet. Errors: ErrConfig, or what libp2p
// returned. The caller must Close the host.
func New(cfg Config) (*Host, error) {
	key, self, err := identity(cfg.KeySeed)
	if err != nil {
		return nil, err
	}
	par, err := cfg.parse(self)
	if err != nil {
		return nil, err
	}
	h := &Host{cfg: cfg, par: par, log: cfg.Logger}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.book = peers.NewBook(peers.BookConfig{File: cfg.StoreFile})
	h.gater = peers.NewGater(peers.GaterConfig{Book: h.book, DialPrivate: par.profile.DialPrivate, AllowPrivate: par.private})
	h.table = newTable(cfg.OnPeer)
	if err := h.build(key); err != nil {
		h.cancel()
		return nil, err
	}
	if err := h.services(); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

// build makes the libp2p host from an explicit option list. Spec: P2P-01.
func (h *Host) build(key crypto.PrivKey) error {
	prof := h.par.profile
	rm, err := peers.NewResourceManager(prof)
	if err != nil {
		return err
	}
	cm, err := connmgr.NewConnManager(prof.ConnsLow, prof.ConnsHigh, connmgr.WithGracePeriod(trimGrace))
	if err != nil {
		return fmt.Errorf("connection manager: %w", err)
	}
	ps, err := pstoremem.NewPeerstore()
	if err != nil {
		return fmt.Errorf("address book: %w", err)
	}
	opts := []libp2p.Option{
		libp2p.Identity(key),
		libp2p.UserAgent(h.cfg.UserAgent),
		libp2p.ProtocolVersion(strings.TrimSuffix(Prefix(h.cfg.ChainID), "/")),
		libp2p.Transport(libp2pquic.NewTransport),
		libp2p.Security(libp2ptls.ID, libp2ptls.New),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.Peerstore(ps),
		libp2p.ResourceManager(rm),
		libp2p.ConnectionManager(cm),
		libp2p.ConnectionGater(h.gater),
		libp2p.WithDialTimeout(dialTimeout),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
		libp2p.DisableIdentifyAddressDiscovery(),
	}
	if !h.cfg.NoTCP {
		opts = append(opts, libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()))
	}
	if prof.TCPFirst {
		opts = append(opts, libp2p.SwarmOpts(swarm.WithDialRanker(tcpFirst)))
	}
	if h.h, err = libp2p.NewWithoutDefaults(append(opts, h.cfg.Extra...)...); err != nil {
		_ = rm.Close()
		_ = cm.Close()
		return fmt.Errorf("libp2p host: %w", err)
	}
	return nil
}

// services adds streams, gossip, validator mesh, handshake and dialler.
func (h *Host) services() error {
	var err error
	prefix := Prefix(h.cfg.ChainID)
	h.stream = stream.New(stream.Config{Host: h.h, Prefix: prefix, Admit: h.table.admit, Punish: h.book.Add})
	h.dialer = newDialer(h)
	if h.gossip, err = gossip.New(gossip.Config{Host: h.h, Prefix: prefix, Score: h.book.Score,
		Observe: h.observe, LAN: h.par.profile.DialPrivate, Logger: h.log}); err != nil {
		return err
	}
	if h.mesh, err = mesh.New(mesh.Config{Service: h.stream, Self: h.ID(), OnFrame: h.cfg.OnFrame, Logger: h.log}); err != nil {
		return err
	}
	if err := h.handshakes(); err != nil {
		return err
	}
	h.spawn(func() { h.table.dispatch(h.ctx) })
	return nil
}

// SetMembers tells the mesh who the validators are now; own is the vote key of
// this node, zero for none. Connections to members are not trimmed.
func (h *Host) SetMembers(own keys.PublicKey, members []keys.PublicKey) {
	h.members.Store(&members)
	h.mesh.SetMembers(own, members)
	for _, p := range h.table.list() {
		h.bind(&p)
	}
}

// bind connects the mesh to a peer that speaks for a validator.
func (h *Host) bind(p *Peer) {
	if m := h.members.Load(); m == nil || p.Key == (keys.PublicKey{}) || !slices.Contains(*m, p.Key) {
		h.h.ConnManager().Unprotect(p.ID, "validator")
		return
	}
	h.h.ConnManager().Protect(p.ID, "validator")
	h.mesh.Bind(p.Key, p.ID)
}

// Start listens and begins to dial. Errors: no listen address could be used.
func (h *Host) Start() error {
	if err := h.h.Network().Listen(h.par.listen...); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	h.spawn(func() { h.dialer.run(h.ctx) })
	return nil
}

// Close saves the peer store, ends all streams and goroutines and waits for
// them. It may be called more than once.
func (h *Host) Close() error {
	var err error
	h.once.Do(func() {
		h.mu.Lock()
		h.closed = true
		h.mu.Unlock()
		h.cancel()
		if h.mesh != nil {
			h.mesh.Close()
		}
		if h.gossip != nil {
			h.gossip.Close()
		}
		if h.stream != nil {
			h.stream.Close()
		}
		err = errors.Join(h.book.Save(), h.h.Close(), h.h.Peerstore().Close())
		h.wg.Wait()
	})
	return err
}

// ID returns the own peer id.
func (h *Host) ID() peers.ID { return h.h.ID() }

// Addrs returns the own full addresses, ending in /p2p/<id>; none before Start.
func (h *Host) Addrs() []string {
	var out []string
	for _, a := range h.h.Addrs() {
		out = append(out, a.String()+"/p2p/"+h.ID().String())
	}
	slices.Sort(out)
	return out
}

// Peers returns the peers that are up, ordered by id.
func (h *Host) Peers() []Peer { return h.table.list() }

// Peer returns the peer if it is up.
func (h *Host) Peer(id peers.ID) (Peer, bool) { return h.table.get(id) }

// Streams returns the request service; register protocols before Start.
func (h *Host) Streams() *stream.Service { return h.stream }

// Gossip returns the topics; join them before Start.
func (h *Host) Gossip() *gossip.Router { return h.gossip }

// Mesh returns the validator streams.
func (h *Host) Mesh() *mesh.Mesh { return h.mesh }

// Book returns scores, bans and addresses.
func (h *Host) Book() *peers.Book { return h.book }

// Refused returns how often the gater refused, by label.
func (h *Host) Refused() map[string]uint64 { return h.gater.Refused() }

// Disconnect closes all connections to the peer.
func (h *Host) Disconnect(id peers.ID) error { return h.h.Network().ClosePeer(id) }

// observe closes connections to a peer that its score has just banned.
func (h *Host) observe(id peers.ID, total float64) {
	if h.book.Observe(id, total) {
		h.log.Warn("peer banned because of its score", "peer", id, "score", total)
		_ = h.Disconnect(id)
	}
}
