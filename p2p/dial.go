// SPDX-License-Identifier: Apache-2.0

package p2p

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/openledger/openledger/p2p/peers"
)

const (
	maxDials      = 16 // outgoing dials at once (P2P-04)
	maxTargets    = 256
	giveUp        = 4 // failures after which a peer that is not static is forgotten
	retryMin      = 500 * time.Millisecond
	retryMax      = 30 * time.Second
	retryNear     = 5 * time.Second  // retryMax of validators and LANs
	retryHopeless = time.Minute      // after WRONG_NETWORK, TOO_OLD, BANNED
	saveEvery     = 5 * time.Minute  // peer store; also at Close
	lonelyAfter   = 15 * time.Second // P2P-07
)

// dialer keeps the host connected: static peers always, others while there are
// fewer connections than the profile's low mark. Spec: P2P-04, P2P-07.
type dialer struct {
	h    *Host
	max  time.Duration
	wake chan struct{}

	mu      sync.Mutex
	targets map[peers.ID]*target
	dials   int
}

type target struct {
	ai     peer.AddrInfo
	static bool
	busy   bool
	fails  int
	next   time.Time
	err    error
}

func newDialer(h *Host) *dialer {
	d := &dialer{h: h, max: retryMax, wake: make(chan struct{}, 1), targets: make(map[peers.ID]*target)}
	if h.par.profile.TCPFirst {
		d.max = retryNear
	}
	for _, ai := range h.par.bootstrap {
		h.gater.AllowStatic(ai.ID)
		h.h.ConnManager().Protect(ai.ID, "static")
		if t := d.targets[ai.ID]; t != nil {
			t.ai.Addrs = append(t.ai.Addrs, ai.Addrs...)
			continue
		}
		d.targets[ai.ID] = &target{ai: ai, static: true}
	}
	for _, ai := range h.book.Known(64) {
		d.add(ai)
	}
	return d
}

// add makes ai a target if there is room. The caller holds mu or is newDialer.
func (d *dialer) add(ai peer.AddrInfo) {
	if d.targets[ai.ID] == nil && ai.ID != d.h.ID() && len(d.targets) < maxTargets {
		d.targets[ai.ID] = &target{ai: ai}
	}
}

// heard takes addresses that a peer told about others.
func (d *dialer) heard(addrs []string) {
	for _, s := range addrs {
		ai, err := peers.ParseAddr(s)
		if err != nil || ai.ID == d.h.ID() {
			continue
		}
		d.h.book.Heard(ai.ID, []string{s})
		d.mu.Lock()
		d.add(ai)
		d.mu.Unlock()
	}
	d.nudge()
}

// nudge lets run look at its targets again.
func (d *dialer) nudge() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// run dials what is due until ctx ends.
func (d *dialer) run(ctx context.Context) {
	lonely, warned, saved := time.Now(), false, time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-d.wake:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		now := time.Now()
		next := d.start(ctx, now)
		if len(d.h.table.list()) > 0 {
			lonely, warned = now, false
		} else if !warned {
			if now.Sub(lonely) >= lonelyAfter {
				warned = true
				d.complain()
			}
			next = min(next, lonelyAfter)
		}
		if now.Sub(saved) >= saveEvery {
			saved = now
			if err := d.h.book.Save(); err != nil {
				d.h.log.Warn("peer store not saved", "err", err)
			}
		}
		timer.Reset(next)
	}
}

// start begins the due dials and returns how long until the next is due.
func (d *dialer) start(ctx context.Context, now time.Time) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := time.Minute
	room := d.h.par.profile.ConnsLow - len(d.h.h.Network().Peers())
	for id, t := range d.targets {
		if t.busy || d.h.h.Network().Connectedness(id) == network.Connected || (!t.static && room <= 0) {
			continue
		}
		if wait := t.next.Sub(now); wait > 0 {
			next = min(next, wait)
			continue
		}
		if d.dials >= maxDials {
			break // a dial that ends nudges
		}
		t.busy = true
		d.dials++
		room--
		ai := t.ai
		d.h.spawn(func() { d.dial(ctx, ai) })
	}
	return next
}

// dial tries one target and schedules the next try.
func (d *dialer) dial(ctx context.Context, ai peer.AddrInfo) {
	dctx, cancel := context.WithTimeout(ctx, dialTimeout+statusDeadline)
	err := d.connect(dctx, ai)
	cancel()
	d.mu.Lock()
	d.dials--
	if t := d.targets[ai.ID]; t != nil {
		t.busy, t.err = false, err
		if err == nil {
			t.fails, t.next = 0, time.Now().Add(retryAfter(retryMin, rand.Float64()))
		} else {
			t.fails++
			wait := min(d.max, retryMin<<min(t.fails-1, 10))
			if hopeless(err) {
				wait = retryHopeless
			}
			t.next = time.Now().Add(retryAfter(wait, rand.Float64()))
			if !t.static && (t.fails >= giveUp || hopeless(err)) {
				delete(d.targets, ai.ID)
			}
		}
	}
	d.mu.Unlock()
	d.nudge()
}

// hopeless reports refusals that another try will not change soon.
func hopeless(err error) bool {
	return errors.Is(err, ErrWrongNetwork) || errors.Is(err, ErrTooOld) || errors.Is(err, ErrBanned)
}

// connect dials and waits for the handshake. libp2p's own back-off is cleared:
// the caller has one.
func (d *dialer) connect(ctx context.Context, ai peer.AddrInfo) error {
	if s, ok := d.h.h.Network().(*swarm.Swarm); ok {
		s.Backoff().Clear(ai.ID)
	}
	if err := d.h.h.Connect(ctx, ai); err != nil {
		return err
	}
	return d.h.table.admit(ctx, ai.ID)
}

// complain logs once why this node has no peers. Spec: P2P-07.
func (d *dialer) complain() {
	d.mu.Lock()
	n, err := len(d.targets), error(nil)
	for _, t := range d.targets {
		if t.err != nil {
			err = t.err
		}
	}
	d.mu.Unlock()
	if n == 0 {
		d.h.log.Warn("no peers: the bootstrap list and the peer store are empty; run openledger doctor")
		return
	}
	d.h.log.Warn("no peers: no known address answered; run openledger doctor", "tried", n, "last", err)
}

// tcpFirst ranks TCP before QUIC: in user space QUIC costs more CPU per small
// frame. Each further address waits 100 ms, QUIC 300 ms more. Spec: P2P-01.
func tcpFirst(addrs []ma.Multiaddr) []network.AddrDelay {
	var tcp, other []network.AddrDelay
	for _, a := range addrs {
		if _, err := a.ValueForProtocol(ma.P_TCP); err == nil {
			tcp = append(tcp, network.AddrDelay{Addr: a, Delay: time.Duration(len(tcp)) * 100 * time.Millisecond})
		} else {
			other = append(other, network.AddrDelay{Addr: a, Delay: time.Duration(len(other)) * 100 * time.Millisecond})
		}
	}
	if len(tcp) > 0 {
		for i := range other {
			other[i].Delay += tcp[len(tcp)-1].Delay + 300*time.Millisecond
		}
	}
	return append(tcp, other...)
}
