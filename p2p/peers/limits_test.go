// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	ma "github.com/multiformats/go-multiaddr"
)

// Zero means "block all" to the resource manager, so no field may be left out.
func TestEveryLimitIsSet(t *testing.T) {
	for _, p := range profiles {
		cfg := reflect.ValueOf(Limits(p))
		seen := 0
		for i := range cfg.NumField() {
			name := cfg.Type().Field(i).Name
			if !strings.HasSuffix(name, "BaseLimit") {
				continue
			}
			base := cfg.Field(i)
			for k := range base.NumField() {
				seen++
				if base.Field(k).Int() <= 0 {
					t.Errorf("%s: %s.%s is %d", p.Name, name, base.Type().Field(k).Name, base.Field(k).Int())
				}
			}
		}
		if want := 11 * reflect.TypeFor[rcmgr.BaseLimit]().NumField(); seen != want {
			t.Errorf("%s: %d limits checked, want %d: the library has new scopes", p.Name, seen, want)
		}
	}
}

func TestLimitsAreThoseOfTheTable(t *testing.T) {
	p, err := ProfileByName("")
	if err != nil || p.Name != "home" {
		t.Fatalf("default profile %q, %v", p.Name, err)
	}
	l := Limits(p)
	if s := l.SystemBaseLimit; s.Streams != 1024 || s.Memory != 256<<20 || s.Conns < 96 {
		t.Errorf("system %+v", s)
	}
	if s := l.PeerBaseLimit; s.Conns != 8 || s.Streams != 64 || s.Memory != 32<<20 {
		t.Errorf("peer %+v", s)
	}
	if _, err := ProfileByName("huge"); !errors.Is(err, ErrProfile) {
		t.Errorf("unknown profile: %v", err)
	}
}

func TestConnectionsPerAddress(t *testing.T) {
	for _, c := range []struct {
		name, profile, addr string
		want                int // connections admitted of 12
	}{
		{"a public address gets 5", "home", "/ip4/8.8.8.8/tcp/1", 5},
		{"a LAN address gets 5 outside the lan profile", "validator", "/ip4/192.168.0.7/tcp/1", 5},
		{"a LAN address is free in the lan profile", "lan", "/ip4/192.168.0.7/tcp/1", 12},
		{"loopback is free", "home", "/ip4/127.0.0.1/tcp/1", 12},
		{"an IPv6 network gets 5", "lan", "/ip6/2001:db8:1:2::7/tcp/1", 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := ProfileByName(c.profile)
			if err != nil {
				t.Fatal(err)
			}
			rm, err := NewResourceManager(p)
			if err != nil {
				t.Fatal(err)
			}
			defer rm.Close()
			got := 0
			for range 12 {
				if _, err := rm.OpenConnection(network.DirInbound, true, ma.StringCast(c.addr)); err == nil {
					got++
				}
			}
			if got != c.want {
				t.Errorf("%d admitted, want %d", got, c.want)
			}
		})
	}
}

// connAddrs is the remote address of an incoming connection.
type connAddrs struct{ remote ma.Multiaddr }

func (connAddrs) LocalMultiaddr() ma.Multiaddr    { return ma.StringCast("/ip4/127.0.0.1/tcp/1") }
func (c connAddrs) RemoteMultiaddr() ma.Multiaddr { return c.remote }

func TestGater(t *testing.T) {
	friend, denied, banned, static := testID(t, 1), testID(t, 2), testID(t, 3), testID(t, 4)
	book, _ := newTestBook("")
	book.Ban(banned)
	cfg := GaterConfig{Book: book, DenyPeers: []ID{denied},
		DenyNets:     []netip.Prefix{netip.MustParsePrefix("6.6.0.0/16")},
		AllowPrivate: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}
	for _, c := range []struct {
		name string
		call func(g *Gater) bool
		want string // label of the refusal, empty: allowed
	}{
		{"a friend is dialled", func(g *Gater) bool { return g.InterceptPeerDial(friend) }, ""},
		{"a denied peer is not dialled", func(g *Gater) bool { return g.InterceptPeerDial(denied) }, RefuseDenied},
		{"a banned peer is not dialled", func(g *Gater) bool { return g.InterceptPeerDial(banned) }, RefuseBanned},
		{"a banned peer is not let in", func(g *Gater) bool { return g.InterceptSecured(network.DirInbound, banned, nil) }, RefuseBanned},
		{"a public address is dialled", dial(friend, "/ip4/8.8.8.8/tcp/1"), ""},
		{"a name is resolved first", dial(friend, "/dns4/example.org/tcp/1"), ""},
		{"loopback is not dialled", dial(friend, "/ip4/127.0.0.1/tcp/1"), RefusePrivate},
		{"a private address is not dialled", dial(friend, "/ip4/10.2.0.1/tcp/1"), RefusePrivate},
		{"an IPv4 address inside IPv6 is no way around", dial(friend, "/ip6/::ffff:10.2.0.1/tcp/1"), RefusePrivate},
		{"a link-local address is not dialled", dial(friend, "/ip6/fe80::1/tcp/1"), RefusePrivate},
		{"an allowed network is dialled", dial(friend, "/ip4/10.1.2.3/tcp/1"), ""},
		{"a static peer may be private", dial(static, "/ip4/127.0.0.1/tcp/1"), ""},
		{"a denied network is refused even for static peers", dial(static, "/ip4/6.6.6.6/tcp/1"), RefuseDenied},
		{"a denied network is not let in", accept("/ip4/6.6.1.1/tcp/5"), RefuseDenied},
		{"a private address may come in", accept("/ip4/127.0.0.1/tcp/5"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := NewGater(cfg)
			g.AllowStatic(static)
			if ok := c.call(g); ok != (c.want == "") {
				t.Errorf("allowed: %v", ok)
			}
			if c.want != "" && g.Refused()[c.want] != 1 {
				t.Errorf("counted as %v, want %s", g.Refused(), c.want)
			}
		})
	}
	cfg.DialPrivate = true
	if !NewGater(cfg).InterceptAddrDial(friend, ma.StringCast("/ip4/127.0.0.1/tcp/1")) {
		t.Error("the lan profile dials private addresses")
	}
}

func dial(id ID, a string) func(*Gater) bool {
	return func(g *Gater) bool { return g.InterceptAddrDial(id, ma.StringCast(a)) }
}

func accept(a string) func(*Gater) bool {
	return func(g *Gater) bool { return g.InterceptAccept(connAddrs{ma.StringCast(a)}) }
}
