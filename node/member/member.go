// SPDX-License-Identifier: Apache-2.0

package member

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/bls"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/vrf"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/node/driver"
	"github.com/openledger/openledger/node/store"
	nodesync "github.com/openledger/openledger/node/sync"
	"github.com/openledger/openledger/node/votelog"
)

// Config is what New needs.
type Config struct {
	Key    keys.PrivateKey // vote key; zero: this node only follows
	Chain  *chain.Chain
	Syncer *nodesync.Syncer
	// Driver is what the driver of every epoch gets. Core, Chain, Catchup and the
	// log are filled in here.
	Driver driver.Config
	// OpenLog opens the write-ahead log, and puts its records into the driver's
	// configuration. It is called in the first epoch in which the key votes, and
	// after Restart. With the error *votelog.Lost the node observes.
	OpenLog func(*driver.Config) (driver.Log, error)
	// Restart makes room for a new log of which nothing up to the view bound is
	// signed, when others of a quorum of power have shown that the view certified of
	// an epoch is, or its operator's word stands for the quorum (CONS-45). nil: a lost
	// log is an error, and nobody is asked.
	Restart func(epoch, certified uint64, word bool) (bound uint64, err error)
	// Epoch is told of the set of each epoch before anything happens in it; may be
	// nil.
	Epoch func(*valset.Set)
	// Turn is told, in each epoch, that the node now votes or follows; may be nil.
	Turn func(ctx context.Context, validating bool)
	Log  *slog.Logger // nil: none
}

// Member is the part of one node in its chain's epochs.
type Member struct {
	cfg      Config
	log      driver.Log // nil until the key has voted
	records  records
	gate     gate
	abstains atomic.Pointer[Abstaining] // nil: nothing hinders it to vote
	part     atomic.Pointer[part]
	upcoming upcoming

	word      atomic.Pointer[word]               // of the operator, until it is acted on
	interrupt atomic.Pointer[context.CancelFunc] // ends the present driver, nil while there is none
}

// part is what this node does in one validator epoch.
type part struct {
	driver *driver.Driver // nil: it only follows
	index  int            // in the set, −1 for none
}

// New makes the node ready for the epoch above the head. Errors: those of the
// chain, OpenLog and driver.New.
func New(cfg Config) (*Member, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	m := &Member{cfg: cfg}
	return m, m.open()
}

// Driver returns the driver of the present epoch, nil for a node that follows.
func (m *Member) Driver() *driver.Driver { return m.part.Load().driver }

// Index is this node's place in the set of the present epoch, −1 for none.
func (m *Member) Index() int { return m.part.Load().index }

// Lets reports whether a certificate or proposal may be shown to another validator
// now: at a start nothing leaves with a signature that the log did not hold.
func (m *Member) Lets(frame []byte) bool { return m.gate.lets(frame) }

// Open reports whether own signatures may leave: the others were asked whether
// they have a word of this key that its log does not hold.
func (m *Member) Open() bool { return m.gate.isOpen() }

// Close closes the log. Run has ended.
func (m *Member) Close() error {
	if g, ok := m.log.(guarded); ok {
		return g.Close()
	}
	return nil
}

// open begins the epoch above the head: as one of its validators if the vote key
// is in the set, else as a follower.
func (m *Member) open() error {
	set, key := m.cfg.Chain.Set(), m.cfg.Key
	if m.cfg.Epoch != nil {
		m.cfg.Epoch(set)
	}
	if a := m.abstains.Load(); !m.Elected() || a != nil && a.Lost != nil {
		m.part.Store(&part{index: -1})
		return nil
	}
	cfg := m.cfg.Driver
	var err error
	if cfg.Core, cfg.BlockBytes, err = m.core(); err != nil {
		return err
	}
	cfg.Chain, cfg.Catchup = m.cfg.Chain, m.cfg.Syncer.Catchup
	cfg.Net = gated{cfg.Net, &m.gate}
	opened := m.log == nil
	if opened {
		var lost *votelog.Lost
		l, err := m.cfg.OpenLog(&cfg)
		if errors.As(err, &lost) && m.cfg.Restart != nil {
			m.abstain(lost)
			return nil
		} else if err != nil {
			return err
		}
		m.log = l
	}
	m.abstains.Store(nil)
	if g, ok := m.log.(guarded); ok {
		cfg.Core.NoSignUpTo, cfg.Core.NullifyFrom = bounds(g, &cfg.Core)
	}
	if cfg.Core.NoSignUpTo > 0 {
		m.abstains.Store(&Abstaining{Epoch: set.Epoch(), Bound: cfg.Core.NoSignUpTo, Nullify: cfg.Core.NullifyFrom, since: m.cfg.Driver.Clock.Now()})
	}
	if opened {
		m.gate.know(&cfg.Core, cfg.Records, m.cfg.Restart == nil)
		m.records = records{cfg.Records, cfg.Batches}
	}
	m.records.give(&cfg, set.Epoch())
	if cfg.WAL = m.log; len(m.records.list) > 0 {
		cfg.WAL = keeping{m.log}
	}
	d, err := driver.New(cfg)
	if err != nil {
		return err
	}
	m.part.Store(&part{driver: d, index: set.Index(key.Public())})
	for _, frame := range m.upcoming.take() {
		m.give(d, frame)
	}
	return nil
}

// core is what a core of the epoch above the head decides under, and the parameter
// block_bytes. Parameters are those of the state, and hold all epoch.
func (m *Member) core() (consensus.Config, int, error) {
	c, key := m.cfg.Chain, m.cfg.Key
	root, err1 := c.Root()
	start, err2 := c.EpochStart()
	view, err3 := c.View()
	if err := errors.Join(err1, err2, err3); err != nil {
		return consensus.Config{}, 0, err
	}
	p, err := state.GetParams(view)
	return consensus.Config{ChainID: c.Env().ChainID, Set: c.Set(), Seed: start.Header.Beacon, Start: start, Root: root,
		Key: key, BLS: bls.Derive(key), VRF: vrf.Derive(key), Params: timers(p)}, int(p.Consensus.BlockBytes), err
}

// timers are the parameters of consensus.
func timers(p state.Params) consensus.Params {
	c := p.Consensus
	return consensus.Params{DeltaMS: c.DeltaMS, DeltaCapMS: c.DeltaCapMS, PaceMS: c.PaceMS, HeartbeatMS: c.HeartbeatMS,
		DriftMS: c.DriftMS, LagMS: c.LagMS, CertifyMS: c.CertifyMS, EpochMS: p.EpochMS}
}

// Run votes or follows, epoch by epoch, until ctx ends (nil) or the node must stop
// (the reason).
func (m *Member) Run(ctx context.Context) error {
	for {
		d := m.Driver()
		if m.cfg.Turn != nil {
			m.cfg.Turn(ctx, d != nil)
		}
		var err error
		if d != nil {
			err = m.turn(ctx, d)
		} else if a := m.abstains.Load(); a != nil && a.Lost != nil {
			err = m.observe(ctx)
		} else {
			err = m.cfg.Syncer.Follow(ctx, m.Elected)
		}
		if err != nil || ctx.Err() != nil {
			return err
		}
		if err := m.open(); err != nil {
			return err
		}
		set := m.cfg.Chain.Set()
		m.cfg.Log.Info("epoch", "number", set.Epoch(), "validators", set.Len(), "own", m.Index())
	}
}

// turn runs the driver of an epoch, until the operator interrupts it to resume.
func (m *Member) turn(ctx context.Context, d *driver.Driver) error {
	turn, stop := context.WithCancel(ctx)
	defer stop()
	m.interrupt.Store(&stop)
	err := m.vote(turn, d)
	m.interrupt.Store(nil)
	if w := m.word.Swap(nil); w != nil && err == nil && ctx.Err() == nil {
		return m.resume(w)
	}
	return err
}

// Elected reports whether this node votes above the head: its key is in the set,
// and it knows where the epoch starts, which it does not between the base of a
// snapshot and the seal above it.
func (m *Member) Elected() bool {
	if m.cfg.Key.IsZero() || m.cfg.Chain.Set().Index(m.cfg.Key.Public()) < 0 {
		return false
	}
	_, err := m.cfg.Chain.EpochStart()
	return !errors.Is(err, store.ErrNotFound)
}

// Deliver takes a frame of another validator; one of a later epoch waits for its
// driver.
func (m *Member) Deliver(frame []byte) {
	if d := m.Driver(); d != nil {
		m.give(d, frame)
	} else {
		m.upcoming.keep(frame)
	}
}

func (m *Member) give(d *driver.Driver, frame []byte) {
	switch err := d.Deliver(frame); {
	case errors.Is(err, driver.ErrLater):
		m.upcoming.keep(frame)
	case err != nil:
		m.cfg.Log.Debug("bad consensus frame", "err", err)
	}
}

// Bounds of upcoming.
const (
	upcomingFrames = 1_024
	upcomingBytes  = 4 << 20
)

// upcoming is frames of an epoch that others have entered before us, so that the
// first views of an epoch wait for no repetition. When it is full, new ones are
// dropped. It is safe for concurrent use.
type upcoming struct {
	mu     sync.Mutex
	frames [][]byte
	bytes  int
}

func (e *upcoming) keep(frame []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.frames) < upcomingFrames && e.bytes+len(frame) <= upcomingBytes {
		e.frames, e.bytes = append(e.frames, frame), e.bytes+len(frame)
	}
}

func (e *upcoming) take() [][]byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := e.frames
	e.frames, e.bytes = nil, 0
	return out
}
