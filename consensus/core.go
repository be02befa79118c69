// SPDX-License-Identifier: Apache-2.0

package consensus

import (
	"errors"
	"fmt"

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
	resendAt uint64
	retryAt  uint64 // Now of asking again for what did not come; 0 = nothing is missing
	waitAt   uint64 // Now at which a rule that waits for the clock may fire; 0 = none
	behind   uint64 // Now since which a Finalization waits for missing blocks; 0 = none
	far      bool   // ... and too many of them: sync instead of fetching
	syncing  bool   // Sync was requested
	certsFor uint64 // view for which FetchCert was requested since the last resend
}

// New returns a core at its root. The first input must be Restored. Errors:
// ErrConfig, and those of cert.VerifyFinalization for a root above genesis.
func New(cfg Config) (*Core, error) {
	r := &cfg.Root
	switch p := cfg.Params; {
	case cfg.Set == nil:
		return nil, fmt.Errorf("%w: no validator set", ErrConfig)
	case p.DeltaMS == 0 || p.DeltaCapMS < p.DeltaMS || p.HeartbeatMS == 0:
		return nil, fmt.Errorf("%w: timer parameters %+v", ErrConfig, p)
	case r.Header.ChainID != cfg.ChainID || r.Header.SetHash != cfg.Set.Hash() || r.Header.Epoch != cfg.Set.Epoch():
		return nil, fmt.Errorf("%w: root of another chain, set or epoch", ErrConfig)
	case r.Header.View != 0 && (r.Finalization == nil || r.Finalization.Hash() != r.Header.Hash() || r.Finalization.View != r.Header.View):
		return nil, fmt.Errorf("%w: root at view %d without its finalization", ErrConfig, r.Header.View)
	}
	if r.Header.View != 0 {
		if err := cert.VerifyFinalization(cfg.Set, cfg.ChainID, r.Finalization); err != nil {
			return nil, err
		}
	}
	c := &Core{
		cfg: cfg, n: cfg.Set.Len(), self: -1, quorum: cfg.Set.Quorum(), delta: cfg.Params.DeltaMS,
		sched: valset.NewSchedule(cfg.Set, cfg.Seed), heard: make([]uint64, cfg.Set.Len()),
		blocks: map[header.Hash]*block{}, views: map[uint64]*view{},
	}
	c.rules = header.Rules{
		Epoch: cfg.Set.Epoch(), StartMS: cfg.Start.Header.TimeMS, EpochMS: cfg.Params.EpochMS, CertifyMS: cfg.Params.CertifyMS,
		Aggregates: cfg.Set.Aggregates(), Draws: cfg.Set.Draws(),
	}
	if broken(mutSmallQuorum) {
		c.quorum = (cfg.Set.Total()*2 + 2) / 3
	}
	if !cfg.Key.IsZero() {
		c.self = cfg.Set.Index(cfg.Key.Public())
	}
	c.root = rootBlock(r)
	c.rootCert, c.newest = r.Finalization, r.Finalization
	c.cur = r.Header.View + 1
	return c, nil
}

func rootBlock(r *Root) *block {
	return &block{
		hash: r.Header.Hash(), head: r.Header, law: good, held: true, executed: true, running: true,
		state: r.StateRoot, receipts: r.ReceiptsRoot, recorded: true, asked: true,
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
	for c.dirty && c.out.Err == nil {
		c.dirty = false
		c.advance()
	}
	if c.out.Err != nil {
		return Output{Err: c.out.Err}
	}
	c.out.Deadline = c.deadline()
	return c.out
}

func (c *Core) handle(e Event) {
	switch e := e.(type) {
	case Message:
		c.onMessage(e.Verified)
	case Timer:
		c.dirty = true
	case Work:
		c.dirty = c.dirty || c.work != e.Pending
		c.work = e.Pending
	case Built:
		c.onBuilt(e)
	case Available:
		if b := c.blocks[e.Block]; b != nil && !b.held && !b.invalid {
			b.held, b.invalid, c.dirty = e.Valid, !e.Valid, true
		}
	case Executed:
		if b := c.blocks[e.Block]; b != nil && b.running && !b.executed {
			b.executed, b.state, b.receipts, c.dirty = true, e.StateRoot, e.ReceiptsRoot, true
		}
	case Synced:
		c.onSynced(&e.Root)
	}
}

// advance applies every rule once, in an order in which each sees what those
// before it did.
func (c *Core) advance() {
	c.waitAt = 0
	c.decide()
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
		w = new(view)
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
	for v := c.root.head.View + 1; v <= c.cur+futureViews; v++ {
		if w := c.views[v]; w != nil {
			st.Stray--
			st.Votes += w.notarize.Count() + w.nullify.Count() + w.finalize.Count()
		}
	}
	return st
}
