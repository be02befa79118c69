// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

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
	// ErrIndex reports a validator index outside the set, or the own one.
	ErrIndex = errors.New("no such validator")
)

// Config configures New.
type Config struct {
	Service *stream.Service
	Self    peers.ID // own peer id
	Index   int      // own validator index; negative: this node is no validator
	Count   int      // validators in the set
	// OnFrame takes each incoming frame, fresh memory it may keep. It runs on
	// the sender's own goroutine: blocking it slows that sender down.
	OnFrame func(from int, frame []byte)
	Logger  *slog.Logger
}

// Mesh is the set of validator links. Safe for concurrent use.
type Mesh struct {
	cfg    Config
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	links  []*link // by validator index; nil at the own one

	mu    sync.Mutex
	index map[peers.ID]int
}

// New registers vote/1 with the service and returns the mesh. A node that is no
// validator gets a mesh that refuses everything and sends nothing.
func New(cfg Config) (*Mesh, error) {
	ctx, cancel := context.WithCancel(context.Background())
	m := &Mesh{cfg: cfg, ctx: ctx, cancel: cancel, index: make(map[peers.ID]int)}
	if cfg.Logger == nil {
		m.cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Index < 0 {
		return m, nil
	}
	if cfg.Index >= cfg.Count || cfg.OnFrame == nil {
		cancel()
		return nil, fmt.Errorf("validator %d of %d: %w", cfg.Index, cfg.Count, ErrIndex)
	}
	err := cfg.Service.Register(stream.Protocol{Name: Name, MaxFrame: MaxFrame, Deadline: idle,
		Rate: 1, Burst: 20, Session: m.accept})
	if err != nil {
		cancel()
		return nil, err
	}
	m.links = make([]*link, cfg.Count)
	for i := range m.links {
		if i != cfg.Index {
			m.links[i] = newLink(m, i)
		}
	}
	return m, nil
}

// Bind says that validator index is now reached as peer id; a later call for
// the same index replaces it. The host calls it after a verified handshake.
func (m *Mesh) Bind(index int, id peers.ID) {
	if index < 0 || index >= len(m.links) || m.links[index] == nil || id == m.cfg.Self {
		return
	}
	m.mu.Lock()
	for k, v := range m.index {
		if v == index && k != id {
			delete(m.index, k)
		}
	}
	m.index[id] = index
	m.mu.Unlock()
	m.links[index].bind(id)
}

// Send queues f for one validator and returns at once. Errors: ErrFrame,
// ErrIndex. An error-free return promises no delivery.
func (m *Mesh) Send(to int, f Frame) error {
	if len(f.Data) == 0 || len(f.Data) > MaxFrame {
		return fmt.Errorf("%d bytes: %w", len(f.Data), ErrFrame)
	}
	if to < 0 || to >= len(m.links) || m.links[to] == nil {
		return fmt.Errorf("validator %d: %w", to, ErrIndex)
	}
	m.links[to].queue.push(f)
	return nil
}

// Broadcast queues f for every other validator. Errors: ErrFrame.
func (m *Mesh) Broadcast(f Frame) error {
	if len(f.Data) == 0 || len(f.Data) > MaxFrame {
		return fmt.Errorf("%d bytes: %w", len(f.Data), ErrFrame)
	}
	for _, l := range m.links {
		if l != nil {
			l.queue.push(f)
		}
	}
	return nil
}

// Connected returns the indices of validators with an open stream, ascending.
func (m *Mesh) Connected() []int {
	var out []int
	for i, l := range m.links {
		if l != nil && l.up() {
			out = append(out, i)
		}
	}
	return out
}

// Dropped returns how many frames all queues have evicted, for metrics.
func (m *Mesh) Dropped() uint64 {
	var n uint64
	for _, l := range m.links {
		if l != nil {
			l.queue.mu.Lock()
			n += l.queue.dropped
			l.queue.mu.Unlock()
		}
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
	i, ok := m.index[from]
	m.mu.Unlock()
	if !ok || from >= m.cfg.Self {
		m.cfg.Logger.Debug("vote stream refused", "peer", from, "bound", ok)
		_ = c.Close()
		return
	}
	m.links[i].serve(ctx, c)
}
