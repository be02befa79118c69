// SPDX-License-Identifier: Apache-2.0

package p2p

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/p2p/peers"
)

// DefaultPort is the TCP and UDP port of a node (P2P-01).
const DefaultPort = 9943

// ErrConfig reports a configuration that no host can be built from.
var ErrConfig = errors.New("bad p2p configuration")

// Config configures New. Slices and functions must not change afterwards.
type Config struct {
	KeySeed [32]byte // Ed25519 seed of the peer identity (P2P-02)
	ChainID [32]byte // of the network
	// Listen holds multiaddrs; empty means ListenOn("", DefaultPort).
	Listen []string
	// Bootstrap holds full addresses (…/p2p/<id>) that are dialled for ever.
	// The own address in it is ignored. They may be private in every profile.
	Bootstrap []string
	// Profile is home, server, validator or lan; empty means home.
	Profile string
	// AllowPrivate holds networks in CIDR notation that may be dialled although
	// private, for profiles that dial none.
	AllowPrivate []string
	UserAgent    string // "openledger/<version>"
	Version      uint64 // protocol version spoken here
	MinVersion   uint64 // peers below are refused TOO_OLD
	StoreFile    string // peers of the last run; empty: not kept

	// OnFrame takes vote/1 frames (see mesh); nil on a node without a vote key.
	OnFrame func(from keys.PublicKey, frame []byte)

	// Status returns what the node wants to say about itself: Features, Height,
	// Final, Epoch, Earliest and Binding; the host fills in the rest. It is
	// called for each handshake, from several goroutines.
	Status func() Status
	// VerifyBinding checks that binding proves that the peer speaks for a vote
	// key and returns that key, whether or not it is in the set now. Nil: bindings are ignored.
	VerifyBinding func(id peers.ID, binding []byte) (keys.PublicKey, error)
	// OnPeer is called for every peer that comes up, says something new, or goes
	// down, in order, on one goroutine. It may call the host but must not block
	// for long.
	OnPeer func(Event)

	Logger *slog.Logger
	// Extra options come after the host's own, so that p2ptest can replace the
	// sockets of the transports. Nobody else sets them.
	Extra []libp2p.Option
	// NoTCP leaves the TCP transport out; simulated networks carry only QUIC.
	NoTCP bool
}

// Prefix returns "/openledger/<X8>/" for a chain id. Spec: P2P-03.
func Prefix(chainID [32]byte) string {
	return "/openledger/" + hex.EncodeToString(chainID[:4]) + "/"
}

// IDFromSeed returns the peer id that New derives from the seed, for bindings
// and address lists that are made before the host.
func IDFromSeed(seed [32]byte) (peers.ID, error) {
	_, id, err := identity(seed)
	return id, err
}

// ListenOn returns the TCP and QUIC multiaddrs of one IP address and port; an
// empty IP means all IPv4 and IPv6 addresses. Port 0 picks free ports, another
// one for each transport.
func ListenOn(ip string, port int) []string {
	if ip == "" {
		return append(ListenOn("0.0.0.0", port), ListenOn("::", port)...)
	}
	fam := "ip4"
	if strings.Contains(ip, ":") {
		fam = "ip6"
	}
	return []string{
		fmt.Sprintf("/%s/%s/tcp/%d", fam, ip, port),
		fmt.Sprintf("/%s/%s/udp/%d/quic-v1", fam, ip, port),
	}
}

func identity(seed [32]byte) (crypto.PrivKey, peers.ID, error) {
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		return nil, "", fmt.Errorf("identity: %w: %w", ErrConfig, err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, "", fmt.Errorf("identity: %w: %w", ErrConfig, err)
	}
	return key, id, nil
}

// parsed is a Config after its texts were read.
type parsed struct {
	profile   peers.Profile
	listen    []ma.Multiaddr
	bootstrap []peer.AddrInfo
	private   []netip.Prefix
}

func (c *Config) parse(self peers.ID) (parsed, error) {
	var p parsed
	var err error
	if p.profile, err = peers.ProfileByName(c.Profile); err != nil {
		return p, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if c.Status == nil {
		return p, fmt.Errorf("no status function: %w", ErrConfig)
	}
	listen := c.Listen
	if len(listen) == 0 {
		listen = ListenOn("", DefaultPort)
	}
	for _, s := range listen {
		a, err := ma.NewMultiaddr(s)
		if err != nil {
			return p, fmt.Errorf("listen address %q: %w: %w", s, ErrConfig, err)
		}
		p.listen = append(p.listen, a)
	}
	for _, s := range c.Bootstrap {
		ai, err := peers.ParseAddr(s)
		if err != nil {
			return p, fmt.Errorf("bootstrap: %w: %w", ErrConfig, err)
		}
		if ai.ID != self {
			p.bootstrap = append(p.bootstrap, ai)
		}
	}
	for _, s := range c.AllowPrivate {
		n, err := netip.ParsePrefix(s)
		if err != nil {
			return p, fmt.Errorf("allowed network %q: %w: %w", s, ErrConfig, err)
		}
		p.private = append(p.private, n)
	}
	return p, nil
}

// nowMS returns the wall clock in milliseconds.
func nowMS() uint64 { return uint64(max(0, time.Now().UnixMilli())) }
