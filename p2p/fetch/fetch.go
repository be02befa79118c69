// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/p2p/peers"
	"github.com/openledger/openledger/p2p/stream"
)

// Name is the protocol's name below /openledger/<X8>/.
const Name = "blob/1"

// Bounds of blob/1 (P2P-08, P2P-13, P2P-14).
const (
	maxFrame   = 128 << 10
	idle       = 30 * time.Second
	window     = 16 // requests outstanding per peer
	maxActive  = 4  // peers asked at once per blob
	maxFetches = 4  // blobs fetched at once
	maxTried   = 64 // providers considered per blob
	freeRate   = 8 << 20
	freeBurst  = 64 << 20
)

// Errors of Fetch.
var (
	// ErrNoProvider reports that no asked peer could deliver the whole blob.
	// What arrived stays on disk; another Fetch continues it.
	ErrNoProvider = errors.New("no peer could deliver the blob")
	// ErrSize reports a blob whose true size is not the expected one.
	ErrSize = errors.New("blob has another size than announced")
	// ErrWrong reports a peer that sent bytes that do not verify. Fetch goes on
	// with other peers; the error appears inside ErrNoProvider.
	ErrWrong = errors.New("peer sent wrong bytes")
	// ErrClosed reports a fetcher that was closed.
	ErrClosed = errors.New("fetcher closed")
)

// Config configures New.
type Config struct {
	Streams *stream.Service
	Store   *Store
	Book    *peers.Book
	// Peers returns further peers to ask after the named providers, for example
	// all connected ones; may be nil.
	Peers func() []peers.ID
	// Rate is what one peer may take from this node in bytes per second; 0 means
	// 8 MiB/s.
	Rate float64
	// Burst is what one peer may take at once in bytes; 0 means 64 MiB.
	Burst  float64
	Logger *slog.Logger
}

// Stats counts units since New.
type Stats struct {
	UnitsFetched uint64 // verified and written
	UnitsWrong   uint64 // refused
	UnitsServed  uint64
	BytesServed  uint64
}

// Fetcher fetches blobs into a store and serves the store's blobs to peers.
// Safe for concurrent use.
type Fetcher struct {
	cfg    Config
	ctx    context.Context
	cancel context.CancelFunc
	slots  chan struct{}

	fetched, wrong, served, bytes atomic.Uint64

	mu      sync.Mutex
	closed  bool
	wg      sync.WaitGroup
	running map[content.ID]*flight
	buckets map[peers.ID]*peers.Bucket
}

// flight is one running fetch that several callers wait for.
type flight struct {
	done chan struct{}
	err  error
}

// New registers blob/1 with the service and returns the fetcher.
func New(cfg Config) (*Fetcher, error) {
	if cfg.Rate <= 0 {
		cfg.Rate = freeRate
	}
	if cfg.Burst <= 0 {
		cfg.Burst = freeBurst
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &Fetcher{cfg: cfg, ctx: ctx, cancel: cancel, slots: make(chan struct{}, maxFetches),
		running: make(map[content.ID]*flight), buckets: make(map[peers.ID]*peers.Bucket)}
	err := cfg.Streams.Register(stream.Protocol{Name: Name, MaxFrame: maxFrame, Deadline: idle,
		Rate: 32, Burst: 256, Session: f.serve})
	if err != nil {
		cancel()
		return nil, err
	}
	return f, nil
}

// Fetch brings the blob into the store and returns nil once it is whole and
// verified; at once if it is there. size is the announced length in bytes, 0 if
// unknown. providers are asked first, then Config.Peers. progress, if not nil,
// is called on the caller's goroutine with bytes done and total. When several
// callers want one blob, one fetch runs with the first one's arguments.
// Errors: content.ErrID, ErrSize, ErrFull, ErrNoProvider, ErrClosed, the
// context's error. Spec: P2P-13, P2P-14.
func (f *Fetcher) Fetch(ctx context.Context, id content.ID, size uint64, providers []peers.ID, progress func(done, total uint64)) error {
	if err := id.Check(); err != nil {
		return err
	}
	for {
		if f.cfg.Store.Has(id) {
			return nil
		}
		fl, mine, err := f.join(id)
		if err != nil {
			return err
		}
		if mine {
			return f.lead(ctx, fl, id, size, providers, progress)
		}
		select {
		case <-fl.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if fl.err != nil && !errors.Is(fl.err, context.Canceled) && !errors.Is(fl.err, context.DeadlineExceeded) {
			return fl.err
		} // the other caller gave up: take over
	}
}

// join returns the running fetch of id, or starts one that the caller leads.
func (f *Fetcher) join(id content.ID) (*flight, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, false, ErrClosed
	}
	if fl := f.running[id]; fl != nil {
		return fl, false, nil
	}
	fl := &flight{done: make(chan struct{})}
	f.running[id] = fl
	f.wg.Add(1)
	return fl, true, nil
}

// lead runs the fetch and tells the callers that wait.
func (f *Fetcher) lead(ctx context.Context, fl *flight, id content.ID, size uint64, providers []peers.ID, progress func(done, total uint64)) error {
	defer f.wg.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(f.ctx, cancel)()
	select {
	case f.slots <- struct{}{}:
		fl.err = f.run(ctx, id, size, providers, progress)
		<-f.slots
	case <-ctx.Done():
		fl.err = ctx.Err()
	}
	if fl.err != nil && f.ctx.Err() != nil {
		fl.err = ErrClosed
	}
	if fl.err != nil {
		fl.err = fmt.Errorf("fetch %s: %w", id, fl.err)
	}
	f.mu.Lock()
	delete(f.running, id)
	f.mu.Unlock()
	close(fl.done)
	return fl.err
}

// Stats returns the counters.
func (f *Fetcher) Stats() Stats {
	return Stats{UnitsFetched: f.fetched.Load(), UnitsWrong: f.wrong.Load(),
		UnitsServed: f.served.Load(), BytesServed: f.bytes.Load()}
}

// Close ends running fetches, whose progress is kept on disk, and waits for
// them. Serving ends with the stream service.
func (f *Fetcher) Close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.cancel()
	f.wg.Wait()
}

// candidates returns whom to ask, in order, each once.
func (f *Fetcher) candidates(providers []peers.ID) []peers.ID {
	all := append([]peers.ID(nil), providers...)
	if f.cfg.Peers != nil {
		all = append(all, f.cfg.Peers()...)
	}
	seen := make(map[peers.ID]bool)
	var out []peers.ID
	for _, id := range all {
		if id != "" && !seen[id] && len(out) < maxTried {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}
