// SPDX-License-Identifier: Apache-2.0

package gossip_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/openledger/openledger/p2p"
	"github.com/openledger/openledger/p2p/gossip"
	"github.com/openledger/openledger/p2p/p2ptest"
	"github.com/openledger/openledger/p2p/peers"
)

// inbox is a topic of one host whose validator records what it saw.
type inbox struct {
	topic *gossip.Topic
	seen  chan string
}

// member joins the topic of a host and answers every message with v.
func member(t *testing.T, box *inbox, name gossip.Name, v gossip.Verdict) func(*p2p.Host) {
	return func(h *p2p.Host) {
		t.Helper()
		box.seen = make(chan string, 1<<12)
		var err error
		box.topic, err = h.Gossip().Join(name, func(_ context.Context, _ peers.ID, data []byte) gossip.Verdict {
			box.seen <- string(data)
			return v
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// wait lets virtual time pass.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	<-ctx.Done()
}

// line starts three hosts where the outer ones know only the middle one.
func line(t *testing.T, n *p2ptest.Net, name gossip.Name, middle gossip.Verdict) (hosts [3]*p2p.Host, box [3]inbox) {
	t.Helper()
	for i, v := range []gossip.Verdict{gossip.Accept, middle, gossip.Accept} {
		hosts[i] = n.Host(func(c *p2p.Config) { c.Profile = "home" }, member(t, &box[i], name, v))
	}
	// The outer hosts deny each other, so that they cannot meet through peer exchange.
	hosts[0].Book().Ban(hosts[2].ID())
	hosts[2].Book().Ban(hosts[0].ID())
	p2ptest.Connect(t, hosts[0], hosts[1])
	p2ptest.Connect(t, hosts[2], hosts[1])
	wait(t, 3*time.Second) // subscriptions and a heartbeat
	return hosts, box
}

func TestMessageReachesANodeThroughARelay(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		_, box := line(t, p2ptest.NewNet(t), gossip.Tx, gossip.Accept)
		if err := box[0].topic.Publish(t.Context(), []byte("transaction")); err != nil {
			t.Fatal(err)
		}
		for i := 1; i < 3; i++ {
			if got := p2ptest.Wait(t, box[i].seen, "message"); got != "transaction" {
				t.Errorf("host %d got %q", i, got)
			}
		}
		wait(t, 5*time.Second)
		if len(box[0].seen)+len(box[1].seen)+len(box[2].seen) != 0 {
			t.Error("a message was judged twice, or by its own sender")
		}
	})
}

func TestVerdictsDecideWhatTravelsAndWhatItCosts(t *testing.T) {
	for _, c := range []struct {
		name  string
		v     gossip.Verdict
		score func(float64) bool // of the publisher, as the relay sees it
	}{
		{"an ignored message stops without blame", gossip.Ignore, func(s float64) bool { return s > -1 }},
		{"a rejected message stops and costs 1,000 points", gossip.Reject, func(s float64) bool { return s < -900 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p2ptest.Virtual(t, func(t *testing.T) {
				hosts, box := line(t, p2ptest.NewNet(t), gossip.Tx, c.v)
				if err := box[0].topic.Publish(t.Context(), []byte("bad")); err != nil {
					t.Fatal(err)
				}
				if got := p2ptest.Wait(t, box[1].seen, "message"); got != "bad" {
					t.Fatal(got)
				}
				wait(t, 12*time.Second) // past a score inspection
				if len(box[2].seen) != 0 {
					t.Error("it was relayed")
				}
				if s := hosts[1].Gossip().Score(hosts[0].ID()); !c.score(s) {
					t.Errorf("score %v", s)
				}
			})
		})
	}
}

func TestSpammerIsBannedAndCutOff(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		hosts, box := line(t, p2ptest.NewNet(t), gossip.Tx, gossip.Reject)
		for i := range 5 {
			if err := box[0].topic.Publish(t.Context(), []byte(fmt.Sprint("bad ", i))); err != nil {
				t.Fatal(err)
			}
		}
		wait(t, 90*time.Second)
		if !hosts[1].Book().Banned(hosts[0].ID()) {
			t.Errorf("not banned at score %v", hosts[1].Gossip().Score(hosts[0].ID()))
		}
		if _, up := hosts[1].Peer(hosts[0].ID()); up {
			t.Error("still connected")
		}
		if _, up := hosts[1].Peer(hosts[2].ID()); !up {
			t.Error("an innocent peer was cut off")
		}
	})
}

func TestSizes(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		n := p2ptest.NewNet(t)
		for name, want := range map[gossip.Name]int{gossip.Tx: 64 << 10, gossip.Final: 16 << 10,
			gossip.Manifest: 32 << 10, gossip.Evidence: 32 << 10, gossip.Load: 2 << 10} {
			var a, b inbox
			ha := n.Host(nil, member(t, &a, name, gossip.Accept))
			hb := n.Host(nil, member(t, &b, name, gossip.Accept))
			p2ptest.Connect(t, ha, hb)
			wait(t, 3*time.Second)
			if gossip.MaxSize(name) != want {
				t.Errorf("%s: bound %d, want %d", name, gossip.MaxSize(name), want)
			}
			if err := a.topic.Publish(t.Context(), bytes.Repeat([]byte("x"), want)); err != nil {
				t.Errorf("%s at the bound: %v", name, err)
			}
			if got := p2ptest.Wait(t, b.seen, "message"); len(got) != want {
				t.Errorf("%s: %d bytes arrived", name, len(got))
			}
			for _, size := range []int{0, want + 1} {
				if err := a.topic.Publish(t.Context(), make([]byte, size)); !errors.Is(err, gossip.ErrSize) {
					t.Errorf("%s with %d bytes: %v", name, size, err)
				}
			}
		}
	})
}

func TestJoinRefusals(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		r := p2ptest.NewNet(t).Host(nil).Gossip()
		ok := func(context.Context, peers.ID, []byte) gossip.Verdict { return gossip.Accept }
		if _, err := r.Join(gossip.Final, ok); err != nil {
			t.Fatal(err)
		}
		for name, f := range map[string]func() error{
			"a topic twice":         func() error { _, err := r.Join(gossip.Final, ok); return err },
			"a topic off the list":  func() error { _, err := r.Join("chat", ok); return err },
			"a topic without judge": func() error { _, err := r.Join(gossip.Tx, nil); return err },
			"a topic after the end": func() error { r.Close(); _, err := r.Join(gossip.Tx, ok); return err },
		} {
			if err := f(); !errors.Is(err, gossip.ErrTopic) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// A late node hears what is announced again, but not within 30 s.
func TestTheSameBytesCanBeAnnouncedAgain(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		n := p2ptest.NewNet(t)
		var a, b inbox
		ha := n.Host(nil, member(t, &a, gossip.Manifest, gossip.Accept))
		publish := func() {
			t.Helper()
			if err := a.topic.Publish(t.Context(), []byte("manifest")); err != nil {
				t.Fatal(err)
			}
			wait(t, 3*time.Second)
		}
		publish()
		hb := n.Host(nil, member(t, &b, gossip.Manifest, gossip.Accept))
		p2ptest.Connect(t, hb, ha)
		wait(t, 3*time.Second)
		publish()
		if len(b.seen) != 0 {
			t.Error("sent again within 30 s")
		}
		wait(t, 90*time.Second) // the cache is swept once a minute
		publish()
		if len(b.seen) != 1 {
			t.Errorf("the late node heard it %d times", len(b.seen))
		}
	})
}

func TestPublishWorksWithoutPeers(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		var a inbox
		p2ptest.NewNet(t).Host(nil, member(t, &a, gossip.Manifest, gossip.Accept))
		if err := a.topic.Publish(t.Context(), []byte("into the void")); err != nil {
			t.Error(err)
		}
		if len(a.topic.Peers()) != 0 {
			t.Error("peers from nowhere")
		}
	})
}

// The reference figure of P2P-15 on a smaller network: 300 bytes to 12 nodes.
func TestSmallMessagesSpreadFast(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		n := p2ptest.NewNet(t)
		var boxes [12]inbox
		var hosts []*p2p.Host
		for i := range boxes {
			hosts = append(hosts, n.Host(nil, member(t, &boxes[i], gossip.Tx, gossip.Accept)))
			for k := 1; k <= min(i, 3); k++ {
				p2ptest.Connect(t, hosts[i], hosts[i-k])
			}
		}
		wait(t, 5*time.Second)
		start := time.Now()
		if err := boxes[0].topic.Publish(t.Context(), bytes.Repeat([]byte("y"), 300)); err != nil {
			t.Fatal(err)
		}
		for i := 1; i < len(boxes); i++ {
			p2ptest.Wait(t, boxes[i].seen, "message")
		}
		if d := time.Since(start); d > 190*time.Millisecond {
			t.Errorf("the last node heard after %s", d)
		}
	})
}
