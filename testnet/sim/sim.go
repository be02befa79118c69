// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/disktest"
	"github.com/openledger/openledger/node/store"
)

const (
	people    = 5
	smallPool = 6
	resubmit  = 1500 * time.Millisecond
	look      = time.Second // between looks at bounds
	segment   = 32 << 10    // of a log, so small that some go during a run
)

// Violation is a broken promise.
type Violation struct {
	Rule   string // as in CONS-25 where it stands there
	Detail string
	At     time.Duration // virtual
}

// Error prints the violation in one line.
func (v *Violation) Error() string {
	return fmt.Sprintf("%s violated at %v: %s", v.Rule, v.At.Round(time.Millisecond), v.Detail)
}

// Sim is one run of a network.
type Sim struct {
	// Trace, if set, receives one line per event worth telling.
	Trace func(line string)

	p        Profile
	healAt   atomic.Int64 // virtual nanoseconds at which the faults end
	seed     uint64
	start    time.Time
	w        *chaintest.World
	machines []*machine
	cuts     []cut
	frail    *machine // whose disk flips bits and fails to sync; of power at most f
	book     *book
	stakers  stakers
	entries  map[tx.ID]*machine // where clients sent what they wait for

	mu      sync.Mutex
	passed  map[passage]uint64
	counts  map[string]int
	failure *Violation
	failed  chan struct{} // closed with the first failure
	sent    []tx.Verified // by clients, in order
}

// New builds the network of a profile. Call it inside a synctest bubble.
func New(t testing.TB, p Profile, seed uint64) *Sim {
	s := &Sim{p: p, seed: seed, start: time.Now(), passed: map[passage]uint64{}, entries: map[tx.ID]*machine{}, counts: map[string]int{}, failed: make(chan struct{})}
	world := chaintest.NewWeighted
	if p.Keyed {
		world = chaintest.NewKeyed
	}
	s.w = world(t, p.Powers, people, uint64(s.start.UnixMilli()))
	s.book = newBook(s)
	s.healAt.Store(int64(p.Heal))
	for i, vote := range s.w.Votes { // in set order, which is that of Powers
		s.newMachine(vote, p.Powers[i], p.Faults[i])
		if p.Faults[i] == Twin {
			s.newMachine(vote, 0, Twin)
		}
	}
	for i := range p.Followers {
		s.newMachine(keys.FromSeed([32]byte{4, byte(i)}), 0, Honest)
	}
	for _, key := range s.w.People {
		s.stakers.people = append(s.stakers.people, &account{key: key})
	}
	if p.Turnover {
		s.stakers.joiner, s.stakers.leaver = s.stakers.people[people-1], &account{key: s.w.Operator(1)}
		s.stakers.people = s.stakers.people[:people-1]
	}
	return s
}

// now is virtual time since the start.
func (s *Sim) now() time.Duration { return time.Since(s.start) }

// healed reports whether the faults have ended.
func (s *Sim) healed() bool { return int64(s.now()) >= s.healAt.Load() }

func (s *Sim) fail(rule, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil {
		s.failure = &Violation{Rule: rule, Detail: fmt.Sprintf(format, args...), At: s.now()}
		close(s.failed)
	}
}

func (s *Sim) count(what string) { s.mu.Lock(); defer s.mu.Unlock(); s.counts[what]++ }

// Counts says how often what happened, in words, for a look at what runs cover.
func (s *Sim) Counts() map[string]int { s.mu.Lock(); defer s.mu.Unlock(); return maps.Clone(s.counts) }

// crashed reports errors of a machine that has died.
func (s *Sim) crashed(err error) bool {
	return errors.Is(err, store.ErrCrash) || errors.Is(err, disktest.ErrCrash)
}

func (s *Sim) trace(format string, args ...any) {
	if s.Trace != nil {
		s.Trace(fmt.Sprintf("%8.3fs %s", s.now().Seconds(), fmt.Sprintf(format, args...)))
	}
}

// Run plays the profile to its end. The error, if any, is a *Violation.
func (s *Sim) Run() error {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	spawn := func(f func(context.Context)) { wg.Go(func() { f(ctx) }) }
	s.trace("%+v", s.p)
	s.plan()
	for _, m := range s.machines {
		if m.fault == Silent {
			close(m.ended)
			continue
		}
		spawn(m.run)
	}
	spawn(s.clients)
	spawn(func(ctx context.Context) { s.every(ctx, look, s.bounded) })
	if s.p.Operators {
		spawn(func(ctx context.Context) {
			s.every(ctx, 10*look, func(ctx context.Context) {
				for _, m := range s.machines {
					m.resume(ctx)
				}
			})
		})
	}
	s.faults()
	s.heal()
	s.converge()
	s.mu.Lock()
	failure := s.failure
	s.mu.Unlock()
	if failure == nil {
		s.atEnd()
	}
	cancel()
	for _, m := range s.machines {
		m.kill(false)
	}
	wg.Wait()
	if s.failure != nil {
		return s.failure
	}
	return nil
}

// faults waits until the faults end: at their time, or when everybody has died as
// often as planned.
func (s *Sim) faults() {
	for s.p.Kills > 0 && !s.healed() && slices.ContainsFunc(s.machines, func(m *machine) bool { return m.doom.Load() > 0 }) {
		s.wait(s.now() + time.Second)
		select {
		case <-s.failed:
			return
		default:
		}
	}
	if s.p.Kills > 0 {
		s.healAt.Store(int64(s.now()))
	}
	s.wait(time.Duration(s.healAt.Load()))
}

// wait waits until a virtual time or a failure.
func (s *Sim) wait(until time.Duration) {
	t := time.NewTimer(until - s.now())
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.failed:
	}
}

func (s *Sim) every(ctx context.Context, d time.Duration, f func(context.Context)) {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			f(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (s *Sim) bounded(ctx context.Context) {
	for _, m := range s.machines {
		m.bounded(ctx)
	}
}

// clients send transfers, each to some machine, and to another one if that does not
// know it any more, until somebody reports them as final.
func (s *Sim) clients(ctx context.Context) {
	r := s.dice("clients", nil)
	gap := s.p.Heal / time.Duration(s.p.Transfers+1)
	if s.p.Kills > 0 {
		gap = look / 2
	}
	for i := 0; ctx.Err() == nil; i++ {
		if i < s.p.Transfers && !s.healed() {
			from, to := s.stakers.people[r.IntN(len(s.stakers.people))], s.w.Address(r.IntN(people))
			s.issue(from, &tx.Transfer{To: to, Amount: 1 + s.amount(r.Uint64())})
		}
		if s.p.Turnover && !s.healed() {
			s.turnover(r)
		}
		for k, v := range s.open() {
			if k%8 == i%8 || s.healed() {
				s.submit(v, uint64(i))
			}
		}
		t := time.NewTimer(max(gap, resubmit/8))
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
}

// submit gives a transaction to a machine unless the one that took it has it still.
func (s *Sim) submit(v tx.Verified, n uint64) {
	if m := s.entries[v.ID()]; m != nil {
		if p := m.process(); p != nil && p.pool.Has(v.ID()) {
			if p.member.Driver() == nil && n%16 == 0 { // as a node's outbox does
				m.gossip(v)
			}
			return
		}
	}
	m := s.someone(v, n)
	s.entries[v.ID()] = m
	m.admit(v, true)
}

// open lists what clients have sent and nobody has reported.
func (s *Sim) open() []tx.Verified {
	s.mu.Lock()
	all := slices.Clone(s.sent)
	s.mu.Unlock()
	return slices.DeleteFunc(all, func(v tx.Verified) bool { return s.book.isFinal(v.ID()) })
}

func (s *Sim) someone(v tx.Verified, n uint64) *machine {
	r := s.dice("entry", v.Bytes(), n)
	for {
		if m := s.machines[r.IntN(len(s.machines))]; m.fault != Silent {
			return m
		}
	}
}

// heal ends all faults but those of faulty validators.
func (s *Sim) heal() {
	s.trace("the faults end")
	for _, m := range s.machines {
		m.doom.Store(0)
		m.disk.Plan(0)
		m.keys.Plan(0)
		m.db.Plan(0, 0)
		m.disk.Fill(-1)
		m.disk.FailSync(0)
		select {
		case m.wakes <- struct{}{}:
		default:
		}
	}
}

// converge waits until every node that runs has everything that was sent.
func (s *Sim) converge() {
	s.mu.Lock()
	want := slices.Clone(s.sent)
	s.mu.Unlock()
	for end := s.now() + s.p.Rest; s.now() < end; s.wait(s.now() + 200*time.Millisecond) {
		s.mu.Lock()
		failed := s.failure != nil
		s.mu.Unlock()
		if failed || !slices.ContainsFunc(s.machines, func(m *machine) bool { return m.counts() && !m.has(want) }) {
			return
		}
	}
	s.fail("I14-live", "%d of %d transactions are not final %v after healing\n%s", len(s.open()), len(want), s.p.Rest, s.state())
}

// counts reports whether a machine must hold everything in the end.
func (m *machine) counts() bool {
	return m.fault != Silent && m.fault != Twin && m.fault != Amnesia && m.fault != Equivocate
}

// state describes all machines.
func (s *Sim) state() string {
	var out strings.Builder
	for _, m := range s.machines {
		p := m.process()
		if p == nil {
			fmt.Fprintf(&out, "machine %d: down, life %d\n", m.id, m.lives)
			continue
		}
		view := uint64(0)
		if d := p.member.Driver(); d != nil {
			d.Query(context.Background(), func(c *consensus.Core) { view = c.View() })
		}
		fmt.Fprintf(&out, "machine %d: height %d epoch %d view %d index %d pool %d fault %d abstains %+v\n", m.id, p.chain.Head().Height,
			p.chain.Set().Epoch(), view, p.member.Index(), p.pool.Len(), m.fault, p.member.Abstains())
	}
	return out.String()
}

// atEnd compares all chains with the book.
func (s *Sim) atEnd() {
	// What others report meanwhile is no promise of this one.
	s.book.mu.Lock()
	top := s.book.top
	s.book.mu.Unlock()
	for end := s.now() + s.p.Rest; s.now() < end && s.behind(top); {
		s.wait(s.now() + 100*time.Millisecond)
	}
	for _, m := range s.machines {
		if p := m.process(); m.counts() && p != nil {
			s.book.atEnd(p, top)
			s.book.audit(p)
		}
	}
	s.turned()
}

func (s *Sim) behind(top uint64) bool {
	return slices.ContainsFunc(s.machines, func(m *machine) bool {
		p := m.process()
		return m.counts() && (p == nil || p.chain.Head().Height < top)
	})
}

func ledgerHash(b []byte) [32]byte { return sha256.Sum256(b) }
