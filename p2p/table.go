// SPDX-License-Identifier: Apache-2.0

package p2p

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/openledger/openledger/p2p/peers"
)

// table holds one row per connected peer: its handshake and, once that passed,
// the peer. Events are queued under the lock and delivered by dispatch in the
// same order. Rows are as many as the resource manager allows connections.
type table struct {
	onPeer func(Event)

	mu     sync.Mutex
	rows   map[peers.ID]*row
	events []Event
	wake   chan struct{}
	any    chan struct{} // closed and replaced when a peer comes up
}

type row struct {
	done    chan struct{} // closed when the handshake passed or failed
	greeted bool          // this side has sent a status for it
	over    bool
	err     error // why it failed
	up      bool
	peer    Peer
}

func newTable(onPeer func(Event)) *table {
	return &table{onPeer: onPeer, rows: make(map[peers.ID]*row), wake: make(chan struct{}, 1), any: make(chan struct{})}
}

// connected makes sure that id has a row. If this side dialled, it reports
// whether the caller must now greet the peer: once per row.
func (t *table) connected(id peers.ID, outbound bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.row(id)
	if r.greeted || !outbound {
		return false
	}
	r.greeted = true
	return true
}

// row returns id's row, a fresh one if it has none or its handshake failed. The
// caller holds mu.
func (t *table) row(id peers.ID) *row {
	r := t.rows[id]
	if r == nil || (r.over && !r.up) {
		r = &row{done: make(chan struct{})}
		t.rows[id] = r
	}
	return r
}

// passed records a good status and emits PeerUp or PeerUpdate.
func (t *table) passed(p Peer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.row(p.ID)
	kind := PeerUpdate
	if !r.up {
		kind = PeerUp
		r.up, r.over = true, true
		close(r.done)
		close(t.any)
		t.any = make(chan struct{})
	} else {
		p.Inbound = r.peer.Inbound
	}
	r.peer = p
	t.emit(Event{Kind: kind, Peer: p})
}

// failed records why the handshake did not pass and reports whether that is
// news. A peer that is up stays up.
func (t *table) failed(id peers.ID, err error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.rows[id]
	if r == nil || r.over {
		return false
	}
	r.over, r.err = true, err
	close(r.done)
	return true
}

// gone drops the row after the last connection went and emits PeerDown.
func (t *table) gone(id peers.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.rows[id]
	if r == nil {
		return
	}
	delete(t.rows, id)
	if !r.over {
		r.over, r.err = true, fmt.Errorf("%w: connection lost", ErrHandshake)
		close(r.done)
	}
	if r.up {
		t.emit(Event{Kind: PeerDown, Peer: r.peer})
	}
}

// admit waits until id has passed its handshake. Errors: why it failed,
// ErrHandshake for a stranger, the context's error.
func (t *table) admit(ctx context.Context, id peers.ID) error {
	t.mu.Lock()
	r := t.rows[id]
	t.mu.Unlock()
	if r == nil {
		return fmt.Errorf("%w: not connected", ErrHandshake)
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.up {
		return nil
	}
	return r.err
}

func (t *table) get(id peers.ID) (Peer, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.rows[id]; r != nil && r.up {
		return r.peer, true
	}
	return Peer{}, false
}

func (t *table) list() []Peer {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []Peer
	for _, r := range t.rows {
		if r.up {
			out = append(out, r.peer)
		}
	}
	slices.SortFunc(out, func(a, b Peer) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return out
}

// emit queues an event; the caller holds mu.
func (t *table) emit(e Event) {
	t.events = append(t.events, e)
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// dispatch delivers events until ctx ends.
func (t *table) dispatch(ctx context.Context) {
	for {
		select {
		case <-t.wake:
		case <-ctx.Done():
			return
		}
		t.mu.Lock()
		list := t.events
		t.events = nil
		t.mu.Unlock()
		for _, e := range list {
			if t.onPeer != nil && ctx.Err() == nil {
				t.onPeer(e)
			}
		}
	}
}
