// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"sync"
	"time"

	"github.com/openledger/openledger/p2p/gossip"
)

// outbox publishes gossip and holds what had no peer to go to, until one comes:
// pubsub itself forgets it.
type outbox struct {
	mu   sync.Mutex
	held []letter
}

type letter struct {
	topic *gossip.Topic
	data  []byte
}

const (
	maxHeld   = 4_096
	heldEvery = 200 * time.Millisecond
)

// publish sends data on a topic, now or when the topic has a peer.
func (o *outbox) publish(ctx context.Context, t *gossip.Topic, data []byte) error {
	if len(t.Peers()) > 0 {
		return t.Publish(ctx, data)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.held) >= maxHeld {
		o.held = o.held[1:]
	}
	o.held = append(o.held, letter{t, data})
	return nil
}

// run sends held letters until ctx ends.
func (o *outbox) run(ctx context.Context) {
	tick := time.NewTicker(heldEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		o.mu.Lock()
		held := o.held
		o.held = nil
		o.mu.Unlock()
		for _, l := range held {
			if err := o.publish(ctx, l.topic, l.data); err != nil && ctx.Err() == nil {
				continue // refused for good: too large or invalid
			}
		}
	}
}
