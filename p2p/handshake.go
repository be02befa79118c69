// SPDX-License-Identifier: Apache-2.0

package p2p

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/openledger/openledger/p2p/peers"
	"github.com/openledger/openledger/p2p/stream"
)

// handshakes registers status/1 and follows connections.
func (h *Host) handshakes() error {
	err := h.stream.Register(stream.Protocol{Name: statusName, MaxFrame: statusMax, Deadline: statusDeadline,
		Rate: 0.1, Burst: 10, Open: true, Handler: stream.Unary(h.answerStatus)})
	if err != nil {
		return err
	}
	h.h.Network().Notify(&network.NotifyBundle{
		ConnectedF:    func(_ network.Network, c network.Conn) { h.connected(c) },
		DisconnectedF: func(_ network.Network, c network.Conn) { h.disconnected(c.RemotePeer()) },
	})
	return nil
}

// connected runs on the swarm's goroutine before any stream of c is served. The
// side that dialled greets; the other waits for it, at most 5 s.
func (h *Host) connected(c network.Conn) {
	id := c.RemotePeer()
	outbound := c.Stat().Direction == network.DirOutbound
	greet := h.table.connected(id, outbound)
	if !greet && outbound {
		return
	}
	h.spawn(func() {
		ctx, cancel := context.WithTimeout(h.ctx, statusDeadline)
		defer cancel()
		if greet {
			if err := h.greet(ctx, id); err != nil && h.ctx.Err() == nil {
				h.refuse(id, err)
			}
			return
		}
		if h.table.admit(ctx, id) != nil {
			<-ctx.Done() // the refusal must still reach the peer, who hangs up first
			if h.ctx.Err() == nil {
				h.refuse(id, fmt.Errorf("%w: no good status within %s", ErrHandshake, statusDeadline))
			}
		}
	})
}

func (h *Host) disconnected(id peers.ID) {
	if h.h.Network().Connectedness(id) == network.Connected {
		return
	}
	h.table.gone(id)
	h.dialer.nudge()
}

// refuse notes why the handshake failed and hangs up, unless the other
// direction has passed meanwhile.
func (h *Host) refuse(id peers.ID, err error) {
	if h.table.failed(id, err) {
		h.log.Info("peer refused", "peer", id, "reason", err)
	}
	if _, up := h.table.get(id); !up {
		_ = h.Disconnect(id)
	}
}

// greet sends the own status and judges the answer.
func (h *Host) greet(ctx context.Context, id peers.ID) error {
	s, err := h.askStatus(ctx, id)
	if err != nil {
		return err
	}
	h.settle(id, s, false)
	return nil
}

// askStatus does one status exchange. Errors: the refusals.
func (h *Host) askStatus(ctx context.Context, id peers.ID) (Status, error) {
	raw, err := h.stream.Request(ctx, id, statusName, encodeStatus(h.status()))
	switch {
	case errors.Is(err, stream.ErrProtocol):
		return Status{}, fmt.Errorf("%w: the peer does not speak %s", ErrWrongNetwork, Prefix(h.cfg.ChainID))
	case errors.Is(err, stream.ErrRefused):
		return Status{}, named(err.Error())
	case err != nil:
		return Status{}, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	s, err := decodeStatus(raw)
	if err != nil {
		return Status{}, err
	}
	return s, judge(s, h.cfg.ChainID, h.cfg.MinVersion, nowMS())
}

// answerStatus is the handler of status/1.
func (h *Host) answerStatus(_ context.Context, from peers.ID, req []byte) ([]byte, error) {
	if h.book.Banned(from) {
		return nil, ErrBanned
	}
	s, err := decodeStatus(req)
	if err == nil {
		err = judge(s, h.cfg.ChainID, h.cfg.MinVersion, nowMS())
	}
	if err != nil {
		h.log.Info("peer refused", "peer", from, "reason", err)
		h.table.failed(from, err)
		return nil, err
	}
	h.settle(from, s, true)
	return encodeStatus(h.status()), nil
}

// settle takes a peer whose status was judged good.
func (h *Host) settle(id peers.ID, s Status, inbound bool) {
	p := Peer{ID: id, Status: s, Inbound: inbound}
	if len(s.Binding) > 0 && h.cfg.VerifyBinding != nil {
		if key, err := h.cfg.VerifyBinding(id, s.Binding); err == nil {
			p.Key = key
		} else {
			h.log.Info("validator binding refused", "peer", id, "reason", err)
		}
	}
	h.book.Seen(id, s.Listen)
	h.dialer.heard(s.Known)
	h.table.passed(p)
	h.bind(&p)
}

// status returns the own status as it is now.
func (h *Host) status() Status {
	s := h.cfg.Status()
	s.ChainID, s.Version, s.TimeMS = h.cfg.ChainID, h.cfg.Version, nowMS()
	s.Listen = h.Addrs()
	s.Known = nil
	for _, p := range h.table.list() {
		if a := peers.Widest(p.Status.Listen); a != "" && len(s.Known) < maxKnown {
			s.Known = append(s.Known, a)
		}
	}
	return s
}

// RequestStatus asks a peer that is up for its newest status; OnPeer sees it as
// PeerUpdate. Peers answer ten at once, then one per 10 s. Errors: the
// refusals, ErrHandshake around stream.ErrBusy.
func (h *Host) RequestStatus(ctx context.Context, id peers.ID) (Status, error) {
	s, err := h.askStatus(ctx, id)
	if err != nil {
		return Status{}, err
	}
	h.settle(id, s, false)
	return s, nil
}

// Connect dials a full address and waits until the handshake has passed. The
// address may be private in every profile. Errors: peers.ErrAddr, the refusals,
// the dial's error, the context's error.
func (h *Host) Connect(ctx context.Context, addr string) error {
	ai, err := peers.ParseAddr(addr)
	if err != nil {
		return err
	}
	h.gater.AllowStatic(ai.ID)
	ctx, cancel := context.WithTimeout(ctx, dialTimeout+statusDeadline)
	defer cancel()
	return h.dialer.connect(ctx, ai)
}

// Await blocks until at least n peers are up. Errors: the context's error.
func (h *Host) Await(ctx context.Context, n int) error {
	for {
		h.table.mu.Lock()
		some := h.table.any
		h.table.mu.Unlock()
		if len(h.table.list()) >= n {
			return nil
		}
		select {
		case <-some:
		case <-ctx.Done():
			return ctx.Err()
		case <-h.ctx.Done():
			return stream.ErrClosed
		}
	}
}

// spawn runs f on a goroutine that Close waits for; not after Close.
func (h *Host) spawn(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	h.wg.Go(f)
}

// retryAfter is d with ±25 % jitter, so that nodes do not dial in step.
func retryAfter(d time.Duration, r float64) time.Duration {
	return time.Duration(float64(d) * (0.75 + float64(r/2)))
}
