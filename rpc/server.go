// SPDX-License-Identifier: Apache-2.0

package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/openledger/openledger/rpc/api"
)

// Limits at the edge (RPC-09).
const (
	MaxBody          = 1 << 20 // bytes of one request body
	MaxUpload        = 8 << 30 // bytes of one upload
	MaxBatch         = 100     // requests of one batch
	MaxDepth         = 32      // levels of nested JSON
	MaxResponse      = 8 << 20 // bytes of results in one response
	MaxConns         = 500     // open connections
	MaxConnsPerIP    = 20      // of them from one remote client
	MaxSubscriptions = 32      // per WebSocket connection
	MaxReads         = 64      // state reads at once
	MaxHeavy         = 4       // heavy calls at once
	maxInFlight      = 16      // messages of one WebSocket connection at once
)

// How long things may take.
const (
	waitRead     = 10 * time.Second // a state read, and the arrival of a body
	waitOther    = 60 * time.Second // any other call, and a whole batch
	waitHealth   = 5 * time.Second
	transferWait = 10 * time.Minute // the transfer of a blob
)

// EventSource gives events of the ledger in order. Events returns those after
// the cursor, at most p.Limit; a shorter page ends with the last event of its
// Next's height. Wait returns when an event above the cursor's height may exist
// or ctx ends.
type EventSource interface {
	Events(ctx context.Context, p api.EventsParams) (api.ChainEvents, error)
	Wait(ctx context.Context, after api.Cursor) error
}

// Blobs stores and reads content. ServeBlob gets an id that is well-formed.
type Blobs interface {
	PutBlob(ctx context.Context, r *http.Request) (id string, size int64, err error)
	ServeBlob(w http.ResponseWriter, r *http.Request, id string)
}

// Config is what a Server needs.
type Config struct {
	Listen      string // host:port
	Backend     api.Backend
	Events      EventSource
	Blobs       Blobs
	Token       string   // grants every permission; never logged
	CORSOrigins []string // web origins that may call
	Hosts       []string // allowed Host names beside localhost and addresses
	Ready       func() error
	Metrics     http.Handler // of GET /metrics; nil: there are none
	Log         *slog.Logger
}

// Server is the RPC endpoint of one node.
type Server struct {
	cfg          Config
	methods      map[string]api.Method
	openrpc      json.RawMessage
	http         *http.Server
	listener     *limitListener
	limits       *limiter
	reads, heavy chan struct{} // hold one value per running call
	timing       timing
	maxUpload    int64
	clock        func() time.Time // of the rate limits
	stopping     context.Context  // ended by Close: calls and streams end
	stop         context.CancelFunc
	running      sync.WaitGroup // the accept loop and the requests
	gate         sync.Mutex     // held while stopping ends and while running grows
}

// timing of streams; tests shorten it.
type timing struct {
	ping, idle  time.Duration // between signs of life
	slow, write time.Duration // a write that takes this long ends the stream; the connection
}

// New builds the server and opens its port; requests are answered after Start.
func New(cfg Config) (*Server, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, methods: map[string]api.Method{}, limits: newLimiter(), clock: time.Now, maxUpload: MaxUpload,
		reads: make(chan struct{}, MaxReads), heavy: make(chan struct{}, MaxHeavy),
		timing: timing{ping: 20 * time.Second, idle: 15 * time.Second, slow: 5 * time.Second, write: 10 * time.Second}}
	s.stopping, s.stop = context.WithCancel(context.Background())
	for _, m := range api.Methods() {
		s.methods[m.Name] = m
	}
	var err error
	if s.openrpc, err = json.Marshal(api.OpenRPC()); err != nil {
		return nil, fmt.Errorf("OpenRPC document: %w", err)
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("open RPC port: %w", err)
	}
	s.listener = newLimitListener(l, MaxConns, MaxConnsPerIP)
	s.http = &http.Server{Handler: s.routes(), ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout: 120 * time.Second, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return s.stopping },
		ErrorLog:    slog.NewLogLogger(cfg.Log.Handler(), slog.LevelWarn)}
	return s, nil
}

// Addr is the address the server listens on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Start answers requests in the background until Close.
func (s *Server) Start() {
	s.running.Go(func() {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			s.cfg.Log.Error("rpc server stopped", "err", err)
		}
	})
}

// closeGrace is how long Close lets callers read what they were answered.
const closeGrace = time.Second

// Close stops accepting, gives up running calls and streams, and waits until the
// last has returned or ctx ends: after a nil error nothing calls the backend.
func (s *Server) Close(ctx context.Context) error {
	s.gate.Lock()
	s.stop()
	s.gate.Unlock()
	grace, cancel := context.WithTimeout(ctx, closeGrace)
	defer cancel()
	if s.http.Shutdown(grace) != nil { // who is left has sent nothing, or reads nothing
		_ = s.http.Close()
	}
	s.listener.Close()
	done := make(chan struct{})
	go func() { s.running.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// begin counts a request as running; false if the server stops.
func (s *Server) begin() bool {
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.stopping.Err() != nil {
		return false
	}
	s.running.Add(1)
	return true
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /rpc", s.serveRPC)
	mux.HandleFunc("GET /rpc", s.serveHelp)
	mux.HandleFunc("POST /{$}", s.serveRPC)
	mux.HandleFunc("GET /ws", s.serveWebSocket)
	mux.HandleFunc("GET /events", s.serveSSE)
	mux.HandleFunc("GET /openrpc.json", s.serveOpenRPC)
	mux.HandleFunc("GET /healthz", s.serveHealth)
	mux.HandleFunc("GET /readyz", s.serveReady)
	if s.cfg.Metrics != nil {
		mux.Handle("GET /metrics", s.cfg.Metrics)
	}
	mux.HandleFunc("POST /upload", s.serveUpload)
	mux.HandleFunc("GET /blob/{id}", s.serveBlob)
	return s.guard(mux)
}
