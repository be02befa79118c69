// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/openledger/openledger/p2p/peers"
)

// Errors of requests. A RemoteError carries what the peer answered.
var (
	// ErrProtocol reports a protocol that is not registered here or that the
	// peer does not speak.
	ErrProtocol = errors.New("protocol not spoken")
	// ErrBusy reports a peer that refused because of its rate limit; ask later
	// or ask another one.
	ErrBusy = errors.New("peer is busy")
	// ErrNotFound reports a peer that does not have what was asked for.
	ErrNotFound = errors.New("peer does not have it")
	// ErrRefused reports any other refusal by the peer's handler.
	ErrRefused = errors.New("peer refused")
	// ErrClosed reports a service that was closed.
	ErrClosed = errors.New("stream service closed")
)

// Handler answers one request. The request is fresh memory that the handler may
// keep. It calls send once per answer frame, each at most the protocol's bound;
// send blocks while the peer reads slowly and fails at the deadline. Returning
// ErrNotFound, ErrBusy or another error ends the answer with that refusal; the
// text of another error travels, cut to 200 bytes.
type Handler func(ctx context.Context, from peers.ID, req []byte, send func(frame []byte) error) error

// Unary makes a Handler of a function that answers with one frame.
func Unary(f func(ctx context.Context, from peers.ID, req []byte) ([]byte, error)) Handler {
	return func(ctx context.Context, from peers.ID, req []byte, send func([]byte) error) error {
		resp, err := f(ctx, from, req)
		if err != nil {
			return err
		}
		return send(resp)
	}
}

// Protocol describes one protocol: a row of the table of P2P-08. Exactly one of
// Handler and Session is set, or neither to only ask.
type Protocol struct {
	Name     string        // for example "blocks/1"
	MaxFrame int           // bytes of one answer or session frame, 1..MaxFrame
	MaxReq   int           // bytes of a request; 0 means MaxFrame
	MaxTotal int           // bytes of a whole answer; 0 means one MaxFrame
	Deadline time.Duration // of a whole exchange; for a session, of one read or write
	Rate     float64       // requests per second and peer
	Burst    int           // requests at once per peer
	Open     bool          // answered before the peer has passed admission (status only)
	Handler  Handler
	Session  func(ctx context.Context, from peers.ID, c *Conn) // owns the stream until it returns
}

// Config configures New.
type Config struct {
	Host   host.Host
	Prefix string // "/openledger/<X8>/"
	// Admit waits until the peer has passed the handshake and returns nil, or
	// returns why it did not; it must end with ctx. Nil admits everybody.
	Admit func(ctx context.Context, id peers.ID) error
	// Punish is told about peers that broke framing; may be nil.
	Punish func(id peers.ID, points float64)
}

// Service serves and asks protocols on one host. Safe for concurrent use.
type Service struct {
	cfg    Config
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	closed bool
	protos map[string]*registered
}

type registered struct {
	Protocol
	mu      sync.Mutex
	buckets map[peers.ID]*peers.Bucket
}

// New returns a service without protocols. Close ends it.
func New(cfg Config) *Service {
	ctx, cancel := context.WithCancel(context.Background())
	return &Service{cfg: cfg, ctx: ctx, cancel: cancel, protos: make(map[string]*registered)}
}

// Register adds p. Call it before the host listens. Errors: ErrProtocol if the
// name is taken or a bound is missing, ErrClosed.
func (s *Service) Register(p Protocol) error {
	if p.Name == "" || p.MaxFrame < 1 || p.MaxFrame > MaxFrame || p.Deadline <= 0 || p.Rate <= 0 || p.Burst < 1 ||
		(p.Handler != nil && p.Session != nil) {
		return fmt.Errorf("register %q: incomplete: %w", p.Name, ErrProtocol)
	}
	if p.MaxTotal < p.MaxFrame {
		p.MaxTotal = p.MaxFrame
	}
	if p.MaxReq <= 0 || p.MaxReq > p.MaxFrame {
		p.MaxReq = p.MaxFrame
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if s.protos[p.Name] != nil {
		return fmt.Errorf("register %q: twice: %w", p.Name, ErrProtocol)
	}
	r := &registered{Protocol: p, buckets: make(map[peers.ID]*peers.Bucket)}
	s.protos[p.Name] = r
	if p.Handler != nil || p.Session != nil {
		s.cfg.Host.SetStreamHandler(s.id(p.Name), func(st network.Stream) { s.accept(r, st) })
	}
	return nil
}

// Close refuses new streams, ends running handlers through their context and
// waits for them.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	for name := range s.protos {
		s.cfg.Host.RemoveStreamHandler(s.id(name))
	}
	s.mu.Unlock()
	s.cancel()
	s.wg.Wait()
}

func (s *Service) id(name string) protocol.ID { return protocol.ID(s.cfg.Prefix + name) }

// enter counts a goroutine of the service, unless it is closed.
func (s *Service) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.wg.Add(1)
	return true
}

func (s *Service) proto(name string) (*registered, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	r := s.protos[name]
	if r == nil {
		return nil, fmt.Errorf("%q is not registered: %w", name, ErrProtocol)
	}
	return r, nil
}

// maxBuckets is how many peers' buckets one protocol keeps.
const maxBuckets = 1024

// allow takes one request from the peer's bucket. Full buckets are forgotten
// when there are too many, so a stranger cannot grow the table.
func (r *registered) allow(id peers.ID, now time.Time) bool {
	r.mu.Lock()
	b := r.buckets[id]
	if b == nil {
		if len(r.buckets) >= maxBuckets {
			for k, v := range r.buckets {
				if v.Full(now) {
					delete(r.buckets, k)
				}
			}
		}
		if len(r.buckets) >= maxBuckets {
			r.mu.Unlock()
			return false
		}
		b = peers.NewBucket(r.Rate, float64(r.Burst), now)
		r.buckets[id] = b
	}
	r.mu.Unlock()
	return b.Take(1, now)
}
