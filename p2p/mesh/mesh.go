// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/p2p/peers"
	"github.com/openledger/openledger/p2p/stream"
)

// Name is the protocol's name below /openledger/<X8>/.
const Name = "vote/1"

const (
	idle     = 60 * time.Second // silence that ends a stream (P2P-08)
	pingTime = 20 * time.Second // an idle writer sends an empty frame
	inRate   = 2000.0           // incoming frames per second and validator
	inBurst  = 8000.0           // incoming frames at once
	backMin  = 100 * time.Millisecond
	backMax  = 5 * time.Second
)

// Errors of Send.
var (
	// ErrFrame reports an empty or oversized frame.
	ErrFrame = errors.New("bad vote frame")
	// ErrMember reports a key that is no other member of the set.
	ErrMember = errors.New("no such validator")
)

// Config configures New.
type Config struct {
	Service *stream.Service
	Self    peers.ID // own peer id
	// OnFrame takes each incoming frame, fresh memory it may keep. It runs on
	// the sender's own goroutine: blocking it slows that sender down. Nil: this
	// node never is a validator.
	OnFrame func(from keys.PublicKey, frame []byte)
	Logger  *slog.Logger
}

// Mesh is the set of validator links. Safe for concurrent use.
type Mesh struct {
	cfg    Config
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu    sync.Mutex
	links map[keys.PublicKey]*link // to the other members
	list  []*link                  // the same, replaced as a whole
	index map[peers.ID]*link
}

// New registers vote/1 with the service and returns a mesh without members: it
// refuses everything and sends nothing until SetMembers.
func New(cfg Config) (*Mesh, error) {
	ctx, cancel := context.WithCancel(context.Background())
	m := &Mesh{cfg: cfg, ctx: ctx, cancel: cancel, links: map[keys.PublicKey]*link{}, index: map[peers.ID]*link{}}
	if cfg.Logger == nil {
		m.cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.OnFrame == nil {
		return m, nil
	}
	err := cfg.Service.Register(stream.Protocol{Name: Name, MaxFrame: MaxFrame, Deadline: idle,
		Rate: 1, Burst: 20, Session: m.accept})
	if err != nil {
		cancel()
		return nil, err
	}
	return m, nil
}

// SetMembers replaces the validators between whom streams are kept, by vote key
// (CONS-39). Links of those who stay live on with their queues, those of leavers
// end. If own is not among them, or this mesh has no OnFrame, there are none.
func (m *Mesh) SetMembers(own keys.PublicKey, members []keys.PublicKey) {
	if m.cfg.OnFrame == nil || !slices.Contains(members, own) {
		members = nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.links
	m.links, m.list = map[keys.PublicKey]*link{}, nil
	for _, k := range members {
		if k == own {
			continue
		}
		l := old[k]
		if delete(old, k); l == nil {
			l = newLink(m, k)
		}
		m.links[k], m.list = l, append(m.list, l)
	}
	for _, l := range old {
		l.cancel()
		maps.DeleteFunc(m.index, func(_ peers.ID, x *link) bool { return x == l })
	}
}

// Bind says that the validator with that vote key is now reached as peer id; a
// later call for the same key replaces it, and one for no other member does
// nothing. The host calls it after a verified handshake.
func (m *Mesh) Bind(key keys.PublicKey, id peers.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.links[key]
	if l == nil || id == m.cfg.Self {
		return
	}
	maps.DeleteFunc(m.index, func(old peers.ID, x *link) bool { return x == l && old != id })
	m.index[id] = l
	l.bind(id)
}

// Send queues f for one validator and returns at once. Errors: ErrFrame,
// ErrMember. An error-free return promises no delivery.
func (m *Mesh) Send(to keys.PublicKey, f Frame) error {
	if err := f.check(); err != nil {
		return err
	}
	m.mu.Lock()
	l := m.links[to]
	m.mu.Unlock()
	if l == nil {
		return fmt.Errorf("%v: %w", to, ErrMember)
	}
	l.queue.push(f)
	return nil
}

// Broadcast queues f for every other validator. Errors: ErrFrame.
func (m *Mesh) Broadcast(f Frame) error {
	if err := f.check(); err != nil {
		return err
	}
	for _, l := range m.others() {
		l.queue.push(f)
	}
	return nil
}

func (f *Frame) check() error {
	if len(f.Data) == 0 || len(f.Data) > MaxFrame {
		return fmt.Errorf("%d bytes: %w", len(f.Data), ErrFrame)
	}
	return nil
}

// others returns the links as they are now.
func (m *Mesh) others() []*link {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.list
}

// Connected returns the validators with an open stream, in the order of
// SetMembers.
func (m *Mesh) Connected() []keys.PublicKey {
	var out []keys.PublicKey
	for _, l := range m.others() {
		if l.up() {
			out = append(out, l.key)
		}
	}
	return out
}

// Dropped returns how many frames the present queues have evicted, for metrics.
func (m *Mesh) Dropped() uint64 {
	var n uint64
	for _, l := range m.others() {
		l.queue.mu.Lock()
		n += l.queue.dropped
		l.queue.mu.Unlock()
	}
	return n
}

// Close ends all streams and waits for their goroutines.
func (m *Mesh) Close() {
	m.cancel()
	m.wg.Wait()
}

// accept is the session of an incoming vote/1 stream.
func (m *Mesh) accept(ctx context.Context, from peers.ID, c *stream.Conn) {
	m.mu.Lock()
	l := m.index[from]
	m.mu.Unlock()
	if l == nil || from >= m.cfg.Self {
		m.cfg.Logger.Debug("vote stream refused", "peer", from, "bound", l != nil)
		_ = c.Close()
		return
	}
	l.serve(ctx, c)
}
