// SPDX-License-Identifier: Apache-2.0

package coretest

import (
	"container/heap"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/internal/detrand"
)

// wallBase is the Unix time of the start of every run.
const wallBase = 1_700_000_000_000

// Violation is a broken invariant.
type Violation struct {
	Invariant string // as in CONS-25: I1-agree …
	Detail    string
	At        uint64 // virtual ms
}

// Error prints the violation in one line.
func (v *Violation) Error() string {
	return fmt.Sprintf("%s violated at %d ms: %s", v.Invariant, v.At, v.Detail)
}

// Sim is one run of a network. It belongs to one goroutine.
type Sim struct {
	Profile
	// Trace, if set, receives one line per event worth telling.
	Trace func(line string)

	rng     *detrand.SplitMix
	links   *detrand.SplitMix // of streams that break
	now     uint64
	seq     uint64
	queue   queue
	failure *Violation

	chainID  [32]byte
	people   []person
	epochs   []*epoch // by number
	genesis  consensus.Root
	nodes    []*Node
	villains []*villain
	group    []int // partition of each person; all equal when whole
	healed   bool

	checked map[string]checked // messages by their bytes
	book    book
	names   map[header.Hash]string
	found   int // offences found in everything that anybody sends
}

type checked struct {
	m   *msg.Message
	v   msg.Verified
	err error
}

// New builds the network of a profile; every choice comes from seed.
func New(p Profile, seed uint64) *Sim {
	s := &Sim{
		Profile: p, rng: detrand.NewSplitMix(seed), links: detrand.NewSplitMix(seed ^ 0x6c696e6b), checked: map[string]checked{}, book: newBook(), names: map[header.Hash]string{},
	}
	s.chainID = sha256.Sum256(binary.BigEndian.AppendUint64([]byte("coretest"), seed))
	s.makePeople()
	s.book.learnGenesis(s, &s.genesis)
	s.group = make([]int, len(s.people))
	for i := range s.people {
		switch s.people[i].fault {
		case Honest:
			s.addNode(i)
		case Twin:
			s.addNode(i)
			s.addNode(i)
		case Silent:
		default:
			s.villains = append(s.villains, newVillain(s, i))
		}
	}
	if p.Observer {
		s.addNode(-1)
	}
	return s
}

func (s *Sim) addNode(who int) {
	n := newNode(s, who, len(s.nodes))
	s.nodes = append(s.nodes, n)
	s.after(s.rng.Below(20), n.Restart)
}

// Run plays the profile to its end. The error, if any, is a *Violation.
func (s *Sim) Run() error {
	s.plan()
	s.Until(s.EndAt, func() bool { return false })
	if s.failure == nil {
		s.atEnd()
	}
	return s.result()
}

func (s *Sim) result() error {
	if s.failure != nil {
		return s.failure
	}
	return nil
}

// Until plays events until virtual time end, a violation, or done.
func (s *Sim) Until(end uint64, done func() bool) error {
	for s.failure == nil && len(s.queue) > 0 && s.queue[0].at <= end && !done() {
		e := heap.Pop(&s.queue).(event)
		s.now = e.at
		e.do()
	}
	return s.result()
}

// Now returns the virtual time in milliseconds.
func (s *Sim) Now() uint64 { return s.now }

// Nodes lists the honest and twin nodes in the order of the first set, then those
// who may join, an observer last.
func (s *Sim) Nodes() []*Node { return s.nodes }

// Split parts the network: validators reach each other only within a group.
// groups is in the order of Nodes' validators.
func (s *Sim) Split(groups []int) {
	copy(s.group, groups)
	s.relink()
}

// plan schedules what the profile asks for.
func (s *Sim) plan() {
	for range s.Txs {
		s.after(s.rng.Below(s.HealAt), s.Submit)
	}
	for range s.Crashes {
		n := s.nodes[s.rng.Below(uint64(len(s.nodes)))]
		s.after(s.rng.Below(s.HealAt), func() { n.fuse = int(1 + s.rng.Below(12)) })
	}
	if s.PowerCut {
		s.after(s.HealAt/2, func() {
			for _, n := range s.nodes {
				n.Crash()
			}
		})
	}
	for range s.Splits {
		from := s.rng.Below(s.HealAt)
		s.after(from, func() {
			for i := range s.group {
				s.group[i] = int(s.rng.Below(2))
			}
			s.relink()
		})
		s.after(from+s.rng.Below(5_000), func() {
			clear(s.group)
			s.relink()
		})
	}
	s.after(s.HealAt, s.Heal)
	// Afterwards one more transaction must become final soon (I14-live).
	s.after(s.HealAt+8_000, func() {
		s.book.goal = s.tx()
		s.book.goalAt = place{s.newest().number, s.newest().top}
		s.spreadTx(s.book.goal)
	})
}

// Heal ends loss, partitions and crashes.
func (s *Sim) Heal() {
	s.healed = true
	clear(s.group)
	for _, n := range s.nodes {
		n.fuse = 0
		if n.core == nil {
			n.Restart()
		}
	}
	s.relink()
}

// Submit gives a new transaction to every node that runs.
func (s *Sim) Submit() { s.spreadTx(s.tx()) }

func (s *Sim) tx() [32]byte {
	s.seq++
	d := sha256.Sum256(binary.BigEndian.AppendUint64(s.chainID[:], s.seq))
	d[0] &= 0x7f // the upper half is for bodies that break a rule
	return d
}

func (s *Sim) spreadTx(tx [32]byte) {
	for _, n := range s.nodes {
		s.after(s.rng.Below(50), func() { n.addTx(tx) })
	}
}

// after schedules do in d ms.
func (s *Sim) after(d uint64, do func()) {
	s.seq++
	heap.Push(&s.queue, event{s.now + d, s.seq, do})
}

// link schedules do as the arrival of a message from one validator at another;
// it may be lost, late or repeated.
func (s *Sim) link(from, to int, do func()) {
	if from >= 0 && to >= 0 && s.group[from] != s.group[to] && !s.everywhere(from) && !s.everywhere(to) {
		return
	}
	copies := 1
	if !s.healed {
		if s.rng.Below(1000) < s.Loss {
			return
		}
		if s.rng.Below(1000) < s.Dup {
			copies = 2
		}
	}
	limit := s.DelayMax
	if s.healed {
		limit = s.HealDelay
	}
	for range copies {
		s.after(s.DelayMin+s.rng.Below(limit), do)
	}
}

// broadcast brings raw to every validator of the epoch but those of the sender's
// key.
func (s *Sim) broadcast(e *epoch, from int, raw []byte) {
	for _, n := range s.nodes {
		if n.who != from && e.index(n.who) >= 0 {
			s.link(from, n.who, func() { n.receive(raw) })
		}
	}
	s.seen(from, raw)
}

// seen lets the book and the faulty validators know of a message.
func (s *Sim) seen(from int, raw []byte) {
	v, err := s.verify(raw)
	if err != nil {
		return
	}
	s.book.learn(s, v)
	s.watch(v)
	for _, x := range s.villains {
		if x.who != from {
			x.see(v)
		}
	}
}

// verify is msg.Decode and msg.Verify, once per message.
func (s *Sim) verify(raw []byte) (msg.Verified, error) {
	c := s.check(raw)
	return c.v, c.err
}

func (s *Sim) check(raw []byte) checked {
	c, ok := s.checked[string(raw)]
	if ok {
		return c
	}
	if c.m, c.err = msg.Decode(raw); c.err == nil {
		if c.m.Epoch() >= uint64(len(s.epochs)) {
			return checked{m: c.m, err: msg.ErrEpoch}
		}
		c.v, c.err = msg.Verify(s.epochs[c.m.Epoch()].set, s.chainID, c.m)
	}
	s.checked[string(raw)] = c
	return c
}

func (s *Sim) fail(invariant, format string, args ...any) {
	if s.failure == nil && !s.tolerated(invariant) {
		s.failure = &Violation{Invariant: invariant, Detail: fmt.Sprintf(format, args...), At: s.now}
		s.trace("VIOLATION %v", s.failure)
	}
}

func (s *Sim) trace(format string, args ...any) {
	if s.Trace != nil {
		s.Trace(fmt.Sprintf(format, args...))
	}
}

// Name returns a short name for a block: letters in order of appearance.
func (s *Sim) Name(h header.Hash) string {
	if h == s.book.genesis {
		return "genesis"
	}
	if _, ok := s.names[h]; !ok {
		i := len(s.names)
		name := string(rune('A' + i%26))
		if i >= 26 {
			name += fmt.Sprint(i / 26)
		}
		s.names[h] = name
	}
	return s.names[h]
}

// advanced notes that an honest node reached a view.
func (s *Sim) advanced(e *epoch, v uint64) {
	if v <= e.top {
		return
	}
	e.top = v
	for _, x := range s.villains {
		s.link(-1, -1, func() { x.lead(e, v) })
	}
}

// describe prints a message for the trace.
func (s *Sim) describe(v msg.Verified) string {
	switch m := v.Message(); {
	case m.Vote != nil && m.Vote.Kind == cert.Nullify:
		return fmt.Sprintf("Nullify view=%d", m.Vote.View)
	case m.Vote != nil:
		return fmt.Sprintf("%v view=%d block=%s", m.Vote.Kind, m.Vote.View, s.Name(m.Vote.Hash()))
	case m.Proposal != nil:
		h := &m.Proposal.Header
		kind := [...]string{"", " seal", " carrier"}[h.Kind]
		return fmt.Sprintf("Proposal view=%d block=%s height=%d parent=%s txs=%d%s", h.View, s.Name(v.Hash()), h.Height, s.Name(h.Parent), h.Txs, kind)
	case m.Cert != nil && m.Cert.Kind == cert.Nullification:
		return fmt.Sprintf("Nullification view=%d signers=%d", m.Cert.View, m.Cert.Count())
	case m.Cert != nil:
		return fmt.Sprintf("%v view=%d block=%s signers=%d", m.Cert.Kind, m.Cert.View, s.Name(m.Cert.Hash()), m.Cert.Count())
	}
	return "Batch"
}

type event struct {
	at, seq uint64
	do      func()
}

type queue []event

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push is for container/heap.
func (q *queue) Push(x any) { *q = append(*q, x.(event)) }

// Pop is for container/heap.
func (q *queue) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}
