// SPDX-License-Identifier: Apache-2.0

package p2p_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/p2p"
	"github.com/openledger/openledger/p2p/p2ptest"
	"github.com/openledger/openledger/p2p/peers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTwoHostsTellEachOtherTheirStatus(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		n := p2ptest.NewNet(t)
		a := n.Host(func(c *p2p.Config) {
			c.Version = 3
			c.Status = func() p2p.Status { return p2p.Status{Height: 7, Final: [32]byte{1}, Epoch: 2, Earliest: 4} }
		})
		b := n.Host(nil)
		p2ptest.Connect(t, b, a)
		got, ok := b.Peer(a.ID())
		s := got.Status
		if !ok || s.Height != 7 || s.Final != [32]byte{1} || s.Epoch != 2 || s.Earliest != 4 || s.Version != 3 || s.ChainID != p2ptest.ChainID {
			t.Errorf("got %+v, %v", s, ok)
		}
		if got.Key != (keys.PublicKey{}) || got.Inbound || !slices.Equal(s.Listen, a.Addrs()) {
			t.Errorf("got %+v", got)
		}
		if back, ok := a.Peer(b.ID()); !ok || !back.Inbound {
			t.Errorf("the dialled side got %+v, %v", back, ok)
		}
	})
}

func TestTwoHostsMeetOnLoopback(t *testing.T) {
	for name, transport := range map[string]int{"over QUIC": 1, "over TCP": 0} {
		t.Run(name, func(t *testing.T) {
			a, b := p2ptest.Loopback(t, 1, nil), p2ptest.Loopback(t, 2, nil)
			if err := a.Connect(t.Context(), b.Addrs()[transport]); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b func(*p2p.Config) // a dials b
		want error
	}{
		{"another network has other protocols", nil, func(c *p2p.Config) { c.ChainID = [32]byte{0xee} }, p2p.ErrWrongNetwork},
		{"another chain with the same first digits", nil, func(c *p2p.Config) { c.ChainID[31] = 1 }, p2p.ErrWrongNetwork},
		{"the dialled peer is too old", func(c *p2p.Config) { c.MinVersion = 2 }, func(c *p2p.Config) { c.Version = 1 }, p2p.ErrTooOld},
		{"the dialler is too old", func(c *p2p.Config) { c.Version = 1 }, func(c *p2p.Config) { c.MinVersion = 2 }, p2p.ErrTooOld},
	} {
		t.Run(c.name, func(t *testing.T) {
			p2ptest.Virtual(t, func(t *testing.T) {
				n := p2ptest.NewNet(t)
				a, b := n.Host(c.a), n.Host(c.b)
				if err := a.Connect(t.Context(), b.Addrs()[0]); !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}
				wait(t, time.Second) // the hang-up is still under way to b
				if len(a.Peers()) != 0 || len(b.Peers()) != 0 {
					t.Errorf("a refused peer is up: %v, %v", a.Peers(), b.Peers())
				}
			})
		})
	}
}

// wait lets virtual time pass.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	<-ctx.Done()
}

func TestBannedPeerIsRefused(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		n := p2ptest.NewNet(t)
		a, b := n.Host(nil), n.Host(nil)
		b.Book().Ban(a.ID())
		if err := a.Connect(t.Context(), b.Addrs()[0]); err == nil {
			t.Fatal("a banned peer was let in")
		}
		if b.Refused()[peers.RefuseBanned] == 0 {
			t.Error("the refusal was not counted")
		}
		if err := b.Connect(t.Context(), a.Addrs()[0]); err == nil {
			t.Fatal("a banned peer was dialled")
		}
	})
}

// eventLog collects the kinds of events about one peer.
func eventLog(kinds chan<- p2p.EventKind) func(*p2p.Config) {
	return func(c *p2p.Config) { c.OnPeer = func(e p2p.Event) { kinds <- e.Kind } }
}

func TestEventsComeInOrderAndBootstrapIsDialledAgain(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		n := p2ptest.NewNet(t)
		kinds := make(chan p2p.EventKind, 16)
		a := n.Host(nil)
		b := n.Host(func(c *p2p.Config) {
			c.Bootstrap = a.Addrs()
			eventLog(kinds)(c)
		})
		if k := p2ptest.Wait(t, kinds, "up"); k != p2p.PeerUp {
			t.Fatalf("first event %d", k)
		}
		if _, err := b.RequestStatus(t.Context(), a.ID()); err != nil {
			t.Fatal(err)
		}
		if k := p2ptest.Wait(t, kinds, "update"); k != p2p.PeerUpdate {
			t.Fatalf("second event %d", k)
		}
		if err := a.Disconnect(b.ID()); err != nil {
			t.Fatal(err)
		}
		if k := p2ptest.Wait(t, kinds, "down"); k != p2p.PeerDown {
			t.Fatalf("third event %d", k)
		}
		start := time.Now()
		if k := p2ptest.Wait(t, kinds, "up again"); k != p2p.PeerUp {
			t.Fatalf("fourth event %d", k)
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("redial took %s", d)
		}
	})
}

func TestPeersAreLearnedFromPeers(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		n := p2ptest.NewNet(t)
		hub := n.Host(nil)
		var all []*p2p.Host
		for range 3 {
			all = append(all, n.Host(func(c *p2p.Config) { c.Bootstrap = hub.Addrs() }))
			if err := all[len(all)-1].Await(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}
		for i, h := range all {
			ctx, cancel := context.WithTimeout(t.Context(), p2ptest.Patience)
			if err := h.Await(ctx, len(all)); err != nil {
				t.Errorf("host %d has %d peers: %v", i, len(h.Peers()), err)
			}
			cancel()
		}
	})
}

func TestPeersOfTheLastRunAreDialled(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		n := p2ptest.NewNet(t)
		file := filepath.Join(t.TempDir(), "peers.json")
		store := func(c *p2p.Config) { c.StoreFile = file }
		a, b := n.Host(nil), n.Host(store)
		p2ptest.Connect(t, b, a)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		again := n.Host(store)
		if err := again.Await(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	})
}

// A peer that connects but never sends a status is hung up on after 5 s.
func TestSilentPeerIsDropped(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		n := p2ptest.NewNet(t)
		gone := make(chan time.Duration, 1)
		b := n.Host(nil)
		silent := n.Stranger()
		start := time.Now()
		silent.OnDisconnect(func() { gone <- time.Since(start) })
		if err := silent.Dial(t.Context(), b.Addrs()[0]); err != nil {
			t.Fatal(err)
		}
		if d := p2ptest.Wait(t, gone, "hang-up"); d < 4*time.Second || d > 6*time.Second {
			t.Errorf("dropped after %s, want 5 s", d)
		}
		if len(b.Peers()) != 0 {
			t.Error("a silent peer is up")
		}
	})
}

func TestMalformedStatusIsRefused(t *testing.T) {
	for name, raw := range map[string][]byte{
		"no status at all":     {},
		"no encoding":          []byte("hello"),
		"not the right fields": {0x81, 0x00},
	} {
		t.Run(name, func(t *testing.T) {
			p2ptest.Virtual(t, func(t *testing.T) {
				n := p2ptest.NewNet(t)
				b := n.Host(nil)
				s := n.Stranger()
				if err := s.Dial(t.Context(), b.Addrs()[0]); err != nil {
					t.Fatal(err)
				}
				answer, err := s.Exchange(t.Context(), b.ID(), p2p.Prefix(p2ptest.ChainID)+"status/1", raw)
				if err != nil || !bytes.Contains(answer, []byte("NO_HANDSHAKE")) {
					t.Errorf("got %q, %v", answer, err)
				}
				if len(b.Peers()) != 0 {
					t.Error("the peer is up")
				}
			})
		})
	}
}

func TestBindingNamesTheValidator(t *testing.T) {
	pub, key, _ := ed25519.GenerateKey(bytes.NewReader(make([]byte, 32)))
	voter := keys.PublicKey(pub)
	verify := func(id peers.ID, binding []byte) (keys.PublicKey, error) {
		if !ed25519.Verify(pub, []byte(id), binding) {
			return keys.PublicKey{}, errors.New("bad signature")
		}
		return voter, nil
	}
	for _, c := range []struct {
		name string
		sign func(id peers.ID) []byte
		want keys.PublicKey
	}{
		{"a binding for this peer counts", func(id peers.ID) []byte { return ed25519.Sign(key, []byte(id)) }, voter},
		{"a binding of another peer does not", func(peers.ID) []byte { return ed25519.Sign(key, []byte("other")) }, keys.PublicKey{}},
		{"no binding is no validator", func(peers.ID) []byte { return nil }, keys.PublicKey{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p2ptest.Virtual(t, func(t *testing.T) {
				n := p2ptest.NewNet(t)
				a := n.Host(func(cfg *p2p.Config) {
					id, err := p2p.IDFromSeed(cfg.KeySeed)
					if err != nil {
						t.Fatal(err)
					}
					cfg.Status = func() p2p.Status { return p2p.Status{Binding: c.sign(id)} }
				})
				b := n.Host(func(cfg *p2p.Config) { cfg.VerifyBinding = verify })
				p2ptest.Connect(t, a, b)
				if p, ok := b.Peer(a.ID()); !ok || p.Key != c.want {
					t.Errorf("got validator %v, want %v", p.Key, c.want)
				}
			})
		})
	}
}

func TestConfigRefusals(t *testing.T) {
	for name, f := range map[string]func(*p2p.Config){
		"no status function":     func(c *p2p.Config) { c.Status = nil },
		"an unknown profile":     func(c *p2p.Config) { c.Profile = "big" },
		"a bad listen address":   func(c *p2p.Config) { c.Listen = []string{"127.0.0.1:9943"} },
		"a bootstrap without id": func(c *p2p.Config) { c.Bootstrap = []string{"/ip4/1.2.3.4/tcp/9943"} },
		"a bad allowed network":  func(c *p2p.Config) { c.AllowPrivate = []string{"10.0.0.1"} },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := p2p.Config{Profile: "lan", Status: func() p2p.Status { return p2p.Status{} }}
			f(&cfg)
			if h, err := p2p.New(cfg); err == nil {
				_ = h.Close()
				t.Error("accepted")
			}
		})
	}
}

func TestHomeProfileDialsNoPrivateAddressItWasOnlyTold(t *testing.T) {
	home := func(c *p2p.Config) { c.Profile = "home" }
	a := p2ptest.Loopback(t, 1, home)
	b := p2ptest.Loopback(t, 2, home)
	c := p2ptest.Loopback(t, 3, func(cfg *p2p.Config) { home(cfg); cfg.Bootstrap = a.Addrs() })
	if err := c.Await(t.Context(), 1); err != nil {
		t.Fatalf("a bootstrap peer on a private address must be reached: %v", err)
	}
	if err := b.Connect(t.Context(), a.Addrs()[0]); err != nil { // a now tells b about c
		t.Fatal(err)
	}
	for b.Refused()[peers.RefusePrivate] == 0 {
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		<-ctx.Done()
		cancel()
	}
	if _, up := b.Peer(c.ID()); up {
		t.Error("a private address from another peer was dialled")
	}
}
