// SPDX-License-Identifier: Apache-2.0

package mesh_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/p2p"
	"github.com/openledger/openledger/p2p/mesh"
	"github.com/openledger/openledger/p2p/p2ptest"
	"github.com/openledger/openledger/p2p/peers"
)

// got is one frame as a validator received it.
type got struct {
	to, from int
	data     []byte
}

// voter is the vote key of validator i, member the reverse.
func voter(i int) keys.PublicKey { return keys.PublicKey{byte(i + 1)} }

func member(k keys.PublicKey) int { return int(k[0]) - 1 }

func members(n int) (out []keys.PublicKey) {
	for i := range n {
		out = append(out, voter(i))
	}
	return out
}

// bind is the test's binding: the index as text. Real ones are signatures.
func bind(i int) []byte { return []byte{byte(i)} }

func verify(_ peers.ID, b []byte) (keys.PublicKey, error) {
	if len(b) != 1 {
		return keys.PublicKey{}, errors.New("no binding")
	}
	return voter(int(b[0])), nil
}

// prepare configures validator i, which delivers to in and knows boot.
func prepare(i int, in chan<- got, boot []string) func(*p2p.Config) {
	return func(c *p2p.Config) {
		c.Bootstrap, c.VerifyBinding = boot, verify
		c.Status = func() p2p.Status { return p2p.Status{Binding: bind(i)} }
		c.OnFrame = func(from keys.PublicKey, frame []byte) { in <- got{to: i, from: member(from), data: frame} }
	}
}

// validators starts n validators that all find each other through the first.
func validators(t *testing.T, net *p2ptest.Net, n int) ([]*p2p.Host, chan got) {
	t.Helper()
	in := make(chan got, 1<<16)
	var hosts []*p2p.Host
	var boot []string
	for i := range n {
		hosts = append(hosts, net.Host(prepare(i, in, boot)))
		hosts[i].SetMembers(voter(i), members(n))
		boot = append(boot, hosts[i].Addrs()...)
	}
	connected(t, hosts)
	return hosts, in
}

// connected waits until every validator has a stream to every other.
func connected(t *testing.T, hosts []*p2p.Host) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), p2ptest.Patience)
	defer cancel()
	for _, h := range hosts {
		for len(h.Mesh().Connected()) < len(hosts)-1 {
			tick(t, 10*time.Millisecond)
			if ctx.Err() != nil {
				t.Fatalf("connected only to %v", h.Mesh().Connected())
			}
		}
	}
}

// tick lets virtual time pass.
func tick(t *testing.T, d time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	<-ctx.Done()
}

func TestEveryValidatorHearsEveryOther(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		hosts, in := validators(t, p2ptest.NewNet(t), 4)
		for i, h := range hosts {
			if err := h.Mesh().Broadcast(mesh.Frame{Data: []byte(fmt.Sprint("vote of ", i))}); err != nil {
				t.Fatal(err)
			}
		}
		var all []string
		for range 12 {
			g := p2ptest.Wait(t, in, "frame")
			all = append(all, fmt.Sprintf("%d hears %d: %s", g.to, g.from, g.data))
		}
		slices.Sort(all)
		want := 0
		for to := range 4 {
			for from := range 4 {
				if to != from {
					if w := fmt.Sprintf("%d hears %d: vote of %d", to, from, from); all[want] != w {
						t.Errorf("got %q, want %q", all[want], w)
					}
					want++
				}
			}
		}
	})
}

func TestFramesKeepTheirOrderAndBytes(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		hosts, in := validators(t, p2ptest.NewNet(t), 2)
		const n = 200
		frame := func(i int) []byte {
			b := bytes.Repeat([]byte{byte(i)}, 4+i*100)
			binary.BigEndian.PutUint32(b, uint32(i))
			return b
		}
		for i := range n {
			for from := range 2 {
				if err := hosts[from].Mesh().Send(voter(1-from), mesh.Frame{Data: frame(i)}); err != nil {
					t.Fatal(err)
				}
			}
		}
		next := [2]int{}
		for range 2 * n {
			g := p2ptest.Wait(t, in, "frame")
			if !bytes.Equal(g.data, frame(next[g.to])) {
				t.Fatalf("frame %d to %d differs", next[g.to], g.to)
			}
			next[g.to]++
		}
	})
}

func TestStreamIsOpenedAgain(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		net := p2ptest.NewNet(t)
		hosts, in := validators(t, net, 2)
		if err := hosts[0].Disconnect(hosts[1].ID()); err != nil {
			t.Fatal(err)
		}
		tick(t, time.Second)
		connected(t, hosts)
		if err := hosts[0].Mesh().Broadcast(mesh.Frame{Data: []byte("again")}); err != nil {
			t.Fatal(err)
		}
		if g := p2ptest.Wait(t, in, "frame after the break"); string(g.data) != "again" {
			t.Errorf("got %q", g.data)
		}
	})
}

// A validator that comes back as another process, even with another peer key,
// is reached again, and hears what waited for it.
func TestRestartedValidatorIsReached(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		net := p2ptest.NewNet(t)
		hosts, in := validators(t, net, 3)
		if err := hosts[2].Close(); err != nil {
			t.Fatal(err)
		}
		tick(t, time.Second)
		if err := hosts[0].Mesh().Send(voter(2), mesh.Frame{Data: []byte("while you were away")}); err != nil {
			t.Fatal(err)
		}
		boot := append(hosts[0].Addrs(), hosts[1].Addrs()...)
		hosts[2] = net.Host(prepare(2, in, boot))
		hosts[2].SetMembers(voter(2), members(3))
		connected(t, hosts)
		if g := p2ptest.Wait(t, in, "queued frame"); g.to != 2 || g.from != 0 || string(g.data) != "while you were away" {
			t.Errorf("got %+v", g)
		}
	})
}

func TestOnlyBoundPeersGetAStream(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		net := p2ptest.NewNet(t)
		hosts, in := validators(t, net, 2)
		liar := net.Host(func(c *p2p.Config) {
			prepare(1, in, hosts[0].Addrs())(c)
			c.Status = func() p2p.Status { return p2p.Status{Binding: []byte("forged")} }
			for id := hosts[0].ID(); id >= hosts[0].ID(); c.KeySeed[9]++ { // the lower id opens the stream
				id, _ = p2p.IDFromSeed(c.KeySeed)
				if id < hosts[0].ID() {
					break
				}
			}
		})
		if err := liar.Await(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		liar.SetMembers(voter(1), members(2))
		liar.Mesh().Bind(voter(0), hosts[0].ID())
		if err := liar.Mesh().Broadcast(mesh.Frame{Data: []byte("I am validator 1")}); err != nil {
			t.Fatal(err)
		}
		tick(t, 10*time.Second)
		if len(in) != 0 {
			t.Errorf("heard %+v", <-in)
		}
		if c := hosts[0].Mesh().Connected(); !slices.Equal(c, []keys.PublicKey{voter(1)}) {
			t.Errorf("the true stream is gone: %v", c)
		}
	})
}

func TestOversizedIncomingFrameEndsTheStreamAndCosts(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		net := p2ptest.NewNet(t)
		in := make(chan got, 16)
		h := net.Host(prepare(0, in, nil))
		h.SetMembers(voter(0), members(2))
		s := net.Stranger()
		for s.ID() > h.ID() { // only the lower id may open
			s = net.Stranger()
		}
		if err := s.Dial(t.Context(), h.Addrs()[0]); err != nil {
			t.Fatal(err)
		}
		prefix := p2p.Prefix(p2ptest.ChainID)
		if _, err := s.Exchange(t.Context(), h.ID(), prefix+"status/1", enc.Encode(p2p.Status{
			ChainID: p2ptest.ChainID, TimeMS: uint64(time.Now().UnixMilli()), Binding: bind(1)})); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Exchange(t.Context(), h.ID(), prefix+mesh.Name, make([]byte, mesh.MaxFrame+1)); err == nil {
			t.Error("the stream ended well")
		}
		if len(in) != 0 {
			t.Errorf("heard %d bytes", len((<-in).data))
		}
		if sc := h.Book().Score(s.ID()); sc > -peers.InvalidSync+1 {
			t.Errorf("score %v", sc)
		}
	})
}

// A flood is slowed to 2,000 frames per second after the burst, not dropped.
func TestFloodIsSlowedDown(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		hosts, in := validators(t, p2ptest.NewNet(t), 2)
		start := time.Now()
		const n = 12_000
		for i := 0; i < n; {
			for range 1000 {
				if err := hosts[0].Mesh().Send(voter(1), mesh.Frame{Data: []byte("flood")}); err != nil {
					t.Fatal(err)
				}
				i++
			}
			for range 1000 {
				p2ptest.Wait(t, in, "flooded frame")
			}
		}
		if d := time.Since(start); d < 1500*time.Millisecond {
			t.Errorf("%d frames in %s", n, d)
		}
		if hosts[0].Mesh().Dropped() != 0 {
			t.Error("frames were dropped")
		}
	})
}

func TestSendRefuses(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		net := p2ptest.NewNet(t)
		hosts, _ := validators(t, net, 2)
		m := hosts[0].Mesh()
		for name, c := range map[string]struct {
			to   int
			data []byte
			want error
		}{
			"an empty frame":     {1, nil, mesh.ErrFrame},
			"an oversized frame": {1, make([]byte, mesh.MaxFrame+1), mesh.ErrFrame},
			"itself":             {0, []byte("x"), mesh.ErrMember},
			"an unknown key":     {2, []byte("x"), mesh.ErrMember},
		} {
			if err := m.Send(voter(c.to), mesh.Frame{Data: c.data}); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		observer := net.Host(nil).Mesh()
		if err := observer.Send(voter(0), mesh.Frame{Data: []byte("x")}); !errors.Is(err, mesh.ErrMember) {
			t.Errorf("an observer sent: %v", err)
		}
		if err := observer.Broadcast(mesh.Frame{Data: []byte("x")}); err != nil {
			t.Errorf("an observer's broadcast goes nowhere without an error, got %v", err)
		}
	})
}

// The set changes: who stays keeps the stream, who leaves loses it, who joins
// gets one although the peers met long before.
func TestMembersChange(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		net := p2ptest.NewNet(t)
		hosts, in := validators(t, net, 3)
		hosts = append(hosts, net.Host(prepare(3, in, hosts[0].Addrs())))
		if err := hosts[3].Await(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
		if c := hosts[3].Mesh().Connected(); len(c) != 0 {
			t.Fatalf("a candidate has streams to %v", c)
		}
		next := []keys.PublicKey{voter(0), voter(1), voter(3)}
		for i, h := range hosts {
			h.SetMembers(voter(i), next)
		}
		connected(t, []*p2p.Host{hosts[0], hosts[1], hosts[3]})
		if c := hosts[2].Mesh().Connected(); len(c) != 0 {
			t.Errorf("a leaver has streams to %v", c)
		}
		for _, k := range hosts[0].Mesh().Connected() {
			if member(k) == 2 {
				t.Error("a stream to the leaver is left")
			}
		}
		if err := hosts[3].Mesh().Broadcast(mesh.Frame{Data: []byte("I am new")}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if g := p2ptest.Wait(t, in, "frame of the new one"); g.from != 3 || g.to == 2 {
				t.Errorf("got %+v", g)
			}
		}
		if err := hosts[0].Mesh().Send(voter(2), mesh.Frame{Data: []byte("x")}); !errors.Is(err, mesh.ErrMember) {
			t.Errorf("sent to a leaver: %v", err)
		}
	})
}
