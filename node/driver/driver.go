// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/node/clock"
)

const (
	inboxSize = 8_192 // CONS-05
	maxJoin   = 64    // inputs that share one sync (CONS-05)
	syncEvery = 64    // blocks between syncs of the database
	syncAfter = 2_000 // milliseconds between syncs of the database

	segmentBlocks = 1_024 // blocks of one log segment
)

// Network sends to the other validators and asks them.
type Network interface {
	// Broadcast queues a frame for all other validators and does not block. own
	// marks frames with an own signature, which are dropped last.
	Broadcast(frame []byte, view uint64, own bool)
	// Ask sends a request to one validator and hands each answer frame to each.
	Ask(ctx context.Context, validator int, protocol string, request []byte, each func(frame []byte) error) error
}

// Log is the write-ahead log (CONS-43).
type Log interface {
	Append(kind uint8, payload []byte) error
	Sync() error
	Segment() (uint64, error)
	Release(first uint64) error
}

// Pool gives transactions for own blocks.
type Pool interface {
	// Select returns pending transactions of at most maxBytes, in an order that
	// may be executed, without those of taken.
	Select(maxBytes int, taken func(id [32]byte) bool) [][]byte
	// Pending reports whether there is any.
	Pending() bool
}

// Config is what a Driver needs. Records and Batches come from the log.
type Config struct {
	Core    consensus.Config
	Records []consensus.Record
	Batches [][]byte
	Chain   *chain.Chain
	Pool    Pool
	// Verify checks the transactions of a batch; all or none.
	Verify    func(raw [][]byte) ([]tx.Verified, error)
	Net       Network
	WAL       Log
	Clock     clock.Clock
	Workers   int // goroutines that check signatures; 0 means one per core
	Catchup   func(ctx context.Context) (consensus.Root, error)
	Committed func(b *chain.Block) // called after each commit, on the executor
	Log       *slog.Logger
}

// Driver owns one Core. Create it with New, run it with Run.
type Driver struct {
	cfg     Config
	core    *consensus.Core
	self    int
	log     *slog.Logger
	inbox   chan consensus.Event
	raw     chan *msg.Message
	checks  chan *msg.Message
	queries chan func()
	batches *batchStore
	exec    *executor
	fetches *fetcher

	deadline uint64
	pending  bool
	seq      uint64
	logged   atomic.Uint64 // highest view in the log
	wg       sync.WaitGroup
}

// New checks the configuration and builds the core. Errors: those of
// consensus.New.
func New(cfg Config) (*Driver, error) {
	core, err := consensus.New(cfg.Core)
	if err != nil {
		return nil, fmt.Errorf("consensus: %w", err)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Workers == 0 {
		cfg.Workers = runtime.GOMAXPROCS(0)
	}
	d := &Driver{cfg: cfg, core: core, log: cfg.Log, self: -1,
		inbox: make(chan consensus.Event, inboxSize), raw: make(chan *msg.Message, inboxSize),
		checks: make(chan *msg.Message, inboxSize), queries: make(chan func(), 64)}
	if !cfg.Core.Key.IsZero() {
		d.self = cfg.Core.Set.Index(cfg.Core.Key.Public())
	}
	d.batches = newBatchStore(cfg.Core.ChainID, cfg.Core.Set, cfg.Verify)
	for _, b := range cfg.Batches {
		d.batches.restore(b)
	}
	d.exec = newExecutor(d)
	d.fetches = newFetcher(d)
	return d, nil
}

// Deliver takes one frame of a validator stream. It may be called from any
// goroutine; when the node is overloaded, frames are dropped, which the
// protocol's repetition heals (CONS-24). Errors: msg.ErrMalformed charges the peer.
func (d *Driver) Deliver(frame []byte) error {
	m, err := msg.Decode(frame)
	if err != nil {
		return err
	}
	select {
	case d.raw <- m:
	default:
	}
	return nil
}

// Wake says that the pool or the ledger's due work may have changed.
func (d *Driver) Wake() {
	select {
	case d.queries <- func() {}:
	default:
	}
}

// Run drives the core until ctx ends (nil) or the node must stop (the reason).
func (d *Driver) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer d.wg.Wait()
	defer cancel()
	for range d.cfg.Workers {
		d.spawn(func() { d.verifyLoop(ctx) })
	}
	d.spawn(func() { d.exec.run(ctx) })
	if err := d.step(ctx, consensus.Restored{Records: d.cfg.Records}); err != nil {
		return err
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		d.arm(timer)
		var err error
		select {
		case <-ctx.Done():
			return nil
		case err := <-d.exec.failed:
			return err
		case m := <-d.raw:
			d.sort(m)
		case q := <-d.queries:
			q()
			err = d.checkWork(ctx)
		case ev := <-d.inbox:
			err = d.step(ctx, ev)
		case <-timer.C:
			err = d.onTimer(ctx)
		}
		if err != nil {
			return err
		}
	}
}

func (d *Driver) spawn(f func()) {
	d.wg.Add(1)
	go func() { defer d.wg.Done(); f() }()
}

// sort drops what the core does not want and sends the rest to the checkers.
func (d *Driver) sort(m *msg.Message) {
	if m.Batch == nil && !d.core.Want(m) {
		return
	}
	select {
	case d.checks <- m:
	default:
	}
}

// verifyLoop checks signatures beside the core (CONS-05).
func (d *Driver) verifyLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-d.checks:
			if m.Batch != nil {
				if err := d.batches.add(m.Batch); err != nil {
					d.log.Debug("batch refused", "err", err)
				}
				d.fetches.batchArrived()
				continue
			}
			v, err := msg.Verify(d.cfg.Core.Set, d.cfg.Core.ChainID, m)
			if err != nil {
				d.log.Debug("message refused", "kind", m.Kind(), "err", err)
				continue
			}
			d.input(ctx, consensus.Message{Verified: v})
		}
	}
}

// input hands an event to the loop.
func (d *Driver) input(ctx context.Context, ev consensus.Event) {
	select {
	case d.inbox <- ev:
	case <-ctx.Done():
	}
}

// arm sets the timer to the core's deadline or the next look at due work.
func (d *Driver) arm(t *time.Timer) {
	wait := uint64(workPoll)
	if now := d.cfg.Clock.Now(); d.deadline != 0 {
		wait = min(wait, max(d.deadline, now)-now)
	}
	t.Reset(time.Duration(wait) * time.Millisecond)
}

// workPoll is how often, in milliseconds, due work of the ledger is looked for.
const workPoll = 250

func (d *Driver) onTimer(ctx context.Context) error {
	if err := d.checkWork(ctx); err != nil {
		return err
	}
	if d.deadline != 0 && d.cfg.Clock.Now() >= d.deadline {
		d.deadline = 0
		return d.step(ctx, consensus.Timer{})
	}
	return nil
}

// checkWork tells the core whether a block is wanted (CONS-53).
func (d *Driver) checkWork(ctx context.Context) error {
	pending := d.cfg.Pool.Pending() || d.cfg.Chain.Due(d.cfg.Clock.Wall())
	if pending == d.pending {
		return nil
	}
	d.pending = pending
	return d.step(ctx, consensus.Work{Pending: pending})
}

// step feeds ev and up to maxJoin waiting events and acts once on the joined
// output.
func (d *Driver) step(ctx context.Context, ev consensus.Event) error {
	out := d.one(ev)
	for range maxJoin - 1 {
		if out.Err != nil {
			break
		}
		select {
		case next := <-d.inbox:
			join(&out, d.one(next))
			continue
		default:
		}
		break
	}
	return d.act(ctx, out)
}

func (d *Driver) one(ev consensus.Event) consensus.Output {
	return d.core.Step(consensus.Input{Now: d.cfg.Clock.Now(), Wall: d.cfg.Clock.Wall(), Event: ev})
}

// join appends b to a: the lists in order, one sync for both.
func join(a *consensus.Output, b consensus.Output) {
	a.Err = b.Err
	a.Relay = append(a.Relay, b.Relay...)
	a.Append = append(a.Append, b.Append...)
	a.Sync = a.Sync || b.Sync
	a.Send = append(a.Send, b.Send...)
	a.Deadline = b.Deadline
	a.Requests = append(a.Requests, b.Requests...)
	a.Decide = append(a.Decide, b.Decide...)
	a.Evidence = append(a.Evidence, b.Evidence...)
}

// Query runs f where the core is stepped and waits for it; false if ctx ended.
func (d *Driver) Query(ctx context.Context, f func(*consensus.Core)) bool {
	done := make(chan struct{})
	select {
	case d.queries <- func() { f(d.core); close(done) }:
	case <-ctx.Done():
		return false
	}
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// blockName shortens a hash for logs.
func blockName(h header.Hash) string { return fmt.Sprintf("%x", h[:4]) }
