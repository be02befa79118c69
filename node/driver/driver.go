// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/evidence"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/node/clock"
)

const (
	inboxSize  = 8_192 // CONS-05
	bodiesSize = 256   // pushed batches that wait for a check: at most 16 MiB
	maxJoin    = 64    // inputs that share one sync (CONS-05)
	linkStart  = 1_000 // milliseconds of the clock, which starts with the process, until streams can be open
	syncEvery  = 64    // blocks between syncs of the database
	syncAfter  = 2_000 // milliseconds between syncs of the database
	workPoll   = 250   // milliseconds between looks for due work of the ledger, and at the streams

	segmentBytes = 16 << 20 // of the log after which a new segment is started
)

// Network sends to the other validators and asks them.
type Network interface {
	// Broadcast queues a frame for all other validators and does not block. own
	// marks frames with an own signature, which are dropped last.
	Broadcast(frame []byte, view uint64, own bool)
	// Linked lists the vote keys of the validators with whom there is a stream now.
	Linked() []keys.PublicKey
	// Ask sends a request to the validator with a vote key and hands each answer frame
	// to each.
	Ask(ctx context.Context, validator keys.PublicKey, protocol string, request []byte, each func(frame []byte) error) error
}

// Log is the write-ahead log (CONS-43).
type Log interface {
	Append(kind uint8, payload []byte) error
	Sync() error
	Segment() (uint64, error)
	Release(first uint64) error
}

// Pool gives transactions for own batches, and is told which stand in batches.
type Pool interface {
	// Select returns waiting transactions in no batch for a batch of at most
	// maxBytes. mine says whether this validator batches a gossiped transaction of
	// a sender that has waited so many milliseconds.
	Select(maxBytes int, height uint64, mine func(sender keys.Address, waited uint64) bool) []tx.Verified
	// Pending reports whether a transaction waits, in no batch, that a block could
	// include.
	Pending() bool
	// Hold and Release say that a batch with these transactions is held, and no
	// longer.
	Hold(txs []tx.Verified)
	Release(txs []tx.Verified)
	// Order lists the open batches that a block may have, in order, so that no
	// transaction comes before its sender's earlier ones; taken are those of its
	// undecided ancestors.
	Order(taken, open [][]tx.Verified) ([]int, error)
	// Alive reports whether any of these transactions still waits.
	Alive(txs []tx.Verified) bool
	// Weight returns what a batch weighs, and what a block may at most.
	Weight(txs []tx.Verified) (sum, most uint64)
}

// Config is what a Driver needs. Records and Batches come from the log.
type Config struct {
	Core    consensus.Config
	Records []consensus.Record
	Batches [][]byte
	// BlockBytes is the most that the encoded batches of a block take, the same for
	// all validators of the epoch: a leader puts in no more, and nobody votes for more.
	BlockBytes int
	Chain      *chain.Chain
	Pool       Pool
	// Verify checks the transactions of a batch; all or none.
	Verify  func(raw [][]byte) ([]tx.Verified, error)
	Net     Network
	WAL     Log
	Clock   clock.Clock
	Workers int // goroutines that check signatures; 0 means one per core
	Segment int // bytes of the log after which a new segment is started; 0 means 16 MiB
	// Catchup fetches final blocks above the head and gives them to commit in
	// order, until peers have no more. commit waits until they are committed.
	Catchup   func(ctx context.Context, commit func(context.Context, []*chain.Block) error) error
	Committed func(b *chain.Block) // called after each commit, on the executor
	// Accuse takes proof that other validators broke the rules (CONS-51). It is
	// called from several goroutines and must not block. Nil: faults are logged only.
	Accuse func([]evidence.Evidence)
	Log    *slog.Logger
}

// Driver owns one Core, and with it one validator epoch. Create it with New, run
// it with Run.
type Driver struct {
	cfg     Config
	core    *consensus.Core
	finder  *evidence.Finder
	votes   votes
	self    int
	log     *slog.Logger
	inbox   chan consensus.Event // full: producers wait, the loop never does
	raw     chan *msg.Message    // full: frames are dropped
	checks  chan *msg.Message    // full: frames are dropped
	bodies  chan *msg.Message    // full: batches are dropped, and pulled later
	queries chan func()
	wake    chan struct{}
	batches *batchStore
	exec    *executor
	fetches *fetcher
	wg      sync.WaitGroup

	// Of the goroutine of Run.
	deadline uint64 // monotonic ms of the core's timer, 0 for none
	poll     uint64 // monotonic ms of the next look for work
	closeAt  uint64 // monotonic ms at which an own batch is closed, 0 for none
	closed   uint64 // monotonic ms of the newest own batch
	pending  bool
	up       []bool // by validator: what the core was told of the stream to it
	seq      uint64 // of the newest own batch
	logged   uint64 // highest view in the log
	appended int    // bytes since the last log segment was started
	keep     uint64 // first log segment to keep once stable reaches keepView; 0: none planned
	keepView uint64

	left uint64 // monotonic ms since which others are known to be in a later epoch; 0: not

	stable    atomic.Uint64 // a core can be rooted at this view after a power loss
	overtaken atomic.Bool   // a frame of a later epoch has come
}

// New checks the configuration and builds the core. Errors: those of
// consensus.New.
func New(cfg Config) (*Driver, error) {
	set, err := cfg.Core.Set.Prepared()
	if err != nil {
		return nil, fmt.Errorf("consensus: %w", err)
	}
	cfg.Core.Set = set
	core, err := consensus.New(cfg.Core)
	if err != nil {
		return nil, fmt.Errorf("consensus: %w", err)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Segment == 0 {
		cfg.Segment = segmentBytes
	}
	if cfg.Workers == 0 {
		cfg.Workers = runtime.GOMAXPROCS(0)
	}
	d := &Driver{cfg: cfg, core: core, finder: evidence.NewFinder(cfg.Core.Set, cfg.Core.ChainID, cfg.Core.Seed, core.View()), log: cfg.Log, self: core.Self(),
		inbox: make(chan consensus.Event, inboxSize), raw: make(chan *msg.Message, inboxSize),
		checks: make(chan *msg.Message, inboxSize), bodies: make(chan *msg.Message, bodiesSize),
		queries: make(chan func(), 64), wake: make(chan struct{}, 1)}
	d.votes.seen = msg.NewVotes(cfg.Core.Set, cfg.Core.ChainID)
	d.batches = newBatchStore(&d.cfg)
	d.exec = newExecutor(d)
	d.fetches = newFetcher(d)
	d.restore()
	return d, nil
}

// restore takes in the log: the batches that records above the root name, and how
// much there is.
func (d *Driver) restore() {
	root := uint64(0) // the root of the epoch has the view of another one
	if r := &d.cfg.Core.Root.Header; r.Epoch == d.cfg.Core.Set.Epoch() {
		root = r.View
	}
	named := map[[32]byte]bool{}
	d.cfg.Records = slices.DeleteFunc(d.cfg.Records, func(r consensus.Record) bool { return r.Epoch != d.cfg.Core.Set.Epoch() })
	for _, r := range d.cfg.Records {
		d.logged = max(d.logged, r.View)
		d.appended += len(r.Data)
		if r.Kind != consensus.RecordBlock || r.View <= root {
			continue
		}
		if m, err := msg.Decode(r.Data); err == nil && m.Proposal != nil {
			for _, digest := range m.Proposal.Digests {
				named[digest] = true
			}
		}
	}
	for _, raw := range d.cfg.Batches {
		d.appended += len(raw)
		m, err := msg.Decode(raw)
		if err == nil && m.Batch != nil && named[m.Batch.Digest(d.cfg.Core.ChainID)] {
			d.batches.restore(raw)
		}
	}
	d.cfg.Batches = nil
}

// ErrLater reports a frame of a later epoch than the driver's.
var ErrLater = errors.New("message of a later epoch")

// Deliver takes one frame of a validator stream. It may be called from any
// goroutine; when the node is overloaded, frames are dropped, which the
// protocol's repetition heals (CONS-24). Errors: msg.ErrMalformed charges the peer;
// ErrLater: keep the frame for the driver of the next epoch. Somebody has seen
// the end of ours, so if it does not come here soon, it is fetched.
func (d *Driver) Deliver(frame []byte) error {
	m, err := msg.Decode(frame)
	if err != nil {
		return err
	}
	if m.Epoch() > d.cfg.Core.Set.Epoch() {
		d.overtaken.Store(true)
		return ErrLater
	}
	to := d.raw
	if m.Batch != nil {
		to = d.bodies
	}
	select {
	case to <- m:
	default:
	}
	return nil
}

// Wake says that the pool or the ledger's due work may have changed.
func (d *Driver) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Run drives the core until ctx ends or the seal of its epoch is committed and
// durable (both nil), or the node must stop (the reason). It is called once. After
// a seal the log holds nothing that is still needed.
func (d *Driver) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer d.batches.abandon() // a batch is of its epoch alone
	defer d.wg.Wait()
	defer cancel()
	for range d.cfg.Workers {
		d.spawn(func() { d.verifyLoop(ctx) })
	}
	d.spawn(func() { d.exec.run(ctx) })
	records := d.cfg.Records
	d.cfg.Records = nil
	if err := d.step(ctx, consensus.Restored{Records: records}); err != nil {
		return err
	}
	d.up = slices.Repeat([]bool{true}, d.cfg.Core.Set.Len()) // as the core takes it
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if err := d.due(ctx); err != nil {
			return err
		}
		d.arm(timer)
		var err error
		select {
		case <-ctx.Done():
			return nil
		case err := <-d.exec.failed:
			return err
		case <-d.exec.sealed:
			return d.forget()
		case m := <-d.raw:
			d.sort(m)
		case q := <-d.queries:
			q()
		case <-d.wake:
			err = d.checkWork(ctx)
		case ev := <-d.inbox:
			err = d.step(ctx, ev)
		case <-timer.C:
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

// due does what its time has come for, whatever else waits: the core's timer, a
// look for work, the log.
func (d *Driver) due(ctx context.Context) error {
	now := d.cfg.Clock.Now()
	if now >= d.poll {
		d.poll = now + workPoll
		if err := errors.Join(d.links(ctx), d.checkWork(ctx)); err != nil {
			return err
		}
	}
	if d.closeAt != 0 && now >= d.closeAt {
		if err := d.checkWork(ctx); err != nil {
			return err
		}
	}
	if d.deadline != 0 && now >= d.deadline {
		d.deadline = 0
		if err := d.step(ctx, consensus.Timer{}); err != nil {
			return err
		}
	}
	d.follow(ctx, now)
	return d.trim()
}

// follow fetches the end of the epoch that others have left, if it did not come by
// itself within Δ.
func (d *Driver) follow(ctx context.Context, now uint64) {
	switch {
	case !d.overtaken.Load():
	case d.left == 0:
		d.left = now
	case now >= d.left+d.cfg.Core.Params.DeltaMS:
		d.left = now
		d.fetches.sync(ctx)
	}
}

// forget lets go of the whole log: what it says is below the seal.
func (d *Driver) forget() error {
	next, err := d.cfg.WAL.Segment()
	if err != nil {
		return fmt.Errorf("start log segment: %w", err)
	}
	if err := d.cfg.WAL.Release(next); err != nil {
		return fmt.Errorf("release write-ahead log: %w", err)
	}
	return nil
}

// arm sets the timer to the next thing that due looks at.
func (d *Driver) arm(t *time.Timer) {
	at := d.poll
	if d.deadline != 0 {
		at = min(at, d.deadline)
	}
	if d.closeAt != 0 {
		at = min(at, d.closeAt)
	}
	t.Reset(time.Duration(at-min(at, d.cfg.Clock.Now())) * time.Millisecond)
}

// sort drops what the core does not want and sends the rest to the checkers.
func (d *Driver) sort(m *msg.Message) {
	if !d.core.Want(m) {
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
		case m := <-d.bodies:
			if err := d.batches.add(m); err != nil {
				d.log.Debug("batch refused", "err", err)
				continue
			}
			d.fetches.batchArrived()
			d.Wake()
		case m := <-d.checks:
			v, err := d.verify(m)
			if err != nil {
				d.log.Debug("message refused", "kind", m.Kind(), "err", err)
				d.suspect(ctx, m)
				continue
			}
			d.input(ctx, consensus.Message{Verified: v})
		}
	}
}

// input hands an event to the loop. The loop itself uses answer.
func (d *Driver) input(ctx context.Context, ev consensus.Event) {
	select {
	case d.inbox <- ev:
	case <-ctx.Done():
	}
}

// links tells the core which streams broke or opened since the last look
// (CONS-53).
func (d *Driver) links(ctx context.Context) error {
	if d.cfg.Clock.Now() < linkStart {
		return nil
	}
	set := d.cfg.Core.Set
	now := make([]bool, set.Len())
	for _, k := range d.cfg.Net.Linked() {
		if i := set.Index(k); i >= 0 {
			now[i] = true
		}
	}
	for i, up := range now {
		if i == d.self || up == d.up[i] {
			continue
		}
		d.up[i] = up
		if err := d.step(ctx, consensus.Link{Validator: i, Up: up}); err != nil {
			return err
		}
	}
	return nil
}

// checkWork closes an own batch when it is time, and tells the core whether a
// block is wanted (CONS-53).
func (d *Driver) checkWork(ctx context.Context) error {
	waiting := d.cfg.Pool.Pending()
	d.author(waiting)
	pending := waiting || d.batches.candidates() || d.cfg.Chain.Due(d.cfg.Clock.Wall())
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
			out.Join(d.one(next))
			continue
		default:
		}
		break
	}
	return d.act(ctx, out)
}

func (d *Driver) one(ev consensus.Event) consensus.Output {
	if m, ok := ev.(consensus.Message); ok && d.cfg.Accuse != nil {
		d.finder.Advance(d.core.View())
		d.accuse(d.finder.Add(m.Verified))
	}
	return d.core.Step(consensus.Input{Now: d.cfg.Clock.Now(), Wall: d.cfg.Clock.Wall(), Event: ev})
}

// suspect shows the finder a proposal that was refused: votes for it are faults
// if it was for its leaves (CONS-54).
func (d *Driver) suspect(ctx context.Context, m *msg.Message) {
	if m.Proposal != nil && d.cfg.Accuse != nil {
		d.call(ctx, func() { d.accuse(d.finder.Suspect(m.Proposal)) })
	}
}

// call runs f on the goroutine of the loop, some time.
func (d *Driver) call(ctx context.Context, f func()) {
	select {
	case d.queries <- f:
	case <-ctx.Done():
	}
}

// Query runs f where the core is stepped and waits for it; false if ctx ended.
func (d *Driver) Query(ctx context.Context, f func(*consensus.Core)) bool {
	done := make(chan struct{})
	d.call(ctx, func() { f(d.core); close(done) })
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}
