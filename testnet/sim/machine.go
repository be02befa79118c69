// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/node/disktest"
	"github.com/openledger/openledger/node/driver"
	"github.com/openledger/openledger/node/keystore"
	"github.com/openledger/openledger/node/member"
	"github.com/openledger/openledger/node/mempool"
	"github.com/openledger/openledger/node/store"
	nodesync "github.com/openledger/openledger/node/sync"
	"github.com/openledger/openledger/node/votelog"
)

// machine is a computer with its disks and clock, on which one process after
// another runs.
type machine struct {
	s     *Sim
	id    int
	vote  keys.PrivateKey
	fault Fault
	power uint64         // of the vote key in the genesis
	disk  *disktest.Disk // of the log
	keys  *disktest.Disk // of the guard
	db    *store.Volatile
	clock *skewed
	wakes chan struct{} // ends the wait between two lives
	ended chan struct{} // closed when no process will come any more
	flips int           // of bits in the log, at the next starts
	doom  atomic.Int64  // so many of its next processes die at some operation
	wiped atomic.Bool   // its log is deleted before the next start

	mu      sync.Mutex
	durable map[[32]byte]bool // own votes on stable storage, by hash
	p       *process          // nil while down
	lives   int
	outage  bool // the next end of the process is a power loss
	stop    context.CancelFunc
}

// process is one life of a node.
type process struct {
	m      *machine
	life   int
	chain  *chain.Chain
	pool   *mempool.Pool
	member *member.Member
}

func (s *Sim) newMachine(vote keys.PrivateKey, power uint64, f Fault) *machine {
	id := len(s.machines)
	m := &machine{s: s, id: id, vote: vote, fault: f, power: power, db: store.NewVolatile(), durable: map[[32]byte]bool{},
		disk: disktest.New(s.dice("disk", nil, uint64(id))), keys: disktest.New(s.dice("keys", nil, uint64(id))), wakes: make(chan struct{}, 1), ended: make(chan struct{})}
	m.clock = newSkewed(s, id, f)
	s.machines = append(s.machines, m)
	return m
}

// process returns what runs, nil while the machine is down.
func (m *machine) process() *process { m.mu.Lock(); defer m.mu.Unlock(); return m.p }

// honest reports whether the rules of an honest key are asserted of the machine.
func (m *machine) honest() bool {
	return m.fault == Honest || m.fault == Withhold || m.fault == FalseClock || m.fault == Silent
}

// run starts one process after another until ctx ends.
func (m *machine) run(ctx context.Context) {
	defer close(m.ended)
	for ctx.Err() == nil {
		err := m.live(ctx)
		if ctx.Err() != nil {
			return
		}
		m.mu.Lock()
		outage := m.outage
		m.outage = false
		life := m.lives
		m.mu.Unlock()
		m.s.trace("machine %d ends life %d, power lost %v: %v", m.id, life, outage, err)
		m.judge(err)
		if outage {
			m.disk.LosePower()
			m.keys.LosePower()
			m.db.LosePower(m.s.dice("outage", nil, uint64(m.id), uint64(life)))
		} else {
			m.disk.Revive()
			m.keys.Revive()
			m.db.Revive()
		}
		m.damage(life)
		down := upTo(m.s.dice("down", nil, uint64(m.id), uint64(life)), 4*time.Second)
		if m.s.healed() {
			down = 100 * time.Millisecond
		}
		m.pause(ctx, down)
	}
}

func (m *machine) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-m.wakes:
	case <-ctx.Done():
	}
}

// damage is what happens to the disk of a machine while it is down.
func (m *machine) damage(life int) {
	if m.fault == Amnesia || m.fault == Twin {
		m.disk.Load(nil)
		m.keys.Load(nil)
	}
	if m.wiped.Swap(false) {
		m.disk.Load(nil)
	}
	if m.flips == 0 {
		return
	}
	m.flips--
	r := m.s.dice("flip", nil, uint64(m.id), uint64(life))
	image := m.disk.Save()
	for name, b := range image { // in practice one segment
		if len(b) > 0 && len(image) == 1 {
			m.disk.Change(name, func(b []byte) { b[r.IntN(len(b))] ^= 1 << r.IntN(8) })
			m.s.count("flip")
		}
	}
}

// judge says whether a process of an honest machine may end so.
func (m *machine) judge(err error) {
	for _, planned := range []error{nil, disktest.ErrCrash, disktest.ErrFull, disktest.ErrSync, store.ErrCrash} {
		if errors.Is(err, planned) {
			if err != nil {
				m.s.count(planned.Error())
			}
			return
		}
	}
	switch {
	case m.fault == Twin || m.fault == Amnesia || m.fault == Equivocate:
	default:
		m.s.fail("stopped", "machine %d: %v", m.id, err)
	}
}

// live is one process from start to end.
func (m *machine) live(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m.mu.Lock()
	m.lives++
	m.stop = cancel
	p := &process{m: m, life: m.lives}
	if m.doom.Load() > 0 {
		m.doom.Add(-1)
		m.outage = m.condemn(m.lives)
	}
	m.mu.Unlock()
	if err := p.open(); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	m.mu.Lock()
	m.p = p
	m.mu.Unlock()
	m.s.trace("machine %d begins life %d at height %d", m.id, p.life, p.chain.Head().Height)
	defer func() {
		m.mu.Lock()
		m.p = nil
		m.mu.Unlock()
	}()
	defer p.member.Close()
	return p.member.Run(ctx)
}

// condemn plans the end of a process and reports whether it is a power loss.
func (m *machine) condemn(life int) bool {
	r := m.s.dice("doom", nil, uint64(m.id), uint64(life))
	switch r.IntN(9) {
	case 0:
		m.keys.Plan(1)
	case 1, 2, 3, 4:
		m.disk.Plan(1 + r.IntN(150))
	default:
		m.db.Plan(1+r.IntN(30), []int{0, 50, 100}[r.IntN(3)])
	}
	return r.IntN(2) == 0
}

// kill ends the process at once, as kill -9 or a power loss does.
func (m *machine) kill(outage bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.disk.Kill()
	m.keys.Kill()
	m.db.Kill()
	m.outage = m.outage || outage
	if m.stop != nil {
		m.stop()
	}
}

// open builds a node on what the disks hold (ARCHITECTURE section 9).
func (p *process) open() error {
	m, s := p.m, p.m.s
	db, err := m.db.Open()
	if err != nil {
		return err
	}
	if p.chain, err = chain.Open(db, s.w.Doc); err != nil {
		return err
	}
	limits := mempool.DefaultLimits()
	if s.p.SmallPools {
		limits.Txs = smallPool
	}
	p.pool = mempool.New(limits, p.chain.View, m.clock.Now)
	syncer := nodesync.New(nodesync.Config{Chain: p.chain, Source: source{p}, Cache: p.pool, Committed: p.committed})
	cfg := member.Config{Key: m.vote, Chain: p.chain, Syncer: syncer, OpenLog: p.openLog, Restart: m.restart, Driver: driver.Config{Pool: p.pool,
		Verify: p.verify, Net: validators{p}, Clock: m.clock, Workers: 1, Segment: segment, Committed: p.committed}}
	p.member, err = member.New(cfg)
	return err
}

// votelog says where the log of the vote key and its guard lie.
func (m *machine) votelog() votelog.Config {
	return votelog.Config{Files: m.disk, Guard: guardFile{m.keys}, ID: keystore.GuardID{Key: m.vote.Public(), ChainID: m.s.w.ID, Machine: "m"}}
}

func (m *machine) restart(epoch, certified uint64, word bool) (uint64, error) {
	m.s.count("log lost")
	bound, err := votelog.Restart(m.votelog(), epoch, certified, word)
	m.s.trace("machine %d begins a new log and signs nothing up to view %d of epoch %d: %v", m.id, bound, epoch, err)
	return bound, err
}

// guardFile is the double-sign guard beside the key.
type guardFile struct{ d *disktest.Disk }

// Read implements keystore.GuardFile.
func (g guardFile) Read() ([]byte, error) { return g.d.Read("guard") }

// Replace implements keystore.GuardFile.
func (g guardFile) Replace(b []byte) error { return g.d.Replace("guard", b) }

// verify checks a body, and takes its time.
func (p *process) verify(raw [][]byte) ([]tx.Verified, error) {
	p.dawdle("verify", uint64(len(raw)))
	return ledger.VerifyTxs(p.m.s.w.ID, raw, p.pool)
}

func (p *process) dawdle(label string, n uint64) {
	if s := p.m.s; s.p.Slow > 0 && !s.healed() {
		if r := s.dice(label, nil, uint64(p.m.id), n); r.IntN(4) == 0 {
			time.Sleep(upTo(r, s.p.Slow))
		}
	}
}

// committed runs after each commit, where the chain is written.
func (p *process) committed(b *chain.Block) {
	p.dawdle("commit", b.Header().Height)
	if err := p.pool.Committed(b.Verified.Txs(), b.Receipts); err != nil && !errors.Is(err, store.ErrCrash) {
		p.m.s.fail("mempool", "machine %d: %v", p.m.id, err)
	}
	p.m.s.book.committed(p, b)
}

// receive takes a frame from the network.
func (m *machine) receive(frame []byte) {
	if p := m.process(); p != nil {
		p.member.Deliver(frame)
	}
}

// admit takes a transaction from a client, or by gossip; a new one is passed on.
func (m *machine) admit(v tx.Verified, client bool) {
	p := m.process()
	if p == nil {
		return
	}
	if err := p.pool.AddAll([]tx.Verified{v}, client)[0]; err != nil {
		if errors.Is(err, mempool.ErrFull) {
			m.s.count("refused")
		}
		return
	}
	if d := p.member.Driver(); d != nil {
		d.Wake()
	}
	m.gossip(v)
}

func (m *machine) gossip(v tx.Verified) {
	for _, to := range m.s.machines {
		if to != m {
			m.s.send(m, to, v.Bytes(), func() { to.admit(v, false) })
		}
	}
}

// resume is the operator of a validator that does not vote: it looks, and gives the
// word as soon as the node takes it.
func (m *machine) resume(ctx context.Context) {
	p := m.process()
	if p == nil {
		return
	}
	switch st, err := p.member.Resume(ctx, true); {
	case errors.Is(err, member.ErrVotes) || m.s.crashed(err) || ctx.Err() != nil:
	case err != nil:
		m.s.fail("resume", "machine %d: %v", m.id, err)
	case st.Refusal == "":
		m.s.trace("machine %d has its operator's word: %+v", m.id, st)
		m.s.count("word")
	}
}

// bounded asserts that the core holds no more than it may (I13).
func (m *machine) bounded(ctx context.Context) {
	p := m.process()
	if p == nil || p.member.Driver() == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	set := p.chain.Set()
	p.member.Driver().Query(ctx, func(c *consensus.Core) {
		st := c.Stats()
		_, root := c.Root()
		span := c.View() + 257
		if root.Epoch == set.Epoch() {
			span -= root.View
		}
		if uint64(st.Views) > span || uint64(st.Votes) > 6*span*uint64(set.Len()) || uint64(st.Blocks) > 4*span || st.Stray > 0 {
			m.s.fail("I13-bounded", "machine %d holds %+v in a span of %d views", m.id, st, span)
		}
	})
}

// has reports whether everything in list is final on the machine.
func (m *machine) has(list []tx.Verified) bool {
	p := m.process()
	return p != nil && !slices.ContainsFunc(list, func(v tx.Verified) bool {
		_, _, err := p.chain.Store().TxLocation([32]byte(v.ID()))
		return err != nil
	})
}
