// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/p2p/peers"
	"github.com/openledger/openledger/p2p/stream"
)

// link is the connection to one validator: its queue, the peer id that the
// validator uses now, and at most one stream that is being served.
type link struct {
	m      *Mesh
	key    keys.PublicKey // vote key of the validator
	ctx    context.Context
	cancel context.CancelFunc
	queue  *queue

	mu      sync.Mutex
	id      peers.ID
	started bool          // the dialling goroutine runs
	changed chan struct{} // closed and replaced when id changes
	current *session
}

// session is one stream while it is served.
type session struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func newLink(m *Mesh, key keys.PublicKey) *link {
	l := &link{m: m, key: key, queue: newQueue(), changed: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancel(m.ctx)
	return l
}

// bind sets the peer id; it starts dialling if that is this side's job.
func (l *link) bind(id peers.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.id != id {
		l.id = id
		if l.current != nil {
			l.current.cancel()
		}
	}
	close(l.changed) // also wakes a back-off: the peer has just come up
	l.changed = make(chan struct{})
	if !l.started && l.ctx.Err() == nil {
		l.started = true
		l.m.wg.Add(1)
		go l.run()
	}
}

func (l *link) up() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current != nil
}

// run opens the stream whenever there is none, until the link ends. On the
// side with the higher id it only waits for a change of ids.
func (l *link) run() {
	defer l.m.wg.Done()
	back := backMin
	for l.ctx.Err() == nil {
		l.mu.Lock()
		id, changed := l.id, l.changed
		l.mu.Unlock()
		if l.m.cfg.Self < id {
			start := time.Now()
			if c, err := l.m.cfg.Service.Open(l.ctx, id, Name); err == nil {
				l.serve(l.ctx, c)
			}
			if time.Since(start) > backMax {
				back = backMin // it had worked for a while
			}
			if !l.wait(changed, back/2+rand.N(back)) {
				back = backMin
				continue
			}
			back = min(2*back, backMax)
			continue
		}
		l.wait(changed, 0)
	}
}

// wait blocks until d has passed (0: for ever) and returns true, or until the
// binding changed or the link ended and returns false.
func (l *link) wait(changed chan struct{}, d time.Duration) bool {
	var timeout <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		timeout = t.C
	}
	select {
	case <-timeout:
		return true
	case <-changed:
		return false
	case <-l.ctx.Done():
		return false
	}
}

// serve runs one stream until it breaks, ctx ends, or a newer stream replaces
// it. It closes the stream.
func (l *link) serve(ctx context.Context, c *stream.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	s := &session{cancel: cancel, done: make(chan struct{})}
	defer close(s.done)
	stop := context.AfterFunc(l.ctx, cancel)
	defer stop()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	defer cancel()

	l.mu.Lock()
	old := l.current
	l.current = s
	l.mu.Unlock()
	if old != nil {
		old.cancel()
		<-old.done
	}
	l.m.cfg.Logger.Debug("vote stream open", "validator", l.key)

	var writer sync.WaitGroup
	writer.Go(func() {
		defer cancel()
		l.write(ctx, c)
	})
	l.read(ctx, c)
	cancel()
	_ = c.Close()
	writer.Wait()

	l.mu.Lock()
	if l.current == s {
		l.current = nil
	}
	l.mu.Unlock()
	l.m.cfg.Logger.Debug("vote stream closed", "validator", l.key)
}

// write drains the queue into single writes. The ticker only keeps an idle
// stream alive; it never delays a frame.
func (l *link) write(ctx context.Context, c *stream.Conn) {
	ping := time.NewTicker(pingTime)
	defer ping.Stop()
	buf := make([]byte, 0, 4<<10)
	// The first write carries the protocol's negotiation, so an idle opener
	// must say something for the other side to see the stream.
	if c.Write(stream.AppendFrame(buf, nil)) != nil {
		return
	}
	for {
		buf = l.queue.drain(buf[:0])
		if len(buf) > 0 {
			if c.Write(buf) != nil {
				return
			}
			if cap(buf) > maxWrite {
				buf = make([]byte, 0, 4<<10)
			}
			continue
		}
		select {
		case <-l.queue.wake:
		case <-ping.C:
			if c.Write(stream.AppendFrame(buf[:0], nil)) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// read hands frames to OnFrame. Above the peer's rate it reads more slowly,
// which fills the peer's queue instead of ours.
func (l *link) read(ctx context.Context, c *stream.Conn) {
	rate := peers.NewBucket(inRate, inBurst, time.Now())
	for {
		f, err := c.ReadFrame()
		if err != nil || ctx.Err() != nil {
			return
		}
		if d := rate.Reserve(1, time.Now()); d > 0 {
			t := time.NewTimer(d)
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
				return
			}
		}
		if len(f) > 0 {
			l.m.cfg.OnFrame(l.key, f)
		}
	}
}
