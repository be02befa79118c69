// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"sync"
	"time"

	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/p2p/gossip"
)

// outbox publishes gossip and holds what had no peer to go to, until one comes:
// pubsub itself forgets it.
type outbox struct {
	mu      sync.Mutex
	held    []letter
	waiting map[tx.ID]time.Time // transactions handed in here, and when they were last published
}

type letter struct {
	topic *gossip.Topic
	data  []byte
}

const (
	maxHeld   = 4_096
	heldEvery = 200 * time.Millisecond

	// A transaction that still waits is published again: gossip loses messages.
	// Earlier, pubsub would drop the bytes as seen.
	resendAfter = 100 * time.Second
	maxWaiting  = 16_384
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

// sent remembers a transaction that was handed in here.
func (o *outbox) sent(id tx.ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.waiting == nil {
		o.waiting = map[tx.ID]time.Time{}
	}
	if len(o.waiting) < maxWaiting {
		o.waiting[id] = time.Now()
	}
}

// due lists the transactions that were last published before since.
func (o *outbox) due(since time.Time) (out []tx.ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, at := range o.waiting {
		if at.Before(since) {
			out = append(out, id)
		}
	}
	return out
}

// done forgets a transaction that no longer waits.
func (o *outbox) done(id tx.ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.waiting, id)
}

// handOver gossips what waits in the pool: this node batches no more.
func (n *Node) handOver(ctx context.Context) {
	for _, id := range n.pool.IDs(nil, maxWaiting) {
		n.out.sent(id)
		if raw := n.pool.Get(id); raw != nil {
			if err := n.out.publish(ctx, n.topics.tx, raw); err != nil {
				n.log.Debug("publish", "err", err)
			}
		}
	}
}

// resend publishes again what still waits, until ctx ends.
func (n *Node) resend(ctx context.Context) {
	for pause(ctx, resendAfter/10) {
		for _, id := range n.out.due(time.Now().Add(-resendAfter)) {
			raw := n.pool.Get(id)
			if raw == nil {
				n.out.done(id)
				continue
			}
			n.out.sent(id)
			if err := n.out.publish(ctx, n.topics.tx, raw); err != nil {
				n.log.Debug("publish again", "err", err)
			}
		}
	}
}
