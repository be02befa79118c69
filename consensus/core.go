// SPDX-License-Identifier: Apache-2.0

package consensus

import (
	"errors"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
)

// Bounds of what a core holds (I13-bounded).
const (
	futureViews = 256 // votes further ahead are dropped
	viewBlocks  = 2   // uncertified proposals of one view
	keepDecided = 64  // final blocks kept for peers that ask for a proposal
	syncGap     = 16  // missing blocks from which on the driver syncs
	silentViews = 10  // a leader unheard for so many views is nullified on entry
	resendCerts = 16  // newest certificates in a resend
	resendMS    = 1_000
	roomViews   = 16 // views whose memory is taken at once
)

// ErrConfig reports a Config that contradicts itself.
var ErrConfig = errors.New("invalid consensus configuration")

// Core is the Simplex state machine of one validator, or of an observer, in one
// epoch. It does no I/O and belongs to one goroutine. Its memory is bounded by
// the number of views since the last final block.
type Core struct {
	cfg    Config
	rules  header.Rules
	sched  *valset.Schedule
	n      int
	self   int // set index, -1 for an observer
	quorum uint64

	now, wall uint64
	out       Output
	started   bool
	restoring bool
	dirty     bool

	root     *block            // last final block
	rootCert *cert.Certificate // what a child of root names as leaf 0; nil at genesis
	newest   *cert.Certificate // newest Finalization seen
	blocks   map[header.Hash]*block
	views    map[uint64]*view
	room     []view   // made and not used yet
	chosen   []uint64 // views above root with a Notarization or Finalization, ascending
	decided  []*block // ring of the last final blocks

	cur      uint64 // current view
	entered  uint64 // Now of entering cur
	woke     uint64 // Now since which timers of cur run; 0 = asleep
	delta    uint64
	work     bool
	beat     uint64   // Now of the last certified block
	start    uint64   // Now of the start of the newest block
	building uint64   // view for which a Build is out
	heard    []uint64 // by validator: newest view it signed something of
	gone     []bool   // by validator: the stream to it is broken
	resendAt uint64
	retryAt  uint64 // Now of asking again for what did not come; 0 = nothing is missing
	waitAt   uint64 // Now at which a rule that waits for the clock may fire; 0 = none
	behind   uint64 // Now since which a Finalization waits for missing blocks; 0 = none
	far      bool   // ... and too many of them: sync instead of fetching
	syncing  bool   // Sync was requested
	done     bool   // the seal of the epoch is decided
	certsFor uint64 // view for which FetchCert was requested since the last resend
}

// New returns a core at its root. The first input must be Restored. Errors:
// ErrConfig, and those of cert.VerifyFinalization for a root within the epoch.
func New(cfg Config) (*Core, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	set, err := cfg.Set.Prepared()
	if err != nil {
		return nil, err
	}
	cfg.Set = set
	c := &Core{
		cfg: cfg, n: set.Len(), self: -1, quorum: set.Quorum(), delta: cfg.Params.DeltaMS,
		sched: valset.NewSchedule(set, cfg.Seed), heard: make([]uint64, set.Len()), gone: make([]bool, set.Len()),
		blocks: map[header.Hash]*block{}, views: map[uint64]*view{},
		rules: header.Rules{
			Epoch: set.Epoch(), StartMS: cfg.Start.Header.TimeMS, EpochMS: cfg.Params.EpochMS, CertifyMS: cfg.Params.CertifyMS,
			Aggregates: set.Aggregates(), Draws: set.Draws(),
		},
	}
	if broken(mutSmallQuorum) {
		c.quorum = (set.Total()*2 + 2) / 3
	}
	if !cfg.Key.IsZero() {
		c.self = set.Index(cfg.Key.Public())
	}
	c.root = rootBlock(&cfg.Root)
	if cfg.Root.starts(set.Epoch()) {
		c.root.view = 0
	} else {
		c.rootCert, c.newest = cfg.Root.Finalization, cfg.Root.Finalization
	}
	c.cur = c.root.view + 1
	return c, nil
}

func rootBlock(r *Root) *block {
	return &block{
		hash: r.Header.Hash(), head: r.Header, view: r.Header.View, law: good, held: true, executed: true, running: true,
		state: r.StateRoot, receipts: r.ReceiptsRoot, next: r.NextSet, waiting: r.Waiting, recorded: true, asked: true,
	}
}

// Step advances the core by one input. It must be called from one goroutine,
// with Restored first and Now never falling. The caller handles the fields of
// Output in declaration order; a message sent before its record is on disk can
// make the key sign twice after a crash. After an Output with Err every later
// Step returns nothing. Cost: microseconds, but for the signature of an own
// vote (CONS-04, CONS-43).
func (c *Core) Step(in Input) Output {
	if c.out.Err != nil {
		return Output{}
	}
	c.out = Output{}
	c.now, c.wall = max(c.now, in.Now), in.Wall
	if r, ok := in.Event.(Restored); ok == c.started {
		c.fail(ErrOrder)
	} else if ok {
		c.restore(r.Records)
	} else {
		c.handle(in.Event)
	}
	for c.dirty && c.out.Err == nil && !c.done {
		c.dirty = false
		c.advance()
	}
	if c.out.Err != nil {
		return Output{Err: c.out.Err}
	}
	if !c.done {
		c.out.Deadline = c.deadline()
	}
	return c.out
}

func (c *Core) handle(e Event) {
	if c.done {
		return // the next core goes on
	}
	switch e := e.(type) {
	case Message:
		c.onMessage(e.Verified)
	case Timer:
		c.dirty = true
	case Work:
		c.dirty = c.dirty || c.work != e.Pending
		c.work = e.Pending
	case Link:
		c.onLink(e)
	case Built:
		c.onBuilt(e)
	case Available:
		if b := c.blocks[e.Block]; b != nil && !b.held && !b.invalid {
			b.held, b.invalid, c.dirty = e.Valid, !e.Valid, true
		}
	case Executed:
		if b := c.blocks[e.Block]; b != nil && b.running && !b.executed {
			b.executed, b.state, b.receipts, b.next, b.waiting = true, e.StateRoot, e.ReceiptsRoot, e.NextSet, e.Waiting
			c.dirty = true
		}
	case Synced:
		c.onSynced(&e.Root)
	}
}

// advance applies every rule once, in an order in which each sees what those
// before it did.
func (c *Core) advance() {
	c.waitAt = 0
	if c.decide(); c.done {
		return
	}
	c.voteFinalize()
	c.voteNotarize()
	c.propose()
	c.timeouts()
	c.resend()
	c.request()
}

func (c *Core) fail(err error) {
	if c.out.Err == nil {
		c.out.Err = err
	}
}

// View returns the current view.
func (c *Core) View() uint64 { return c.cur }

// Sealed reports whether the seal of the epoch was decided or synced: the core
// takes no more inputs, and the next one starts from the seal (CONS-40).
func (c *Core) Sealed() bool { return c.done }

// Self returns the index of the own key in the set, -1 for an observer.
func (c *Core) Self() int { return c.self }

// Leader returns the set index of the leader of a view.
func (c *Core) Leader(view uint64) int { return c.sched.Leader(view) }

// Root returns the last final block that was decided or synced. Do not change
// the header.
func (c *Core) Root() (header.Hash, *header.Header) { return c.root.hash, &c.root.head }

// at returns the state of a view above the root, made on first use.
func (c *Core) at(v uint64) *view {
	w := c.views[v]
	if w == nil {
		if len(c.room) == 0 {
			c.room = newViews(roomViews, c.n)
		}
		w, c.room = &c.room[0], c.room[1:]
		c.views[v] = w
	}
	return w
}

// find returns a known block, the root included.
func (c *Core) find(h header.Hash) *block {
	if h == c.root.hash {
		return c.root
	}
	return c.blocks[h]
}

// wait remembers the earliest time at which a waiting rule may fire.
func (c *Core) wait(at uint64) {
	if c.waitAt == 0 || at < c.waitAt {
		c.waitAt = at
	}
}

// Stats says how much a core holds.
type Stats struct {
	Views  int    // views above the root with any state
	Stray  int    // of which so many are more than 256 ahead of the current one
	Blocks int    // undecided blocks
	Votes  int    // votes not yet joined into a certificate
	Delta  uint64 // Δ in milliseconds
}

// Stats counts what the core holds. Cost: one look-up per view from the root
// to 256 above the current one.
func (c *Core) Stats() Stats {
	st := Stats{Stray: len(c.views), Views: len(c.views), Blocks: len(c.blocks), Delta: c.delta}
	for v := c.root.view + 1; v <= c.cur+futureViews; v++ {
		if w := c.views[v]; w != nil {
			st.Stray--
			st.Votes += w.notarize.Count() + w.nullify.Count() + w.finalize.Count()
		}
	}
	return st
}
