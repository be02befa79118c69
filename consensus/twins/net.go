// SPDX-License-Identifier: Apache-2.0

package twins

import (
	"container/heap"
	"crypto/sha256"
	"fmt"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/evidence"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/keys"
)

// Times of a run, in virtual milliseconds.
const (
	wallBase  = 1_700_000_000_000
	stall     = 4_000  // without a new view a partition ends early
	endAt     = 90_000 // a run that is not done by then does not live
	wantViews = 6      // beyond the partitions within which all must have decided
)

// Cache holds what does not differ between runs: keys, the set, and messages
// that were checked. It belongs to one goroutine.
type Cache struct {
	chainID [32]byte
	set     *valset.Set
	keys    []keys.PrivateKey
	genesis consensus.Root
	checked map[string]msg.Verified
}

// NewCache makes the network of all scenarios.
func NewCache() (*Cache, error) {
	c := &Cache{chainID: sha256.Sum256([]byte("twins")), checked: map[string]msg.Verified{}}
	byKey := map[keys.PublicKey]keys.PrivateKey{}
	var entries []valset.Entry
	for i := range copies - 1 {
		k := keys.FromSeed(sha256.Sum256([]byte{byte(i)}))
		byKey[k.Public()] = k
		entries = append(entries, valset.Entry{Address: keys.Address(k.Public()), Key: k.Public(), Power: 1})
	}
	set, err := valset.New(0, entries)
	if err != nil {
		return nil, err
	}
	c.set = set
	for i := range set.Len() {
		c.keys = append(c.keys, byKey[set.Key(i)])
	}
	g := header.Genesis(c.chainID, set.Hash(), 0, wallBase-1_000)
	c.genesis = consensus.Root{Header: g, StateRoot: sha256.Sum256([]byte("state")), ReceiptsRoot: sha256.Sum256([]byte("receipts"))}
	return c, nil
}

// verify is msg.Decode and msg.Verify, once per message.
func (c *Cache) verify(raw []byte) (msg.Verified, error) {
	if v, ok := c.checked[string(raw)]; ok {
		return v, nil
	}
	m, err := msg.Decode(raw)
	if err != nil {
		return msg.Verified{}, err
	}
	v, err := msg.Verify(c.set, c.chainID, m)
	if err == nil {
		if len(c.checked) > 1<<16 {
			c.checked = map[string]msg.Verified{}
		}
		c.checked[string(raw)] = v
	}
	return v, err
}

// net is one run.
type net struct {
	*Cache
	Scenario
	now, seq uint64
	queue    queue
	nodes    [copies]*node
	roots    map[header.Hash][2][32]byte
	top      uint64 // largest view of an honest node
	topAt    uint64 // since when
	lifted   uint64 // partitions up to this view ended early
	chain    map[uint64]header.Hash
	finder   *evidence.Finder
	err      error
}

// node is one copy: a core with a driver that does everything at once.
type node struct {
	n       *net
	id, key int
	core    *consensus.Core
	life    int
	timer   uint64
	height  uint64
	decided uint64 // view of the newest decision
}

// Run plays the scenario. It fails if honest copies decide different blocks (I1),
// if anything shown convicts an honest key (I10), if an honest core gives up, or
// if not all honest copies have decided a block of their sixth view after the
// partitions (I14). Cost: a few milliseconds.
func (s Scenario) Run(c *Cache) error {
	n := &net{
		Cache: c, Scenario: s, roots: map[header.Hash][2][32]byte{}, chain: map[uint64]header.Hash{},
		finder: evidence.NewFinder(c.set, c.chainID, c.genesis.Header.Beacon, 1),
	}
	n.roots[c.genesis.Header.Hash()] = [2][32]byte{c.genesis.StateRoot, c.genesis.ReceiptsRoot}
	for i := range n.nodes {
		key := i
		if i == copies-1 {
			key = s.Twin
		}
		n.nodes[i] = &node{n: n, id: i, key: key}
	}
	for _, x := range n.nodes {
		x.start()
	}
	goal := uint64(len(s.Sides) + wantViews)
	for n.err == nil && len(n.queue) > 0 {
		e := heap.Pop(&n.queue).(event)
		if n.now = e.at; n.now > endAt {
			n.fail("I14-live", "the network stands in view %d", n.top)
		}
		if n.now > n.topAt+stall {
			n.lifted, n.topAt = n.top, n.now
		}
		e.do()
		if n.done(goal) {
			break
		}
	}
	return n.err
}

// done reports whether every honest copy has decided a block of the goal.
func (n *net) done(goal uint64) bool {
	for _, x := range n.nodes {
		if x.honest() && x.decided < goal {
			return false
		}
	}
	return true
}

func (n *net) fail(invariant, format string, args ...any) {
	if n.err == nil {
		n.err = fmt.Errorf("%s violated at %d ms with %v: %s", invariant, n.now, n.Scenario, fmt.Sprintf(format, args...))
	}
}

func (n *net) after(d uint64, do func()) {
	n.seq++
	heap.Push(&n.queue, event{n.now + d, n.seq, do})
}

// connected reports whether what x says in its view reaches y.
func (n *net) connected(x, y *node) bool {
	v := x.core.View()
	return v <= n.lifted || v > uint64(len(n.Sides)) || n.Sides[v-1].joins(x.id, y.id)
}

func (x *node) honest() bool { return x.key != x.n.Twin }

func (x *node) start() {
	c := x.n.Cache
	params := consensus.LocalParams()
	params.PaceMS = 0
	core, err := consensus.New(consensus.Config{
		ChainID: c.chainID, Set: c.set, Seed: c.genesis.Header.Beacon, Key: c.keys[x.key], Root: c.genesis, Params: params,
	})
	if err != nil {
		x.n.fail("config", "%v", err)
		return
	}
	x.core, x.timer, x.height, x.decided = core, 0, 0, 0
	x.life++
	x.later(0, func() {
		x.step(consensus.Restored{})
		x.step(consensus.Work{Pending: true})
	})
}

// later schedules do for this life only.
func (x *node) later(d uint64, do func()) {
	life := x.life
	x.n.after(d, func() {
		if x.life == life {
			do()
		}
	})
}

func (x *node) step(e consensus.Event) {
	n := x.n
	if n.err != nil {
		return
	}
	out := x.core.Step(consensus.Input{Now: n.now, Wall: wallBase + n.now, Event: e})
	switch {
	case out.Err != nil && x.honest():
		n.fail("I1-agree", "copy %d stops: %v", x.id, out.Err)
		return
	case out.Err != nil: // it heard of its twin: it forgets all
		x.life++
		n.after(300, x.start)
		return
	}
	if v := x.core.View(); x.honest() && v > n.top {
		n.top, n.topAt = v, n.now
		n.finder.Advance(v)
	}
	for _, raw := range append(out.Relay, out.Send...) {
		x.send(raw)
	}
	if x.timer = out.Deadline; x.timer != 0 {
		at := x.timer
		x.later(at-min(at, n.now), func() {
			if x.timer == at {
				x.step(consensus.Timer{})
			}
		})
	}
	for _, r := range out.Requests {
		x.serve(r)
	}
	for i := range out.Decide {
		x.decide(&out.Decide[i])
	}
}

// send brings a message to every copy of another key that x reaches.
func (x *node) send(raw []byte) {
	v, err := x.n.verify(raw)
	if err != nil {
		x.n.fail("I9-quorum", "copy %d sends: %v", x.id, err)
		return
	}
	for _, e := range x.n.finder.Add(v) {
		for _, i := range e.Signers() {
			if i != x.n.Twin {
				x.n.fail("I10-no-self-evidence", "%v of view %d accuses honest %d", e.Kind(), e.View(), i)
			}
		}
	}
	for _, y := range x.n.nodes {
		if y.key != x.key && x.n.connected(x, y) {
			x.n.after(1+uint64(y.id), func() { y.step(consensus.Message{Verified: v}) })
		}
	}
}

func (x *node) serve(r consensus.Request) {
	n := x.n
	switch r := r.(type) {
	case consensus.Build: // each copy has a body of its own
		d := sha256.Sum256([]byte{byte(x.id), byte(r.View), byte(r.View >> 8)})
		x.later(0, func() {
			x.step(consensus.Built{View: r.View, Parent: r.Parent, Digests: [][32]byte{d}, Txs: 1})
		})
	case consensus.Fetch:
		if !r.Proposal {
			x.later(0, func() { x.step(consensus.Available{Block: r.Block, Valid: true}) })
			return
		}
		for _, y := range n.nodes {
			if raw := y.core.Proposal(r.Block); raw != nil && y.key != x.key && n.connected(y, x) {
				x.take(raw)
				return
			}
		}
	case consensus.FetchCert:
		for _, y := range n.nodes {
			if y.key != x.key && n.connected(y, x) {
				for _, raw := range y.core.Certificates(r.From, r.To, 64<<10) {
					x.take(raw)
				}
			}
		}
	case consensus.Execute:
		parent := n.roots[r.Header.Parent]
		all := append(parent[0][:], r.Block[:]...)
		roots := [2][32]byte{sha256.Sum256(all), sha256.Sum256(all[32:])}
		n.roots[r.Block] = roots
		x.later(0, func() {
			x.step(consensus.Executed{Block: r.Block, StateRoot: roots[0], ReceiptsRoot: roots[1]})
		})
	}
}

// take receives an answer.
func (x *node) take(raw []byte) {
	v, err := x.n.verify(raw)
	if err != nil {
		x.n.fail("I9-quorum", "an answer to copy %d: %v", x.id, err)
		return
	}
	x.later(2, func() { x.step(consensus.Message{Verified: v}) })
}

func (x *node) decide(d *consensus.Decision) {
	if !x.honest() {
		return
	}
	if old, ok := x.n.chain[d.Header.Height]; ok && old != d.Block || d.Header.Height != x.height+1 {
		x.n.fail("I1-agree", "copy %d decides another block at height %d", x.id, d.Header.Height)
	}
	x.n.chain[d.Header.Height], x.height, x.decided = d.Block, d.Header.Height, d.Header.View
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
