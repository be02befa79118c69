// SPDX-License-Identifier: Apache-2.0

package gossip

import (
	"net"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"

	"github.com/openledger/openledger/p2p/peers"
)

// Name is one of the topics of P2P-10.
type Name string

// The topics. No other can be joined or subscribed to by a peer.
const (
	Tx       Name = "tx"       // one signed transaction
	Final    Name = "final"    // header and finalization certificate
	Manifest Name = "manifest" // data set or model announcement
	Evidence Name = "evidence" // proof of a consensus or task fault
	Load     Name = "load"     // an operator's capacity hint
)

// maxSubscriptions is how many subscriptions one peer may announce (P2P-10).
const maxSubscriptions = 16

// spec is one row of the table of P2P-10.
type spec struct {
	max    int     // bytes of one message
	weight float64 // points per first delivery
	cap    float64 // deliveries counted
	decay  time.Duration
}

var specs = map[Name]spec{
	Tx:       {max: 64 << 10, weight: 0.5, cap: 100, decay: 10 * time.Minute},
	Final:    {max: 16 << 10, weight: 5, cap: 100, decay: time.Hour},
	Manifest: {max: 32 << 10, weight: 1, cap: 50, decay: time.Hour},
	Evidence: {max: 32 << 10, weight: 5, cap: 20, decay: time.Hour},
	Load:     {max: 2 << 10, weight: 0.1, cap: 20, decay: 5 * time.Minute},
}

// names lists the topics in a fixed order.
var names = []Name{Tx, Final, Manifest, Evidence, Load}

// MaxSize returns the largest message of the topic in bytes, 0 for no topic.
func MaxSize(n Name) int { return specs[n].max }

// gossipParams are the mesh figures of P2P-11.
func gossipParams() pubsub.GossipSubParams {
	p := pubsub.DefaultGossipSubParams()
	p.D, p.Dlo, p.Dhi, p.Dlazy = 8, 6, 12, 8
	p.Dscore, p.Dout = 4, 2
	p.HeartbeatInterval = 700 * time.Millisecond
	p.HistoryLength, p.HistoryGossip = 6, 3
	p.IDontWantMessageThreshold = 1 << 10
	return p
}

// thresholds are the score thresholds of P2P-12.
func thresholds() *pubsub.PeerScoreThresholds {
	return &pubsub.PeerScoreThresholds{
		GossipThreshold:             -500,
		PublishThreshold:            -1000,
		GraylistThreshold:           peers.BanBelow,
		AcceptPXThreshold:           1000,
		OpportunisticGraftThreshold: 3.5,
	}
}

// scoreParams are the weights of P2P-10 and P2P-12 for the topics under prefix.
func scoreParams(prefix string, app func(peers.ID) float64, lan bool) *pubsub.PeerScoreParams {
	topics := make(map[string]*pubsub.TopicScoreParams, len(names))
	for _, n := range names {
		s := specs[n]
		topics[topicName(prefix, n)] = &pubsub.TopicScoreParams{
			TopicWeight:                    1,
			TimeInMeshQuantum:              time.Second, // weight 0: time alone earns nothing
			FirstMessageDeliveriesWeight:   s.weight,
			FirstMessageDeliveriesCap:      s.cap,
			FirstMessageDeliveriesDecay:    pubsub.ScoreParameterDecay(s.decay),
			InvalidMessageDeliveriesWeight: -1000,
			InvalidMessageDeliveriesDecay:  pubsub.ScoreParameterDecay(time.Hour),
		}
	}
	p := &pubsub.PeerScoreParams{
		Topics:                      topics,
		AppSpecificScore:            app,
		AppSpecificWeight:           1,
		IPColocationFactorWeight:    -100,
		IPColocationFactorThreshold: peers.ConnsPerIP,
		BehaviourPenaltyWeight:      -10,
		BehaviourPenaltyThreshold:   6,
		BehaviourPenaltyDecay:       pubsub.ScoreParameterDecay(time.Hour),
		DecayInterval:               time.Second,
		DecayToZero:                 0.01,
		RetainScore:                 6 * time.Hour,
	}
	if lan {
		p.IPColocationFactorWhitelist = nets(peers.LocalNets())
	}
	return p
}

func nets(cidrs []string) []*net.IPNet {
	var out []*net.IPNet
	for _, c := range cidrs {
		if _, n, err := net.ParseCIDR(c); err == nil {
			out = append(out, n)
		}
	}
	return out
}

func topicName(prefix string, n Name) string { return prefix + string(n) + "/1" }
