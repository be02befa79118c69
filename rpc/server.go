// SPDX-License-Identifier: Apache-2.0

package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/creachadair/jrpc2"
	"github.com/creachadair/jrpc2/handler"

	"github.com/openledger/openledger/rpc/api"
)

// Limits at the edge (RPC-09).
const (
	MaxBody          = 1 << 20  // bytes of one request body
	MaxUpload        = 64 << 20 // bytes of one upload
	MaxBatch         = 100
	MaxResponse      = 8 << 20
	MaxConns         = 500
	MaxSubscriptions = 32
	handlerTimeout   = 60 * time.Second
)

// EventSource gives events of the ledger in order. Events returns those after
// the cursor, at most limit; Wait returns when an event after the cursor may
// exist or ctx ends.
type EventSource interface {
	Events(ctx context.Context, p api.EventsParams) (api.ChainEvents, error)
	Wait(ctx context.Context, after api.Cursor) error
}

// Blobs stores and reads content for the local user.
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
	Token       string // grants every permission; never logged
	CORSOrigins []string
	Hosts       []string // allowed Host names beside loopback
	Ready       func() error
	Log         *slog.Logger
}

// Server is the RPC endpoint of one node.
type Server struct {
	cfg      Config
	methods  map[string]method
	http     *http.Server
	listener net.Listener
	limits   *limiter
	quit     chan struct{} // closed by Close: streams end
	once     sync.Once
	streams  sync.WaitGroup
}

type method struct {
	api.Method
	call jrpc2.Handler
}

// New builds the server and opens its port; requests are answered after Start.
func New(cfg Config) (*Server, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, methods: map[string]method{}, limits: newLimiter(), quit: make(chan struct{})}
	for _, m := range api.Methods() {
		info, err := handler.Check(m.Bind(cfg.Backend))
		if err != nil {
			return nil, fmt.Errorf("method %s: %w", m.Name, err)
		}
		s.methods[m.Name] = method{m, info.AllowArray(true).SetStrict(true).Wrap()}
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("open RPC port: %w", err)
	}
	s.listener = &limitListener{Listener: l, free: make(chan struct{}, MaxConns)}
	s.http = &http.Server{Handler: s.routes(), ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout: 120 * time.Second, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug)}
	return s, nil
}

// Addr is the address the server listens on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Start answers requests in the background until Close.
func (s *Server) Start() {
	s.streams.Add(1)
	go func() {
		defer s.streams.Done()
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			s.cfg.Log.Error("rpc server stopped", "err", err)
		}
	}()
}

// Close stops accepting, ends streams and waits for requests in flight until
// ctx ends.
func (s *Server) Close(ctx context.Context) error {
	s.once.Do(func() { close(s.quit) })
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	s.listener.Close()
	s.streams.Wait()
	return err
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
	mux.HandleFunc("POST /upload", s.serveUpload)
	mux.HandleFunc("GET /blob/{id}", s.serveBlob)
	return s.guard(mux)
}

// limitListener refuses nothing; it waits while MaxConns are open.
type limitListener struct {
	net.Listener
	free chan struct{}
}

// Accept implements net.Listener.
func (l *limitListener) Accept() (net.Conn, error) {
	l.free <- struct{}{}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &limitConn{Conn: c, release: sync.OnceFunc(func() { <-l.free })}, nil
}

type limitConn struct {
	net.Conn
	release func()
}

// Close implements net.Conn.
func (c *limitConn) Close() error { defer c.release(); return c.Conn.Close() }
