// SPDX-License-Identifier: Apache-2.0

package gossip

import (
	"crypto/sha256"
	"testing"

	pb "github.com/libp2p/go-libp2p-pubsub/pb"

	"github.com/openledger/openledger/p2p/peers"
)

func TestMessageIDIsOfTopicAndData(t *testing.T) {
	topic := "/openledger/0a1b2c3d/tx/1"
	sum := sha256.Sum256([]byte(topic + "\x00payload"))
	if got := messageID(&pb.Message{Topic: &topic, Data: []byte("payload")}); got != string(sum[:20]) {
		t.Errorf("got %x, want %x", got, sum[:20])
	}
}

func TestScoreParametersAreThoseOfTheTable(t *testing.T) {
	p := scoreParams("/openledger/0a1b2c3d/", func(peers.ID) float64 { return 0 }, false)
	for n, want := range map[Name][2]float64{Tx: {0.5, 100}, Final: {5, 100}, Manifest: {1, 50}, Evidence: {5, 20}, Load: {0.1, 20}} {
		s := p.Topics["/openledger/0a1b2c3d/"+string(n)+"/1"]
		if s == nil || s.FirstMessageDeliveriesWeight != want[0] || s.FirstMessageDeliveriesCap != want[1] || s.InvalidMessageDeliveriesWeight != -1000 {
			t.Errorf("%s: %+v", n, s)
		}
	}
	if len(p.Topics) != len(names) || len(p.IPColocationFactorWhitelist) != 0 || p.IPColocationFactorWeight != -100 {
		t.Errorf("got %+v", p)
	}
	if lan := scoreParams("/x/", nil, true); len(lan.IPColocationFactorWhitelist) != len(peers.LocalNets()) {
		t.Error("local networks are not exempt in a LAN")
	}
	th := thresholds()
	if th.GossipThreshold != -500 || th.PublishThreshold != -1000 || th.GraylistThreshold != -2500 {
		t.Errorf("got %+v", th)
	}
}
